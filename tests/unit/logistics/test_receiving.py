"""What a school does with a box, and what becomes of differences."""

import pytest

from tests.unit.cards.conftest import City
from tests.unit.logistics.conftest import Make
from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.kernel.errors import Forbidden, NotFound, Refused
from xueka.platform.identity.scope import Scope


def _inside(box: logistics.Box) -> list[cards.Card]:
    return [place.card for place in logistics.contents(box)]


def _state(card: cards.Card) -> str:
    card.refresh_from_db()
    return card.state


def test_a_complete_box_is_received_whole(city: City, box_on_the_road: logistics.Box) -> None:
    inside = _inside(box_on_the_road)
    numbers = [card.number for card in inside]
    receipt = logistics.receive_box(city.officer, box_on_the_road.number, numbers)
    assert receipt.complete
    assert receipt.received == numbers
    assert {_state(card) for card in inside} == {"at_school"}
    assert logistics.delivery(city.officer.scope, box_on_the_road.delivery.number).state == "received"


def test_scanning_twice_is_harmless(city: City, box_on_the_road: logistics.Box) -> None:
    numbers = [card.number for card in _inside(box_on_the_road)]
    receipt = logistics.compare(city.officer, box_on_the_road.number, [*numbers, *numbers, f" {numbers[0]} "])
    assert receipt.complete


def test_missing_damaged_and_foreign_cards_are_named(
    city: City, made: Make, box_on_the_road: logistics.Box
) -> None:
    first, second, third = _inside(box_on_the_road)
    [foreign] = made(1, school=1)
    scanned = [first.number, second.number, foreign.number, "不是卡号"]
    receipt = logistics.receive_box(city.officer, box_on_the_road.number, scanned, [second.number])
    assert receipt.received == [first.number]
    assert receipt.damaged == [second.number]
    assert receipt.missing == [third.number]
    assert receipt.foreign == [foreign.number, "不是卡号"]
    assert [_state(card) for card in (first, second, third)] == ["at_school", "at_school", "in_transit"]
    found = {each.kind: each for each in logistics.discrepancies(city.operator.scope)}
    assert set(found) == {"short", "damaged", "wrong_school", "extra"}
    assert found["short"].card == third
    assert found["wrong_school"].card == foreign


def test_a_box_is_received_once(city: City, box_on_the_road: logistics.Box) -> None:
    logistics.receive_box(city.officer, box_on_the_road.number, [])
    with pytest.raises(Refused):
        logistics.receive_box(city.officer, box_on_the_road.number, [])
    assert len(logistics.discrepancies(city.operator.scope)) == 3


def test_a_strangers_box_is_not_found(city: City, box_on_the_road: logistics.Box) -> None:
    with pytest.raises(NotFound):
        logistics.receive_box(city.other_officer, box_on_the_road.number, [])
    with pytest.raises(NotFound):
        logistics.box(city.other_district.scope, box_on_the_road.number)


def test_a_damaged_card_is_not_handed_out_and_made_again(city: City, box_on_the_road: logistics.Box) -> None:
    inside = _inside(box_on_the_road)
    hurt = inside[0]
    logistics.receive_box(city.officer, box_on_the_road.number, [c.number for c in inside], [hurt.number])
    result = logistics.hand_out(city.officer, [card.id for card in inside])
    assert result.done == [card.id for card in inside[1:]]
    assert [code for _, code, _ in result.refused] == ["DISCREPANCY_OPEN"]
    [open_] = logistics.discrepancies(city.operator.scope)
    logistics.resolve_discrepancy(city.operator, open_.id, "remake")
    assert _state(hurt) == "void"
    assert hurt.application.number in [
        found.number for found in cards.accepted_applications(city.operator.scope, hurt.kind_id)
    ]


