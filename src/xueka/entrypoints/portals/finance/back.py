"""退付: what the treasury gives back, and the finance office's answer on paper."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from xueka.contexts.closing import api as closing
from xueka.contexts.payments import api as payments
from xueka.entrypoints.design import formats, states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.listing import Column, DataList
from xueka.entrypoints.design.ui import Empty, Link
from xueka.entrypoints.portals.finance import looks
from xueka.entrypoints.portals.finance.nav import READ
from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view


class AnswerForm(WordedForm):
    paid = forms.ChoiceField(
        label="财政的答复",
        choices=[("1", "已退付"), ("0", "不予退付")],
        widget=forms.RadioSelect,
        initial="1",
    )
    document = forms.CharField(label="退付文号", max_length=40)
    on = forms.DateField(label="日期", widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    said = forms.CharField(label="说明", max_length=200, required=False)


@require_GET
@portal_view(READ)
def register(request: StaffRequest) -> HttpResponse:
    """The register, newest first: each with its close, its slip and its state."""
    may = request.actor.may("city:close:remit")

    def answer(row: Any) -> Link | str:
        open_ = row.settlement == payments.MERCHANT and not row.ended_at
        url = reverse("finance:back_payment", args=[row.refund_id])
        return Link("登记答复", url) if may and open_ else ""

    listing = DataList(
        request,
        closing.back_payment_rows(request.actor.scope),
        name="back",
        caption="退付登记簿",
        columns=[
            Column("退款", "refund__number", kind="code"),
            Column("订单", lambda row: looks.order_link(row.refund.order.number), kind="code"),
            Column("渠道", lambda row: looks.CHANNELS[row.refund.payment.channel]),
            Column("金额", lambda row: row.refund.amount_fen, kind="money"),
            Column("状态", lambda row: states.badge("refund", row.refund.state)),
            Column("申请", "refund__asked_at", kind="number", minor=True),
            Column(
                "原上缴",
                lambda row: "、".join(filter(None, [row.refund.payment.remitted_in, row.slip_number])),
                minor=True,
            ),
            Column("文号或答复", lambda row: row.document_number or row.said, minor=True),
            Column("办理", answer),
        ],
        sorts={"latest": ("-id",)},
        url=lambda row: reverse("finance:refund", args=[row.refund.number]),
        label=lambda row: row.refund.number,
        unit="笔",
        empty=Empty("还没有退付", "已上缴或直达国库的款项退款时，会自动列在这里。", icon="receipt-refund"),
    )
    sub = "款项上缴或直达国库以后的退款，由国库退付；缴款码的由系统向财政申请，代收的凭文号登记。"
    return render(request, "finance/list.html", {"title": "退付", "sub": sub, "list": listing})


@require_http_methods(["GET", "POST"])
@portal_view("city:close:remit")
def end(request: StaffRequest, refund_id: int) -> HttpResponse:
    """What the finance office has answered on paper."""
    row = closing.back_payment(request.actor.scope, refund_id)
    form = AnswerForm(request.POST if request.method == "POST" else None, initial={"on": clock.today()})
    problem: XuekaError | None = None
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            closing.end_back_payment(
                request.actor,
                refund_id,
                paid=given["paid"] == "1",
                document_number=given["document"],
                on=given["on"],
                said=given["said"],
            )
        except XuekaError as refusal:
            problem = refusal
        else:
            flash(request, "已登记财政的答复。")
            return redirect("finance:back_payments")
    shown = {
        "title": f"退付 {row.refund_number}",
        "sub": f"{formats.yuan(row.amount_fen)}，{row.reason}；原缴款 {row.close} {row.slip_number}。",
        "form": form,
        "fields": [form[name] for name in ("paid", "document", "on", "said")],
        "problem": problem,
        "button": "登记",
        "icon": "check",
        "cancel": reverse("finance:back_payments"),
    }
    return render(request, "finance/form.html", shown, status=400 if problem or form.errors else 200)
