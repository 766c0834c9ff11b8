"""Where the districts' counters are: couriers fetch parcels there, families collect there."""

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from xueka.contexts.logistics import api as logistics
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.ui import Link
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view


class PlaceForm(WordedForm):
    address = forms.CharField(label="地址", max_length=200)
    consignee = forms.CharField(label="联系人", max_length=64)
    phone = forms.CharField(label="电话", max_length=20)
    hours = forms.CharField(
        label="办理时间", max_length=100, required=False, help_text="如：工作日 9:00-17:00。"
    )


@require_GET
@portal_view(logistics.KEEP)
def districts(request: StaffRequest) -> HttpResponse:
    rows = [
        (Link(district.name, reverse("objects:district_place", args=[district.code])), place)
        for district, place in logistics.places(request.actor.scope)
    ]
    return render(request, "objects/places.html", {"rows": rows})


@require_http_methods(["GET", "POST"])
@portal_view(logistics.KEEP)
def district(request: StaffRequest, district: str) -> HttpResponse:
    found = logistics.district(request.actor.scope, district)
    place = logistics.place(found.code)
    names = list(PlaceForm.base_fields)
    form = PlaceForm(request.POST or None, initial={name: getattr(place, name, "") for name in names})
    problem: XuekaError | None = None
    if request.method == "POST" and form.is_valid():
        try:
            logistics.keep_place(request.actor, found.code, **form.cleaned_data)
        except XuekaError as error:
            problem = error
        else:
            flash(request, f"{found.name}的收寄地址已登记，之后的运单和领取说明都用它。")
            return redirect("objects:district_places")
    shown = {
        "title": f"{found.name}收寄地址",
        "form": form,
        "problem": problem,
        "place": place,
        "by": shapes.Names()[place.changed_by] if place else "",
        "back": Link("区级收寄地址", reverse("objects:district_places")),
    }
    wrong = problem is not None or bool(form.errors)
    return render(request, "objects/place.html", shown, status=400 if wrong else 200)
