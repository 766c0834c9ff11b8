"""From made cards to boxes on the road."""

import io
import zipfile

import pypdf
import pytest
from python_calamine import CalamineWorkbook

from tests.unit.cards.conftest import City
from tests.unit.logistics.conftest import Make
from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.contexts.registry import api as registry
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused


def _states(ids: list[int]) -> set[str]:
    return set(cards.Card.objects.filter(id__in=ids).values_list("state", flat=True))


def test_each_school_gets_one_delivery_and_each_class_its_boxes(city: City, made: Make) -> None:
    first, second = made(5, school=0), made(2, school=1)
    deliveries = logistics.prepare_deliveries(city.operator, box_capacity=2)
    assert [delivery.school_id for delivery in deliveries] == [city.schools[0].id, city.schools[1].id]
    counts = [[box.card_count for box in logistics.boxes_of(delivery)] for delivery in deliveries]
    assert counts == [[2, 2, 1], [2]]
    assert _states([card.id for card in [*first, *second]]) == {"packed"}


def test_what_is_packed_is_not_packed_again(city: City, made: Make) -> None:
    made(2)
    logistics.prepare_deliveries(city.operator)
    with pytest.raises(Refused) as nothing:
        logistics.prepare_deliveries(city.operator)
    assert nothing.value.code == "NOTHING_TO_PACK"


def test_only_some_cards_may_be_packed(city: City, made: Make) -> None:
    found = made(3)
    logistics.prepare_deliveries(city.operator, card_ids=[found[0].id])
    assert _states([found[0].id]) == {"packed"}
    assert _states([card.id for card in found[1:]]) == {"made"}


def test_a_delivery_keeps_the_address_of_its_day(city: City, made: Make) -> None:
    registry.School.objects.filter(id=city.schools[0].id).update(address="旧址", consignee="收发室")
    city.schools[0].refresh_from_db()
    made(1)
    [delivery] = logistics.prepare_deliveries(city.operator)
    registry.School.objects.filter(id=city.schools[0].id).update(address="新址")
    assert logistics.delivery(city.operator.scope, delivery.number).address == "旧址"


def test_dispatch_puts_boxes_and_cards_on_the_road(city: City, made: Make) -> None:
    ids = [card.id for card in made(2)]
    [delivery] = logistics.prepare_deliveries(city.operator)
    sent = logistics.dispatch(city.operator, delivery.id, carrier="顺丰", waybill=" SF1 ")
    assert (sent.state, sent.waybill) == ("in_transit", "SF1")
    assert {box.state for box in logistics.boxes_of(delivery)} == {"in_transit"}
    assert _states(ids) == {"in_transit"}


@pytest.mark.parametrize(("carrier", "waybill"), [("", "SF1"), ("顺丰", " ")])
def test_no_dispatch_without_carrier_and_waybill(city: City, made: Make, carrier: str, waybill: str) -> None:
    ids = [card.id for card in made(1)]
    [delivery] = logistics.prepare_deliveries(city.operator)
    with pytest.raises(Refused) as refusal:
        logistics.dispatch(city.operator, delivery.id, carrier=carrier, waybill=waybill)
    assert refusal.value.code == "WAYBILL_MISSING"
    assert _states(ids) == {"packed"}
    for long in ({"carrier": "顺" * 33, "waybill": "SF1"}, {"carrier": "顺丰", "waybill": "1" * 65}):
        with pytest.raises(BadInput) as refused:
            logistics.dispatch(city.operator, delivery.id, **long)
        assert refused.value.code == "WAYBILL_LONG"


def test_a_cancelled_delivery_gives_its_cards_back(city: City, made: Make) -> None:
    ids = [card.id for card in made(2)]
    [delivery] = logistics.prepare_deliveries(city.operator)
    logistics.cancel_delivery(city.operator, delivery.id, "地址有误")
    assert _states(ids) == {"made"}
    [again] = logistics.prepare_deliveries(city.operator)
    assert again.number != delivery.number


def test_a_dispatched_delivery_cannot_be_cancelled(city: City, box_on_the_road: logistics.Box) -> None:
    with pytest.raises(Refused):
        logistics.cancel_delivery(city.operator, box_on_the_road.delivery_id, "太晚")


def test_schools_neither_pack_nor_dispatch(city: City, made: Make) -> None:
    made(1)
    with pytest.raises(Forbidden):
        logistics.prepare_deliveries(city.officer)
    [delivery] = logistics.prepare_deliveries(city.operator)
    with pytest.raises(Forbidden):
        logistics.dispatch(city.officer, delivery.id, carrier="顺丰", waybill="SF1")


def test_packing_lists_name_every_card(city: City, made: Make) -> None:
    found = made(3)
    [delivery] = logistics.prepare_deliveries(city.operator)
    content = logistics.packing_list_xlsx(city.operator, delivery.number)
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    rows = book.get_sheet_by_index(0).to_python()
    assert [row[5] for row in rows[3:-1]] == [card.number for card in found]
    assert rows[-1][5] == len(found)
    boxes = [box.number for box in logistics.boxes_of(delivery)]
    assert [row[0] for row in book.get_sheet_by_name("箱签").to_python()[1:]] == boxes
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        assert sum(name.startswith("xl/media/") for name in parts.namelist()) == len(boxes)
    pages = pypdf.PdfReader(io.BytesIO(logistics.packing_list_pdf(city.operator, delivery.number))).pages
    text = "".join(page.extract_text() for page in pages)
    assert all(card.number in text for card in found)


def test_a_strangers_packing_list_is_not_found(city: City, made: Make) -> None:
    made(1)
    [delivery] = logistics.prepare_deliveries(city.operator)
    with pytest.raises(NotFound):
        logistics.packing_list_xlsx(city.other_officer, delivery.number)
