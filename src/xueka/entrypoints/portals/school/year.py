"""The school's own turn: my classes next year, single students, and the promotion."""

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.production import api as production
from xueka.contexts.registry import api as registry
from xueka.contexts.schoolyear import api as year
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.ui import Action, Badge, Confirm, Link
from xueka.entrypoints.portals.objects import shapes, year_jobs, year_turn
from xueka.entrypoints.portals.school import places
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_LEAVING = [(status, status) for status in year.LEAVING]


@require_GET
@portal_view("school:year:manage")
def page(request: StaffRequest) -> HttpResponse:
    """Every class with where it goes; the promotion is one button."""
    actor: Actor = request.actor
    own = registry.school(actor.scope, actor.scope.school)
    classes = year.classes_to_come(actor.scope, own.id)
    turn = next(iter(year.turns(actor.scope)), None)
    final = any(each.final for each in classes)
    graduate_first = final and (turn is None or turn.graduation != "done")
    actions = [
        year_turn.start(
            kind, "school", own.code, "primary" if (kind == "graduation") == graduate_first else "default"
        )
        for kind in (["graduation", "promotion"] if final else ["promotion"])
    ]
    shown = {
        "label": year.school_year_label(year.this_year()),
        "classes": [_row(each) for each in classes],
        "actions": actions,
        "turn": turn and [year_turn.badge(turn.graduation), year_turn.badge(turn.promotion)],
        "list": year_jobs.listing(request),
    }
    return render(request, "school/year.html", shown)


@require_GET
@portal_view("school:year:manage")
def school_class(request: StaffRequest, class_id: int) -> HttpResponse:
    """The list of a class: who stays, who leaves, who goes to another class; and the list is confirmed."""
    actor: Actor = request.actor
    own = places.own_class(actor, class_id)
    choices = year.choices_of(actor.scope, class_id)
    students = (
        registry.student_rows(actor.scope)
        .filter(school_class_id=class_id, status__in=registry.PRESENT)
        .order_by("sort_key", "id")
    )
    found = next(
        (
            each
            for each in year.classes_to_come(actor.scope, own.school_id)
            if each.school_class.id == class_id
        ),
        None,
    )
    confirm = Action(
        "名单无误，确认", reverse("school:year_confirm", args=[class_id]), "post", "checks", "primary"
    )
    shown = {
        "name": shapes.class_of(own),
        "class_id": class_id,
        "confirmed": shapes.actor_name(found.confirmed_by) if found else "",
        "confirm": confirm if found and not found.confirmed_by else None,
        "students": [_student(each, choices.get(each.id)) for each in students],
        "back": Link("学年", reverse("school:year")),
    }
    return render(request, "school/year_class.html", shown)


@require_POST
@portal_view("school:year:manage")
def choose(request: StaffRequest, student_id: int, choice: str) -> HttpResponse:
    student = registry.student(request.actor.scope, student_id)
    if choice == "none":
        year.unchoose(request.actor, student_id)
        flash(request, f"{student.name}随班升级。")
    elif choice in year.CHOICES:
        value = request.POST.get("reason") or request.POST.get("note", "")
        year.choose(request.actor, student_id, choice, value)
        flash(request, f"{student.name}：{year.CHOICES[choice]}。")
    else:
        raise Http404
    return redirect("school:year_class", student.school_class_id)


@require_POST
@portal_view("school:year:manage")
def confirm(request: StaffRequest, class_id: int) -> HttpResponse:
    own = places.own_class(request.actor, class_id)
    year.confirm_list(request.actor, class_id)
    flash(request, f"{shapes.class_of(own)}的名单已确认。")
    return redirect("school:year")


@require_POST
@portal_view("school:year:manage")
def class_name(request: StaffRequest, class_id: int) -> HttpResponse:
    """Another name for a class, or that of a class which takes it in: a job like the others."""
    places.own_class(request.actor, class_id)
    names = {"names": {str(class_id): request.POST.get("name", "")}}
    made = year.create_job(request.actor, "classes", "school", request.actor.scope.school, names)
    return redirect("objects:year_job", made.number)


def _row(each: year.ClassToCome) -> dict[str, Any]:
    of = each.school_class
    onward = each.next_rung and production.class_label(each.next_rung.stage, each.next_rung.grade, of.name)
    return {
        "name": Link(shapes.class_of(of), reverse("school:year_class", args=[of.id])),
        "students": each.students,
        "next": ("毕业" + (f"，升入{onward}" if onward else "")) if each.final else onward,
        "choices": each.choices,
        "list": Badge("已确认", "ok") if each.confirmed_by else Badge("未确认", "neutral"),
    }


def _student(student: registry.Student, choice: year.Choice | None) -> dict[str, Any]:
    def post(code: str, label: str, ask: Confirm | None = None) -> Action:
        url = reverse("school:year_choose", args=[student.id, code])
        return Action(label, url, "post", confirm=ask)

    if choice is not None:
        said = " ".join(part for part in (year.CHOICES[choice.choice], choice.value) if part)
        return {
            "student": Link(student.name, shapes.student_url(student.education_id)),
            "id": student.education_id,
            "badge": Badge(said, "wait"),
            "actions": [post("none", "随班")],
        }
    leave = Confirm(
        "离校", student.name, "离校", reasons=_LEAVING, reason="required", reason_label="怎样离校"
    )
    other = Confirm(
        "换班", f"{student.name}升级后在哪个班？", "换班", "required", reason_label="班名，例如 2班"
    )
    return {
        "student": Link(student.name, shapes.student_url(student.education_id)),
        "id": student.education_id,
        "badge": Badge(student.status, "neutral")
        if student.status == registry.SUSPENDED
        else Badge("随班", "ok"),
        "actions": [post("repeat", "留级"), post("leave", "离校", leave), post("class", "换班", other)],
    }
