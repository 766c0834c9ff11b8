"""Scans are kept one by one, until somebody signs for what was scanned."""

import pytest

from tests.unit.cards.conftest import City
from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused


def _numbers(box: logistics.Box) -> list[str]:
    return [place.card.number for place in logistics.contents(box)]


def test_what_was_scanned_is_kept_and_signed_for(city: City, box_on_the_road: logistics.Box) -> None:
    box, (first, second, third) = box_on_the_road, _numbers(box_on_the_road)
    assert logistics.scan(city.officer, box.number, f" {first} ")
    assert not logistics.scan(city.officer, box.number, first)
    logistics.scan(city.officer, box.number, second, damaged=True)
    logistics.scan(city.officer, box.number, "999")
    receipt = logistics.compare_scans(city.officer, box.number)
    assert (receipt.received, receipt.damaged, receipt.missing, receipt.foreign) == (
        [first],
        [second],
        [third],
        ["999"],
    )
    assert [each.by for each in logistics.scans(box)] == ["officer"] * 3
    logistics.unscan(city.officer, box.number, "999")
    signed = logistics.sign(city.officer, box.number)
    assert signed.foreign == []
    states = [cards.card(city.system.scope, number).state for number in (first, second, third)]
    assert states == ["at_school", "at_school", "in_transit"]


def test_a_card_scanned_before_can_be_marked_damaged(city: City, box_on_the_road: logistics.Box) -> None:
    [first, *_] = _numbers(box_on_the_road)
    logistics.scan(city.officer, box_on_the_road.number, first)
    assert not logistics.scan(city.officer, box_on_the_road.number, first, damaged=True)
    assert logistics.compare_scans(city.officer, box_on_the_road.number).damaged == [first]


def test_nothing_is_signed_for_unseen_and_nothing_twice(city: City, box_on_the_road: logistics.Box) -> None:
    number = box_on_the_road.number
    with pytest.raises(Refused) as refusal:
        logistics.sign(city.officer, number)
    assert refusal.value.code == "NOTHING_SCANNED"
    logistics.scan(city.officer, number, _numbers(box_on_the_road)[0])
    logistics.sign(city.officer, number)
    for late in (
        lambda: logistics.scan(city.officer, number, "1"),
        lambda: logistics.unscan(city.officer, number, "1"),
        lambda: logistics.sign(city.officer, number),
    ):
        with pytest.raises(Refused) as refusal:
            late()
        assert refusal.value.code == "BOX_NOT_IN_TRANSIT"


@pytest.mark.parametrize("code", ["", "   ", "7" * 33])
def test_what_is_no_number_is_refused(city: City, box_on_the_road: logistics.Box, code: str) -> None:
    with pytest.raises(BadInput):
        logistics.scan(city.officer, box_on_the_road.number, code)
    assert logistics.scans(box_on_the_road) == []


def test_strangers_scan_nothing(city: City, box_on_the_road: logistics.Box) -> None:
    with pytest.raises(NotFound):
        logistics.scan(city.other_officer, box_on_the_road.number, "1")
    with pytest.raises(Forbidden):
        logistics.scan(city.district, box_on_the_road.number, "1")
    with pytest.raises(NotFound):
        logistics.unscan(city.officer, box_on_the_road.number, "1")
    assert logistics.scans(box_on_the_road) == []


def test_the_preview_of_handing_out_names_held_cards(city: City, box_on_the_road: logistics.Box) -> None:
    numbers = _numbers(box_on_the_road)
    logistics.scan(city.officer, box_on_the_road.number, numbers[0])
    logistics.scan(city.officer, box_on_the_road.number, numbers[1], damaged=True)
    logistics.sign(city.officer, box_on_the_road.number)
    ids = [cards.card(city.system.scope, number).id for number in numbers[:2]]
    previewed = logistics.preview_hand_out(city.officer, ids)
    assert previewed.done == ids[:1]
    assert [(id_, code) for id_, code, _ in previewed.refused] == [(ids[1], "DISCREPANCY_OPEN")]
    assert logistics.hand_out(city.officer, ids).as_dict() == previewed.as_dict()
