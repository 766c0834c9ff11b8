"""Differences that schools found on receipt."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.logistics import api as logistics
from xueka.entrypoints.design import formats
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.ui import Action, Badge, Confirm, Empty, Link
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_OWN = ("short", "damaged")


@require_GET
@portal_view("city:card:void")
def listing(request: StaffRequest) -> HttpResponse:
    found = logistics.discrepancies(request.actor.scope)
    shown = {
        "rows": [
            (
                Badge(each.get_kind_display(), "bad"),
                Link(each.box.number, reverse("objects:box", args=[each.box.number])),
                each.box.school.name,
                Link(each.card.number, reverse("objects:card", args=[each.card.number]))
                if each.card
                else each.scanned,
                each.card.student.name if each.card else "",
                formats.age(each.opened_at),
                _choices(each),
            )
            for each in found
        ],
        "empty": Empty("没有收货差异", "学校收货时少了、破损、多出的卡会出现在这里。", icon="circle-check"),
    }
    return render(request, "city/discrepancies.html", shown)


@require_POST
@portal_view("city:card:void")
def resolve(request: StaffRequest, discrepancy_id: int) -> HttpResponse:
    done = logistics.resolve_discrepancy(
        request.actor,
        discrepancy_id,
        request.POST.get("resolution", ""),
        request.POST.get("note", "").strip(),
    )
    flash(request, f"已处理：{logistics.RESOLUTIONS[done.resolution]}。")
    return redirect("city:discrepancies")


def _choices(each: logistics.Discrepancy) -> list[Action]:
    codes = ("remake", "found") if each.kind in _OWN else ("forwarded", "noted")
    url = reverse("city:discrepancy", args=[each.id])
    return [
        Action(
            logistics.RESOLUTIONS[code],
            url,
            "post",
            "repeat" if code == "remake" else "check",
            confirm=Confirm(
                logistics.RESOLUTIONS[code], each.get_kind_display(), "确认", "optional", reason_label="说明"
            ),
            params={"resolution": code},
        )
        for code in codes
    ]
