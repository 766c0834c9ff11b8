"""Money of the payments' tests, and a receipt desk in memory that signs what it seals."""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from django.db import transaction

from tests.unit.payments.conftest import FINANCE, Cashier, cashier, in_memory
from xueka.contexts.payments import api as payments
from xueka.contexts.receipts import api as receipts
from xueka.contexts.receipts.domain.einvoice import Terms
from xueka.contexts.receipts.models import Draw, Receipt
from xueka.contexts.receipts.ports import Downloaded, OfficeRefused, OfficeUnavailable, SealKey
from xueka.kernel import clock
from xueka.platform.crypto import sm3
from xueka.platform.crypto.sm2 import PrivateKey
from xueka.platform.identity.scope import EVERYWHERE
from xueka.platform.invariants import check

__all__ = ["cashier", "in_memory"]

KEY = PrivateKey.generate()
TERMS = Terms(
    name="非税收入一般缴款书（电子）",
    code="11010126",
    specimen="11010126",
    division="110000",
    agency_code="110000001",
    agency_name="样例市数字教育中心",
    account_name="样例市财政局非税收入专户",
    account_number="0200000000000000001",
    bank="样例银行营业部",
    item_code="103070610",
    item_name="学生卡补卡工本费",
    item_unit="张",
)


@dataclass
class MemoryDesk:
    """Knows what it issued. `silent`: does the work and says nothing; `refuse`: a result for every 8981."""

    terms: Terms = TERMS
    seal: SealKey = field(default_factory=lambda: SealKey(KEY.public.to_pem().decode(), "11", "监制章"))
    next: int = 1000
    issued: dict[str, bytes] = field(default_factory=dict)
    given: dict[tuple[str, bool], str] = field(default_factory=dict)
    drawn: dict[str, int] = field(default_factory=dict)
    silent: bool = False
    refuse: str = ""
    altered: bool = False

    def number(self, receipt: Receipt) -> str:
        key = receipt.pay_code, receipt.refund_id is not None
        if self.given.get(key, "") in self.issued:
            del self.given[key]
        found = self.given.setdefault(key, f"{self._take(1):010d}")
        self._speak()
        return found

    def draw(self, draw: Draw) -> int:
        first = self.drawn.get(draw.msg_id) or self.drawn.setdefault(draw.msg_id, self._take(draw.count))
        self._speak()
        return first

    def issue(self, receipt: Receipt) -> None:
        if self.refuse:
            raise OfficeRefused(self.refuse, "财政非税平台：不予开具")
        draft = bytes(receipt.draft)
        assert self.issued.setdefault(receipt.number, draft) == draft, "another document under one number"
        self._speak()

    def download(self, receipt: Receipt) -> Downloaded:
        draft = self.issued[receipt.number]
        digest = sm3.hexdigest(draft)
        inside = f"<SealId>11</SealId><SealName>监制章</SealName><SealHash>{digest}</SealHash>"
        seals = "".join(
            f"<{name}>{inside}</{name}>" for name in ("InvoicingPartySeal", "SupervisorPartySeal")
        )
        content = draft.replace(b"</Main>", seals.encode() + b"</Main>")
        value = base64.b64encode(KEY.sign(content)).decode()
        if self.altered:
            content = re.sub(rb"<TotalAmount>[^<]*<", b"<TotalAmount>1.00<", content)
        text = "<Format>DETACH</Format><Algorithm>SM3withSM2</Algorithm><Time>20260907101500</Time>"
        self._speak()
        signature = f"<Signature>{text}<Value>{value}</Value></Signature>".encode()
        return Downloaded(content, signature, "http://127.0.0.1/receipt")

    def _take(self, count: int) -> int:
        first, self.next = self.next, self.next + count
        return first

    def _speak(self) -> None:
        if self.silent:
            raise OfficeUnavailable("CHANNEL_SILENT", "财政非税平台没有回应。")


DESKS: list[MemoryDesk] = []


def connect() -> MemoryDesk:
    return DESKS[-1]


@pytest.fixture
def desk(cashier: Cashier, settings) -> Iterator[MemoryDesk]:
    settings.RECEIPT_OFFICE = "tests.unit.receipts.conftest.connect"
    settings.RECEIPTS_STOCK_DRAW = 10
    settings.RECEIPTS_STOCK_LOW = 3
    DESKS.append(MemoryDesk())
    yield DESKS[-1]
    DESKS.pop()


def hurry(times: int = 1) -> None:
    """Everything that is due later is due now."""
    for _ in range(times):
        Receipt.objects.exclude(next_try_at=None).update(next_try_at=clock.now())
        payments.sweep()
        receipts.sweep()


def back(order: payments.Order, fen: int, key: str) -> payments.Refund:
    """A refund that has arrived."""
    with transaction.atomic():
        found = payments.refund(FINANCE, order.id, fen, "x", key)
    if found.way == "payback":
        with transaction.atomic():
            told = payments.ToldRefund("succeeded", fen, f"B{found.number}", clock.now())
            payments.hear_refund(found.id, told)
    payments.sweep()
    found.refresh_from_db()
    assert found.state == "succeeded"
    return found


def of(order: payments.Order) -> list[Receipt]:
    return receipts.receipts_of(EVERYWHERE, order.id)


def holds() -> None:
    for invariant in receipts.INVARIANTS:
        found = check(invariant)
        assert found.violated == 0, found
