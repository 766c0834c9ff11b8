"""What the finance people see beside their pages."""

from collections.abc import Iterator

from django.urls import reverse

from xueka.contexts.closing import api as closing
from xueka.contexts.payments import api as payments
from xueka.contexts.receipts import api as receipts
from xueka.contexts.treasury import api as treasury
from xueka.entrypoints.design import formats, states
from xueka.entrypoints.design.nav import Hit, NavGroup, NavItem, Notice, Portal, register, register_search
from xueka.platform.identity.sessions import StaffRequest

READ = "city:ledger:read"

states.register(
    payments.PAYMENT,
    {
        "created": "neutral",
        "pending": "progress",
        "unknown": "bad",
        "succeeded": "ok",
        "failed": "ended",
        "closed": "ended",
    },
)
states.register(
    payments.REFUND,
    {"asked": "progress", "pending": "progress", "abnormal": "bad", "succeeded": "ok", "failed": "bad"},
)
states.register(
    closing.CLOSE, {"prepared": "wait", "signed": "progress", "remitted": "ok", "dropped": "ended"}
)
states.register(receipts.RECEIPT, {"due": "wait", "numbered": "progress", "issued": "progress", "kept": "ok"})
states.register(treasury.BREAK, {"open": "bad", "explained": "wait", "signed": "ok", "gone": "ended"})


def _breaks(request: StaffRequest) -> int:
    return treasury.breaks(request.actor.scope).filter(state__in=["open", "explained"]).count()


def _open_weeks(request: StaffRequest) -> int:
    return closing.closes(request.actor.scope).filter(state__in=["prepared", "signed"]).count()


def _refunds(request: StaffRequest) -> int:
    return payments.refund_rows(request.actor.scope).filter(state__in=["abnormal", "failed"]).count()


def _unposted(request: StaffRequest) -> int:
    return treasury.unposted_count(request.actor.scope)


def search(request: StaffRequest, query: str) -> Iterator[Hit]:
    """An order by its number, or by the number of one of its payments at us or at the channel."""
    if not request.actor.may(READ):
        return
    rows = payments.payment_rows(request.actor.scope).select_related("order")
    found = {each.order for each in rows.filter(out_trade_no=query)[:5]}
    found |= {each.order for each in rows.filter(channel_id=query)[:5]}
    found |= set(payments.order_rows(request.actor.scope).filter(number__startswith=query.upper())[:5])
    for order in sorted(found, key=lambda each: each.number)[:5]:
        url = reverse("finance:order", args=[order.number])
        yield Hit(
            "缴费订单", order.number, url, formats.yuan(order.amount_fen), order.number == query.upper()
        )


def notices(request: StaffRequest) -> list[Notice]:
    """What somebody else has prepared or explained, and this person may sign."""
    me = request.actor
    rows = treasury.breaks(me.scope).filter(state="explained").exclude(explained_by=me.username)
    closes = closing.closes(me.scope).filter(state="prepared").exclude(prepared_by=me.username)
    return [
        Notice(
            f"周结 {each.number} 等您签署",
            reverse("finance:close", args=[closing.name_of(each.monday)]),
            each.prepared_at,
        )
        for each in closes
    ] + [
        Notice(
            f"{treasury.BREAK_KINDS[each.kind]} {formats.yuan(each.fen)} 等您签认",
            reverse("finance:break", args=[each.pk]),
            each.state_at,
        )
        for each in rows[:5]
    ]


register_search(search)
register(
    Portal(
        "finance",
        "财务",
        "finance:home",
        frozenset({"finance"}),
        [
            NavGroup("", [NavItem("本周", "finance:home", "home")]),
            NavGroup(
                "对账",
                [
                    NavItem("周结", "finance:closes", "calendar-check", READ, _open_weeks),
                    NavItem("渠道账单", "finance:statements", "file-invoice", READ),
                    NavItem("对账差错", "finance:breaks", "alert-triangle", READ, _breaks),
                    NavItem("财政确认", "finance:confirmations", "circle-check", READ),
                    NavItem("未入账", "finance:postings", "clock", READ, _unposted),
                ],
            ),
            NavGroup(
                "资金",
                [
                    NavItem("缴费订单", "finance:orders", "receipt", READ),
                    NavItem("退款", "finance:refunds", "receipt-refund", READ, _refunds),
                    NavItem("退付", "finance:back_payments", "building-bank", READ),
                    NavItem("电子票据", "finance:receipts", "receipt-2", READ),
                    NavItem("渠道通知", "finance:notices", "inbox", READ),
                    NavItem("账簿", "finance:books", "book-2", READ),
                    NavItem("收费和渠道", "finance:tariffs", "tags", READ),
                ],
            ),
        ],
        notices,
    )
)
