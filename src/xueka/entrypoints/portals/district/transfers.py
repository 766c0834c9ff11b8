"""Transfers of the district: across districts it confirms itself, inside it may stand in for its schools."""

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.entrypoints.design.ui import Action
from xueka.entrypoints.portals.objects import transfer_form, transfer_rows
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view


@require_GET
@portal_view("district:transfer:confirm")
def transfers(request: StaffRequest) -> HttpResponse:
    words = "跨区的由两区确认，区内的由两校确认；双方都确认后，学生和他的卡才转过去。"
    actions = [Action("申请转学", reverse("district:transfer_new"), icon="plus")]
    return transfer_rows.page(request, "district", words, actions)


@require_http_methods(["GET", "POST"])
@portal_view("school:transfer:ask")
def new(request: StaffRequest) -> HttpResponse:
    words = "学生在本区或要转入本区；转入时须写明姓名。"
    return transfer_form.page(request, "district", words, {})


@require_POST
@portal_view("district:transfer:confirm")
def act(request: StaffRequest, transfer_id: int, side: str, verb: str) -> HttpResponse:
    return transfer_rows.act(request, "district", transfer_id, side, verb)
