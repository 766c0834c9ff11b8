"""A replacement step by step: why, what it costs and by when, where to, a last look, and then its way."""

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.couriers import api as couriers
from xueka.contexts.logistics import api as logistics
from xueka.contexts.payments import api as payments
from xueka.contexts.receipts import api as receipts
from xueka.contexts.replacements import api as replacements
from xueka.entrypoints.design import formats
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.ui import Event
from xueka.entrypoints.portals.parent import paying
from xueka.entrypoints.portals.parent.children import own_card
from xueka.entrypoints.portals.parent.door import FamilyRequest, family_view
from xueka.kernel import clock
from xueka.kernel.calendar import Calendar
from xueka.kernel.errors import XuekaError

TONES = {"done": "ok", "now": "progress", "todo": "neutral", "stopped": "bad"}


class AddressForm(WordedForm):
    use_required_attribute = False  # asked for only where the card is posted

    name = forms.CharField(label="收件人", max_length=30)
    phone = forms.CharField(label="收件手机", max_length=20, widget=forms.TextInput({"inputmode": "tel"}))
    address = forms.CharField(label="收件地址", max_length=120, help_text="区、街道、小区、楼门号。")


@require_http_methods(["GET", "POST"])
@family_view
def reason(request: FamilyRequest, number: str) -> HttpResponse:
    """Why; beside each reason what it costs, and what stands against it."""
    card = own_card(request, number)
    if replacements.consent_missing(card.student):
        flash(request, "孩子未满 14 周岁，办理前请先阅读告知书并同意。", "wait")
        return redirect("parent:consent", card.student.education_id)
    if request.method == "POST":
        made = replacements.begin(request.actor, number, request.POST.get("reason", ""))
        return redirect("parent:where", made.number)
    offered = ["lost"] if card.state == "lost" else [code for code in replacements.REASONS if code != "lost"]
    choices = [(code, *replacements.REASONS[code], replacements.quote(card, code)) for code in offered]
    problem = replacements.why_not(card, offered[0])
    shown = {"card": card, "choices": choices, "problem": problem, "promise": _promise()}
    return render(request, "parent/reason.html", shown)


@require_http_methods(["GET", "POST"])
@family_view
def where(request: FamilyRequest, number: str) -> HttpResponse:
    """Where the new card goes; an address only for the post."""
    found = replacements.replacement(request.actor.scope, number)
    delivery = request.POST.get("delivery", "")
    form = AddressForm(request.POST if delivery == replacements.HOME else None)
    problem: XuekaError | None = None
    if request.method == "POST" and (delivery != replacements.HOME or form.is_valid()):
        try:
            given = form.cleaned_data if delivery == replacements.HOME else {}
            place = replacements.address(given["name"], given["phone"], given["address"]) if given else None
            replacements.choose_delivery(request.actor, found.id, delivery, place)
        except XuekaError as error:
            problem = error
        else:
            return redirect("parent:check" if found.state == "draft" else "parent:progress", number)
    chosen = delivery or found.delivery or replacements.SCHOOL
    words = {
        replacements.SCHOOL: f"{found.student.school.name}，由老师发给孩子。",
        replacements.DISTRICT: f"{_counter(found)}，做好后短信通知。",
        replacements.HOME: "快递送到您填的地址，收到后请在本页面确认。",
    }
    open_ = replacements.may_go(found.state, found.to_counter)
    if not open_:
        return redirect("parent:progress", number)
    chosen = chosen if chosen in open_ else open_[0]
    choices = [(code, replacements.DELIVERIES[code], words[code]) for code in open_]
    shown = {"found": found, "choices": choices, "chosen": chosen, "form": form, "problem": problem}
    return render(request, "parent/where.html", shown, status=400 if problem or form.errors else 200)


@require_http_methods(["GET", "POST"])
@family_view
def check(request: FamilyRequest, number: str) -> HttpResponse:
    """Everything once more before it is handed in: fee, promised day, the purse."""
    found = replacements.replacement(request.actor.scope, number)
    if request.method == "POST":
        made = replacements.submit(request.actor, found.id)
        return redirect("parent:pay" if made.state == "unpaid" else "parent:progress", number)
    if found.state != "draft":
        return redirect("parent:progress", number)
    return render(request, "parent/check.html", {**_told(found), "promise": _promise()})


