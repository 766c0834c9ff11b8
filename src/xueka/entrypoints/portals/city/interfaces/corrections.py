"""What Beijing-Tong says of citizens where ours differs: each with its repair and what became of it."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from xueka.contexts.interop import api as interop
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import Badge, Empty, Link
from xueka.entrypoints.portals.city.interfaces import words
from xueka.entrypoints.portals.objects import shapes
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_TONES = {"waiting": "wait", "opened": "ok", "no_exchange": "neutral", "dropped": "ended", "undone": "ended"}


@require_GET
@portal_view(words.READ)
def listing(request: StaffRequest) -> HttpResponse:
    """No names: the repair has them, for whoever decides."""
    actor: Actor = request.actor
    rows = DataList(
        request,
        interop.corrections(actor),
        name="corrections",
        caption="市民信息更正",
        columns=[
            Column("卡号", lambda row: row.card.number, kind="code"),
            Column("依据", lambda row: row.document or "—", minor=True),
            Column("结果", lambda row: Badge(interop.OUTCOMES[row.outcome], _TONES[row.outcome])),
            Column("差错修复", lambda row: _repair(actor, row)),
            Column("换卡申领", lambda row: _exchange(actor, row)),
            Column("说明", lambda row: row.note or "—", minor=True),
            Column("收到", "received_at", kind="number", sort="at"),
        ],
        sorts={"at": ("received_at", "id")},
        default_sort="-at",
        filters=[
            Filter(
                "outcome",
                "结果",
                lambda found, code: found.filter(outcome=code),
                list(interop.OUTCOMES.items()),
                kind="tabs",
            ),
            Filter("q", "卡号", lambda found, text: found.filter(card__number=text.strip()), kind="search"),
        ],
        url=lambda row: reverse("objects:card", args=[row.card.number]),
        label=lambda row: row.card.number,
        unit="项",
        empty=Empty(
            "没有更正", "北京通发来的姓名、性别更正出现在这里；由人批准后才改。", icon="circle-check"
        ),
    )
    shown = {
        "title": "市民信息更正",
        "sub": "北京通说学籍里的姓名或性别不对：先由人在差错修复里批准，再准备换卡。",
        "list": rows,
        "back": Link("接口总览", reverse("city:interfaces")),
    }
    return render(request, "objects/list.html", shown)


def _repair(actor: Actor, row: interop.Correction) -> Link:
    may = actor.may("city:repair:propose")
    return Link(row.repair.number, reverse("city:repair", args=[row.repair.number]) if may else "")


def _exchange(actor: Actor, row: interop.Correction) -> Link | str:
    if row.exchange is None:
        return "—"
    may = actor.may("school:application:read")
    return Link(row.exchange.number, shapes.application_url(row.exchange.number) if may else "")
