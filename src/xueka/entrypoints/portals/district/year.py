"""The district's school year: its schools and its jobs."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from xueka.contexts.schoolyear import api as year
from xueka.entrypoints.portals.objects import year_jobs, year_turn
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view


@require_GET
@portal_view("district:year:manage")
def page(request: StaffRequest) -> HttpResponse:
    code = request.actor.scope.district
    shown = {
        "title": f"学年　{year.school_year_label(year.this_year())}",
        "rows": year_turn.rows(year.turns(request.actor.scope)),
        "actions": [
            year_turn.start("graduation", "district", code),
            year_turn.start("promotion", "district", code, "primary"),
        ],
        "list": year_jobs.listing(request),
    }
    return render(request, "objects/year_turn.html", shown)
