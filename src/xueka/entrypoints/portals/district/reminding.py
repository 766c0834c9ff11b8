"""One click reminds a school that is late, or all of them."""

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from xueka.contexts.cards import api as cards
from xueka.entrypoints.design.flashes import flash
from xueka.kernel.errors import BadInput, Refused
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view


@require_POST
@portal_view("district:school:remind")
def remind(request: StaffRequest) -> HttpResponse:
    given = request.POST.getlist("school")
    if not given or not all(each.isdecimal() for each in given):
        raise BadInput("SELECTION_EMPTY", "没有选中任何学校。", action="请返回，点一所学校旁的“提醒”。")
    opened = cards.kinds()
    if not opened:
        raise Refused("KIND_NONE_OPEN", "现在没有开放申领的卡种。", action="请等待市级开放。")
    result = cards.remind(request.actor, [int(each) for each in given], opened[0].code)
    said = f"已提醒 {len(result.done)} 所学校，写在它们的首页上。" if result.done else ""
    rest = f"{len(result.refused)} 所没有提醒：{result.refused[0][2]}" if result.refused else ""
    flash(request, said + rest, "wait" if rest else "ok")
    onward = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(onward, allowed_hosts=None)
    return redirect(onward if safe else reverse("district:home"))
