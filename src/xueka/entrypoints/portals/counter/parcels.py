"""Cards that go by post: what waits to be posted, and each parcel until it is in the family's hands."""

from collections.abc import Callable

from django import forms
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.couriers import api as couriers
from xueka.contexts.replacements import api as replacements
from xueka.entrypoints.design import formats, states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import Action, Badge, Confirm, Empty, Event, Fact, Link, ObjectHead
from xueka.entrypoints.portals.objects import shapes
from xueka.entrypoints.portals.objects.replacement_views import TONES, promise
from xueka.kernel import clock
from xueka.kernel.errors import NotFound, XuekaError
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

MAY = replacements.POST
_CARRIER = "counter_carrier"
_STATES = [("to_post", "待邮寄"), ("on_the_way", "已寄出")]


class PostForm(WordedForm):
    mark = forms.CharField(widget=forms.HiddenInput, required=False)
    carrier = forms.CharField(label="承运商", max_length=32)
    waybill = forms.CharField(
        label="运单号",
        max_length=40,
        help_text="可以用扫码枪扫快递单。",
        widget=forms.TextInput({"autofocus": True, "autocomplete": "off"}),
    )


class SignedForm(WordedForm):
    signed_on = forms.DateField(label="签收日期", widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    signed_by = forms.ChoiceField(label="谁签收的", choices=list(replacements.SIGNERS.items()))


def waiting(scope: Scope) -> int:
    return replacements.parcels(scope).filter(state=replacements.TO_POST).count()


@require_GET
@portal_view(MAY)
def parcels(request: StaffRequest) -> HttpResponse:
    """What waits to be posted first; the rest is with the carrier."""
    listing = DataList(
        request,
        replacements.parcels(request.actor.scope),
        name="counter_parcels",
        caption="邮寄的卡",
        columns=[
            Column("学生", lambda row: row.student.name),
            Column("单号", "number", kind="code", minor=True),
            Column("学校", lambda row: row.student.school.name, minor=True),
            Column("承诺", promise, sort="promised"),
            Column("等了", lambda row: formats.age(row.state_at), minor=True),
            Column("运单", lambda row: f"{row.carrier} {row.waybill}".strip(), minor=True),
            Column("状态", _state),
        ],
        sorts={"promised": ("promised_on", "id")},
        filters=[
            Filter("q", "单号、运单号、教育ID", _found, kind="search"),
            Filter("state", "状态", lambda rows, code: rows.filter(state=code), choices=_STATES, kind="tabs"),
        ],
        url=lambda row: reverse("counter:parcel", args=[row.number]),
        label=lambda row: row.student.name,
        unit="件",
        empty=Empty("没有要邮寄的卡", "家长选了邮寄到家的，在柜台制成后出现在这里。", icon="mail"),
    )
    shown = {
        "title": "邮寄到家",
        "sub": "打印面单，装好交给快递，扫运单号。退回、丢失、签收也在这里登记。",
        "list": listing,
        "actions": [Action("本区收寄地址", reverse("objects:district_places"), icon="home")],
        "back": Link("即时制卡", reverse("counter:home")),
    }
    return render(request, "objects/list.html", shown)


@require_GET
@portal_view(MAY)
def parcel(request: StaffRequest, number: str) -> HttpResponse:
    found = replacements.replacement(request.actor.scope, number)
    if found.delivery != replacements.HOME or found.application is None:
        return redirect("objects:replacement", found.number)
    return _page(request, found)


@require_POST
@portal_view(couriers.SEND, atomic=False)
def order(request: StaffRequest, number: str) -> HttpResponse:
    """One click: the order is on record, then the courier is asked; without an answer it is asked again."""
    with transaction.atomic():
        made = couriers.ask_home(request.actor, number)
    state = couriers.call(made.id)
    if state == "ordered":
        flash(request, f"{made.carrier}已给运单。请打印面单装好，快递取走时点「交给快递」。")
    elif state == "failed":
        flash(request, f"{made.carrier}不收这个地址，请改用别的承运商。", "bad")
    else:
        flash(request, f"{made.carrier}还没有回应，会自动再问。", "wait")
    return redirect("counter:parcel", number)


@require_POST
@portal_view(couriers.SEND, atomic=False)
def shipment_label(request: StaffRequest, number: str) -> HttpResponse:
    """The courier may be asked for it, so that this opens its transactions itself."""
    _, ordered = _ordered(request.actor.scope, number)
    answer = HttpResponse(couriers.labels(request.actor, ordered.id), content_type="application/pdf")
    answer.headers["Content-Disposition"] = f'attachment; filename="{ordered.number}.pdf"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


@require_POST
@portal_view(couriers.SEND)
def shipment_act(request: StaffRequest, number: str, verb: str) -> HttpResponse:
    """What is done with an order at the courier: the hand-over, cancelling."""
    found, ordered = _ordered(request.actor.scope, number)
    if verb == "hand":
        couriers.hand_over(request.actor, ordered.id)
        flash(request, f"{found.student.name}的卡已交给{ordered.carrier}，家长会收到短信。")
    elif verb == "cancel":
        couriers.cancel(request.actor, ordered.id)
        flash(request, f"已要求{ordered.carrier}取消。", "wait")
    else:
        raise Http404
    return redirect("counter:parcel", number)


@require_POST
@portal_view(MAY)
def act(request: StaffRequest, number: str, verb: str) -> HttpResponse:
    """Post it, or say what the carrier says of it; a refused form is drawn again with what was typed."""
    found = replacements.replacement(request.actor.scope, number)
    if verb == "label":
        answer = HttpResponse(
            replacements.address_label(request.actor, found.id), content_type="application/pdf"
        )
        answer.headers["Content-Disposition"] = f'attachment; filename="{found.number}.pdf"'
        answer.headers["Cache-Control"] = "no-store"
        return answer
    if verb == "address":
        where = replacements.posting_address(request.actor, found.id, request.POST.get("reason", ""))
        clear = HttpResponse(
            f"{where.name} {where.phone} {where.address}", content_type="text/plain; charset=utf-8"
        )
        clear.headers["Cache-Control"] = "no-store"
        return clear
    if verb not in _DOES:
        raise Http404
    make, do, said = _DOES[verb]
    form = make(request.POST)
    problem: XuekaError | None = None
    if form.is_valid():
        try:
            do(request.actor, found, form.cleaned_data)
        except XuekaError as error:
            problem = error
        else:
            if verb == "post":
                request.session[_CARRIER] = form.cleaned_data["carrier"]
            flash(request, said.format(child=found.student.name))
            return redirect("counter:parcels") if verb == "post" else redirect("counter:parcel", number)
    return _page(request, found, {verb: form}, problem, status=400)


class ReasonForm(forms.Form):
    """What a question with a reason posts; the service says where it is missing."""

    note = forms.CharField(required=False, max_length=200)


def _post(actor: Actor, found: replacements.Replacement, given: dict[str, str]) -> None:
    couriers.post_by_hand(actor, found.number, given["carrier"], given["waybill"], given["mark"])


def _deliver(actor: Actor, found: replacements.Replacement, given: dict[str, str]) -> None:
    replacements.deliver(actor, found.id, given["signed_on"], given["signed_by"])  # type: ignore[arg-type]


def _bounce(actor: Actor, found: replacements.Replacement, given: dict[str, str]) -> None:
    replacements.bounce(actor, found.id, given["note"])


def _lose(actor: Actor, found: replacements.Replacement, given: dict[str, str]) -> None:
    replacements.lose(actor, found.id, given["note"])


_Does = Callable[[Actor, replacements.Replacement, dict[str, str]], None]
_DOES: dict[str, tuple[type[forms.Form], _Does, str]] = {
    "post": (PostForm, _post, "{child}的卡已登记寄出，家长会收到短信。"),
    "deliver": (SignedForm, _deliver, "{child}的卡已签收，新卡已启用，旧卡已作废。"),
    "bounce": (ReasonForm, _bounce, "已登记退回。家长可以改地址或改为到区里领取；也可以按原地址重寄。"),
    "lose": (ReasonForm, _lose, "已登记丢失。这张卡作废，申领回到柜台队列，请重新制卡。"),
}


def _page(
    request: StaffRequest,
    found: replacements.Replacement,
    forms_: dict[str, forms.Form] | None = None,
    problem: XuekaError | None = None,
    status: int = 200,
) -> HttpResponse:
    to_post = found.state == replacements.TO_POST
    with_carrier = found.state == "on_the_way" and bool(found.waybill)
    where = replacements.masked_address(found) if to_post or with_carrier else None
    given = forms_ or {}
    ordered = couriers.open_for_replacement(found.id)
    carrier = request.session.get(_CARRIER, "顺丰速运")
    post = PostForm(initial={"mark": replacements.address_mark(found), "carrier": carrier})
    shown = {
        "found": found,
        "head": ObjectHead(
            title=found.student.name,
            number=found.number,
            kind="邮寄到家",
            state=states.badge("replacement", found.state),
            facts=[
                Fact("承诺", promise(found)),
                Fact("学校", found.student.school.name),
                Fact("运单", f"{found.carrier} {found.waybill}".strip()),
                *([Fact("上次退回", found.bounced_why)] if found.bounced_why else []),
            ],
            actions=_actions(found, ordered, to_post=to_post, with_carrier=with_carrier),
        ),
        "where": where,
        "reveal": _url(found, "address"),
        "post": given.get("post", post) if to_post and not ordered else None,
        "ordered": ordered,
        "waybill": ordered.waybills.first() if ordered else None,
        "ordered_state": states.badge("shipment", ordered.state) if ordered else None,
        "signed": given.get("deliver", SignedForm(initial={"signed_on": clock.today()}))
        if with_carrier
        else None,
        "problem": problem,
        "events": [
            Event(
                stage.label,
                stage.at,
                detail=stage.detail,
                tone=TONES[stage.state],
                promised=f"承诺 {formats.short_day(stage.due)}前" if stage.due else "",
            )
            for stage in replacements.timeline(found)
        ],
        "links": [shapes.student_link(found.student), shapes.card_link(found.old_card)],
        "back": Link("邮寄到家", reverse("counter:parcels")),
    }
    return render(request, "counter/parcel.html", shown, status=status)


def _ordered(scope: Scope, number: str) -> tuple[replacements.Replacement, couriers.Shipment]:
    found = replacements.replacement(scope, number)
    ordered = couriers.open_for_replacement(found.id)
    if ordered is None:
        raise NotFound("SHIPMENT_NOT_FOUND", "没有在途的运件。", action="请刷新页面。")
    return found, ordered


def _actions(
    found: replacements.Replacement, ordered: couriers.Shipment | None, *, to_post: bool, with_carrier: bool
) -> list[Action]:
    if to_post:
        return _to_send(found, ordered)
    if not with_carrier:
        return []
    bounced = Confirm(
        "登记退回",
        "邮件已经回到柜台。家长会收到短信，可以改地址或改为到区里领取。",
        "登记退回",
        "required",
        reason_label="为什么退回",
    )
    lost = Confirm(
        "登记丢失",
        "快递确认找不到了。这张卡作废，号码不再使用，申领回到柜台队列，重新制一张。",
        "登记丢失",
        "required",
        reason_label="快递怎么说",
    )
    return [
        Action("退回了", _url(found, "bounce"), "post", "arrow-back-up", confirm=bounced),
        Action("丢失了", _url(found, "lose"), "post", "package-off", "danger", confirm=lost),
    ]


def _to_send(found: replacements.Replacement, ordered: couriers.Shipment | None) -> list[Action]:
    """By one click at the courier; or labelled and typed by hand."""
    if ordered is None:
        why = "" if couriers.has_account() else "还没有顺丰的账号参数。"
        return [
            Action(
                "向顺丰取运单",
                reverse("counter:parcel_order", args=[found.number]),
                "post",
                "truck-delivery",
                "primary",
                why,
            ),
            Action("打印面单", _url(found, "label"), "post", "printer"),
        ]

    def to(verb: str) -> str:
        return reverse("counter:shipment_act", args=[found.number, verb])

    label = reverse("counter:shipment_label", args=[found.number])
    actions = []
    if ordered.state == "ordered":
        actions += [
            Action("打印面单", label, "post", "printer", "primary"),
            Action("交给快递", to("hand"), "post", "mail"),
        ]
    if ordered.state in ("asked", "ordered"):
        actions.append(Action("取消运单", to("cancel"), "post", "x"))
    return actions


def _url(found: replacements.Replacement, verb: str) -> str:
    return reverse("counter:parcel_act", args=[found.number, verb])


def _state(row: replacements.Replacement) -> Badge:
    if row.bounced_why and row.state == replacements.TO_POST:
        return Badge("被退回", "bad")
    return states.badge("replacement", row.state)


def _found(rows: QuerySet, text: str) -> QuerySet:
    asked = text.strip().upper()
    return rows.filter(number=asked) | rows.filter(waybill=asked) | rows.filter(student__education_id=asked)
