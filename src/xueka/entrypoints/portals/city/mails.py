"""Mail: what was sent and came back, and what people wrote."""

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.entrypoints.design import formats
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import Action, Badge, Empty, Fact, Link, ObjectHead
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view
from xueka.platform.mail import queries, services
from xueka.platform.mail.models import KINDS, STATES, Incoming, Mail

_TONES = {"queued": "wait", "sent": "progress", "delivered": "ok", "failed": "bad"}
_KIND_TONES = {"person": "wait", "bounce": "bad", "machine": "neutral"}


def _state(row: Mail) -> Badge:
    return Badge(STATES[row.state], _TONES[row.state])


def _of_state(rows: QuerySet[Mail], code: str) -> QuerySet[Mail]:
    return rows.filter(state=code)


def _of_kind(rows: QuerySet[Incoming], code: str) -> QuerySet[Incoming]:
    return rows.filter(kind=code)


def _kind(row: Incoming) -> Badge:
    return Badge(KINDS[row.kind], _KIND_TONES[row.kind])


@require_GET
@portal_view(queries.READ)
def outgoing(request: StaffRequest) -> HttpResponse:
    rows = DataList(
        request,
        queries.outgoing(),
        name="mails",
        caption="发出的邮件",
        columns=[
            Column("时间", "created_at", sort="made", kind="code"),
            Column("事由", "purpose"),
            Column("收件", "shown_to", kind="code"),
            Column("状态", _state),
            Column("说明", "problem", minor=True),
        ],
        sorts={"made": ("created_at", "id")},
        default_sort="-made",
        filters=[
            Filter(
                "state", "状态", lambda rows, code: rows.filter(state=code), list(STATES.items()), kind="tabs"
            )
        ],
        unit="封",
        empty=Empty("没有发出的邮件", "系统发出的邮件和对方退回的结果，出现在这里。", icon="mail"),
    )
    shown = {
        "list": rows,
        "may": request.actor.may(services.MANAGE),
        "server": settings.MAIL_PARTNER.exists(),
        "actions": [Action("来信", reverse("city:mails_in"), icon="inbox")],
    }
    return render(request, "city/mails.html", shown)


@require_POST
@portal_view(services.MANAGE)
def test(request: StaffRequest) -> HttpResponse:
    made = services.send_test(request.actor, request.POST.get("to", ""))
    flash(request, f"试发邮件已排队，发往 {made.shown_to}。", "wait")
    return redirect("city:mails")


@require_GET
@portal_view(queries.READ)
def incoming(request: StaffRequest) -> HttpResponse:
    rows = DataList(
        request,
        queries.incoming(),
        name="mails-in",
        caption="来信",
        columns=[
            Column("主题", queries.subject_of),
            Column("来自", "shown_from", kind="code"),
            Column("类别", _kind),
            Column("收到", "received_at", sort="came", kind="code"),
            Column("大小", lambda row: formats.size(row.size), kind="number", minor=True),
        ],
        sorts={"came": ("received_at", "id")},
        default_sort="-came",
        filters=[
            Filter(
                "kind", "类别", lambda rows, code: rows.filter(kind=code), list(KINDS.items()), kind="tabs"
            )
        ],
        url=lambda row: reverse("city:mail_in", args=[row.pk]),
        label=queries.subject_of,
        unit="封",
        empty=Empty("没有来信", "写给服务邮箱的信和退信，出现在这里。", icon="inbox"),
    )
    shown = {
        "title": "来信",
        "sub": "写给服务邮箱的信。原件加密存着，打开一封记入审计。",
        "actions": [Action("发出的邮件", reverse("city:mails"), icon="mail")],
        "list": rows,
    }
    return render(request, "objects/list.html", shown)


@require_GET
@portal_view(queries.READ)
def mail(request: StaffRequest, mail_id: int) -> HttpResponse:
    """One of them as plain text, on record."""
    with transaction.atomic():
        found = queries.open_mail(request.actor, mail_id)
    row = found.row
    shown = {
        "head": ObjectHead(
            title=found.subject,
            kind=KINDS[row.kind],
            facts=[
                Fact("来自", " ".join(part for part in (found.name, row.shown_from) if part)),
                Fact("收到", row.received_at),
                Fact("大小", formats.size(row.size)),
                *([Fact("收到几次", row.copies)] if row.copies > 1 else []),
                *([Fact("关于", f"{row.about.purpose}，{STATES[row.about.state]}")] if row.about else []),
            ],
        ),
        "text": found.text,
        "files": [(name, kind, formats.size(size)) for name, kind, size in found.files],
        "back": Link("来信", reverse("city:mails_in")),
    }
    return render(request, "city/mail_in.html", shown)
