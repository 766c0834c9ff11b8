"""Ceremonies and their transcripts, and every use of every key."""

from datetime import datetime

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from xueka.contexts.keys import api as keys
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import Badge, Empty, Event, Fact, Link, ObjectHead
from xueka.entrypoints.portals.custodian.nav import READ
from xueka.entrypoints.portals.objects import shapes
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_ICONS = {
    "key": "key",
    "present": "user-check",
    "share": "file-certificate",
    "custody": "lock",
    "plan": "file-text",
}


@require_GET
@portal_view(READ)
def ceremony_list(request: StaffRequest) -> HttpResponse:
    listing = DataList(
        request,
        keys.ceremonies(request.actor.scope),
        name="ceremonies",
        columns=[
            Column("编号", "number", kind="code"),
            Column("仪式", "title"),
            Column("性质", lambda row: Badge("演练", "stop", "flask") if row.drill else Badge("正式", "ok")),
            Column(
                "密钥",
                lambda row: len([line for line in row.transcript if line["step"] == "key"]),
                kind="number",
            ),
            Column("主持", lambda row: shapes.actor_name(row.led_by), minor=True),
            Column("复核", lambda row: shapes.actor_name(row.reviewed_by), minor=True),
            Column("时间", "ended_at", kind="number"),
        ],
        sorts={"id": ("id",)},
        default_sort="-id",
        filters=[],
        url=lambda row: reverse("custodian:ceremony", args=[row.number]),
        label=lambda row: row.number,
        unit="次",
        empty=Empty(
            "还没有仪式",
            "写好并复核仪式文件后，在服务器上运行 xueka keys ceremony 文件名。",
            icon="users-group",
        ),
    )
    shown = {"title": "密钥仪式", "sub": "按复核过的文件举行，记录不可更改，进入审计链。", "list": listing}
    return render(request, "custodian/list.html", shown)


@require_GET
@portal_view(READ)
def ceremony(request: StaffRequest, number: str) -> HttpResponse:
    found = keys.ceremony(request.actor.scope, number)
    lines = found.transcript
    shown = {
        "head": ObjectHead(
            found.title,
            found.number,
            "密钥仪式",
            Badge("演练", "stop", "flask") if found.drill else Badge("正式", "ok"),
            facts=[
                Fact("主持", shapes.actor_name(found.led_by)),
                Fact("复核", shapes.actor_name(found.reviewed_by)),
                Fact("到场", "、".join(each["name"] for each in found.people)),
                Fact("打开密钥库", f"{found.threshold} 位保管人到场"),
            ],
        ),
        "digests": [Fact("仪式文件 SM3", found.plan_digest), Fact("记录 SM3", found.transcript_digest)],
        "made": [
            (
                Link(line["label"], reverse("custodian:version", args=[line["label"], line["version"]])),
                line["version"],
                line["kcv"],
                line["text"].split(" ")[0],
            )
            for line in lines
            if line["step"] == "key"
        ],
        "events": [
            Event(line["text"], datetime.fromisoformat(line["at"]), icon=_ICONS.get(line["step"], "point"))
            for line in reversed(lines)
        ],
    }
    return render(request, "custodian/ceremony.html", shown)


@require_GET
@portal_view(READ)
def use_list(request: StaffRequest) -> HttpResponse:
    """Every use; by the number of a card: which versions made it."""
    listing = DataList(
        request,
        keys.uses(request.actor.scope),
        name="key_uses",
        columns=[
            Column("时间", "at", kind="number"),
            Column("密钥", lambda row: Link(str(row.version), _version(row)), kind="code"),
            Column("用途", lambda row: keys.USAGES[row.usage]),
            Column("目的", lambda row: keys.PURPOSES.get(row.purpose, row.purpose), minor=True),
            Column("对象", "subject", kind="code"),
            Column("张数", "cards", kind="number"),
            Column("经办", lambda row: shapes.actor_name(row.actor), minor=True),
        ],
        sorts={"id": ("id",)},
        default_sort="-id",
        filters=[
            Filter("q", "卡号或批次", lambda rows, text: rows.filter(subject=text), kind="search"),
            Filter("key", "密钥", lambda rows, text: rows.filter(version__key__label=text), kind="search"),
        ],
        unit="次",
        empty=Empty(
            "还没有使用记录", "制卡时每用一次密钥，这里就有一行；没有记录就不能使用。", icon="history"
        ),
    )
    shown = {"title": "使用记录", "sub": "按卡号查：这张卡用了哪些密钥的哪个版本。", "list": listing}
    return render(request, "custodian/list.html", shown)


def _version(row: keys.KeyUse) -> str:
    return reverse("custodian:version", args=[row.version.key.label, row.version.number])
