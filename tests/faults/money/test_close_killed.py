"""kill -9 at every commit of a weekly close, just before and just after: whoever goes on ends the same."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from tests.unit.closing.conftest import FEN, MONDAY, NEXT, Office, cashier, in_memory, office
from tests.unit.payments.conftest import books, everything_holds
from xueka.contexts.closing import api as closing
from xueka.contexts.closing.models import Line
from xueka.contexts.ledger import api as ledger
from xueka.contexts.payments import api as payments
from xueka.kernel import clock
from xueka.platform.identity.scope import EVERYWHERE
from xueka.platform.invariants import check

__all__ = ["cashier", "in_memory", "office"]

pytestmark = pytest.mark.django_db(transaction=True)


def die_at(side: str, work: Callable[[], object]) -> bool:
    """Do `work` in a process of its own that is killed at its first commit; whether it was."""
    connections.close_all()
    process = multiprocessing.get_context("fork").Process(target=_work, args=(side, work))
    process.start()
    process.join()
    return process.exitcode == -signal.SIGKILL


def _work(side: str, work: Callable[[], object]) -> None:
    commit = BaseDatabaseWrapper.commit

    def deadly(connection: Any) -> None:
        if side == "after":
            commit(connection)
        os.kill(os.getpid(), signal.SIGKILL)

    BaseDatabaseWrapper.commit = deadly  # type: ignore[method-assign]
    with suppress(BaseException):  # a fork of the test run does not run the tests' own ends
        work()
    os._exit(1)


def test_a_close_survives_every_death(office: Office) -> None:
    kept, coded = office.paid(), office.paid(channel="nontax")
    office.paid()
    office.to(NEXT)
    the_close = closing.closes(EVERYWHERE).exclude(state="dropped")
    steps: dict[str, Callable[[], object]] = {
        "statements": office.statements,
        "reconcile": office.reconcile,
        "receipts": office.collect,
        "prepare": office.prepare,
        "sign": lambda: office.sign(the_close.get()),
        "remit": lambda: office.remit(the_close.get()),
    }
    deaths = []
    for name, work in steps.items():
        for side in ("before", "after"):
            if die_at(side, work):
                deaths.append(f"{side} {name}")
        state = the_close.values_list("state", flat=True).first()
        if (name, state) not in (("sign", "signed"), ("sign", "remitted")):
            work()  # whoever finds it unfinished goes on; what is done already is the same
    assert deaths == [f"{side} {name}" for name in steps for side in ("before", "after")]
    found = the_close.get()
    assert (found.state, found.number, found.seq) == ("remitted", "2026-W37-1", 1)
    assert Line.objects.count() == 3 and closing.Remittance.objects.count() == 1
    assert ledger.closed_until(EVERYWHERE) == MONDAY + timedelta(days=6)
    assert books(found.number) == {"treasury": 2 * FEN, "bank": -2 * FEN}

    told: list[str] = []

    def pay_back(refund: payments.Refund) -> payments.ToldRefund:
        told.append(refund.number)
        return payments.ToldRefund("succeeded", refund.amount_fen, refund.number, None, "已退付")

    office.pay_back(pay_back)
    back = office.refund(coded, FEN)
    office.refund(kept, 500)
    for side in ("before", "after", "before", "after"):
        assert die_at(side, closing.sweep)
        office.cashier.time.advance(timedelta(minutes=31))  # type: ignore[attr-defined]
    for _ in range(3):
        closing.sweep()
        office.cashier.time.advance(timedelta(minutes=31))  # type: ignore[attr-defined]
    rows = {each.refund_number: each.state for each in closing.back_payments(EVERYWHERE)}
    assert rows[back.number] == "succeeded" and sorted(rows.values()) == ["asked", "succeeded"]
    assert told and set(told) == {back.number}
    assert clock.today() >= NEXT and closing.check_chain(EVERYWHERE).ok
    everything_holds()
    for invariant in closing.INVARIANTS:
        assert check(invariant).violated == 0, invariant.name
