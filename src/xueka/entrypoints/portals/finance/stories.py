"""The story of some money as a page shows it: a stepper from order to treasury, and each side in full."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.urls import reverse

from xueka.contexts.ledger import api as ledger
from xueka.contexts.payments import api as payments
from xueka.contexts.receipts import api as receipts
from xueka.contexts.treasury import api as treasury
from xueka.entrypoints.design import formats, states
from xueka.entrypoints.design.ui import Badge, Event, Link, Step
from xueka.entrypoints.portals.finance import looks
from xueka.entrypoints.portals.objects import shapes
from xueka.platform.history import queries as history

_MACHINES = {"订单": payments.ORDER, "支付": payments.PAYMENT, "退款": payments.REFUND}


@dataclass(frozen=True, slots=True)
class Table:
    """`heads` are (label, kind of cell: text, number or code); `nothing` stands where there are no rows."""

    title: str
    heads: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[Any]]
    nothing: str = ""

    @property
    def drawn(self) -> list[list[tuple[str, str, Any]]]:
        """Each row as (label, kind, value)."""
        return [[(*head, cell) for head, cell in zip(self.heads, row, strict=True)] for row in self.rows]


def panels(story: treasury.Story, given: Sequence[receipts.Receipt] = ()) -> list[Table]:
    """Each side in full, in the order in which the fen go; `given` are the order's receipts."""
    tables = [
        _payments(story),
        _lines(story),
        _confirmations(story),
        _entries(story),
        _refunds(story),
        _receipts(given),
        _notices(story),
        _breaks(story),
    ]
    return [table for table in tables if table.rows or table.nothing]


def steps(story: treasury.Story, given: Sequence[receipts.Receipt] = ()) -> list[Step]:
    """How far the order's fen have come. Empty for money of which no order is known."""
    order = story.order
    if order is None:
        return []
    paid = next((each for each in story.attempts if each.credited), None)
    label = payments.ORDER.state(order.state).label
    first = Step(
        "订单", "done" if paid else "now", f"{formats.yuan(order.amount_fen)} {label}", order.created_at
    )
    if paid is None and (stray := next((each for each in story.attempts if each.stray), None)):
        return [replace(first, state="done"), *_strayed(story, stray)]
    if paid is None:
        return [first, *(Step(name) for name in ("渠道收款", "渠道账单", "账簿", "国库", "票据"))]
    channel = looks.CHANNELS[paid.channel]
    amount = f"{formats.yuan(paid.received_fen)} {channel}"
    return [
        first,
        Step("渠道收款", "done", amount, paid.success_at),
        _outside(story, paid),
        _booked(story, paid),
        *_settled(story, paid),
        _remitted(paid),
        _receipt(given, paid),
    ]


def _strayed(story: treasury.Story, stray: payments.Payment) -> list[Step]:
    """Money that came when nothing was asked any more goes back; the treasury never sees it."""
    came = f"{formats.yuan(stray.received_fen)} {payments.STRAYS[stray.stray]}"
    back = [each for each in story.refunds if each.state == "succeeded"]
    fen = sum(each.amount_fen for each in back)
    url = reverse("finance:refund", args=[story.refunds[0].number]) if story.refunds else ""
    done = fen >= stray.stray_fen
    return [
        Step("渠道收款", "done", came, stray.success_at),
        _outside(story, stray),
        _booked(story, stray),
        Step(
            "退回", "done" if done else "now", formats.yuan(fen), back[-1].success_at if back else None, url
        ),
    ]


def events(story: treasury.Story) -> list[Event]:
    """Every step of the order, its payments and its refunds, newest first."""
    found = history.timeline(
        {
            "order": [story.order.pk] if story.order else [],
            "payment": [each.pk for each in story.attempts],
            "refund": [each.pk for each in story.refunds],
        }
    )
    labels = {
        f"{machine.name}.{code}": f"{words}：{machine.event_label(code)}"
        for words, machine in _MACHINES.items()
        for code in machine.event_codes
    }
    labels |= {f"{machine.name}.create": f"{words}：登记" for words, machine in _MACHINES.items()}
    return shapes.steps([replace(each, event=f"{each.machine}.{each.event}") for each in found], labels)


