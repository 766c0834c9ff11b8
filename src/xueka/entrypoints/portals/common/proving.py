"""Second factor, showing again that it is oneself, activation, and one's own sessions."""

import base64
import io

import segno
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.portals.common.forms import (
    ActivationCodeForm,
    ActivationForm,
    CodeForm,
    EnrolForm,
    ProofForm,
)
from xueka.kernel.errors import BadInput, Conflict, Refused
from xueka.platform.audit.services import record
from xueka.platform.identity import accounts, activation, lockouts, registered, second_factor, sessions
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.addresses import client_address
from xueka.platform.identity.models import User
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

WRONG_CODE = "验证码不对或已用过。请等手机上换了下一个数字再输入，并核对手机的时间。"


def safe_next(request: HttpRequest) -> str:
    """Where one wanted to go, if that is on this site."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    here = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, request.is_secure())
    return wanted if here else reverse("home")


@require_http_methods(["GET", "POST"])
def login_code(request: HttpRequest) -> HttpResponse:
    """After the password: the code of the second factor, or a recovery code. Failures count."""
    user = sessions.held(request)
    if user is None:
        return redirect("login")
    form = CodeForm(request.POST or None)
    if request.method == "POST":
        if lockouts.is_locked(request, user.username):
            return _locked(request, user.username)
        if form.is_valid():
            with transaction.atomic():
                passed = second_factor.check(user, form.cleaned_data["code"])
                if passed:
                    sessions.finish(request, user, passed)
            if passed:
                if passed == "recovery":
                    left = second_factor.recovery_codes_left(user)
                    flash(request, f"您用了一个恢复码，还剩 {left} 个。手机丢失请找安全管理员重置。", "wait")
                return redirect(safe_next(request))
            nobody = Actor.nobody(client_address(request))
            record(nobody, "session.log_in", "user", user.username, result="refused", detail={"why": "code"})
            lockouts.failed(request, user.username)
            if lockouts.is_locked(request, user.username):
                return _locked(request, user.username)
            form.add_error("code", WRONG_CODE)
    page = {"form": form, "name": user.name, "next": safe_next(request)}
    return render(request, "common/login_code.html", page, status=400 if form.errors else 200)


@never_cache
@require_http_methods(["GET", "POST"])
@portal_view()
def factor(request: StaffRequest) -> HttpResponse:
    """Enrolment at the first log-in of a city role: the secret as a picture and as text; a first code."""
    user = accounts.find(request.actor.username)
    if second_factor.enrolled(user):
        due = request.presence.factor_due
        return redirect("confirm" if due else "home")
    form = EnrolForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        codes = second_factor.confirm(request.actor, "".join(form.cleaned_data["code"].split()))
        if codes is not None:
            sessions.prove(request, factor=True)
            return render(request, "common/recovery_codes.html", {"codes": codes, "first": True})
        form.add_error("code", WRONG_CODE)
    secret = second_factor.offer(user)
    page = {
        "form": form,
        "picture": _qr(second_factor.address_of(user, secret)),
        "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        "username": user.username,
    }
    return render(request, "common/factor.html", page, status=400 if form.errors else 200)


@never_cache
@require_POST
@portal_view()
def recovery_codes(request: StaffRequest) -> HttpResponse:
    """Ten new recovery codes, shown once; a password alone, which they would stand beside, gives none."""
    if not (sessions.is_fresh(request) and request.session.get("factor")):
        flash(request, "请先用手机上的动态验证码确认是您本人。", "wait")
        return redirect(f"{reverse('confirm')}?next={reverse('my_sessions')}")
    codes = second_factor.renew_recovery_codes(request.actor)
    return render(request, "common/recovery_codes.html", {"codes": codes})


@require_http_methods(["GET", "POST"])
def confirm(request: StaffRequest) -> HttpResponse:
    """Show again that it is oneself, by the password or the second factor. No transaction: failures stay."""
    if request.presence.actor is None:
        return redirect("login")
    form = ProofForm(request.POST or None)
    user = accounts.find(request.actor.username)
    if request.method == "POST":
        if lockouts.is_locked(request, user.username):
            return _locked(request, user.username)
        if form.is_valid():
            proof = form.cleaned_data["proof"]
            with transaction.atomic():
                by_code = bool(second_factor.check(user, proof)) if len(proof) <= 16 else False
            # A password alone does not stand in for a second factor that this session has not shown.
            by_password = not request.presence.factor_due and user.check_password(proof)
            if by_code or by_password:
                with transaction.atomic():
                    record(request.actor, "session.prove", "user", user.username)
                    sessions.prove(request, factor=by_code)
                return redirect(safe_next(request))
            lockouts.failed(request, user.username)
            if lockouts.is_locked(request, user.username):
                return _locked(request, user.username)
            form.add_error("proof", "不对。请输入登录密码，或手机验证器上还没用过的数字。")
    page = {"form": form, "next": safe_next(request), "factor_due": request.presence.factor_due}
    return render(request, "common/confirm.html", page, status=400 if form.errors else 200)


@require_GET
@portal_view()
def my_sessions(request: StaffRequest) -> HttpResponse:
    """Where I am logged in, and where I was."""
    user = accounts.find(request.actor.username)
    page = {
        "rows": registered.of_user(user.username),
        "key": request.session.session_key,
        "enrolled": second_factor.enrolled(user),
        "codes_left": second_factor.recovery_codes_left(user),
    }
    return render(request, "common/my_sessions.html", page)


@require_POST
@portal_view()
def end_session(request: StaffRequest) -> HttpResponse:
    """End one of my sessions, or all but this one."""
    wanted = request.POST.get("session", "")
    if wanted == "others":
        count = registered.end_own_others(request.actor, request.session.session_key or "")
        flash(request, f"已结束其他 {count} 处登录。")
    else:
        registered.end_own(request.actor, int(wanted) if wanted.isdecimal() else 0)
        flash(request, "已结束这处登录。")
    return redirect("my_sessions")


@require_http_methods(["GET", "POST"])
def activate(request: HttpRequest) -> HttpResponse:
    """A person opens her account with the code of her activation sheet. The session keeps it."""
    if lockouts.is_locked(request, lockouts.ACTIVATION):
        return _locked(request, lockouts.ACTIVATION)
    kept = request.session.get("activation", "")
    code = activation.released(kept) if kept else ""
    user = activation.recognise(code) if code else None
    if user is not None and request.method == "POST" and "code" not in request.POST:
        return _open_account(request, code)
    form = ActivationCodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data["code"]
        user = activation.recognise(typed)
        if user is not None:
            request.session.cycle_key()
            request.session["activation"] = activation.held(typed)
            return redirect("activate")
        lockouts.failed(request, lockouts.ACTIVATION)
        record(Actor.nobody(client_address(request)), "activation.use", "user", result="refused")
        if lockouts.is_locked(request, lockouts.ACTIVATION):
            return _locked(request, lockouts.ACTIVATION)
        form.add_error("code", "激活码不对、已用过或已过期。请核对激活单；过期的请找上级重新打印。")
    elif user is not None:
        return _account_page(request, user.name, ActivationForm(initial={"username": user.username}), user)
    return render(request, "common/activate.html", {"form": form}, status=400 if form.errors else 200)


def _open_account(request: HttpRequest, code: str) -> HttpResponse:
    user = activation.recognise(code)
    assert user is not None, "the caller has asked"
    form = ActivationForm(request.POST)
    if form.is_valid():
        try:
            with transaction.atomic():
                made = activation.activate(
                    code,
                    form.cleaned_data["new"],
                    username=form.cleaned_data["username"].strip(),
                    address=client_address(request),
                )
        except (BadInput, Conflict, Refused) as refusal:
            field = "username" if refusal.code.startswith("USERNAME") else "new"
            form.add_error(field, f"{refusal.message}{refusal.expected or ''}")
        else:
            request.session.pop("activation", None)
            flash(request, f"账号已激活。以后用用户名 {made.username} 和刚设的密码登录。")
            return redirect("login")
    return _account_page(request, user.name, form, user)


def _account_page(request: HttpRequest, name: str, form: ActivationForm, user: User) -> HttpResponse:
    page = {"form": form, "name": name, "username": user.username, "choose": user.may_choose_username}
    return render(request, "common/activate_account.html", page, status=400 if form.errors else 200)


def _locked(request: HttpRequest, username: str) -> HttpResponse:
    page = {"username": username, "failure_limit": settings.AXES_FAILURE_LIMIT}
    return render(request, "common/locked.html", page, status=429)


def _qr(text: str) -> str:
    """The QR code as a data address: the content-security policy lets pictures of that kind in."""
    out = io.BytesIO()
    segno.make(text, error="m").save(out, kind="png", scale=5, border=2)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode("ascii")
