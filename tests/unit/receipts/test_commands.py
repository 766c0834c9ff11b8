"""`xueka receipts`: what was issued, what lacks a receipt, originals verified, numbers drawn."""

import pytest
from django.db import connection

from tests.support.commands import Run, xueka
from tests.unit.payments.conftest import FEN, Cashier
from tests.unit.receipts.conftest import MemoryDesk, back, hurry
from xueka.contexts.receipts.models import Receipt

__all__ = ["xueka"]


@pytest.fixture
def by_hand(settings, desk: MemoryDesk) -> MemoryDesk:
    settings.RECEIPTS_STOCK_DRAW = 0
    return desk


def test_what_is_lacking_is_told_until_numbers_are_drawn(
    cashier: Cashier, by_hand: MemoryDesk, xueka: Run
) -> None:
    order = cashier.paid()
    hurry()
    code, found = xueka("receipts", "list")
    assert (code, found["receipts"], found["stock"]["low"]) == (1, [], True)
    assert [(each["order"], each["amount_fen"]) for each in found["lacking"]] == [(order.number, FEN)]
    code, drawn = xueka("receipts", "draw", "5")
    assert (code, drawn["first"], drawn["count"], drawn["left"]) == (0, "0000001000", 5, 5)
    hurry()
    back(order, 700, "k")
    hurry()
    code, found = xueka("receipts", "list")
    assert (code, found["lacking"], found["stock"]["used"]) == (0, [], 2)
    told = [(each["number"], each["red"], each["amount_fen"]) for each in found["receipts"]]
    assert told == [("0000001000", False, FEN), ("0000001001", True, -700)]


def test_silence_of_the_office_is_no_stock(cashier: Cashier, by_hand: MemoryDesk, xueka: Run) -> None:
    by_hand.silent = True
    code, drawn = xueka("receipts", "draw", "5")
    assert (code, drawn["first"], drawn["left"]) == (1, None, 0) and drawn["refused"]
    code, refused = xueka("receipts", "draw", "0")
    assert (code, refused["error"]["code"]) == (1, "RECEIPT_COUNT")


def test_an_altered_original_is_found(cashier: Cashier, desk: MemoryDesk, xueka: Run) -> None:
    cashier.paid(channel="nontax")
    cashier.paid(channel="nontax")
    hurry()
    assert xueka("receipts", "verify") == (0, {"checked": 2, "good": 2, "bad": []})
    altered, other = Receipt.objects.order_by("id")
    with connection.cursor() as cursor:
        change = "UPDATE files_storedfile SET content = content || 'x'::bytea WHERE id = %s"
        cursor.execute(change, [altered.file_id])
    code, found = xueka("receipts", "verify")
    assert (code, found["checked"], [each["number"] for each in found["bad"]]) == (1, 2, [altered.number])
    assert xueka("receipts", "verify", other.number)[0] == 0
    assert xueka("receipts", "verify", "0000000000")[0] == 1
