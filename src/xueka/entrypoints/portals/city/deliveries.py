"""Packing and dispatch: cards that are made go into boxes, boxes to their school."""

from datetime import timedelta

from django import forms
from django.db import transaction
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.cards import api as cards
from xueka.contexts.couriers import api as couriers
from xueka.contexts.logistics import api as logistics
from xueka.entrypoints.design import states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import Action, Confirm, Empty, Fact, Link, ObjectHead
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_CANCEL = Confirm("取消配送单", "箱子拆开，卡回到待装箱。", "取消配送单", "required")
_LOST = Confirm(
    "登记丢失",
    "箱里的卡立即作废，申领回到待组批，重新制卡。",
    "登记丢失",
    "required",
    reason_label="承运方怎么说",
)


class Dispatch(WordedForm):
    carrier = forms.CharField(label="承运方", max_length=32, initial="顺丰速运")
    waybill = forms.CharField(
        label="运单号",
        max_length=64,
        help_text="可以用扫码枪扫面单。",
        widget=forms.TextInput(attrs={"autofocus": True}),
    )
    expected_on = forms.DateField(
        label="预计到达", required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d")
    )


@require_GET
@portal_view("city:delivery:pack")
def listing(request: StaffRequest) -> HttpResponse:
    scope = request.actor.scope
    made = cards.card_counts(scope, states=["made"]).get("made", 0)
    pack = Action(
        f"装箱（{made:,} 张）",
        reverse("city:prepare"),
        "post",
        "package",
        "primary",
        "" if made else "没有待装箱的卡。",
        Confirm("装箱", f"{made:,} 张制成的卡按学校、班级装箱，每校一张配送单。", "装箱"),
    )
    rows = DataList(
        request,
        logistics.delivery_rows(scope),
        name="deliveries",
        caption="配送单",
        columns=[
            Column("配送单", "number", kind="code"),
            Column("学校", "school__name"),
            Column("区", "school__district__name", minor=True),
            Column("状态", lambda row: states.badge("delivery", row.state)),
            Column("承运", lambda row: f"{row.carrier} {row.waybill}".strip(), minor=True),
            Column("发运", "dispatched_at", kind="number", minor=True),
            Column("预计到达", "expected_on", kind="number"),
            Column("制单", "created_at", sort="made", kind="number", minor=True),
        ],
        sorts={"made": ("created_at", "id")},
        default_sort="-made",
        filters=[
            Filter(
                "state",
                "状态",
                lambda found, code: found.filter(state=code),
                [(state.code, state.label) for state in logistics.DELIVERY.states],
                kind="tabs",
            ),
            Filter(
                "q",
                "单号、运单号或学校",
                lambda found, text: found.filter(
                    Q(number__iexact=text) | Q(waybill__iexact=text) | Q(school__name__contains=text)
                ),
                kind="search",
            ),
        ],
        url=lambda row: reverse("city:delivery", args=[row.number]),
        label=lambda row: row.number,
        unit="单",
        empty=Empty(
            "还没有配送单", "回盘核对相符的卡可以装箱，装箱后按学校出配送单。", icon="truck-delivery"
        ),
    )
    shown = {
        "title": "装箱发运",
        "sub": "制成的卡按学校和班级装箱，登记运单后上路。",
        "actions": [pack],
        "list": rows,
    }
    return render(request, "objects/list.html", shown)


@require_POST
@portal_view("city:delivery:pack")
def prepare(request: StaffRequest) -> HttpResponse:
    made = logistics.prepare_deliveries(request.actor)
    flash(request, f"已装箱：{len(made)} 所学校，各一张配送单。请打印装箱单，登记运单后发运。")
    return redirect(f"{reverse('city:deliveries')}?state=packing")


