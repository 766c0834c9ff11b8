"""Families that pay in the small city of the cards' tests, at channels that live in memory."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

import pytest
from django.db import connection, transaction

from tests.support import fake_channel
from tests.support.fake_channel import BANKS, MERCHANT, Bank
from tests.unit.cards.conftest import NOW, City, build
from xueka.contexts.ledger import api as ledger
from xueka.contexts.payments import api as payments
from xueka.kernel import clock
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE, Scope
from xueka.platform.invariants import check

SYSTEM = Actor.system("test")
FINANCE = Actor.in_role("cw", "财务", "finance", Scope("city"))
FEN = 2000


@dataclass
class Cashier:
    """Makes orders and lets them be paid, in single steps."""

    city: City
    _serial: "count[int]" = field(default_factory=lambda: count(1))

    @transaction.atomic
    def order(self, fen: int = FEN, actor: Actor = SYSTEM, fine: bool = False) -> payments.Order:
        [student] = self.city.students(1)
        return payments.create_order(
            actor,
            student_id=student,
            subject=f"replacement:{next(self._serial)}",
            title="学生卡补卡",
            amount_fen=fen,
            tariff="default-1",
            fine=fine,
        )

    def attempt(
        self, order: payments.Order, channel: str = "wechat", actor: Actor = SYSTEM
    ) -> payments.Payment:
        started = payments.pay(actor, order.id, channel, openid="o1")
        return payments.Payment.objects.get(id=started.payment_id)

    def paid_at_channel(self, order: payments.Order, fen: int | None = None, channel: str = "wechat"):
        """The payer has paid; we have not heard of it."""
        payment = self.attempt(order, channel)
        BANKS[channel].pay(payment, fen)
        return payment

    def notice(self, payment: payments.Payment, id_: str = "", **change: object) -> tuple[int, bytes, str]:
        told = BANKS[payment.channel].paid[payment.out_trade_no]
        headers, raw = fake_channel.payment_notice(
            id_ or f"N{payment.out_trade_no}", payment.out_trade_no, told, **change
        )
        return payments.take_notice(payment.channel, headers, raw)

    def paid(self, fen: int = FEN, channel: str = "wechat") -> payments.Order:
        order = self.order(fen)
        self.notice(self.paid_at_channel(order, channel=channel))
        order.refresh_from_db()
        assert order.state == "paid"
        return order


def books(*references: str) -> dict[str, int]:
    """Balances, without the accounts at zero: of these references, or of everything."""
    if not references:
        return {code: fen for code, fen in ledger.balances(EVERYWHERE).items() if fen}
    sums: dict[str, int] = {}
    for reference in references:
        for code, fen in ledger.balances_of(EVERYWHERE, reference).items():
            sums[code] = sums.get(code, 0) + fen
    return {code: fen for code, fen in sums.items() if fen}


def everything_holds() -> None:
    """All invariants of money, and what the database checks at the end of a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    for invariant in [*ledger.INVARIANTS, *payments.INVARIANTS]:
        found = check(invariant)
        assert found.violated == 0, found


def open_channels() -> None:
    BANKS.clear()
    for code in ("wechat", "alipay", "nontax"):
        BANKS[code] = Bank()
        payments.set_channel(
            SYSTEM,
            code,
            settlement="direct" if code == "nontax" else "merchant",
            fee_bearer="provider",
            gateway="http://127.0.0.1:9",
            merchant_id=MERCHANT,
        )


@pytest.fixture
def in_memory(settings) -> None:
    settings.PAYMENT_CHANNELS = dict.fromkeys(
        ("wechat", "alipay", "nontax"), "tests.support.fake_channel.connect"
    )


@pytest.fixture
def cashier(db: None, in_memory: None) -> Iterator[Cashier]:
    with clock.at(NOW) as time:
        open_channels()
        made = Cashier(build())
        made.time = time  # type: ignore[attr-defined]
        yield made
