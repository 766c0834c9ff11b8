"""Blanks at the counters: what each was handed, and what became of it; handing out and taking back."""

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from xueka.contexts.numbers import api as numbers
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.ui import Action, Link
from xueka.entrypoints.portals.objects.blanks import shown
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_ACTS = {"out": numbers.give_to_counter, "in": numbers.take_from_counter}
_SUBS = {
    "out": "两个人一起清点，按清点的序号和张数登记；登记后只有这个柜台能用这些卡。",
    "in": "把柜台没有用的收回在库。已制成卡的、报废的不在内。",
}


class SlipForm(WordedForm):
    counter = forms.ChoiceField(label="柜台", choices=list(numbers.COUNTERS.items()))
    lot = forms.ChoiceField(label="批号")
    first = forms.IntegerField(label="序号从", min_value=1)
    last = forms.IntegerField(label="序号到", min_value=1)
    quantity = forms.IntegerField(
        label="清点张数", min_value=1, help_text="中间有报废或已用的，张数比序号少。"
    )
    given_by = forms.CharField(label="交出人", max_length=64)
    received_by = forms.CharField(label="接收人", max_length=64)
    document = forms.CharField(label="交接单据", max_length=100)


@require_GET
@portal_view("city:range:read")
def listing(request: StaffRequest) -> HttpResponse:
    actions = [
        Action("发给柜台", reverse("city:counter_slip", args=["out"]), icon="arrow-up-right", tone="primary"),
        Action("柜台退回", reverse("city:counter_slip", args=["in"]), icon="arrow-back-up"),
    ]
    page = shown(request.actor.scope) | {
        "title": "柜台空白卡",
        "sub": "哪批发给了哪个柜台，在那里用了几张、报废几张、还剩几张。没有发过的柜台，从全市库存取用。",
        "actions": actions if request.actor.may("city:range:manage") else [],
        "back": Link("号段与空白卡", reverse("city:numbers")),
    }
    return render(request, "objects/counter_stock.html", page)


@require_http_methods(["GET", "POST"])
@portal_view("city:range:manage")
def slip(request: StaffRequest, direction: str) -> HttpResponse:
    if direction not in _ACTS:
        raise Http404
    form = SlipForm(request.POST if request.method == "POST" else None)
    lots = [(each.number, f"{each.number}（{each.supplier}）") for each in numbers.stock(request.actor.scope)]
    form.fields["lot"].choices = lots  # type: ignore[attr-defined]
    problem: XuekaError | None = None
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        paper = (said["given_by"], said["received_by"], said["document"])
        try:
            made = _ACTS[direction](
                request.actor,
                said["counter"],
                said["lot"],
                said["first"],
                said["last"],
                said["quantity"],
                paper,
            )
        except XuekaError as refusal:
            problem = refusal
        else:
            words = numbers.COUNTER_DIRECTIONS[direction]
            flash(request, f"已登记{words} {made.quantity} 张，交接号 {made.number}。")
            return redirect("city:counters")
    page = {
        "title": numbers.COUNTER_DIRECTIONS[direction],
        "sub": _SUBS[direction],
        "form": form,
        "problem": problem,
        "back": Link("柜台空白卡", reverse("city:counters")),
    }
    wrong = problem or form.errors
    return render(request, "city/counter_slip.html", page, status=400 if wrong else 200)
