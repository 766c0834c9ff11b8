"""The finance office's simulator for the tests of a module, our account there, and codes paid at it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.channels_process import Finance, finance_running
from tests.unit.payments.conftest import SYSTEM, Cashier
from xueka.contexts.payments import api as payments


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finance]:
    with finance_running(tmp_path_factory.mktemp("finance")) as simulator:
        yield simulator


def open_account(settings: Any, folder: Path, agency: str) -> None:
    """The channel by which money reaches the treasury itself; `folder` is the simulator's."""
    settings.FINANCE_PARTNER = folder / "partner.json"
    payments.set_channel(
        SYSTEM,
        "nontax",
        settlement="direct",
        fee_bearer="none",
        gateway="tcp://127.0.0.1:1",
        merchant_id=agency,
    )


def paid_by_code(cashier: Cashier, finance: Finance) -> payments.Order:
    order = cashier.order()
    finance.pay_code(payments.pay(SYSTEM, order.id, "nontax").data["pay_code"])
    finance.deliver()
    order.refresh_from_db()
    return order
