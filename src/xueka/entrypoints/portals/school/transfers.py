"""Transfers of the school: asked for here, answered here."""

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.entrypoints.design.ui import Action
from xueka.entrypoints.portals.objects import transfer_form, transfer_rows
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view


@require_GET
@portal_view("school:transfer:confirm")
def transfers(request: StaffRequest) -> HttpResponse:
    words = "区内转学由两校确认，跨区的由两区确认；生效后学生和他的卡一起转过去。"
    actions = [Action("申请转学", reverse("school:transfer_new"), icon="plus", tone="primary")]
    return transfer_rows.page(request, "school", words, actions)


@require_http_methods(["GET", "POST"])
@portal_view("school:transfer:ask")
def new(request: StaffRequest) -> HttpResponse:
    """Coming from a student's page the student is filled in; for one who comes, the own school is."""
    education_id = request.GET.get("student", "")
    initial = {"education_id": education_id} if education_id else {"to_school": request.actor.scope.school}
    words = "本校学生转出，填转入学校；学生转入本校，填姓名和本校标识码。"
    return transfer_form.page(request, "school", words, initial)


@require_POST
@portal_view("school:transfer:confirm")
def act(request: StaffRequest, transfer_id: int, side: str, verb: str) -> HttpResponse:
    return transfer_rows.act(request, "school", transfer_id, side, verb)
