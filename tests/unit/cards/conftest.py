"""A small city: two districts, three schools, and people in every role."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

import pytest
from django.db import transaction

from xueka.contexts.cards import api as cards
from xueka.contexts.cards.models import CardKind
from xueka.contexts.numbers import api as numbers
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE, Scope
from xueka.simulation.portraits import draw_portrait

KIND = "bjt_student"
NOW = datetime(2026, 9, 7, 2, 0, tzinfo=UTC)


@dataclass
class City:
    """Makes students on demand and drives the line in single steps."""

    schools: list[registry.School] = field(default_factory=list)
    _serial: "count[int]" = field(default_factory=lambda: count(1))

    officer = property(lambda self: self.person("officer", "school_officer", self.schools[0]))
    other_officer = property(lambda self: self.person("officer2", "school_officer", self.schools[1]))
    district = property(lambda self: self.person("district", "district_officer", self.schools[0]))
    other_district = property(lambda self: self.person("district2", "district_officer", self.schools[2]))
    operator = property(lambda self: Actor.in_role("operator", "市级运营", "city_operator", Scope("city")))
    system = property(lambda self: Actor.system("test"))

    def person(self, username: str, role: str, school: registry.School) -> Actor:
        code, level = school.district_id, role.split("_", maxsplit=1)[0]
        scope = Scope(level, code, school.code if level == "school" else "")
        return Actor.in_role(username, username, role, scope)

    @transaction.atomic
    def students(self, number: int = 1, school: int = 0, **change: object) -> list[int]:
        """New students in the first class of a school; returns their ids."""
        where = self.schools[school]
        serials = [next(self._serial) for _ in range(number)]
        made = registry.Student.objects.bulk_create(
            registry.Student(**{
                "education_id": f"{serial:08d}", "name": f"学生{serial}", "sort_key": f"xuesheng{serial:08d}",
                "sex": "女", "birth_year": 2015, "status": "在校", "school": where,
                "school_class": where.classes.first(), "envelope": b"", "row_digest": b"",
                "created_at": clock.now(), "updated_at": clock.now(), **change,
            })
            for serial in serials
        )  # fmt: skip
        return [student.id for student in made]

    @transaction.atomic
    def drafts(self, student_ids: list[int], *, reason: str = "new", photos: bool = True) -> list[int]:
        made = cards.create_applications(self.system, student_ids, KIND, reason)
        assert not made.refused, made.refused
        if photos:
            for student_id in student_ids:
                cards.upload_photo(self.system, student_id, PORTRAIT, "x.jpg")
        return made.done

    @transaction.atomic
    def accepted(self, student_ids: list[int], *, reason: str = "new") -> list[int]:
        photos = CardKind.objects.get(code=KIND).photo_required
        made = self.drafts(student_ids, reason=reason, photos=photos)
        for result in (
            cards.submit(Actor.system("submitter"), made),
            cards.approve(Actor.system("reviewer"), made),
            cards.approve(Actor.system("reviewer"), made),
        ):
            assert not result.refused, result.refused
        return made

    @transaction.atomic
    def planned(self, student_ids: list[int], *, reason: str = "new") -> list[cards.Card]:
        return cards.plan_cards(self.operator, self.accepted(student_ids, reason=reason))

    @transaction.atomic
    def at_school(self, student_ids: list[int], *, reason: str = "new") -> list[int]:
        ids = [card.id for card in self.planned(student_ids, reason=reason)]
        cards.order_cards(self.system, ids)
        cards.confirm_made(self.system, [(id_, f"{id_:08X}") for id_ in ids])
        for step in (cards.pack, cards.dispatch, cards.receive):
            step(self.system, ids)
        return ids

    @transaction.atomic
    def active(self, student_ids: list[int], *, reason: str = "new") -> list[int]:
        ids = self.at_school(student_ids, reason=reason)
        result = cards.hand_out(self.system, ids)
        assert result.done == ids, result.refused
        return ids


PORTRAIT = draw_portrait(1)


def destroy(actor: Actor, card_ids: list[int]) -> None:
    """Onto a list and destroyed before two witnesses; a card that may not go there raises its refusal."""
    made = cards.open_destruction(actor)
    result = cards.collect(actor, made.number, card_ids)
    if result.refused:
        _, code, message = result.refused[0]
        raise Refused(code, message)
    if card_ids:
        cards.sign(actor, made.number, **SIGNED)


SIGNED = {
    "destroyed_on": NOW.date(),
    "place": "市卡管中心",
    "method": "粉碎",
    "done_by": "甲",
    "witness_1": "乙",
    "witness_2": "丙",
    "document": "2026-12 第 3 号",
}


@transaction.atomic
def build() -> City:
    cards.sync_card_kinds()
    city = City()
    for district, name in (("110101", "东城区"), ("110102", "西城区")):
        registry.District.objects.get_or_create(code=district, defaults={"name": name})
    for code, district in (("2111010001", "110101"), ("2111010002", "110101"), ("2111020001", "110102")):
        school = registry.School.objects.create(code=code, name=f"第{code[-4:]}小学", district_id=district)
        registry.SchoolClass.objects.create(school=school, stage="小学", grade=1, name="1班")
        city.schools.append(school)
    operator = Actor.system("test")
    add = {"first": 1, "last": 9_999_999, "width": 8}
    numbers.add_range(operator, "transit", "一卡通公司", "10007500", **add)
    numbers.add_range(operator, "beijing_tong", "市民卡管理中心", "BJT00000", **add)
    return city


@pytest.fixture
def city(db: None) -> "Iterator[City]":
    with clock.at(NOW):
        yield build()


__all__ = ["EVERYWHERE", "KIND", "NOW", "PORTRAIT", "City", "build", "city"]
