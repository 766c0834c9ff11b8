"""The card bureau: address and keys under two people, our own public keys, and what came lately."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.production import api as production
from xueka.entrypoints.design.flashes import flash
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view


@require_GET
@portal_view("city:batch:read")
def page(request: StaffRequest) -> HttpResponse:
    actor = request.actor
    shown = {
        "partners": production.partners(actor.scope),
        "may_confirm": actor.may("city:partner:manage"),
        "me": actor.username,
        "ours": production.public_keys(),
        "inbox": production.inbox(actor.scope),
        "outcomes": {
            "applied": "已核对入账",
            "refused": "整份拒收",
            "repeated": "重复",
            "acknowledged": "已确认",
            "ignored": "未处理",
        },
    }
    return render(request, "city/bureau.html", shown)


@require_POST
@portal_view("city:partner:manage")
def confirm(request: StaffRequest) -> HttpResponse:
    """The second person types both fingerprints as the bureau reads them out."""
    posted = request.POST
    partner = production.confirm_partner(
        request.actor, posted.get("code", ""), posted.get("signing", ""), posted.get("encryption", "")
    )
    flash(request, f"{partner.name} 的公钥已由第二人确认，可以传送文件。")
    return redirect("city:bureau")


@require_POST
@portal_view("city:partner:manage")
def retry(request: StaffRequest) -> HttpResponse:
    production.retry_now(request.actor)
    flash(request, "系统会在几秒内重新连接卡厂。")
    return redirect("city:bureau")