@require_GET
@family_view
def progress(request: FamilyRequest, number: str) -> HttpResponse:
    """The vertical timeline, the promise, and what may still be done."""
    found = replacements.replacement(request.actor.scope, number)
    if found.state == "draft":
        return redirect("parent:where" if not found.delivery else "parent:check", number)
    events = [
        Event(
            stage.label,
            stage.at,
            detail=stage.detail,
            tone=TONES[stage.state],
            promised=_to_come(found, stage),
        )
        for stage in replacements.timeline(found)
    ]
    orders = [
        each
        for each in payments.orders_of(request.actor.scope, found.student_id)
        if each.subject == f"replacement:{found.id}"
    ]
    shown = {
        **_told(found),
        "events": events,
        "parcels": [
            (
                each.carrier,
                each.waybills.first(),
                [Event(step.label, step.at, detail=step.detail) for step in way],
            )
            for each in couriers.of_replacement(request.actor.scope, found.id)
            if (way := couriers.way(each))
        ],
        "has_arrived": any(each.state == "paid" for each in orders),
        "tried": "、".join(paying.tried(each) for each in orders if each.state == "open"),
        "may_cancel": found.state in ("unpaid", "paid"),
        "may_receive": found.state == "on_the_way" and bool(found.waybill),
        "may_move": bool(replacements.may_go(found.state, found.to_counter)),
        "orders": [
            (each, receipts.receipts_of(request.actor.scope, each.id), payments.refunds_of(each))
            for each in orders
        ],
    }
    return render(request, "parent/progress.html", shown)


@require_http_methods(["GET", "POST"])
@family_view
def cancel(request: FamilyRequest, number: str) -> HttpResponse:
    """Asked once more; what was paid goes back by itself."""
    found = replacements.replacement(request.actor.scope, number)
    if request.method == "POST":
        made = replacements.cancel(request.actor, found.id)
        flash(
            request, f"已取消。{replacements.money_words(made)}" if made.state == "refunding" else "已取消。"
        )
        return redirect("parent:progress", number)
    return render(request, "parent/cancel.html", _told(found))


@require_POST
@family_view
def received(request: FamilyRequest, number: str) -> HttpResponse:
    found = replacements.replacement(request.actor.scope, number)
    replacements.receive(request.actor, found.id)
    flash(request, "已确认收到。新卡可以用了，旧卡已注销。")
    return redirect("parent:progress", number)


def _told(found: replacements.Replacement) -> dict[str, object]:
    return {
        "found": found,
        "what": replacements.REASONS[found.reason][0],
        "delivery": replacements.DELIVERIES.get(found.delivery, ""),
        "counter": _counter(found) if found.delivery == replacements.DISTRICT else "",
        "purse": replacements.purse_words(found.reason),
        "state": replacements.REPLACEMENT.state(found.state).label,
        "back": reverse("parent:child", args=[found.student.education_id]),
    }


def _counter(found: replacements.Replacement) -> str:
    """Where a card is collected: the counter of the child's district, as far as it is known where that is."""
    district = found.student.school.district
    place = logistics.place(district.code)
    if place is None:
        return f"{district.name}卡管部门柜台"
    told = (f"{district.name}卡管部门柜台：{place.address}", f"电话 {place.phone}", place.hours)
    return "，".join(part for part in told if part)


def _promise() -> replacements.Promise:
    return replacements.promise(clock.today(), Calendar.default())


def _to_come(found: replacements.Replacement, stage: replacements.Stage) -> str:
    if stage.due:
        soon = "（暂定）" if found.is_provisional else ""
        return f"承诺 {formats.short_day(stage.due)}前{soon}"
    return {"now": "正在办理", "todo": "还没到这一步", "done": "已完成", "stopped": ""}[stage.state]
