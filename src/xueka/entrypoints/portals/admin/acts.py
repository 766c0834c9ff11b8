"""What administrators do to accounts: each act a post, the decision in the services."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from xueka.entrypoints.design.flashes import flash
from xueka.kernel.errors import NotFound
from xueka.platform.identity import accounts, lockouts, registered, requests, second_factor, services
from xueka.platform.identity.guards import reason_given
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view


def _reason(request: StaffRequest) -> str:
    return reason_given(request.POST.get("note", "") or request.POST.get("reason", ""))


def _number(request: StaffRequest, name: str) -> int:
    text = request.POST.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


@require_POST
@portal_view(services.MANAGE)
def ask(request: StaffRequest, username: str) -> HttpResponse:
    requests.ask(request.actor, username, request.POST.get("role", ""), _reason(request))
    flash(request, "已提交授权申请，等安全管理员确认。")
    return redirect("admin:user", username)


@require_POST
@portal_view(services.MANAGE)
def revoke(request: StaffRequest, username: str) -> HttpResponse:
    services.revoke(request.actor, username, _number(request, "grant"), _reason(request))
    flash(request, "已收回角色，立即生效。")
    return redirect("admin:user", username)


@require_POST
@portal_view(services.MANAGE)
def active(request: StaffRequest, username: str) -> HttpResponse:
    if request.POST.get("active") == "1":
        services.reactivate(request.actor, username, _reason(request))
    else:
        services.deactivate(request.actor, username, _reason(request))
    flash(request, "已办理。")
    return redirect("admin:user", username)


@never_cache
@require_POST
@portal_view(services.RESET_PASSWORD)
def reset_password(request: StaffRequest, username: str) -> HttpResponse:
    password = services.reset_password(request.actor, username, _reason(request))
    return render(request, "admin/password.html", {"user": accounts.find(username), "password": password})


@require_POST
@portal_view(second_factor.RESET)
def reset_factor(request: StaffRequest, username: str) -> HttpResponse:
    second_factor.reset(request.actor, username, _reason(request))
    flash(request, "已重置，下次登录时重新绑定。")
    return redirect("admin:user", username)


@require_POST
@portal_view(registered.END)
def end_sessions(request: StaffRequest, username: str) -> HttpResponse:
    count = registered.force_out(
        request.actor, username, _reason(request), _number(request, "session") or None
    )
    flash(request, f"已结束 {count} 处登录。")
    return redirect("admin:user", username)


@require_POST
@portal_view("city:user:read")
def request_act(request: StaffRequest, request_id: int, verb: str) -> HttpResponse:
    if verb == "confirm":
        requests.confirm(request.actor, request_id)
    elif verb == "refuse":
        requests.refuse(request.actor, request_id, _reason(request))
    elif verb == "withdraw":
        requests.withdraw(request.actor, request_id)
    else:
        raise NotFound("VERB_UNKNOWN", "没有这个操作。")
    flash(request, "已办理。")
    return redirect("admin:requests")


@require_POST
@portal_view(lockouts.RELEASE)
def release(request: StaffRequest, attempt_id: int) -> HttpResponse:
    lockouts.release(request.actor, attempt_id, _reason(request))
    flash(request, "已解除锁定。")
    return redirect("admin:lockouts")
