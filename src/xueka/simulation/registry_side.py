"""The student registry beside a simulated city: what it is told, what we fetch, what both sides hold."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.platform.identity.scope import EVERYWHERE
from xueka.simulation import staff
from xueka.simulation.sides import Line, Side

_SEXES = {"男": "male", "女": "female"}


class Registry(Side):
    """Who is on the roll there is on ours. An operator fetches whenever they say that something is new, and
    again until it is here; what waits for a person she applies.
    """

    name = "registry"
    looks = 200  # at a fetch; far more than one needs

    def __init__(self, card: Mapping[str, Any]) -> None:
        super().__init__(card)
        self._ids: dict[str, str] = {}
        self._said: dict[str, dict[str, str]] = {}
        self._news = False
        self._changes = 0

    def enter(self, people: Sequence[dict[str, str]]) -> None:
        for at in range(0, len(people), 1000):
            some = people[at : at + 1000]
            ids = self.control("POST", "people", {"people": some})
            self._ids |= dict(zip((each["education_id"] for each in some), ids, strict=True))
        self._news = True

    def correct(self, education_id: str, person: dict[str, str]) -> None:
        self._change(education_id, person, act="correct", values={"name": person["name"]})

    def move(self, education_id: str, person: dict[str, str]) -> None:
        self._change(education_id, person, act="move", to=person)

    def leave(self, education_id: str) -> None:
        self.control("POST", "change", {"id": self._ids[education_id], "act": "leave"})

    def _change(self, education_id: str, person: dict[str, str], **what: object) -> None:
        self.control("POST", "change", {"id": self._ids[education_id], **what})
        self._said[education_id] = person
        self._news = True
        self._changes += 1

    def sweep(self) -> None:
        if (self._news or self._unheard()) and _open_fetch() is None:
            self.ask()
        self.walk()

    def ask(self, *, full: bool = False) -> None:
        self._news = False
        with transaction.atomic():
            registry.ask_fetch(staff.operator("a"), full=full)

    def walk(self) -> None:
        fetch = _open_fetch()
        if fetch and fetch.waits:
            with transaction.atomic():
                registry.apply_fetch(staff.operator("a"), fetch.id)
        elif fetch and fetch.next_at and fetch.next_at <= clock.now():
            registry.advance_fetch(fetch.id)

    def _unheard(self) -> int:
        """How many changes are not here; of one across districts that it is asked for is enough."""
        rows = registry.Student.objects.filter(education_id__in=self._said).values_list(
            "education_id", "name", "school__code"
        )
        here = {education_id: (name, code) for education_id, name, code in rows}
        asked = registry.transfer_rows(EVERYWHERE).filter(state=registry.TRANSFER.initial)
        going = set(asked.values_list("student__education_id", "to_school__code"))
        for education_id, person in list(self._said.items()):
            name, code = here.get(education_id, ("", ""))
            there = person["school_code"]
            if name == person["name"] and (code == there or (education_id, there) in going):
                del self._said[education_id]
        return len(self._said)

    def waiting(self) -> int:
        return self._unheard() + self._news + (_open_fetch() is not None)

    def line(self) -> Line:
        """Counts and digest as they are; then every record, which is a full walk (oneroster.md §9)."""
        theirs, ours = self.control("GET", "counts"), counts()
        self.ask(full=True)
        for _ in range(self.looks):
            self.walk()
            if _open_fetch() is None:
                break
        runs = registry.ImportRun.objects.filter(kind="oneroster", dry_run=False)
        again, refused = (sum(runs.values_list(each, flat=True)) for each in ("unchanged", "rejected"))
        last = registry.fetches(staff.operator("a"), 1)[0].run
        wrong = 1 if last is None else last.created + last.updated + last.rejected + last.report["left_out"]
        apart = max(abs(theirs["students"] - ours["students"]), 1) if theirs != ours else 0
        return Line(
            self.name, len(self._ids) + self._changes, ours["students"], again, refused,
            theirs["students"], apart + wrong, self.faults(),
        )  # fmt: skip


def _open_fetch() -> registry.OneRosterFetch | None:
    return registry.OneRosterFetch.objects.filter(ended_at=None).first()


def counts() -> dict[str, Any]:
    """Who is in a class here, as `GET /_sim/counts` of the registry says it of them (oneroster.md §10)."""
    rows = registry.Student.objects.filter(status__in=registry.PRESENT).exclude(absences__state="missing")
    here = rows.values_list("education_id", "name", "sex", "school__code", "school_class__name")
    lines = sorted("|".join((a, b, _SEXES[sex], c, d)) for a, b, sex, c, d in here)
    return {"students": len(lines), "digest": hashlib.sha256("\n".join(lines).encode()).hexdigest()}
