"""Where slips of consent are missing, for whoever oversees; and the names of one school, to be printed."""

from itertools import groupby

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from xueka.contexts.registry import api as registry
from xueka.entrypoints.design.ui import Fact, Link
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel import clock
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view


@require_GET
@portal_view("school:student:read")
def summary(request: StaffRequest) -> HttpResponse:
    """The city by district, a district by school; each leads further down."""
    actor: Actor = request.actor
    district = actor.scope.district or request.GET.get("district", "")
    level = "school" if district else "district"
    counts = registry.consent_counts(actor.scope, level, district=district)
    rows = [
        (
            Link(
                found.label[0],
                reverse("objects:consents_missing", args=[found.key])
                if district
                else f"{reverse('objects:consents')}?district={found.key}",
            ),
            found.students,
            found.given,
            found.missing,
            round(100 * found.given / found.students) if found.students else 0,
        )
        for found in counts
    ]
    everywhere = Link("全市", reverse("objects:consents"))
    shown = {
        "rows": rows,
        "head": "学校" if district else "区",
        "students": sum(found.students for found in counts),
        "given": sum(found.given for found in counts),
        "missing": sum(found.missing for found in counts),
        "back": everywhere if district and not actor.scope.district else None,
    }
    return render(request, "objects/consents.html", shown)


@require_GET
@portal_view("school:student:read")
def missing(request: StaffRequest, school: str) -> HttpResponse:
    """Everybody of one school without consent, by class, as a sheet for the teachers."""
    actor: Actor = request.actor
    found = registry.school(actor.scope, school)
    rows = registry.missing_consent(registry.consent_rows(actor.scope)).filter(school=found)
    ordered = rows.order_by(
        "school_class__stage", "school_class__grade", "school_class__name", "sort_key", "id"
    )
    classes = [
        (shapes.class_of(of), list(students))
        for of, students in groupby(ordered, key=lambda student: student.school_class)
    ]
    upward = "school:consents" if actor.scope.level == "school" else "objects:consents"
    shown = {
        "school": found,
        "classes": [(label, students, len(students)) for label, students in classes],
        "facts": [
            Fact("学校", found.name),
            Fact("缺同意书", sum(len(students) for _, students in classes)),
            Fact("截至", clock.today()),
        ],
        "back": Link("同意书", reverse(upward)),
    }
    return render(request, "objects/consents_missing.html", shown)
