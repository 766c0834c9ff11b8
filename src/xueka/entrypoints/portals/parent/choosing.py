"""Which short messages the family gets."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from xueka.contexts.families import api as families
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.portals.parent.door import FamilyRequest, family_view
from xueka.platform.messages import opting


@require_http_methods(["GET", "POST"])
@family_view
def messages(request: FamilyRequest) -> HttpResponse:
    if request.method == "POST":
        wanted = request.POST.get("reminders") == "yes"
        families.choose_reminders(request.family, wanted=wanted)
        flash(request, "已恢复提醒短信。" if wanted else "不再发提醒短信。")
        return redirect("parent:messages")
    shown = {
        "refused_at": families.reminders_refused(request.family),
        "consent": opting.CONSENT,
        "version": opting.CONSENT_VERSION,
    }
    return render(request, "parent/messages.html", shown)
