"""The student registry's simulator beside a test, in this process, with people from synthetic rosters."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import LazySettings

from tests.support.rosters import COLUMN, Row
from xueka.contexts.registry.models import Student
from xueka.contexts.registry.oneroster import fetching
from xueka.kernel import clock
from xueka.platform.identity.actor import Actor
from xueka.sandbox.registry.__main__ import House, parser

WORDS = {
    "school_code": "学校标识码", "school_name": "学校名称", "stage": "学段", "grade": "年级",
    "class_name": "班级", "name": "姓名", "sex": "性别", "birth_date": "出生日期", "id_type": "证件类型",
    "id_number": "证件号码", "national_number": "全国学籍号", "education_id": "教育ID", "status": "学籍状态",
    "guardian_name": "监护人姓名", "guardian_phone": "监护人手机", "address": "现住址",
}  # fmt: skip
OPERATOR = Actor.system("test")


def person(row: Row) -> dict[str, str]:
    return {word: row[COLUMN[header]] for word, header in WORDS.items()}


class Registry:
    """The registry's side, and one walk of ours through its lists."""

    def __init__(self, house: House) -> None:
        self.house, self.roll = house, house.roll

    @property
    def card(self) -> dict[str, Any]:
        return json.loads(self.house.card.read_text("utf-8"))

    def enter(self, rows: Iterable[Row]) -> list[str]:
        with self.house.store.work():
            return [self.roll.put(person(row)) for row in rows]

    def turn(self, **values: Any) -> None:
        self.house.dial.turn(values)

    def fetch(
        self, *, full: bool = False, check_only: bool = False, tries: int = 60
    ) -> fetching.OneRosterFetch:
        """Ask and walk until it is over; pauses after calls in vain are not waited for."""
        number = fetching.ask(OPERATOR, full=full, check_only=check_only).id
        return self.walk(number, tries=tries)

    def walk(self, number: int, *, tries: int = 60) -> fetching.OneRosterFetch:
        for _ in range(tries):
            fetching.advance(number)
            found = fetching.OneRosterFetch.objects.get(id=number)
            if found.ended_at or found.waits:
                return found
        raise AssertionError(f"not over: {found.problem} {found.cursor}")

    def agrees(self) -> bool:
        return self.roll.counts() == ours()


def students() -> list[tuple[str, ...]]:
    """What `Roll.students` says of the registry, of us; whoever is missing is not there."""
    sexes = {"男": "male", "女": "female"}
    rows = Student.objects.filter(status="在校").exclude(absences__state="missing")
    return [
        (each.education_id, each.name, sexes[each.sex], each.school.code, each.school_class.name)
        for each in rows.select_related("school", "school_class")
    ]


def ours() -> dict[str, Any]:
    """What `Roll.counts` says of the registry, of us."""
    lines = sorted("|".join(each) for each in students())
    return {"students": len(lines), "digest": hashlib.sha256("\n".join(lines).encode()).hexdigest()}


@contextmanager
def registry_beside(home: Path, settings: LazySettings, *options: str) -> Iterator[Registry]:
    house = House(parser().parse_args(["--home", str(home), "--seed", "7", *options]))
    house.clock.set(clock.local(clock.now()).isoformat())
    house.start()
    settings.ONEROSTER_PARTNER = house.card
    try:
        yield Registry(house)
    finally:
        house.stop()
        house.store.close()
