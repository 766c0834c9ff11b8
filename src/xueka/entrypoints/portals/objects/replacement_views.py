"""Replacements for those who work on them: the list with its promises, and one with its way."""

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from xueka.contexts.families import api as families
from xueka.contexts.replacements import api as replacements
from xueka.entrypoints.design import formats, states
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import Action, Badge, Empty, Event, Fact, ObjectHead, Tile
from xueka.entrypoints.portals.objects import replacing, shapes
from xueka.kernel import clock
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

TONES = {"done": "ok", "now": "progress", "todo": "neutral", "stopped": "bad"}


@require_GET
@portal_view("school:replacement:read")
def rows(request: StaffRequest) -> HttpResponse:
    """All of a scope, those whose promise runs out on top of the page as a number."""
    actor: Actor = request.actor
    watched = replacements.watched(actor.scope)
    today = clock.today()
    month = replacements.promises_kept(actor.scope, today.replace(day=1), today)
    listing = DataList(
        request,
        replacements.rows(actor.scope),
        name="replacements",
        columns=[
            Column("单号", "number", kind="code"),
            Column("学生", lambda row: row.student.name),
            Column("学校", lambda row: row.student.school.name, minor=True),
            Column("办理", lambda row: replacements.REASONS[row.reason][0]),
            Column("送达", lambda row: replacements.DELIVERIES[row.delivery] if row.delivery else ""),
            Column("承诺", promise),
            Column("超期", _days_late, kind="number", minor=True),
            Column("状态", lambda row: states.badge("replacement", row.state)),
        ],
        sorts={"latest": ("-id",)},
        filters=[
            Filter(
                "watch",
                "承诺",
                lambda found, code: _watched(found, actor),
                choices=[("1", "临近或超期")],
                kind="tabs",
            ),
            Filter(
                "state",
                "状态",
                lambda found, code: found.filter(state=code),
                choices=[each for each in replacements.REPLACEMENT.choices if each[0] != "draft"],
            ),
        ],
        url=lambda row: reverse("objects:replacement", args=[row.number]),
        label=lambda row: row.number,
        unit="份",
        empty=Empty("还没有补卡换卡", "家长在手机上办理的补卡换卡会出现在这里。"),
    )
    tiles = [
        Tile(
            "承诺临近或超期",
            watched.count(),
            "两个工作日内到期，卡还没送到",
            Action("看名单", "?watch=1"),
            tone="wait",
            icon="clock",
            unit="份",
        ),
        Tile(
            "本月按时送达",
            month.kept,
            f"应送达 {month.promised} 份，逾期 {month.broken + month.open_late} 份",
            icon="check",
            unit="份",
        ),
    ]
    return render(request, "objects/replacements.html", {"listing": listing, "tiles": tiles})


@require_GET
@portal_view("school:replacement:read")
def replacement(request: StaffRequest, number: str) -> HttpResponse:
    found = replacements.replacement(request.actor.scope, number)
    head = ObjectHead(
        title=found.student.name,
        number=found.number,
        kind=replacements.REASONS[found.reason][0],
        state=states.badge("replacement", found.state),
        facts=[
            Fact("费用", formats.yuan(found.fee_fen) if found.fee_fen else "免费", found.free_reason),
            Fact("送达方式", replacements.DELIVERIES.get(found.delivery, "")),
            Fact("承诺", promise(found)),
            Fact("订单", found.order.number if found.order else ""),
            Fact("运单", f"{found.carrier} {found.waybill}".strip()),
        ],
        actions=replacing.page_actions(request.actor, found),
    )
    events = [
        Event(
            stage.label,
            stage.at,
            detail=stage.detail,
            tone=TONES[stage.state],
            promised=f"承诺 {formats.short_day(stage.due)}前" if stage.due else "",
        )
        for stage in replacements.timeline(found)
    ]
    links = [shapes.student_link(found.student), shapes.card_link(found.old_card)]
    if found.application:
        links.append(shapes.application_link(found.application))
    shown = {
        "head": head,
        "events": events,
        "links": links,
        "purse": replacements.purse_words(found.reason),
        "to_pay": replacing.to_pay(request, found),
        **_guardians(request.actor, found),
    }
    return render(request, "objects/replacement.html", shown)


def _guardians(actor: Actor, found: replacements.Replacement) -> dict[str, object]:
    """Who hears of it and may pay; for whom puts a wrong number right."""
    if not actor.may("school:family:manage"):
        return {"guardians": None}
    number = found.student.education_id
    return {
        "guardians": families.guardians(actor.scope, number),
        "guardians_url": reverse("objects:guardians", args=[number]),
    }


def _watched(found: QuerySet, actor: Actor) -> QuerySet:
    return found.filter(pk__in=replacements.watched(actor.scope).values("pk"))


def _days_late(found: replacements.Replacement) -> str:
    """Days since the promise ran out without the card; for the list and what is taken from it."""
    open_ = found.state in replacements.PROMISED and found.delivered_at is None and found.promised_on
    late = (clock.today() - found.promised_on).days if open_ and found.promised_on else 0
    return f"{late} 天" if late > 0 else ""


def promise(found: replacements.Replacement) -> Badge | str:
    """The promised day, and whether it has passed without the card."""
    if found.promised_on is None:
        return ""
    day = formats.short_day(found.promised_on) + ("（暂定）" if found.is_provisional else "")
    if (
        found.state in replacements.PROMISED
        and found.delivered_at is None
        and found.promised_on < clock.today()
    ):
        return Badge(f"{day} 已超期", "bad")
    return day
