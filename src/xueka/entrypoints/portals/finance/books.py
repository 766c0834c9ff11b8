"""The books: every account with its turnover, and every entry; confirmations and notices as they came."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from xueka.contexts.ledger import api as ledger
from xueka.contexts.payments import api as payments
from xueka.contexts.treasury import api as treasury
from xueka.entrypoints.design import formats
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import Action, Badge, Empty
from xueka.entrypoints.portals.finance import looks, weeks
from xueka.entrypoints.portals.finance.nav import READ
from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.kernel.money import parse_yuan
from xueka.kernel.text import parse_date
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_KINDS = {"asset": "资产", "liability": "负债", "expense": "费用"}
#: Who may have fees to make good.
_BEARERS = [(code, label) for code, label in payments.FEE_BEARERS.items() if code != "none"]
_OUTCOMES = {
    "applied": "ok",
    "repeated": "ended",
    "noted": "ended",
    "held": "wait",
    "foreign": "bad",
    "stray": "bad",
    "refused": "bad",
    "": "progress",
}


@require_GET
@portal_view(READ)
def books(request: StaffRequest) -> HttpResponse:
    """Balances and the week's turnover; all accounts together are zero."""
    week, scope = weeks.of_request(request), request.actor.scope
    at_end, moved = ledger.balances(scope, week.sunday), ledger.turnover(scope, week.monday, week.sunday)
    closed = ledger.closed_until(scope)
    rows = []
    for code, account in ledger.ACCOUNTS.items():
        debit, credit = moved[code]
        before = at_end[code] - debit + credit
        url = f"{reverse('finance:entries')}?account={code}"
        rows.append((account.title, _KINDS[account.kind], before, debit, credit, at_end[code], url))
    debit, credit = (sum(each[side] for each in moved.values()) for side in (0, 1))
    total = sum(at_end.values())
    shown = {
        "week": week,
        "tabs": weeks.tabs(week),
        "rows": rows,
        "sums": (debit, credit, total),
        "balance": Badge("借贷相等，各科目合计为零", "ok")
        if debit == credit and not total
        else Badge("不平", "bad"),
        "closed": formats.day(closed) if closed else "",
        "actions": _actions(request),
    }
    return render(request, "finance/books.html", shown)


class FeesForm(WordedForm):
    bearer = forms.ChoiceField(label="谁补足", choices=_BEARERS)
    amount = forms.CharField(label="金额（元）", max_length=16)
    slip = forms.CharField(label="银行回单号", max_length=40)
    on = forms.DateField(label="到账日期", widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))


@require_http_methods(["GET", "POST"])
@portal_view("city:ledger:post")
def fees(request: StaffRequest) -> HttpResponse:
    """Whoever bears the channels' fees has paid them into the collection account."""
    left = {
        code: ledger.balances_of(request.actor.scope, code).get(ledger.FEES, 0) for code, _label in _BEARERS
    }
    first = {"on": clock.today(), "bearer": max(left, key=lambda code: left[code])}
    form = FeesForm(request.POST if request.method == "POST" else None, initial=first)
    problem: XuekaError | None = None
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            fen = parse_yuan(given["amount"])
            rest = treasury.take_fees(request.actor, given["bearer"], fen, given["slip"], given["on"])
        except XuekaError as refusal:
            problem = refusal
        else:
            flash(request, f"已登记，尚未补足 {formats.yuan(rest)}。")
            return redirect("finance:books")
    owed = [f"{label}尚未补足 {formats.yuan(left[code])}" for code, label in _BEARERS]
    shown = {
        "title": "手续费补足",
        "sub": f"渠道扣下的手续费由承担方补进归集户，款项足额上缴。{'；'.join(owed)}。",
        "form": form,
        "fields": [form[name] for name in ("bearer", "amount", "slip", "on")],
        "problem": problem,
        "button": "登记",
        "icon": "check",
        "cancel": reverse("finance:books"),
    }
    return render(request, "finance/form.html", shown, status=400 if problem or form.errors else 200)


def _actions(request: StaffRequest) -> list[Action]:
    entries_ = Action("看分录", reverse("finance:entries"), icon="list-details")
    if not request.actor.may("city:ledger:post"):
        return [entries_]
    return [entries_, Action("手续费补足", reverse("finance:fees"), icon="cash")]


