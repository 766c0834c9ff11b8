"""The people of the student registry beside a simulated city: what they say is on their own roll, too.

Files say what the roll says. Where the registry's interface runs as well (`side`), each change is entered
there; of some the city hears by it alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from xueka.kernel import clock
from xueka.simulation import files
from xueka.simulation.people import SyntheticStudent


class Interface(Protocol):
    """The registry's simulator, told by its control."""

    def enter(self, people: list[dict[str, str]]) -> None: ...
    def correct(self, education_id: str, person: dict[str, str]) -> None: ...
    def move(self, education_id: str, person: dict[str, str]) -> None: ...


@dataclass(frozen=True, slots=True)
class Written:
    at: datetime
    student: SyntheticStudent


@dataclass
class Registrar:
    """`roll`: what was said last of each, by education ID, and when."""

    roll: dict[str, Written] = field(default_factory=dict)
    side: Interface | None = None

    def write(self, students: Iterable[SyntheticStudent]) -> None:
        """Somebody is new, has another name, or is at another school or in another class."""
        new = []
        for each in students:
            before = self.roll.get(each.education_id)
            self.roll[each.education_id] = Written(clock.now(), each)
            if before is None:
                new.append(files.person(each))
            elif self.side:
                was = before.student
                if each.name != was.name:
                    self.side.correct(each.education_id, files.person(each))
                if (each.school.code, each.class_name) != (was.school.code, was.class_name):
                    self.side.move(each.education_id, files.person(each))
        if new and self.side:
            self.side.enter(new)

    def students(self, education_ids: Iterable[str]) -> list[SyntheticStudent]:
        return [self.roll[each].student for each in education_ids]
