"""Lots of blanks: every defect of the hand-over file by line, binding by many at once, what is set aside."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from xueka.contexts.numbers import api as numbers
from xueka.contexts.numbers.domain import lots
from xueka.contexts.numbers.models import Blank, BlankLot, NumberUse
from xueka.kernel.errors import BadInput, NotFound, Refused
from xueka.platform.audit.models import Entry
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE

PREFIX = "10009900"
HEAD = "序号,芯片UID,一卡通号"


def lot(first: int = 1, last: int = 5) -> bytes:
    rows = [
        f"{place},{serial:08X},{PREFIX}{serial:08d}" for place, serial in enumerate(range(first, last + 1), 1)
    ]
    return "\r\n".join([HEAD, *rows]).encode("utf-8-sig")


def bring(actor: Actor, content: bytes, number: str = "L1", **more: bool) -> numbers.LotReport:
    return numbers.import_blank_lot(actor, content, number, "一卡通公司", "张三", **more)


# --- the file ---


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_lot_is_read_in_the_encodings_that_spreadsheets_write(encoding: str) -> None:
    text = f"{HEAD}\n１,0a0b0c0d,1000 9900 0000 0001\n\n2,0A0B0C0E,\n"
    lines, problems = lots.read(text.encode(encoding))
    assert not problems
    assert [(line.line, line.position, line.uid, line.transit_number) for line in lines] == [
        (2, 1, "0A0B0C0D", "1000990000000001"),
        (4, 2, "0A0B0C0E", ""),
    ]


def test_english_heads_in_any_order_are_accepted() -> None:
    [line], _ = lots.read(b"transit_number,position\n1000990000000001,1\n")
    assert (line.position, line.transit_number) == (1, "1000990000000001")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["x,,"], [(2, "序号", "LOT_POSITION")]),
        (["0,,"], [(2, "序号", "LOT_POSITION")]),
        (["9" * 5000 + ",,"], [(2, "序号", "LOT_POSITION")]),
        (["1,12345,"], [(2, "芯片UID", "LOT_UID")]),
        (["1,,12"], [(2, "一卡通号", "LOT_TRANSIT_NUMBER")]),
        (["1,xyz,12"], [(2, "芯片UID", "LOT_UID"), (2, "一卡通号", "LOT_TRANSIT_NUMBER")]),
        (["1,,", "1,,"], [(3, "序号", "LOT_DUPLICATE")]),
        (["1,0a0b0c0d,", "2,0A0B0C0D,"], [(3, "芯片UID", "LOT_DUPLICATE")]),
        (["1,,1000990000000001", "2,,1000990000000001"], [(3, "一卡通号", "LOT_DUPLICATE")]),
        (["1,,", "3,,"], [(3, "序号", "LOT_POSITION_GAP")]),
        (["2,,"], [(2, "序号", "LOT_POSITION_GAP")]),
    ],
)
def test_each_defect_is_named_by_line_and_column(
    rows: list[str], expected: list[tuple[int, str, str]]
) -> None:
    _, problems = lots.read("\n".join([HEAD, *rows]).encode())
    assert [(problem.line, problem.column, problem.code) for problem in problems] == expected


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "LOT_COLUMNS"),
        (b"\xff\xfe\x00", "LOT_UNREADABLE"),
        ("序号\n1\n".encode(), "LOT_COLUMNS"),
        ("芯片UID,一卡通号\n".encode(), "LOT_COLUMNS"),
        (HEAD.encode(), "LOT_EMPTY"),
        ((HEAD + '\n1,"' + "x" * 200_000).encode(), "LOT_UNREADABLE"),
    ],
)
def test_a_file_that_is_no_lot_is_refused_whole(content: bytes, code: str) -> None:
    with pytest.raises(BadInput) as refusal:
        lots.read(content)
    assert refusal.value.code == code


@given(st.binary(max_size=300), st.integers(0, 150))
def test_no_bytes_bring_the_reader_down(noise: bytes, cut: int) -> None:
    for content in (noise, lot()[:cut] + noise, HEAD.encode() + b"\n" + noise):
        with contextlib.suppress(BadInput):
            lots.read(content)


# --- the stock ---


@pytest.mark.django_db
def test_a_dry_run_stores_nothing_and_the_import_does(operator: Actor) -> None:
    report = bring(operator, lot(), dry_run=True)
    assert (report.rows, report.accepted, BlankLot.objects.count()) == (5, 5, 0)
    report = bring(operator, lot())
    assert report.as_dict()["errors"] == []
    [stock] = numbers.stock(EVERYWHERE)
    assert (stock.number, stock.quantity, stock.in_stock, stock.handed_over_by) == ("L1", 5, 5, "张三")
    assert Entry.objects.get().detail["quantity"] == 5


@pytest.mark.django_db
def test_one_wrong_line_stops_the_lot(operator: Actor) -> None:
    report = bring(operator, lot() + b"\r\n7,,\r\n")
    assert [(error.line, error.code) for error in report.errors] == [(7, "LOT_POSITION_GAP")]
    assert (report.rows, report.accepted, Blank.objects.count()) == (6, 0, 0)


@pytest.mark.django_db
def test_the_same_hand_over_comes_in_once(operator: Actor) -> None:
    bring(operator, lot())
    for content, number in ((lot(), "L2"), (lot(6, 9), "L1")):
        with pytest.raises(Refused) as refusal:
            bring(operator, content, number)
        assert refusal.value.code == "LOT_KNOWN"
    with pytest.raises(BadInput, match="批号"):
        bring(operator, lot(6, 9), " ")


@pytest.mark.django_db
def test_chips_and_numbers_that_are_here_already_are_named(operator: Actor) -> None:
    bring(operator, lot())
    numbers.add_range(operator, "transit", "一卡通公司", PREFIX, 8, 100, 200)
    content = (
        f"{HEAD}\n1,00000001,{PREFIX}00000300\n2,00000999,{PREFIX}00000002\n3,00000998,{PREFIX}00000150\n"
    )
    report = bring(operator, content.encode(), "L2")
    assert [(error.line, error.column) for error in report.errors] == [
        (2, "芯片UID"),
        (3, "一卡通号"),
        (4, "一卡通号"),
    ]
    assert report.rows == 3
    with pytest.raises(Refused, match="空白卡"):
        numbers.add_range(operator, "transit", "一卡通公司", PREFIX, 8, 3, 50)


@pytest.mark.django_db
def test_binding_takes_the_stock_in_order_and_notes_the_numbers(operator: Actor) -> None:
    bring(operator, f"{HEAD}\n1,0000000A,\n2,0000000B,{PREFIX}00000002\n3,,{PREFIX}00000003\n".encode())
    bound = numbers.bind_blanks([70, 60])
    assert [(blank.position, blank.card_id) for blank in bound] == [(2, 70), (3, 60)]
    assert dict(NumberUse.objects.values_list("card_id", "number")) == {
        70: f"{PREFIX}00000002",
        60: f"{PREFIX}00000003",
    }
    assert numbers.blank_uids([70, 60]) == {70: "0000000B"}
    with pytest.raises(Refused) as refusal:
        numbers.bind_blanks([80])
    assert refusal.value.detail["missing"] == 1
    numbers.mark_used([70])
    numbers.mark_spoiled([60], "芯片坏")
    [stock] = numbers.stock(EVERYWHERE)
    assert (stock.in_stock, stock.bound, stock.used, stock.spoiled) == (1, 0, 1, 1)
    [use] = numbers.fate(EVERYWHERE, f"{PREFIX}00000003")
    assert (use["state"], use["origin"]) == ("spoiled", "空白卡")


@pytest.mark.django_db
def test_blanks_are_set_aside_with_a_reason(operator: Actor) -> None:
    bring(operator, lot())
    assert numbers.set_aside(operator, "L1", [2, 3], "returned", "供应方召回，李四接收") == 2
    [stock] = numbers.stock(EVERYWHERE)
    assert (stock.in_stock, stock.returned) == (3, 2)
    [found] = numbers.fate(EVERYWHERE, f"{PREFIX}00000002")
    assert (found["state"], found["origin"]) == ("returned", "空白卡批号 L1 第 2 张")
    for arguments, error in (
        (("L1", [3, 4], "spoiled", "坏"), Refused),
        (("L9", [1], "spoiled", "坏"), NotFound),
        (("L1", [4], "used", "坏"), BadInput),
        (("L1", [4], "spoiled", " "), BadInput),
    ):
        with pytest.raises(error):
            numbers.set_aside(operator, *arguments)
    assert numbers.stock(EVERYWHERE)[0].in_stock == 3


@pytest.mark.django_db(transaction=True)
def test_batches_that_bind_at_once_get_different_blanks(operator: Actor) -> None:
    bring(operator, lot(1, 80))
    start = Barrier(4)

    def take(thread: int) -> list[int]:
        try:
            start.wait()
            with transaction.atomic():
                blanks = numbers.bind_blanks([thread * 100 + place for place in range(20)])
                connection.cursor().execute("SELECT pg_sleep(0.05)")
            return [blank.id for blank in blanks]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        taken = [blank for got in pool.map(take, range(4)) for blank in got]
    assert len(set(taken)) == 80
    assert Blank.objects.filter(state="bound").count() == NumberUse.objects.count() == 80
