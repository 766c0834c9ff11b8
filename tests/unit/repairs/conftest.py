"""A little of everything that can go wrong, in the small city of the cards' tests."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from django.db import connection, transaction

from tests.unit.cards.conftest import KIND, NOW, City, build
from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.contexts.operations import api as operations
from xueka.contexts.registry import api as registry
from xueka.contexts.repairs import api as repairs
from xueka.kernel import clock
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope


def operator(name: str) -> Actor:
    return Actor.in_role(name, name, "city_operator", Scope("city"))


ONE, OTHER, SYSTEM = operator("one"), operator("other"), Actor.system("test")

#: Left out of the comparison: when, by whom it was last written, and what may only grow.
_STAMPS = "'{at,state_at,updated_at,repair,reason,row_digest,enrolled_from}'::text[]"
_TABLES = (
    "cards_cardaccount",
    "cards_application",
    "cards_card",
    "numbers_numberuse",
    "numbers_numberrange",
    "numbers_blank",
    "logistics_delivery",
    "logistics_box",
    "logistics_boxcard",
    "registry_student",
)


def everything() -> str:
    """The business state as one digest."""
    parts = []
    with connection.cursor() as cursor:
        for table in _TABLES:
            cursor.execute(
                f"SELECT md5(string_agg((to_jsonb(r) - {_STAMPS})::text, '|' ORDER BY r.id)) FROM {table} r"
            )
            parts.append(str(cursor.fetchone()[0]))
    return " ".join(parts)


def violated() -> dict[str, list[str]]:
    found = {each.name: each.examples for each in operations.verify() if each.violated}
    # The small city makes cards without a batch, and students without an envelope.
    for name in ("registry_personal_fields_are_sealed", "open_card_is_in_one_batch"):
        found.pop(name, None)
    return found


@dataclass
class Troubles:
    """What can be repaired: for each kind of repair the parameters of one that is due."""

    city: City
    due: dict[str, dict[str, str]] = field(default_factory=dict)

    @transaction.atomic
    def repaired(self, kind: str, params: dict[str, str] | None = None) -> repairs.Repair:
        found = repairs.propose(ONE, kind, params or self.due[kind], "操作失误")
        return repairs.approve(OTHER, found.id)

    @transaction.atomic
    def undone(self, found: repairs.Repair) -> repairs.Repair:
        repairs.ask_undo(OTHER, found.id, "修错了")
        return repairs.undo(ONE, found.id)


def boxed(city: City, school: int = 0, count: int = 3) -> logistics.Box:
    ids = [card.id for card in city.planned(city.students(count, school))]
    cards.order_cards(SYSTEM, ids)
    cards.confirm_made(SYSTEM, [(id_, f"{id_:014X}") for id_ in ids])
    [delivery] = logistics.prepare_deliveries(SYSTEM, card_ids=ids)
    return logistics.boxes_of(delivery)[0]


def received(city: City, school: int = 0, count: int = 3) -> logistics.Box:
    box = boxed(city, school, count)
    logistics.dispatch(SYSTEM, box.delivery_id, carrier="顺丰", waybill=f"SF{box.id}")
    logistics.receive_box(SYSTEM, box.number, [place.card.number for place in logistics.contents(box)])
    return logistics.box(SYSTEM.scope, box.number)


def inside(box: logistics.Box) -> list[cards.Card]:
    return [place.card for place in box.contents.select_related("card").order_by("position")]


def education_id(student_id: int) -> str:
    return registry.Student.objects.get(id=student_id).education_id


@transaction.atomic
def make_troubles() -> Troubles:
    city = build()
    found = Troubles(city)

    # A child who had a card gets a new one that was another's.
    [old] = city.active(city.students(1))
    student = cards.Card.objects.get(id=old).student_id
    again = city.accepted([student], reason="damaged")
    [new] = cards.plan_cards(SYSTEM, again)
    cards.order_cards(SYSTEM, [new.id])
    cards.confirm_made(SYSTEM, [(new.id, "0A0B0C0D0E0F01")])
    [delivery] = logistics.prepare_deliveries(SYSTEM, card_ids=[new.id])
    logistics.dispatch(SYSTEM, delivery.id, carrier="顺丰", waybill="SF0")
    logistics.receive_box(SYSTEM, logistics.boxes_of(delivery)[0].number, [new.number])
    assert logistics.hand_out(SYSTEM, [new.id]).done
    found.due["hand_out"] = {"card": new.number}

    [gone] = city.active(city.students(1))
    cards.cancel(SYSTEM, gone, "以为转走了")
    found.due["card_back"] = {"card": cards.Card.objects.get(id=gone).number}

    [void] = city.planned(city.students(1))
    cards.order_cards(SYSTEM, [void.id])
    cards.confirm_made(SYSTEM, [(void.id, "0A0B0C0D0E0F02")])
    cards.void_cards(SYSTEM, [void.id], "以为损坏", remake=False)
    found.due["unvoid"] = {"card": void.number}

    [asked] = city.drafts(city.students(1))
    cards.submit(Actor.system("submitter"), [asked])
    cards.refuse(SYSTEM, [asked], "duplicate")
    found.due["reopen"] = {"application": cards.Application.objects.get(id=asked).number}

    found.due["unreceive"] = {"box": received(city).number}

    box = boxed(city, school=0)
    for card in inside(box):
        to = city.schools[1].classes.first()
        registry.Student.objects.filter(id=card.student_id).update(school=to.school, school_class=to)
    found.due["move_box"] = {"box": box.number, "school": city.schools[1].code}

    [moved] = city.students(1)
    row = registry.Student.objects.get(id=moved)
    other = registry.SchoolClass.objects.create(school=row.school, stage="小学", grade=1, name="2班")
    moves = registry.Moves([moved], [row.school_class_id], ["在校"], [other.id], ["在校"])
    registry.move_students(SYSTEM, moves, "class")
    found.due["student_back"] = {"student": row.education_id}

    keep, drop = city.students(2, name="王双", phone_index=b"1" * 32)
    city.drafts([keep])
    cards.withdraw(
        SYSTEM, list(cards.Application.objects.filter(account__student=keep).values_list("id", flat=True))
    )
    city.active([drop])
    found.due["join"] = {"keep": education_id(keep), "drop": education_id(drop)}

    wrong, right = city.students(2)
    registry.record_consent(SYSTEM, [wrong], "given", "2026-1", "家长", "paper")
    found.due["consent"] = {"wrong": education_id(wrong), "right": education_id(right)}

    [citizen] = city.students(1)
    found.due["citizen"] = {"student": education_id(citizen), "name": "", "sex": "男"}

    [free] = city.active(city.students(1))
    found.due["free"] = {
        "what": "card",
        "field": "valid_until",
        "keys": cards.Card.objects.get(id=free).number,
        "old": "2038-08-31",
        "new": "2030-08-31",
    }
    return found


@pytest.fixture
def troubles(db: None) -> Iterator[Troubles]:
    with clock.at(NOW):
        yield make_troubles()


__all__ = ["KIND", "Troubles", "troubles"]
