"""Entitlements of the welfare card: beside a card or a student, and as a list of their own."""

from collections.abc import Collection
from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from xueka.contexts.cards import api as cards
from xueka.contexts.welfare import api as welfare
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import Badge, Empty
from xueka.entrypoints.portals.objects import shapes
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_TONES = {"valid": "ok", "coming": "wait", "over": "ended", "suspended": "stop", "ended": "ended"}


@dataclass(frozen=True, slots=True)
class Shown:
    """One entitlement as a page shows it."""

    card: str
    name: str
    badge: Badge
    entitlement: welfare.Entitlement


def shown(actor: Actor, held: Collection[cards.Card]) -> list[Shown] | None:
    """What these cards are entitled to; None for whoever may not see it, and for cards without the platform's
    number.
    """
    found = [each for each in held if each.beijing_tong_number]
    if not found or not actor.may(welfare.READ):
        return None
    known = welfare.known_of([each.id for each in found])
    return [
        Shown(card.number, each.name, badge(each), each.entitlement)
        for card in found
        for each in known.get(card.id, [])
    ]


def badge(known: welfare.Known) -> Badge:
    return Badge(known.words, _TONES[known.standing])


@require_GET
@portal_view(welfare.READ)
def page(request: StaffRequest) -> HttpResponse:
    """All of those whose cards this person sees."""
    names = welfare.kind_names()
    listing = DataList(
        request,
        welfare.entitlement_rows(request.actor.scope),
        name="entitlements",
        caption="民生卡权益",
        columns=[
            Column("学生", lambda row: row.card.student.name),
            *_school(request.actor),
            Column("班级", lambda row: shapes.class_of(row.card.school_class), minor=True),
            Column("卡号", lambda row: row.card.number, kind="code"),
            Column("权益", lambda row: names.get(row.kind, row.kind)),
            Column("状态", lambda row: badge(welfare.known(row, names))),
            Column("有效期至", lambda row: row.valid_until or "长期", kind="number"),
            Column("原因", "reason", minor=True),
            Column("变更时间", "state_at", kind="number", sort="at"),
        ],
        sorts={"at": ("state_at", "id")},
        default_sort="-at",
        filters=[
            Filter("state", "状态", welfare.of_standing, list(welfare.STANDINGS.items()), kind="tabs"),
            Filter("kind", "权益", lambda rows, code: rows.filter(kind=code), list(names.items())),
        ],
        url=lambda row: reverse("objects:card", args=[row.card.number]),
        label=lambda row: f"{row.card.student.name} {names.get(row.kind, row.kind)}",
        unit="项",
        empty=Empty("没有权益", "卡发到学生手里后，由民生卡权益平台开通，这里随即显示。", icon="gift"),
    )
    told = {
        "title": "民生卡权益",
        "sub": "权益由民生卡权益平台开通、暂停和终止；本系统只显示，有疑问的请与平台核对。",
        "list": listing,
    }
    return render(request, "objects/list.html", told)


def _school(actor: Actor) -> list[Column]:
    if actor.scope.level == "school":
        return []
    return [Column("学校", lambda row: row.card.student.school.name, minor=True)]
