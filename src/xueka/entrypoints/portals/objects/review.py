"""Reviewing: schools waiting, their clean applications in one go, the doubtful ones one by one."""

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from xueka.contexts.cards import api as cards
from xueka.contexts.registry import api as registry
from xueka.entrypoints.design import formats, states
from xueka.entrypoints.design.ui import Action, Empty, Fact, Link, ObjectHead, PhotoCard
from xueka.entrypoints.portals.objects import application_views, shapes
from xueka.kernel.errors import Forbidden
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_LEVELS = {
    "school:application:review": "school_review",
    "district:application:review": "district_review",
    "city:application:review": "city_review",
}
_SHOWN = 120


def level(actor: Actor) -> str:
    """The review state that this person works on. Raises Forbidden for whoever reviews nothing."""
    for permission, state in _LEVELS.items():
        if actor.may(permission):
            return state
    raise Forbidden("PERMISSION_DENIED", "您没有审核的权限。", action="请由有审核权限的人员办理。")


def waiting(request: StaffRequest) -> int:
    """How many wait for this person's review: the number beside the navigation."""
    mine = level(request.actor)
    return cards.application_counts(request.actor.scope, states=[mine]).get(mine, 0)


@require_GET
@portal_view("school:application:read")
def queue(request: StaffRequest) -> HttpResponse:
    """Schools waiting, oldest first."""
    schools = cards.waiting_by_school(request.actor.scope, level(request.actor))
    shown = {
        "rows": queue_rows(schools),
        "clean": sum(each.clean for each in schools),
        "doubtful": sum(each.doubtful for each in schools),
        "empty": Empty("没有待审的申领", "学校提交后，会按先后出现在这里。", icon="checks"),
    }
    return render(request, "objects/review_queue.html", shown)


def queue_rows(schools: list[cards.Waiting]) -> list[tuple[Link, int, int, str, str]]:
    """School, clean, doubtful, since when, how long."""
    return [
        (
            Link(each.school_name, reverse("objects:review_school", args=[each.school_code])),
            each.clean,
            each.doubtful,
            formats.moment(each.oldest),
            formats.age(each.oldest),
        )
        for each in schools
    ]


@require_GET
@portal_view("school:application:read")
def school(request: StaffRequest, school: str) -> HttpResponse:
    actor: Actor = request.actor
    state = level(actor)
    rows = cards.application_rows(actor.scope).filter(school__code=school, state=state)
    clean, doubtful = rows.filter(doubts=[]), rows.exclude(doubts=[])
    count = clean.count()
    here = reverse("objects:review_school", args=[school])
    filters = (
        f"school={school}&state={state}&doubt=no"
        if actor.scope.level != "school"
        else f"state={state}&doubt=no"
    )
    approve = Action(
        f"通过没有疑问的 {count} 份",
        reverse("objects:bulk", args=["approve"]),
        "post",
        "checks",
        "primary",
        params={"everything": "1", "filters": filters, "next": here},
    )
    actions = [approve] if count else []
    if first := _next(actor, school):
        tone = "default" if count else "primary"
        actions.append(Action("逐个看有疑问的", _one_url(first), icon="eye", tone=tone, hotkey="n"))
    order = ("submitted_at", "id")
    shown = {
        "name": registry.school(actor.scope, school).name,
        "actions": actions,
        "clean": [_photo_card(each) for each in clean.order_by(*order)[:_SHOWN]],
        "clean_count": count,
        "doubtful": [_photo_card(each) for each in doubtful.order_by(*order)[:_SHOWN]],
        "doubtful_count": doubtful.count(),
        "shown": _SHOWN,
        "back": Link("全部学校", reverse("objects:review")),
    }
    return render(request, "objects/review_school.html", shown)


@require_GET
@portal_view("school:application:read")
def one(request: StaffRequest, school: str, number: str) -> HttpResponse:
    """One application, photo large, decided by one key; then the next one that needs a look."""
    actor: Actor = request.actor
    found = cards.application(actor.scope, number)
    state = level(actor)
    following = _next(actor, school, after=found)
    onward = _one_url(following) if following else reverse("objects:review_school", args=[school])
    decisions = application_views.actions(actor, found, onward) if found.state == state else []
    student = found.account.student
    decided = [each for each in decisions if each.label != "取消"]
    shown = {
        "application": found,
        "head": ObjectHead(
            title=student.name,
            number=found.number,
            kind=f"{found.kind.name} · {cards.REASONS[found.reason]}",
            stage=shapes.STAGES.get(found.school_class.stage, ""),
            state=states.badge("application", found.state),
            facts=[
                Fact("学校", found.school.name),
                Fact("班级", shapes.class_of(found.school_class)),
                Fact("性别", student.sex),
                Fact("出生年", str(student.birth_year)),
                Fact("教育ID", Link(student.education_id, shapes.student_url(student.education_id))),
                Fact("提交", found.submitted_at, shapes.actor_name(found.submitted_by)),
            ],
            actions=[*decided, Action("跳过", onward, icon="player-skip-forward", hotkey="n")],
        ),
        "reasons": application_views.send_back_actions(found, onward) if decisions else [],
        "photo_url": shapes.photo_url(found.photo_id),
        "doubts": [cards.DOUBTS.get(code, code) for code in found.doubts],
        "findings": [each["message"] for each in found.photo.findings] if found.photo else [],
        "neighbours": [
            shapes.card_link(each) for each in cards.cards(actor.scope, search=student.education_id, limit=10)
        ],
        "events": shapes.events(cards.timeline(actor.scope, student.education_id), found.number),
        "left": _doubtful(actor, school).count(),
        "back": Link("返回本校", reverse("objects:review_school", args=[school])),
    }
    return render(request, "objects/review_one.html", shown)


def _doubtful(actor: Actor, school: str) -> QuerySet[cards.Application]:
    rows = cards.application_rows(actor.scope).filter(school__code=school, state=level(actor))
    return rows.exclude(doubts=[])


def _next(actor: Actor, school: str, after: cards.Application | None = None) -> cards.Application | None:
    """The doubtful one that has waited longest; `after` one, the next, and at the end none."""
    rows = _doubtful(actor, school).order_by("id")
    return (rows.filter(id__gt=after.id) if after else rows).first()


def _one_url(application: cards.Application) -> str:
    return reverse("objects:review_one", args=[application.school.code, application.number])


def _photo_card(application: cards.Application) -> PhotoCard:
    return PhotoCard(
        key="",
        name=application.account.student.name,
        photo_url=shapes.photo_url(application.photo_id),
        note=shapes.class_of(application.school_class),
        defect=shapes.doubts(application),
        url=_one_url(application),
    )