@require_http_methods(["GET", "POST"])
@portal_view("city:delivery:dispatch")
def work(request: StaffRequest, number: str) -> HttpResponse:
    """One delivery as the operator works on it: papers, dispatch, lost boxes."""
    found = logistics.delivery(request.actor.scope, number)
    form = Dispatch(request.POST or None, initial={"expected_on": clock.today() + timedelta(days=2)})
    problem: XuekaError | None = None
    if request.method == "POST" and form.is_valid():
        try:
            couriers.dispatch_by_hand(request.actor, found.number, **form.cleaned_data)
        except XuekaError as refusal:
            problem = refusal
        else:
            flash(request, f"{found.number} 已发运，{found.school.name}收货页已能看到。")
            return redirect("city:delivery", number)
    packing = found.state == "packing"
    ordered = couriers.open_for_delivery(found.id)
    actions = [
        *_order(found, ordered),
        Action(
            "取消配送单",
            reverse("city:delivery_cancel", args=[number]),
            "post",
            "trash",
            "danger",
            confirm=_CANCEL,
        ),
    ]
    boxes = [
        (
            Link(box.number, reverse("objects:box", args=[box.number])),
            shapes.class_of(box.school_class),
            box.card_count,
            states.badge("box", box.state),
            Action(
                "登记丢失",
                reverse("city:box_lost", args=[box.number]),
                "post",
                "package-off",
                "danger",
                confirm=_LOST,
            )
            if box.state == "in_transit"
            else None,
        )
        for box in logistics.boxes_of(found)
    ]
    shown = {
        "delivery": found,
        "head": ObjectHead(
            title=found.number,
            kind="配送单",
            state=states.badge("delivery", found.state),
            facts=[
                Fact("学校", found.school.name),
                Fact("地址", found.address),
                Fact("收货人", f"{found.consignee} {found.consignee_phone}".strip()),
                Fact("收货时间", found.receiving_hours),
                Fact("承运", f"{found.carrier} {found.waybill}".strip()),
                Fact("预计到达", found.expected_on),
            ],
            actions=actions if packing else [],
        ),
        "form": form if packing and not ordered else None,
        "parcel": Link(ordered.number, reverse("city:parcel", args=[ordered.number]), "运件", "package")
        if ordered
        else None,
        "problem": problem,
        "boxes": boxes,
        "papers": [("装箱单 PDF", "pdf", "printer"), ("装箱单 XLSX", "xlsx", "download")],
    }
    return render(request, "city/delivery.html", shown, status=400 if problem or form.errors else 200)


@require_POST
@portal_view("city:delivery:dispatch", atomic=False)
def order(request: StaffRequest, number: str) -> HttpResponse:
    """One click: the order is on record, then the courier is asked; without an answer it is asked again."""
    with transaction.atomic():
        made = couriers.ask_school(request.actor, number)
    state = couriers.call(made.id)
    if state == "ordered":
        flash(request, f"{made.carrier}已给运单。请打印面单贴在箱上，快递取走时登记「交给快递」。")
    elif state == "failed":
        flash(request, f"{made.carrier}不收，请改用别的承运方。", "bad")
    else:
        flash(request, f"{made.carrier}还没有回应，会自动再问。", "wait")
    return redirect("city:parcel", made.number)


def _order(found: logistics.Delivery, ordered: couriers.Shipment | None) -> list[Action]:
    if found.state != "packing" or ordered:
        return []
    ready = couriers.has_account()
    url = reverse("city:delivery_order", args=[found.number])
    why = "" if ready else "还没有顺丰的账号参数。"
    return [Action("向顺丰下单", url, "post", "truck-delivery", "primary", why)]


@require_POST
@portal_view("city:delivery:pack")
def cancel(request: StaffRequest, number: str) -> HttpResponse:
    found = logistics.delivery(request.actor.scope, number)
    logistics.cancel_delivery(request.actor, found.id, request.POST.get("note", ""))
    flash(request, f"{number} 已取消，卡回到待装箱。")
    return redirect("city:deliveries")


@require_POST
@portal_view("city:delivery:report_lost")
def lost(request: StaffRequest, number: str) -> HttpResponse:
    box = logistics.box(request.actor.scope, number)
    count = logistics.report_lost_box(request.actor, number, request.POST.get("note", ""))
    flash(request, f"卡箱 {number} 已登记丢失，{count} 张卡已作废，申领已回到待组批。", "wait")
    return redirect("city:delivery", box.delivery.number)
