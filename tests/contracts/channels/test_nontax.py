"""A payment code at the finance office's simulator, frame by frame."""

import base64
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from django.utils import timezone

from tests.unit.cards.conftest import build
from tests.unit.payments.conftest import FEN, FINANCE, SYSTEM, Cashier, books, everything_holds
from xueka.contexts.payments import api as payments
from xueka.contexts.payments.models import Payment


@pytest.fixture(scope="module")
def finance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("finance")
    command = [sys.executable, "-m", "xueka.sandbox.finance", "--home", str(folder), "--notices", "pull"]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    until = time.monotonic() + 60
    while not (folder / "partner.json").exists():
        assert process.poll() is None and time.monotonic() < until, (folder / "log").read_text()
        time.sleep(0.05)
    yield folder
    process.terminate()
    process.wait(10)


@pytest.fixture
def control(finance: Path, db: None, settings) -> Iterator[httpx.Client]:
    card = json.loads((finance / "partner.json").read_text("utf-8"))
    settings.FINANCE_PARTNER = finance / "partner.json"
    payments.set_channel(
        SYSTEM,
        "nontax",
        settlement="direct",
        fee_bearer="none",
        gateway="tcp://127.0.0.1:1",
        merchant_id=card["agency_code"],
    )
    headers = {"Authorization": f"Bearer {card['control_token']}"}
    with httpx.Client(base_url=card["control"], headers=headers, trust_env=False) as client:
        yield client


def hurry() -> None:
    Payment.objects.exclude(next_try_at=None).update(next_try_at=timezone.now())
    payments.sweep()


def test_a_code_is_paid_and_confirmed(control: httpx.Client) -> None:
    cashier = Cashier(build())
    order = cashier.order()
    started = payments.pay(SYSTEM, order.id, "nontax")
    code = started.data["pay_code"]
    assert (started.kind, code in started.data["url"]) == ("code", True)
    hurry()
    assert payments.payments_of(order)[0].state == "pending"
    assert control.post("/_sim/pay", json={"pay_code": code}).is_success
    for each in control.get("/_sim/notices?all=1").json():
        _, body, _ = payments.take_notice("nontax", {}, base64.b64decode(each["body"]))
        told = {"body": base64.b64encode(body).decode()}
        assert control.post(f"/_sim/notices/{each['id']}", json=told).is_success
    assert control.get("/_sim/notices?all=1").json() == []
    order.refresh_from_db()
    assert (order.state, books()) == ("paid", {"clearing.nontax": FEN, "income": -FEN})
    assert payments.refund(FINANCE, order.id, FEN, "x", "k").way == "payback"
    everything_holds()


def test_a_cancelled_code_is_void(control: httpx.Client) -> None:
    cashier = Cashier(build())
    order = cashier.order()
    payments.pay(SYSTEM, order.id, "nontax")
    payments.cancel_order(SYSTEM, order.id)
    hurry()
    assert payments.payments_of(order)[0].state == "closed"


def test_paid_and_never_confirmed_is_found_by_asking(control: httpx.Client) -> None:
    cashier = Cashier(build())
    order = cashier.order()
    code = payments.pay(SYSTEM, order.id, "nontax").data["pay_code"]
    assert control.post("/_sim/pay", json={"pay_code": code}).is_success
    hurry()
    order.refresh_from_db()
    assert order.state == "paid"
