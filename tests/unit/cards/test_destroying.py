"""Dead cards on a list, destroyed before two witnesses, and what can be undone until then."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from tests.support.machines import assert_every_pair
from tests.unit.cards.conftest import EVERYWHERE, SIGNED, City, destroy
from xueka.contexts.cards import api as cards
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.platform.audit.models import Entry
from xueka.platform.history.services import apply
from xueka.platform.identity.scope import Scope


def dead(city: City, count: int = 2) -> list[int]:
    ids = city.active(city.students(count))
    for id_ in ids:
        cards.cancel(city.system, id_, "离校")
    return ids


def test_cards_are_scanned_in_and_destroyed_before_witnesses(city: City) -> None:
    first, second = dead(city)
    made = cards.open_destruction(city.operator, "秋季")
    assert made.number == "HK26-00001"
    card = cards.card(EVERYWHERE, first)
    assert cards.collect_scanned(city.operator, made.number, card.transit_number).id == first
    assert cards.collect_scanned(city.operator, made.number, cards.card(EVERYWHERE, second).number)
    assert cards.destruction_places(EVERYWHERE, made.number).count() == 2
    assert not cards.to_destroy(EVERYWHERE).exists()
    signed = cards.sign(city.operator, made.number, **SIGNED)
    assert (signed.state, signed.card_count, signed.signed_by) == ("signed", 2, "operator")
    assert {cards.card(EVERYWHERE, id_).state for id_ in (first, second)} == {"destroyed"}
    assert Entry.objects.get(action="destruction.sign").detail["witness_2"] == "丙"
    for late in (
        lambda: cards.take_out(city.operator, made.number, [first]),
        lambda: cards.cancel_destruction(city.operator, made.number, "撤"),
        lambda: cards.sign(city.operator, made.number, **SIGNED),
    ):
        with pytest.raises(Refused), transaction.atomic():
            late()


def test_what_may_not_be_destroyed_is_named(city: City) -> None:
    [live] = city.active(city.students())
    [lost] = city.active(city.students())
    cards.report_lost(city.officer, lost)
    [waiting] = city.at_school(city.students())
    gone, listed = dead(city)
    destroy(city.operator, [gone])
    other = cards.open_destruction(city.operator)
    cards.collect(city.operator, other.number, [listed])
    made = cards.open_destruction(city.operator)
    ids = [live, lost, waiting, gone, listed]
    assert cards.preview_collect(city.operator, ids).done == []
    result = cards.collect(city.operator, made.number, ids)
    assert [code for _, code, _ in result.refused] == [*["TRANSITION_NOT_ALLOWED"] * 4, "CARD_ON_LIST"]
    assert other.number in result.refused[4][2]
    with pytest.raises(Refused) as refused:
        cards.sign(city.operator, made.number, **SIGNED)
    assert refused.value.code == "DESTRUCTION_EMPTY"
    with pytest.raises(Refused):
        cards.collect_scanned(city.operator, made.number, cards.card(EVERYWHERE, live).number)
    for code in ("nichts", " "):
        with pytest.raises(NotFound):
            cards.collect_scanned(city.operator, made.number, code)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"witness_2": "乙 "}, "DESTRUCTION_WITNESSES"),
        ({"witness_1": "甲"}, "DESTRUCTION_WITNESSES"),
        ({"place": " "}, "REASON_MISSING"),
        ({"document": ""}, "REASON_MISSING"),
        ({"method": "x" * 65}, "DESTRUCTION_TEXT"),
        ({"destroyed_on": SIGNED["destroyed_on"] + timedelta(days=1)}, "DESTRUCTION_DAY"),
    ],
)
def test_an_incomplete_record_is_refused(city: City, change: dict, code: str) -> None:
    made = cards.open_destruction(city.operator)
    ids = dead(city, 1)
    cards.collect(city.operator, made.number, ids)
    with pytest.raises(BadInput) as refused:
        cards.sign(city.operator, made.number, **{**SIGNED, **change})
    assert refused.value.code == code
    assert cards.card(EVERYWHERE, ids[0]).state == "cancelled"


def test_until_it_is_signed_everything_can_be_undone(city: City) -> None:
    ids = dead(city)
    made = cards.open_destruction(city.operator)
    cards.collect(city.operator, made.number, ids)
    assert cards.take_out(city.operator, made.number, ids[:1]) == 1
    with pytest.raises(BadInput):
        cards.cancel_destruction(city.operator, made.number, "")
    assert cards.cancel_destruction(city.operator, made.number, "改日").state == "cancelled"
    assert set(cards.to_destroy(EVERYWHERE).values_list("id", flat=True)) == set(ids)
    destroy(city.operator, ids)


def test_it_is_the_citys_affair(city: City) -> None:
    ids = dead(city, 1)
    made = cards.open_destruction(city.operator)
    for act in (
        lambda: cards.open_destruction(city.officer),
        lambda: cards.collect(city.officer, made.number, ids),
        lambda: cards.preview_collect(city.officer, ids),
        lambda: cards.collect_scanned(city.officer, made.number, "1"),
        lambda: cards.take_out(city.officer, made.number, ids),
        lambda: cards.sign(city.officer, made.number, **SIGNED),
        lambda: cards.cancel_destruction(city.officer, made.number, "x"),
    ):
        with pytest.raises(Forbidden):
            act()
    with pytest.raises(NotFound):
        cards.destruction(Scope("district", "110101"), made.number)
    with pytest.raises(NotFound):
        cards.collect(city.operator, "HK26-99999", ids)


def test_a_signed_list_never_changes(city: City) -> None:
    destroy(city.operator, dead(city))
    for statement in (
        "UPDATE cards_destruction SET place = 'x'",
        "DELETE FROM cards_destruction",
        "UPDATE cards_destructioncard SET is_here = false",
        "DELETE FROM cards_destructioncard",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    made = cards.open_destruction(city.operator)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE cards_destruction SET state = 'signed' WHERE number = %s", [made.number])


def test_every_pair(city: City) -> None:
    def try_event(event: str, source: str, to: str | None) -> str:
        made = cards.open_destruction(city.operator)
        ids = dead(city, 1)
        cards.collect(city.operator, made.number, ids)
        if source == "signed":
            cards.sign(city.operator, made.number, **SIGNED)
        if source == "cancelled":
            cards.cancel_destruction(city.operator, made.number, "x")
        with transaction.atomic():
            if event == "sign" and source == "collecting":
                return cards.sign(city.operator, made.number, **SIGNED).state
            apply(cards.DESTRUCTION, cards.Destruction, [made.id], event, city.system, to=to)
        return cards.destruction(EVERYWHERE, made.number).state

    allowed, refused = assert_every_pair(cards.DESTRUCTION, try_event)
    assert (allowed, refused) == (2, 4)
