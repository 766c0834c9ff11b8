"""Refunds: the list, one with its way, and asking for one with a preview."""

import secrets
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.payments import api as payments
from xueka.entrypoints.design import formats, states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import Action, Badge, Confirm, Empty, Fact, Link, ObjectHead
from xueka.entrypoints.portals.finance import looks
from xueka.entrypoints.portals.finance.nav import READ
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import BadInput, XuekaError
from xueka.kernel.money import parse_yuan
from xueka.platform.history import queries as history
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_ASK = "city:refund:ask"
_STATES = [
    ("waiting", "在途"),
    ("stuck", "异常或未成"),
    *((state.code, state.label) for state in payments.REFUND.states),
]
_KEY_LENGTH = 32


class RefundForm(WordedForm):
    amount = forms.CharField(label="退款金额（元）", max_length=16, help_text="可以只退一部分。")
    reason = forms.CharField(label="退款原因", max_length=80, help_text="家长在手机上看得到。")
    key = forms.CharField(widget=forms.HiddenInput, max_length=_KEY_LENGTH)


@require_GET
@portal_view(READ)
def refund_list(request: StaffRequest) -> HttpResponse:
    listing = DataList(
        request,
        payments.refund_rows(request.actor.scope).select_related("order", "payment"),
        name="refunds",
        caption="退款",
        columns=[
            Column("退款单号", "number", kind="code"),
            Column("金额", lambda row: row.amount_fen, kind="money"),
            Column("状态", lambda row: states.badge("refund", row.state)),
            Column("途径", way),
            Column("订单", lambda row: looks.order_link(row.order.number), kind="code"),
            Column("渠道", lambda row: looks.CHANNELS[row.payment.channel], minor=True),
            Column("原因", "reason", minor=True),
            Column("申请", "asked_at", kind="number"),
        ],
        sorts={"latest": ("-id",)},
        filters=[
            Filter("state", "状态", _in_state, _STATES, kind="tabs"),
            Filter("way", "途径", lambda rows, code: rows.filter(way=code), list(payments.WAYS.items())),
            Filter("q", "单号", _by_number, kind="search"),
        ],
        url=lambda row: reverse("finance:refund", args=[row.number]),
        label=lambda row: row.number,
        unit="笔",
        empty=Empty(
            "没有退款",
            "重复、迟到、多缴的款项由系统原路退回；别的退款在订单页点“退款”。",
            icon="receipt-refund",
        ),
    )
    sub = "没有上缴的原路退回；已经上缴或直达国库的，由国库退付。"
    return render(request, "finance/list.html", {"title": "退款", "sub": sub, "list": listing})


@require_GET
@portal_view(READ)
def one(request: StaffRequest, number: str) -> HttpResponse:
    found = payments.refund_of(request.actor.scope, number)
    labels = {code: payments.REFUND.event_label(code) for code in payments.REFUND.event_codes}
    shown = {
        "head": ObjectHead(
            formats.yuan(found.amount_fen),
            found.number,
            "退款",
            states.badge("refund", found.state),
            facts=[
                Fact("途径", way(found)),
                Fact("渠道", looks.CHANNELS[found.payment.channel]),
                Fact("原因", found.reason),
                Fact("申请", shapes.actor_name(found.asked_by), formats.compact(found.asked_at)),
                Fact("渠道退款单号", found.channel_id),
                Fact("到账", found.success_at),
                Fact("渠道说", found.last_error),
            ],
            actions=_actions(request, found),
        ),
        "links": [Link(found.order.number, looks.order_link(found.order.number).url, "订单", "receipt")],
        "events": shapes.steps(history.timeline({"refund": [found.pk]}), labels | {"create": "申请"}),
    }
    return render(request, "finance/refund.html", shown)