def test_a_short_card_that_turns_up_is_received_late(city: City, box_on_the_road: logistics.Box) -> None:
    inside = _inside(box_on_the_road)
    logistics.receive_box(city.officer, box_on_the_road.number, [card.number for card in inside[1:]])
    [open_] = logistics.discrepancies(city.officer.scope)
    with pytest.raises(NotFound):
        logistics.resolve_discrepancy(city.other_officer, open_.id, "found")
    with pytest.raises(Forbidden):
        logistics.resolve_discrepancy(city.officer, open_.id, "remake")
    logistics.resolve_discrepancy(city.officer, open_.id, "found")
    assert _state(inside[0]) == "at_school"
    assert logistics.hand_out(city.officer, [inside[0].id]).done == [inside[0].id]


@pytest.mark.parametrize("resolution", ["forwarded", "noted", "nonsense"])
def test_an_own_card_must_end_somewhere(city: City, box_on_the_road: logistics.Box, resolution: str) -> None:
    logistics.receive_box(city.officer, box_on_the_road.number, [])
    open_ = logistics.discrepancies(city.operator.scope)[0]
    with pytest.raises(Refused):
        logistics.resolve_discrepancy(city.operator, open_.id, resolution)
    assert logistics.discrepancies(city.operator.scope)[0].id == open_.id


def test_a_foreign_card_cannot_be_remade_from_here(
    city: City, made: Make, box_on_the_road: logistics.Box
) -> None:
    [foreign] = made(1, school=1)
    scanned = [card.number for card in _inside(box_on_the_road)]
    logistics.receive_box(city.officer, box_on_the_road.number, [*scanned, foreign.number])
    [open_] = logistics.discrepancies(city.operator.scope)
    with pytest.raises(Refused):
        logistics.resolve_discrepancy(city.operator, open_.id, "remake")
    assert _state(foreign) == "made"
    logistics.resolve_discrepancy(city.operator, open_.id, "forwarded")
    assert not logistics.discrepancies(city.operator.scope)


def test_a_discrepancy_is_resolved_once(city: City, box_on_the_road: logistics.Box) -> None:
    logistics.receive_box(city.officer, box_on_the_road.number, [])
    open_ = logistics.discrepancies(city.operator.scope)[0]
    logistics.resolve_discrepancy(city.operator, open_.id, "remake")
    with pytest.raises(NotFound):
        logistics.resolve_discrepancy(city.operator, open_.id, "found")


def test_a_lost_box_blocks_its_cards_and_remakes_them(city: City, box_on_the_road: logistics.Box) -> None:
    inside = _inside(box_on_the_road)
    assert logistics.report_lost_box(city.operator, box_on_the_road.number, "承运方确认遗失") == 3
    assert {_state(card) for card in inside} == {"void"}
    assert len(cards.accepted_applications(city.operator.scope, inside[0].kind_id)) == 3
    assert logistics.delivery(city.operator.scope, box_on_the_road.delivery.number).state == "lost"
    with pytest.raises(Refused):
        logistics.receive_box(city.officer, box_on_the_road.number, [])


def test_a_lost_box_needs_a_reason_and_the_right_to_say_so(
    city: City, box_on_the_road: logistics.Box
) -> None:
    with pytest.raises(Refused):
        logistics.report_lost_box(city.operator, box_on_the_road.number, "  ")
    with pytest.raises(Forbidden):
        logistics.report_lost_box(city.officer, box_on_the_road.number, "丢了")


def test_handing_out_takes_the_cards_from_their_box(city: City, box_on_the_road: logistics.Box) -> None:
    inside = _inside(box_on_the_road)
    logistics.receive_box(city.officer, box_on_the_road.number, [card.number for card in inside])
    assert logistics.hand_out(city.officer, [inside[0].id]).done == [inside[0].id]
    place = logistics.place_of(city.officer.scope, inside[0].id)
    assert place is not None
    assert logistics.place_of(Scope("school", "110101", "9999999999"), inside[0].id) is None
    assert logistics.place_of(Scope("district", "110199"), inside[0].id) is None
    assert not place.is_here
    assert logistics.counts(city.officer.scope).boxes_in_transit == 0
