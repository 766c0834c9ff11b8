"""退付: what the treasury gives back, and the finance office's answer on paper."""

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from xueka.contexts.closing import api as closing
from xueka.contexts.payments import api as payments
from xueka.entrypoints.design import formats, states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.ui import Link
from xueka.entrypoints.portals.finance import looks
from xueka.entrypoints.portals.finance.nav import READ
from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_OVER = ("succeeded", "failed")


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
    shown = {
        "rows": [
            (
                Link(each.refund_number, reverse("finance:refund", args=[each.refund_number])),
                looks.order_link(each.order),
                looks.CHANNELS[each.channel],
                formats.yuan(each.amount_fen),
                states.badge("refund", each.state),
                each.asked_on,
                "、".join(filter(None, [each.close, each.slip_number])),
                each.document_number or each.said,
                Link("登记答复", reverse("finance:back_payment", args=[each.refund_id]))
                if may and each.settlement == payments.MERCHANT and each.state not in _OVER
                else "",
            )
            for each in closing.back_payments(request.actor.scope)
        ]
    }
    return render(request, "finance/back.html", shown)


@require_http_methods(["GET", "POST"])
@portal_view("city:close:remit")
def end(request: StaffRequest, refund_id: int) -> HttpResponse:
    """What the finance office has answered on paper."""
    rows = closing.back_payments(request.actor.scope)
    row = next((each for each in rows if each.refund_id == refund_id), None)
    if row is None:
        raise Http404
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
