"""How money reads on these pages: channels, differences, what is known of an order's fen."""

from datetime import date

from django.urls import reverse

from xueka.contexts.ledger import api as ledger
from xueka.contexts.payments import api as payments
from xueka.contexts.receipts import api as receipts
from xueka.contexts.treasury import api as treasury
from xueka.entrypoints.design import formats
from xueka.entrypoints.design.ui import Badge, Link
from xueka.platform.identity.scope import Scope

CHANNELS = ledger.CHANNELS
STATEMENT_KINDS = {"trade": "交易账单", "fund": "资金账单"}
ENTRY_KINDS = {
    "payment": "收款",
    "unknown_payment": "收到待查款",
    "refund_ask": "申请退款",
    "refund_done": "退款完成",
    "refund_failed": "退款未成",
    "settlement": "渠道结算",
    "settlement_fees": "渠道手续费",
    "fees_paid": "手续费补足",
    "confirmation": "财政确认",
    "break": "差错入账",
    "remittance": "上缴国库",
    "returned": "国库退回归集户",
}


def entry_kind(kind: str) -> str:
    return ENTRY_KINDS.get(kind, kind)


def difference(fen: int) -> Badge:
    """No difference is green; a surplus and a shortage are both wrong."""
    if not fen:
        return Badge("相符", "ok")
    return Badge(f"{'长款' if fen > 0 else '短款'} {formats.yuan(abs(fen))}", "bad")


def order_link(number: str) -> Link:
    return Link(number, reverse("finance:order", args=[number]))


def break_link(row: treasury.BreakRow) -> Link:
    return Link(treasury.BREAK_KINDS[row.kind], reverse("finance:break", args=[row.pk]))


def break_about(row: treasury.BreakRow) -> str:
    """The number that a break is about; of a whole day its statement."""
    if row.key.startswith(f"{row.channel} ") and row.key.endswith(f" {row.day}"):
        return f"{CHANNELS[row.channel]} {formats.short_day(row.day)}"
    return row.number or row.key


def place(channel: str, day: date, kind: str = "trade") -> str:
    """The page of a channel's statement of a day."""
    return reverse("finance:statement", args=[channel, kind, day.isoformat()])


def settlement(code: str) -> str:
    return payments.SETTLEMENTS.get(code, "")


def receipts_of(scope: Scope, story: treasury.Story) -> list[receipts.Receipt]:
    """The receipts of the order that a story is about."""
    return receipts.receipts_of(scope, story.order.pk) if story.order else []
