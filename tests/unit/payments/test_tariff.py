"""What a replacement costs, version by version."""

from datetime import timedelta

import pytest

from tests.unit.payments.conftest import FINANCE, Cashier
from xueka.contexts.payments import api as payments
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Refused
from xueka.platform.identity.scope import EVERYWHERE

NEXT = """
version = "2026-2"
valid_from = 2026-09-10

[[line]]
reasons = ["lost"]
kinds = ["bjt_student"]
before = 2
fen = 5000

[[line]]
reasons = ["lost", "damaged"]
fen = 2500

[[line]]
reasons = ["data_change", "stage_change", "transfer"]
fen = 0
why = "免费"
"""


def fee(reason: str, before: int = 0, days: int = 0, kind: str = "bjt_student") -> tuple[int, str, str]:
    found = payments.quote(EVERYWHERE, reason, kind, before, clock.today() + timedelta(days=days))
    return found.amount_fen, found.tariff_version, found.free_reason


def test_the_shipped_tariff(cashier: Cashier) -> None:
    assert fee("lost") == (2000, "default-1", "")
    assert fee("transfer") == (0, "default-1", "转学换卡免费")
    with pytest.raises(BadInput):
        fee("eaten")


def test_a_new_tariff_holds_from_its_day(cashier: Cashier) -> None:
    payments.adopt_tariff(FINANCE, NEXT.encode())
    assert payments.adopt_tariff(FINANCE, NEXT.encode()).version == "2026-2"
    assert fee("lost") == (2000, "default-1", "")
    assert [fee("lost", before, 3)[0] for before in (0, 1, 2, 3)] == [2500, 2500, 5000, 5000]
    assert fee("lost", 2, 3, kind="other")[0] == 2500
    assert [each.version for each in payments.tariffs()] == ["2026-2", "default-1"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("2026-2", "default-1"), "TARIFF_VERSION_USED"),
        (("2026-09-10", "2026-09-01"), "TARIFF_DAY"),
        (("fen = 5000", "fen = 50.5"), "TARIFF_FILE"),
        (("fen = 5000", "fen = -1"), "TARIFF_FILE"),
        (("fen = 5000", "fen = true"), "TARIFF_FILE"),
        (('"lost"]', '"eaten"]'), "TARIFF_FILE"),
        (('why = "免费"', ""), "TARIFF_FILE"),
        (("before = 2", "after = 2"), "TARIFF_FILE"),
        (('version = "2026-2"', "version = "), "TARIFF_FILE"),
        (("valid_from = 2026-09-10", 'valid_from = "soon"'), "TARIFF_FILE"),
    ],
)
def test_what_is_no_tariff(cashier: Cashier, change: tuple[str, str], code: str) -> None:
    with pytest.raises((BadInput, Refused)) as refusal:
        payments.adopt_tariff(FINANCE, NEXT.replace(*change).encode())
    assert refusal.value.code == code
    assert [each.version for each in payments.tariffs()] == ["default-1"]
