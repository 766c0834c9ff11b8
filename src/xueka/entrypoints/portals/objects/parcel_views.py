"""Pages of boxes and deliveries, and the packing lists that travel with them."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.logistics import api as logistics
from xueka.entrypoints.design import states
from xueka.entrypoints.design.ui import Action, Badge, Event, Fact, Link, ObjectHead
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.machine import Machine
from xueka.platform.history import queries as history
from xueka.platform.history.services import LABELS as STEP_LABELS
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_MEDIA = {
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@require_GET
@portal_view("school:delivery:read")
def box(request: StaffRequest, number: str) -> HttpResponse:
    actor: Actor = request.actor
    found = logistics.box(actor.scope, number)
    shown = {
        "box": found,
        "head": ObjectHead(
            title=found.number,
            kind="卡箱",
            stage=shapes.STAGES.get(found.school_class.stage, ""),
            state=states.badge("box", found.state),
            facts=[
                Fact("学校", found.school.name),
                Fact("班级", shapes.class_of(found.school_class)),
                Fact("张数", found.card_count),
                Fact("配送单", Link(found.delivery.number, _delivery_url(found.delivery))),
                Fact("预计到达", found.delivery.expected_on),
                Fact("签收", found.received_at, shapes.actor_name(found.received_by)),
            ],
            actions=_box_actions(actor, found),
        ),
        "differences": [_difference(found, each) for each in logistics.discrepancies_of(found)],
        "rows": [_row(found, place) for place in logistics.contents(found)],
        "events": _events(logistics.BOX, found.id),
    }
    return render(request, "objects/box.html", shown)


@require_GET
@portal_view("school:delivery:read")
def delivery(request: StaffRequest, number: str) -> HttpResponse:
    found = logistics.delivery(request.actor.scope, number)
    boxes = list(logistics.boxes_of(found))
    shown = {
        "delivery": found,
        "head": ObjectHead(
            title=found.number,
            kind="配送单",
            state=states.badge("delivery", found.state),
            facts=[
                Fact("学校", found.school.name),
                Fact("地址", found.address),
                Fact("收货人", found.consignee),
                Fact("收货时间", found.receiving_hours),
                Fact("承运", f"{found.carrier} {found.waybill}".strip()),
                Fact("预计到达", found.expected_on),
            ],
        ),
        "papers": [("装箱单 PDF", "pdf", "printer"), ("装箱单 XLSX", "xlsx", "download")],
        "boxes": [
            (
                Link(each.number, reverse("objects:box", args=[each.number])),
                shapes.class_of(each.school_class),
                each.card_count,
                states.badge("box", each.state),
            )
            for each in boxes
        ],
        "events": _events(logistics.DELIVERY, found.id),
    }
    return render(request, "objects/delivery.html", shown)


@require_POST
@portal_view("school:delivery:read")
def packing_list(request: StaffRequest, number: str, form: str) -> HttpResponse:
    """A download that names children, so it is a post and audited by the service."""
    if form not in _MEDIA:
        raise Http404
    make = logistics.packing_list_pdf if form == "pdf" else logistics.packing_list_xlsx
    answer = HttpResponse(make(request.actor, number), content_type=_MEDIA[form])
    answer.headers["Content-Disposition"] = f'attachment; filename="{number}.{form}"'
    return answer


def _delivery_url(found: logistics.Delivery) -> str:
    return reverse("objects:delivery", args=[found.number])


def _box_actions(actor: Actor, found: logistics.Box) -> list[Action]:
    if not actor.may("school:delivery:receive") or actor.scope.level != "school":
        return []
    if found.state == "in_transit":
        return [
            Action(
                "扫描收货", reverse("school:receive_box", args=[found.number]), icon="barcode", tone="primary"
            )
        ]
    if found.state == "received":
        url = reverse("school:hand_out_class", args=[found.school_class_id])
        return [Action("去发放", url, icon="hand-grab", tone="primary")]
    return (
        [Action("扫描收货", disabled_reason="卡箱还没有发运。", icon="barcode")]
        if found.state == "packed"
        else []
    )


def _difference(found: logistics.Box, each: logistics.Discrepancy) -> tuple[Badge, str, str, str]:
    """Kind, number, whose card, and what became of it. A stranger's name is nothing for this school."""
    whose = "不认识的号码"
    if each.card:
        whose = each.card.student.name if each.card.school_id == found.school_id else "其他学校的学生"
    done = logistics.RESOLUTIONS.get(each.resolution, "") if each.state != "open" else "待市级处理"
    return (
        Badge(each.get_kind_display(), "bad" if each.state == "open" else "ended"),
        each.card.number if each.card else each.scanned,
        whose,
        done,
    )


def _row(found: logistics.Box, place: logistics.BoxCard) -> tuple[int, Link, Link, Badge]:
    card = place.card
    return (
        place.position,
        Link(card.student.name, shapes.student_url(card.student.education_id)),
        Link(card.number, reverse("objects:card", args=[card.number])),
        states.badge("card", card.state),
    )


def _events(machine: Machine, object_id: int) -> list[Event]:
    labels = {code: machine.event_label(code) for code in machine.event_codes} | {
        "create": "建立",
        **STEP_LABELS,
    }
    return shapes.steps(history.timeline({machine.name: [object_id]}), labels)