def _outside(story: treasury.Story, paid: payments.Payment) -> Step:
    if paid.settlement == payments.DIRECT:
        told = [each for each in story.confirmations if each.pay_code == paid.out_trade_no]
        if not told:
            return Step("财政确认", "now", "财政尚未确认")
        same = sum(each.amount_fen for each in told) == paid.received_fen
        fen = sum(each.amount_fen for each in told)
        return Step("财政确认", "done" if same else "bad", formats.yuan(fen), told[0].at)
    lines = [
        each
        for each in story.lines
        if each.kind == treasury.PAYMENT and each.key == paid.channel_id and each.statement.kind == "trade"
    ]
    if not lines:
        return Step("渠道账单", "now", "当日账单里还没有")
    fen = sum(each.amount_fen for each in lines)
    url = looks.place(paid.channel, lines[0].day)
    return Step(
        "渠道账单", "done" if fen == paid.received_fen else "bad", formats.yuan(fen), lines[0].day, url
    )


def _booked(story: treasury.Story, paid: payments.Payment) -> Step:
    entry = next((each for each in story.entries if each.key == f"payment:{paid.out_trade_no}"), None)
    if entry is None:
        return Step("账簿", "bad", "没有记账")
    fen = sum(each.fen for each in entry.postings.all() if each.account == ledger.clearing(paid.channel))
    return Step("账簿", "done" if fen == paid.received_fen else "bad", formats.yuan(fen), entry.on)


def _settled(story: treasury.Story, paid: payments.Payment) -> list[Step]:
    """The channel has paid what it collected into our account, by its fund-flow statement."""
    if paid.settlement == payments.DIRECT:
        return []
    for entry in story.entries:
        if entry.kind == "settlement":
            return [Step("结算到归集户", "done", formats.yuan(paid.received_fen), entry.on)]
    return [Step("结算到归集户", "todo", "等资金账单")]


def _remitted(paid: payments.Payment) -> Step:
    if paid.settlement == payments.DIRECT:
        return Step("国库", "done", "缴款直达国库")
    if not paid.remitted_in:
        return Step("国库", "todo", "等所在周的周结")
    url = reverse("finance:close", args=[paid.remitted_in.rpartition("-")[0]])
    return Step("国库", "done", f"周结 {paid.remitted_in}", url=url)


def _receipt(given: Sequence[receipts.Receipt], paid: payments.Payment) -> Step:
    found = next((each for each in given if each.payment_id == paid.pk and each.refund_id is None), None)
    if found is None:
        return Step("票据", "todo", "还没有开具")
    url = reverse("finance:receipt", args=[found.pk])
    issued = found.state in (receipts.ISSUED, receipts.KEPT)
    note = found.number if issued else receipts.why_waiting(found)[:30]
    return Step("票据", "done" if issued else "now", note, found.issued_at, url)


def _receipts(given: Sequence[receipts.Receipt]) -> Table:
    rows = [
        (
            Link(each.number or "待领票号", reverse("finance:receipt", args=[each.pk])),
            Badge("红票", "stop") if each.refund_id else Badge("蓝票", "neutral"),
            formats.yuan(each.amount_fen),
            states.badge("receipt", each.state),
            each.issued_at,
            receipts.why_waiting(each),
        )
        for each in given
    ]
    heads = [
        ("票号", "code"),
        ("种类", "text"),
        ("金额", "number"),
        ("状态", "text"),
        ("开具", "text"),
        ("在等", "text"),
    ]
    return Table("电子票据", heads, rows)


def _payments(story: treasury.Story) -> Table:
    rows = [
        (
            looks.CHANNELS[each.channel],
            each.out_trade_no,
            states.badge("payment", each.state),
            formats.yuan(each.amount_fen),
            formats.yuan(each.received_fen) if each.received_fen is not None else "",
            each.success_at,
            each.channel_id,
            _place(each),
        )
        for each in story.attempts
    ]
    heads = [
        ("渠道", "text"),
        ("商户订单号", "code"),
        ("状态", "text"),
        ("应收", "number"),
        ("实收", "number"),
        ("成功时间", "text"),
        ("渠道单号", "code"),
        ("归属", "text"),
    ]
    return Table("支付", heads, rows, "还没有支付过。" if story.order else "")


