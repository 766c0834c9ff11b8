"""The finance office's simulator pushes its confirmations to our process, and is asked for what it lost."""

import contextlib
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest
from django.db import transaction

from tests.support.collector import Collector, finance, frame, opened
from tests.support.offices import open_account
from tests.support.pcsc import until
from tests.unit.cards.conftest import build
from tests.unit.payments.conftest import FEN, SYSTEM, Cashier, books
from xueka.contexts.payments import api as payments
from xueka.contexts.treasury import api as treasury
from xueka.contexts.treasury.services import fetching
from xueka.entrypoints.rest import confirmations
from xueka.kernel import clock
from xueka.platform.identity.scope import EVERYWHERE

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def office(tmp_path: Path, settings) -> Iterator[Collector]:
    """The simulator, our account there, and our listening port, of which it has word."""
    with confirmations.Listener("127.0.0.1", 0) as listener, finance(tmp_path, "--notices", "push") as made:
        listener.daemon_threads = False  # whoever is at work ends before the tables are emptied
        with transaction.atomic():
            open_account(settings, tmp_path, made.card["agency_code"])
        confirmations.tell(tmp_path / "city", "127.0.0.1", listener.port)
        made.card["listens"] = listener.port
        thread = Thread(target=listener.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield made
        finally:
            listener.shutdown()


def wait(true: Callable[[], object]) -> None:
    until(true, "it did not come")


def test_a_pushed_confirmation_pays_the_order_and_reaches_the_treasury(office: Collector) -> None:
    order = Cashier(build()).order()
    code = payments.pay(SYSTEM, order.id, "nontax").data["pay_code"]
    office.sim("POST", "pay", {"pay_code": code})
    wait(lambda: payments.order(EVERYWHERE, order.number).state == "paid")
    wait(lambda: treasury.confirmations(EVERYWHERE).exists())
    treasury.post_all()
    assert books() == {"treasury": FEN, "income": -FEN}
    wait(lambda: office.sim("GET", "notices?all=1") == [])


def test_lost_and_wrong_ones_are_asked_for(office: Collector) -> None:
    """One notice never comes, one lies about the amount: the question of the day brings both."""
    cashier = Cashier(build())
    codes = []
    for kind in ("notice_lost", "wrong_amount"):
        code = payments.pay(SYSTEM, cashier.order().id, "nontax").data["pay_code"]
        office.sim("POST", "trouble", {"pay_code": code, "kind": kind})
        office.sim("POST", "pay", {"pay_code": code})
        codes.append(code)
    wait(lambda: payments.notice_outcomes(EVERYWHERE).get("held") == 1)
    wait(lambda: treasury.Fetch.objects.filter(kind="confirm").exists())
    assert not treasury.confirmations(EVERYWHERE).exists()
    payments.Payment.objects.exclude(next_try_at=None).update(next_try_at=clock.now())
    payments.sweep()
    fetching.fetch_due()
    assert {each.pay_code for each in treasury.confirmations(EVERYWHERE)} == {*codes}
    row = treasury.Fetch.objects.get(kind="confirm", day=clock.today())
    assert (row.done_at, row.last_error) == (None, "")  # the day is not over
    treasury.post_all()
    assert books() == {"treasury": 2 * FEN, "income": -2 * FEN}


def test_a_day_of_many_pages_and_the_statement_of_wechat(office: Collector) -> None:
    cashier = Cashier(build())
    code = payments.pay(SYSTEM, cashier.order().id, "nontax").data["pay_code"]
    for _ in range(205):
        office.house.office.pay(code, force=True)
    assert len(payments.confirmed_on(clock.today())) == 205
    before = clock.today() - timedelta(days=2)  # yesterday's comes at ten
    assert payments.statement("nontax", before, "trade") is None
    at = clock.local(clock.now() - timedelta(days=2)).isoformat()
    office.sim("POST", "pay", {"pay_code": code, "force": True, "at": at})
    raw = payments.statement("nontax", before, "trade")
    assert raw is not None
    checked = treasury.check("x", raw, "wechat-nontax", day=before)
    assert (checked.payments, checked.amount_fen, checked.errors) == (1, FEN, [])
    with pytest.raises(payments.ChannelUnavailable):
        payments.statement("nontax", clock.today(), "trade")


def test_strangers_are_not_believed(office: Collector) -> None:
    order = Cashier(build()).order()
    code = payments.pay(SYSTEM, order.id, "nontax").data["pay_code"]
    said = {"PayCode": code, "CfmDate": "20261126", "CfmTime": "100000", "Amt": "20.00", "TraNoBus": "X1"}
    wrong = frame("5996", [said], "a stranger's token", "8")
    assert send(office, b"GET / HTTP/1.0\r\n\r\n" + b"x" * 100) == b""
    assert send(office, b"200     " + b"x" * 192) == b""
    refused, [answer] = opened(send(office, wrong), office.card["token"])
    assert (refused, answer["Result"]) == ("5001", "18012")
    assert payments.order(EVERYWHERE, order.number).state == "open"
    assert not treasury.confirmations(EVERYWHERE).exists()


def send(office: Collector, content: bytes) -> bytes:
    """To our port; what it answers."""
    with socket.create_connection(("127.0.0.1", office.card["listens"]), 20) as line:
        found = b""
        with contextlib.suppress(OSError):  # closed in our face
            line.sendall(content)
            line.shutdown(socket.SHUT_WR)
            while more := line.recv(65536):
                found += more
        return found
