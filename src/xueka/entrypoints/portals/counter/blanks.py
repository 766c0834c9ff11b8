"""The blanks that this counter's office was handed."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from xueka.entrypoints.design.ui import Link
from xueka.entrypoints.portals.objects.blanks import shown
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view


@require_GET
@portal_view("district:card:issue")
def blanks(request: StaffRequest) -> HttpResponse:
    page = shown(request.actor.scope) | {
        "title": "空白卡",
        "sub": "市里发给柜台的空白卡，用掉、报废的自动计入。",
        "back": Link("即时制卡", reverse("counter:home")),
    }
    return render(request, "objects/counter_stock.html", page)