def _place(each: payments.Payment) -> Badge | str:
    if each.stray:
        return Badge(f"{payments.STRAYS[each.stray]} {formats.yuan(each.stray_fen)}", "wait")
    return Badge("本订单", "ok") if each.credited else ""


def _lines(story: treasury.Story) -> Table:
    rows = [
        (
            Link(
                f"{looks.CHANNELS[each.channel]}{looks.STATEMENT_KINDS[each.statement.kind]} {each.day}",
                looks.place(each.channel, each.day, each.statement.kind),
            ),
            _line_kind(each.kind, each.fee_millifen),
            formats.yuan(each.amount_fen),
            each.number,
            each.channel_id,
            each.at,
            Badge("参与对账", "ok") if each.statement.usable else Badge("留底", "ended"),
        )
        for each in story.lines
    ]
    heads = [
        ("账单", "text"),
        ("种类", "text"),
        ("金额", "number"),
        ("商户单号", "code"),
        ("渠道单号", "code"),
        ("时间", "text"),
        ("用途", "text"),
    ]
    merchant = story.order is None or any(each.settlement == payments.MERCHANT for each in story.attempts)
    return Table("渠道账单", heads, rows, "账单里没有这些单号。" if merchant else "")


def _line_kind(kind: str, fee_millifen: int) -> str:
    words = {treasury.PAYMENT: "收款", treasury.REFUND: "退款"}
    return words.get(kind, "手续费" if fee_millifen else "其他")


def _confirmations(story: treasury.Story) -> Table:
    rows = [
        (each.tra_no, each.pay_code, formats.yuan(each.amount_fen), each.at, each.received_at)
        for each in story.confirmations
    ]
    heads = [
        ("业务流水号", "code"),
        ("缴款码", "code"),
        ("金额", "number"),
        ("确认时间", "text"),
        ("收到", "text"),
    ]
    return Table("财政确认", heads, rows)


def _entries(story: treasury.Story) -> Table:
    rows = [
        (
            entry.on,
            looks.entry_kind(entry.kind),
            ledger.ACCOUNTS[each.account].title,
            formats.yuan(each.fen) if each.fen > 0 else "",
            formats.yuan(-each.fen) if each.fen < 0 else "",
            each.reference,
        )
        for entry in story.entries
        for each in entry.postings.all()
    ]
    heads = [
        ("日期", "text"),
        ("事项", "text"),
        ("科目", "text"),
        ("借", "number"),
        ("贷", "number"),
        ("单号", "code"),
    ]
    return Table("账簿", heads, rows, "账簿里没有这些单号。")


def _refunds(story: treasury.Story) -> Table:
    rows = [
        (
            Link(each.number, reverse("finance:refund", args=[each.number])),
            states.badge("refund", each.state),
            formats.yuan(each.amount_fen),
            payments.WAYS[each.way],
            each.reason,
            each.success_at,
        )
        for each in story.refunds
    ]
    heads = [
        ("退款单号", "code"),
        ("状态", "text"),
        ("金额", "number"),
        ("途径", "text"),
        ("原因", "text"),
        ("到账", "text"),
    ]
    return Table("退款", heads, rows)


def _notices(story: treasury.Story) -> Table:
    rows = [
        (
            each.received_at,
            looks.CHANNELS[each.channel],
            payments.OUTCOMES.get(each.outcome, "待处理"),
            each.times,
            each.said,
        )
        for each in story.notices
    ]
    heads = [("收到", "text"), ("渠道", "text"), ("结果", "text"), ("次数", "number"), ("说明", "text")]
    return Table("渠道通知", heads, rows)


def _breaks(story: treasury.Story) -> Table:
    rows = [
        (
            looks.break_link(each),
            states.badge("break", each.state),
            formats.yuan(each.fen),
            each.day,
            each.explanation,
        )
        for each in story.breaks
    ]
    heads = [("差错", "text"), ("状态", "text"), ("金额", "number"), ("日期", "text"), ("说明", "text")]
    return Table("对账差错", heads, rows)