@require_GET
@portal_view(READ)
def entries(request: StaffRequest) -> HttpResponse:
    listing = DataList(
        request,
        ledger.entry_rows(request.actor.scope),
        name="entries",
        caption="分录",
        columns=[
            Column("日期", "on"),
            Column("事项", lambda row: looks.entry_kind(row.kind)),
            Column("借", lambda row: _side(row, 1)),
            Column("贷", lambda row: _side(row, -1)),
            Column("金额", _amount, kind="money"),
            Column(
                "单号",
                lambda row: next((p.reference for p in row.postings.all() if p.reference), ""),
                kind="code",
                minor=True,
            ),
            Column("记账", "at", kind="number", minor=True),
        ],
        sorts={"latest": ("-id",)},
        filters=[
            Filter(
                "account",
                "科目",
                lambda rows, code: rows.filter(postings__account=code).distinct(),
                [(code, account.title) for code, account in ledger.ACCOUNTS.items()],
            ),
            Filter(
                "kind", "事项", lambda rows, code: rows.filter(kind=code), list(looks.ENTRY_KINDS.items())
            ),
            Filter("day", "日期", _on, kind="date"),
            Filter(
                "q",
                "单号",
                lambda rows, text: rows.filter(postings__reference=text).distinct(),
                kind="search",
            ),
        ],
        unit="笔",
        empty=Empty("还没有分录", "每次收款、退款、上缴都自动记账，只增不改。", icon="book-2"),
    )
    shown = {"title": "分录", "sub": "复式记账，只增不改；记错的用另一笔冲正。", "list": listing}
    return render(request, "finance/list.html", shown)


@require_GET
@portal_view(READ)
def confirmations(request: StaffRequest) -> HttpResponse:
    """What the finance office has confirmed (5996)."""
    listing = DataList(
        request,
        treasury.confirmations(request.actor.scope),
        name="confirmations",
        caption="财政确认",
        columns=[
            Column("业务流水号", "tra_no", kind="code"),
            Column("缴款码", lambda row: row.pay_code, kind="code"),
            Column("金额", lambda row: row.amount_fen, kind="money"),
            Column("确认时间", "at", kind="number"),
            Column("收到", "received_at", kind="number", minor=True),
        ],
        sorts={"latest": ("-id",)},
        filters=[
            Filter("q", "缴款码或流水号", _code, kind="search"),
            Filter("day", "确认日期", lambda rows, text: _on(rows, text, "day"), kind="date"),
        ],
        unit="笔",
        empty=Empty(
            "还没有财政确认", "家长用缴款码缴的费直达国库，财政非税平台逐笔确认。", icon="building-bank"
        ),
    )
    shown = {"title": "财政确认", "sub": "以财政非税平台的确认为准。", "list": listing}
    return render(request, "finance/list.html", shown)


@require_GET
@portal_view(READ)
def notices(request: StaffRequest) -> HttpResponse:
    """What channels have sent, and what became of it."""
    listing = DataList(
        request,
        payments.notice_rows(request.actor.scope),
        name="notices",
        caption="渠道通知",
        columns=[
            Column("收到", "received_at"),
            Column("渠道", lambda row: looks.CHANNELS[row.channel]),
            Column(
                "结果",
                lambda row: Badge(payments.OUTCOMES.get(row.outcome, "待处理"), _OUTCOMES[row.outcome]),
            ),
            Column("商户订单号", "out_trade_no", kind="code"),
            Column(
                "订单",
                lambda row: looks.order_link(row.payment.order.number) if row.payment else "",
                kind="code",
            ),
            Column("次数", "times", kind="number"),
            Column("说明", "said", minor=True),
        ],
        sorts={"latest": ("-id",)},
        filters=[
            Filter(
                "outcome",
                "结果",
                lambda rows, code: rows.filter(outcome=code),
                list(payments.OUTCOMES.items()),
                kind="tabs",
            ),
            Filter(
                "channel", "渠道", lambda rows, code: rows.filter(channel=code), list(looks.CHANNELS.items())
            ),
            Filter("q", "商户订单号", lambda rows, text: rows.filter(out_trade_no=text), kind="search"),
        ],
        unit="条",
        empty=Empty("还没有渠道通知", "渠道发来的每条通知都原样留底，验证之后才入账。", icon="inbox"),
    )
    shown = {
        "title": "渠道通知",
        "sub": "原样留底，验签、核对金额和商户后才入账，同一条只入账一次。",
        "list": listing,
    }
    return render(request, "finance/list.html", shown)


def _side(row: ledger.Entry, sign: int) -> str:
    titles = [ledger.ACCOUNTS[each.account].title for each in row.postings.all() if each.fen * sign > 0]
    return "、".join(titles)


def _amount(row: ledger.Entry) -> int:
    return sum(each.fen for each in row.postings.all() if each.fen > 0)


def _on(rows: Any, text: str, name: str = "on") -> Any:
    try:
        return rows.filter(**{name: parse_date(text)})
    except XuekaError:
        return rows.none()


def _code(rows: Any, text: str) -> Any:
    return rows.filter(pay_code=text) | rows.filter(tra_no=text)
