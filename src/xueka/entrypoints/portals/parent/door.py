"""The parents' door: education ID and phone, then the code; a cookie of its own for thirty days."""

import functools
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar, cast

from django import forms
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from xueka.contexts.families import api as families
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.kernel.errors import Refused, XuekaError
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.addresses import client_address
from xueka.platform.identity.web import SAFE

COOKIE = "xk_family"
View = TypeVar("View", bound=Callable[..., Any])


class FamilyRequest(HttpRequest):
    """A request of a guardian who is signed in."""

    actor: Actor
    family: families.Family
    container: str  # where the container that shows the pages is; empty in a browser of her own


def family_view(view: View | None = None, *, atomic: bool = True) -> Any:
    """Signed in as a guardian, else the sign-in page. What is not a GET runs in one transaction, which an
    answer of 400 or more takes back; `atomic=False` where the view speaks with a channel in between.
    """

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(request: FamilyRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            family = families.resume(request.COOKIES.get(COOKIE, ""), client_address(request))
            if family is None:
                return redirect("parent:sign_in")
            request.family, request.actor = family, family.actor
            request.container = (families.jingtong_card() or {}).get("home", "") if family.container else ""
            if request.method in SAFE or not atomic:
                return cast(HttpResponse, view(request, *args, **kwargs))
            with transaction.atomic():
                response = cast(HttpResponse, view(request, *args, **kwargs))
                if response.status_code >= 400:
                    transaction.set_rollback(True)
            return response

        return cast(View, guarded)

    return decorate(view) if view else decorate


class WhoForm(WordedForm):
    education_id = forms.CharField(
        label="孩子的教育ID",
        max_length=20,
        help_text="印在学生卡正面，8 位数字；也可以问班主任。",
        widget=forms.TextInput({"inputmode": "numeric", "autocomplete": "off"}),
    )
    phone = forms.CharField(
        label="监护人手机号",
        max_length=20,
        help_text="在学校登记的那一个。换了号码，请找学校卡管老师更改。",
        widget=forms.TextInput({"inputmode": "tel", "autocomplete": "tel"}),
    )


class CodeForm(WordedForm):
    code = forms.CharField(
        label="验证码",
        max_length=12,
        widget=forms.TextInput({"inputmode": "numeric", "autocomplete": "one-time-code"}),
    )


@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Who she is; the answer is the code's page, whether anybody was found or not."""
    if request.method in SAFE and families.resume(request.COOKIES.get(COOKIE, ""), client_address(request)):
        return redirect("parent:home")
    form = WhoForm(request.POST or None)
    problem: XuekaError | None = None
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                families.ask_code(nobody(request), **form.cleaned_data)
        except XuekaError as error:
            problem = error
        else:
            return render(request, "parent/code.html", {"form": CodeForm(), "who": form.cleaned_data})
    wrong = 400 if problem or form.errors else 200
    shown = {"form": form, "problem": problem, "jingtong": families.jingtong_card() is not None}
    return render(request, "parent/sign_in.html", shown, status=wrong)


@require_POST
def code(request: HttpRequest) -> HttpResponse:
    """The code. A wrong one is counted, so the transaction is kept whatever is answered."""
    who, form = WhoForm(request.POST), CodeForm(request.POST)
    if not who.is_valid():
        return redirect("parent:sign_in")
    problem: XuekaError | None = None
    if form.is_valid():
        try:
            with transaction.atomic():
                account = families.enter(nobody(request), **who.cleaned_data, **form.cleaned_data)
                if account is not None:
                    agent = request.headers.get("User-Agent", "")
                    secret = families.begin_session(account, client_address(request), agent)
                    return keep_signed_in(redirect("parent:home"), secret, families.SESSION_LIFETIME)
        except XuekaError as error:
            problem = error
        problem = problem or Refused(
            "CODE_WRONG", "验证码不对，或已经过期。", action="请核对最近一条短信；也可以返回重新获取。"
        )
    shown = {"form": form, "who": who.cleaned_data, "problem": problem}
    return render(request, "parent/code.html", shown, status=400)


@require_POST
@family_view
def leave(request: FamilyRequest) -> HttpResponse:
    families.end_session(request.family)
    flash(request, "已退出。")
    response = redirect("parent:sign_in")
    response.delete_cookie(COOKIE)
    return response


def keep_signed_in(response: HttpResponse, secret: str, lifetime: timedelta) -> HttpResponse:
    """The answer, with the cookie of a session."""
    response.set_cookie(
        COOKIE, secret, max_age=lifetime, httponly=True, samesite="Lax", secure=settings.HTTPS
    )
    return response


def nobody(request: HttpRequest) -> Actor:
    return Actor.nobody(client_address(request))
