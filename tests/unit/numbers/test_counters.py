"""Blanks at the counters: handed out and brought back as counted, used only where they were handed to."""

import pytest
from django.db import IntegrityError, connection, transaction

from tests.unit.numbers.test_blanks import bring, lot
from xueka.contexts.numbers import api as numbers
from xueka.contexts.numbers.invariants import INVARIANTS
from xueka.contexts.numbers.models import Blank
from xueka.kernel.errors import BadInput, Refused
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE, Scope
from xueka.platform.invariants import check

pytestmark = pytest.mark.django_db
Paper = tuple[str, str, str]
EAST, WEST, PAPER = "110101", "110102", ("张三", "李四", "GT-1")


def uid(position: int) -> str:
    return f"{position:08X}"


def given(actor: Actor) -> None:
    """Six blanks: 1 to 4 at the eastern office, the last two in the city's stock."""
    bring(actor, lot(1, 6))
    numbers.give_to_counter(actor, EAST, "L1", 1, 4, 4, PAPER)


def test_a_blank_is_used_only_where_it_was_handed_to(operator: Actor) -> None:
    bring(operator, lot(1, 6))
    assert numbers.why_not_here(uid(1), EAST) == ""  # nobody keeps stock yet: all take from the city's
    assert numbers.why_not_here("AABBCCDD", EAST) == ""
    numbers.give_to_counter(operator, EAST, "L1", 1, 4, 4, PAPER)
    assert numbers.why_not_here(uid(1), EAST) == ""
    assert "发给东城区柜台" in numbers.why_not_here(uid(1), WEST)
    assert "发给东城区柜台" in numbers.why_not_here(uid(1), numbers.CITY)
    assert "没有发给本柜台" in numbers.why_not_here(uid(5), EAST)
    assert "不在发给本柜台" in numbers.why_not_here("AABBCCDD", EAST)
    assert numbers.why_not_here(uid(5), WEST) == ""  # the west keeps none: as before
    with pytest.raises(Refused) as refusal, transaction.atomic():
        numbers.bind_blank(1, uid(1), WEST)
    assert refusal.value.code == "BLANK_ELSEWHERE"
    assert [each.position for each in numbers.bind_blanks([7, 8])] == [5, 6]  # a batch takes none of theirs
    with pytest.raises(Refused):
        numbers.bind_blanks([9])


def test_what_is_used_and_spoilt_counts_against_the_counter_and_the_rest_comes_back(operator: Actor) -> None:
    given(operator)
    numbers.bind_blank(1, uid(1), EAST)
    numbers.spoil_chip(uid(2), "印花")
    [stock] = numbers.counter_stock(EVERYWHERE)
    assert (stock.handed, stock.left, stock.made, stock.spoiled, stock.adds_up) == (4, 2, 1, 1, True)
    with pytest.raises(Refused) as refusal, transaction.atomic():
        numbers.take_from_counter(operator, EAST, "L1", 1, 4, 4, PAPER)
    assert (refusal.value.code, refusal.value.expected) == ("COUNTER_COUNT_DIFFERS", 2)
    made = numbers.take_from_counter(operator, EAST, "L1", 1, 4, 2, PAPER)
    assert made.number.startswith("GT")
    [stock] = numbers.counter_stock(Scope("district", EAST))
    assert (stock.back, stock.left, stock.adds_up) == (2, 0, True)
    assert numbers.counter_stock(Scope("district", WEST)) == []
    assert numbers.counter_slips(Scope("school", EAST, "2111010001")).count() == 0
    assert [each.direction for each in numbers.counter_slips(Scope("district", EAST))] == ["in", "out"]


def test_what_is_at_a_counter_is_neither_returned_nor_handed_to_the_bureau(operator: Actor) -> None:
    given(operator)
    with pytest.raises(Refused):
        numbers.set_aside(operator, "L1", [1], "returned", "退给一卡通公司")
    slip = numbers.Slip(3, "张三", "李四", "JJ-1", counterparty="卡厂")
    with pytest.raises(Refused) as refusal, transaction.atomic():
        numbers.hand_over(operator, "to_bureau", slip, lot="L1")
    assert refusal.value.code == "HANDOVER_OVER_STOCK"
    slip = numbers.Slip(2, "张三", "李四", "JJ-1", counterparty="卡厂")
    numbers.hand_over(operator, "to_bureau", slip, lot="L1")
    with pytest.raises(Refused) as refusal, transaction.atomic():
        numbers.give_to_counter(operator, WEST, "L1", 5, 6, 2, PAPER)
    assert refusal.value.code == "HANDOVER_OVER_STOCK"


@pytest.mark.parametrize(
    ("counter", "first", "last", "quantity", "paper", "code"),
    [
        ("999999", 1, 2, 2, PAPER, "COUNTER_UNKNOWN"),
        (EAST, 2, 1, 2, PAPER, "COUNTER_POSITIONS"),
        (EAST, 1, 2, 0, PAPER, "COUNTER_QUANTITY"),
        (EAST, 1, 2, 2, ("张三", "张三", "GT-1"), "HANDOVER_TWO_PEOPLE"),
        (EAST, 1, 2, 2, ("张三", "李四", " "), "HANDOVER_SIGNATURES"),
    ],
)
def test_a_slip_says_what_is_wrong(
    operator: Actor,
    counter: str,
    first: int,
    last: int,
    quantity: int,
    paper: tuple[str, str, str],
    code: str,
) -> None:
    bring(operator, lot(1, 6))
    with pytest.raises(BadInput) as refusal:
        numbers.give_to_counter(operator, counter, "L1", first, last, quantity, paper)
    assert refusal.value.code == code


def test_a_blank_that_changes_its_counter_without_a_slip_is_seen(operator: Actor) -> None:
    given(operator)
    [invariant] = [each for each in INVARIANTS if each.name == "numbers_counter_stock_adds_up"]
    before = check(invariant)
    assert (before.violated, before.checked) == (0, 1)
    Blank.objects.filter(uid=uid(5)).update(counter=WEST)
    assert check(invariant).violated == 1
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE numbers_blank SET counter = 'moon'")