@require_http_methods(["GET", "POST"])
@portal_view(_ASK)
def ask(request: StaffRequest, number: str) -> HttpResponse:
    """Amount and reason, then what will happen, then the refund; sent twice it is one."""
    order = payments.order(request.actor.scope, number)
    left = payments.refundable_fen(order)
    first = {"amount": formats.yuan(left).removeprefix("¥"), "key": secrets.token_hex(_KEY_LENGTH // 2)}
    form = RefundForm(request.POST if request.method == "POST" else None, initial=first)
    problem: XuekaError | None = None
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            fen = _amount(given["amount"])
            if request.POST.get("sure"):
                made = payments.refund(request.actor, order.pk, fen, given["reason"], f"page:{given['key']}")
                flash(request, f"已申请退款 {formats.yuan(fen)}，{payments.WAYS[made.way]}。")
                return redirect("finance:refund", made.number)
            if fen > left:
                raise BadInput(
                    "REFUND_TOO_MUCH",
                    "退款合计会超过实收。",
                    found=formats.yuan(fen),
                    expected=f"最多 {formats.yuan(left)}",
                )
        except XuekaError as refusal:
            problem = refusal
        else:
            return render(request, "finance/refund_preview.html", _previewed(order, fen, given))
    shown = {
        "title": f"退款 {order.number}",
        "sub": f"{order.title}，最多可退 {formats.yuan(left)}。",
        "form": form,
        "fields": [form["amount"], form["reason"], form["key"]],
        "problem": problem,
        "button": "预览",
        "cancel": reverse("finance:order", args=[number]),
    }
    return render(request, "finance/form.html", shown, status=400 if problem or form.errors else 200)


@require_POST
@portal_view(_ASK)
def again(request: StaffRequest, number: str) -> HttpResponse:
    found = payments.refund_of(request.actor.scope, number)
    made = payments.refund_again(request.actor, found.pk)
    flash(request, "已重新申请退款。")
    return redirect("finance:refund", made.number)


def way(row: payments.Refund) -> Badge:
    """退付 goes another way and takes longer: it is told apart at once."""
    is_back = row.way == payments.PAYBACK_WAY
    return Badge(payments.WAYS[row.way], "wait" if is_back else "neutral", "building-bank" if is_back else "")


def _amount(text: str) -> int:
    fen = parse_yuan(text)
    if fen <= 0:
        raise BadInput("REFUND_AMOUNT", "退款金额应大于零。", where="退款金额", found=text)
    return fen


def _previewed(order: payments.Order, fen: int, given: dict[str, Any]) -> dict[str, Any]:
    paid = next(each for each in payments.payments_of(order) if each.credited)
    back = paid.settlement == payments.DIRECT or bool(paid.remitted_in)
    left = payments.refundable_fen(order) - fen
    url = reverse("finance:refund_ask", args=[order.number])
    return {
        "title": f"退款 {order.number}",
        "facts": [
            Fact("退款", formats.yuan(fen)),
            Fact("退后尚余", formats.yuan(left)),
            Fact("途径", payments.WAYS["payback" if back else "channel"], looks.CHANNELS[paid.channel]),
            Fact("原因", given["reason"]),
        ],
        "words": "款项已到国库，须由财政办理退付，时间较长。"
        if back
        else "渠道会原路退给缴款人，一般几分钟。",
        "do": Action("确认退款", url, "post", "receipt-refund", "primary", params={**given, "sure": "1"}),
        "back": Action("返回", reverse("finance:order", args=[order.number])),
    }


def _actions(request: StaffRequest, found: payments.Refund) -> list[Action]:
    if found.state != "failed" or not request.actor.may(_ASK):
        return []
    url = reverse("finance:refund_again", args=[found.number])
    sure = Confirm("重新申请这笔退款", f"{formats.yuan(found.amount_fen)}，换一个退款单号。", "重新退款")
    return [Action("重新退款", url, "post", "refresh", "primary", confirm=sure)]


def _in_state(rows: Any, code: str) -> Any:
    groups = {"waiting": ["asked", "pending", "abnormal", "failed"], "stuck": ["abnormal", "failed"]}
    return rows.filter(state__in=groups.get(code, [code]))


def _by_number(rows: Any, text: str) -> Any:
    number = text.upper()
    return rows.filter(number=number) | rows.filter(order__number=number) | rows.filter(channel_id=text)
