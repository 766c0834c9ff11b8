"""What is a fine and no fee of cost: told apart from the tariff to the books, and back."""

import pytest
from django.db import IntegrityError, connection, transaction

from tests.unit.payments.conftest import FEN, FINANCE, SYSTEM, Cashier, books, everything_holds
from tests.unit.payments.test_paying import settle
from xueka.contexts.payments import api as payments
from xueka.contexts.payments.domain import tariff
from xueka.kernel.errors import Refused

FINES = b"""
version = "with-fines"
valid_from = 2026-09-01

[[line]]
reasons = ["lost"]
before = 2
fen = 5000
fine = true

[[line]]
reasons = ["lost"]
fen = 2000
"""


def test_a_line_of_the_tariff_says_so() -> None:
    found = tariff.read(FINES, "x.toml")
    assert [line.fine for line in found.lines] == [True, False]
    assert [each.get("fine") for each in found.as_json()["line"]] == [True, None]
    third, first = (tariff.fee(found, "lost", "student", before) for before in (2, 0))
    assert ((third.amount_fen, third.fine), (first.amount_fen, first.fine)) == ((5000, True), (2000, False))


def test_it_waits_for_the_treasury_apart(cashier: Cashier) -> None:
    order = cashier.order(fine=True)
    cashier.notice(cashier.paid_at_channel(order, FEN + 300))
    settle(cashier, 3)
    assert books(order.number) == {"fines": -FEN}
    assert books() == {"clearing.wechat": FEN, "fines": -FEN}
    everything_holds()
    payments.refund(FINANCE, order.id, FEN, "判错了", "k")
    settle(cashier, 2)
    order.refresh_from_db()
    assert (order.state, books()) == ("refunded", {})
    everything_holds()


def test_the_kind_of_an_order_stays(cashier: Cashier) -> None:
    order = cashier.order()
    with pytest.raises(Refused) as refusal:
        payments.create_order(
            SYSTEM,
            student_id=order.student_id,
            subject=order.subject,
            title=order.title,
            amount_fen=FEN,
            tariff="x",
            fine=True,
        )
    assert refusal.value.code == "ORDER_EXISTS"
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as sql:
        sql.execute("UPDATE payments_order SET fine = true")
