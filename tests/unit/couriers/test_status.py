"""What a list of entries comes to, whatever the order in which they arrived; kuaidi100's words; the table."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from xueka.contexts.couriers.domain import kuaidi100, rules
from xueka.contexts.couriers.domain import status as s
from xueka.contexts.couriers.domain.transitions import FOLLOWED, SHIPMENT

NOON = datetime(2026, 9, 7, 4, tzinfo=UTC)


def entries(*codes: str) -> list[tuple[datetime, str]]:
    return [(NOON + timedelta(hours=place), code) for place, code in enumerate(codes)]


@pytest.mark.parametrize(
    ("codes", "place"),
    [
        ((), s.AT_SENDER),
        ((s.ASSIGNED, s.PICKUP_FAILED), s.AT_SENDER),
        ((s.PICKED_UP, s.IN_TRANSIT, s.DELIVERING), s.OUT),
        ((s.PICKED_UP, s.DELIVERING, s.ATTEMPT_FAILED), s.ON_THE_WAY),
        ((s.PICKED_UP, s.IN_LOCKER), s.LOCKER),
        ((s.PICKED_UP, s.IN_LOCKER, s.OUT_OF_LOCKER), s.DELIVERED),
        ((s.PICKED_UP, s.SIGNED, s.NOTED), s.DELIVERED),
        ((s.PICKED_UP, s.SIGNED, s.IN_TRANSIT), s.DELIVERED),
        ((s.PICKED_UP, s.PROBLEM), s.ON_THE_WAY),
        ((s.PICKED_UP, s.REFUSED, s.IN_TRANSIT), s.GOING_BACK),
        ((s.PICKED_UP, s.REFUSED, s.SIGNED), s.BACK),
        ((s.PICKED_UP, s.DELIVERING, s.REFUSED, s.DELIVERING), s.OUT),
        ((s.PICKED_UP, s.DELIVERING, s.REFUSED, s.DELIVERING, s.SIGNED), s.DELIVERED),
        ((s.PICKED_UP, s.REFUSED, s.RETURNING, s.DELIVERING), s.GOING_BACK),
        ((s.PICKED_UP, s.REFUSED, s.RETURNING, s.DELIVERING, s.SIGNED), s.BACK),
        ((s.PICKED_UP, s.REFUSED, s.DELIVERING, s.RETURNED), s.BACK),
        ((s.PICKED_UP, s.RETURNING, s.SIGNED), s.BACK),
        ((s.PICKED_UP, s.RETURNING, s.RETURNED, s.IN_TRANSIT), s.BACK),
        ((s.CANCELLED, s.PICKED_UP), s.OFF),
    ],
)
def test_one_waybill(codes: tuple[str, ...], place: str) -> None:
    told = entries(*codes)
    assert s.place_of(told) == place
    chance = random.Random(7)
    for _ in range(10):
        chance.shuffle(told)
        assert s.place_of([*told, *told[:2]]) == place, "order and repetition change nothing"


def test_two_entries_of_one_second_stand_in_the_order_of_the_way() -> None:
    assert s.place_of([(NOON, s.SIGNED), (NOON, s.DELIVERING)]) == s.DELIVERED


@pytest.mark.parametrize(
    ("places", "together"),
    [
        ([s.DELIVERED, s.DELIVERED], s.DELIVERED),
        ([s.DELIVERED, s.OUT], s.OUT),
        ([s.DELIVERED, s.LOCKER], s.LOCKER),
        ([s.DELIVERED, s.GOING_BACK], s.GOING_BACK),
        ([s.DELIVERED, s.BACK], s.GOING_BACK),
        ([s.BACK, s.BACK], s.BACK),
        ([s.OFF, s.BACK], s.BACK),
        ([s.OFF, s.OUT], s.OUT),
        ([s.OFF, s.OFF], s.OFF),
    ],
)
def test_several_parcels_are_as_far_as_the_last(places: list[str], together: str) -> None:
    assert s.place_of_all(places) == together


def test_every_place_that_a_courier_tells_is_reached_by_the_table() -> None:
    events = {s.DELIVERED: "deliver", s.BACK: "give_back"}
    for source in FOLLOWED:
        for target in (s.ON_THE_WAY, s.OUT, s.LOCKER, s.GOING_BACK, s.DELIVERED, s.BACK):
            if source != target:
                assert target in SHIPMENT.targets(events.get(target, "track"), source)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("已签收，签收人：张三", "已签收，签收人：张*"),
        ("已签收，签收人：本人", "已签收，签收人：本人"),
        ("已签收，签收人凭取件码签收", "已签收，签收人凭取件码签收"),
        ("派送中（派件人：李四，电话：13800138000）", "派送中（派件人：李*，电话：138****8000）"),
        ("【朝阳】王小明（13912345678）正在派件", "【朝阳】王**（139****5678）正在派件"),
        ("收件人王丽华拒收", "收件人王**拒收"),
        ("快件到达【北京集散中心】", "快件到达【北京集散中心】"),
    ],
)
def test_words_of_couriers_name_nobody(said: str, kept: str) -> None:
    assert rules.nobodys(said, "王丽华") == kept


def test_kuaidi100_speaks_of_the_same() -> None:
    assert kuaidi100.sign('{"status":"polling"}', "salt") == "E3A53447F84B9D616FB644F645B4F524"
    told = {code: kuaidi100.status_of(code) for code in ("0", "1", "2", "3", "4", "5", "6", "8", "14", "99")}
    assert list(told.values()) == [
        s.IN_TRANSIT, s.PICKED_UP, s.PROBLEM, s.SIGNED, s.RETURNED, s.DELIVERING, s.RETURNING, s.IN_TRANSIT,
        s.REFUSED, s.NOTED,
    ]  # fmt: skip
    assert kuaidi100.company_of("顺丰") == kuaidi100.company_of("顺丰速运") == "shunfeng"
    assert kuaidi100.company_of("ems") == "ems"
    assert kuaidi100.company_of("某某快运") == ""
    assert kuaidi100.is_stale_abort("3天查询无记录") and kuaidi100.is_stale_abort("60天无变化")
    assert not kuaidi100.is_stale_abort("单号无效")
