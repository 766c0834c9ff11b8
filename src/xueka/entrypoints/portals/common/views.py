"""Log-in, landing, password, search: pages that belong to no single role."""

import os
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.entrypoints.design import nav
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.portals.common.forms import LoginForm, PasswordForm
from xueka.kernel.errors import BadInput, Refused
from xueka.platform.identity import services, sessions
from xueka.platform.identity.permissions import ROLES
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view


def styleguide_is_open(settings: Any) -> bool:
    """The style guide is for those who build pages: with DEBUG, or with XUEKA_DESIGN=1."""
    return settings.DEBUG or os.environ.get("XUEKA_DESIGN") == "1"


class Login(LoginView):
    """Recognised by Django, counted by django-axes, begun by our sessions in the person's first role."""

    template_name = "common/login.html"
    authentication_form = LoginForm
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        with transaction.atomic():
            try:
                actor = sessions.begin(self.request, form.get_user())
            except Refused as refusal:  # it is on record, so the transaction ends well
                form.add_error(None, f"{refusal.message}{refusal.action}")
                return self.form_invalid(form)
        if actor is None:
            return redirect(f"{reverse('login_code')}?{urlencode({'next': self.get_success_url()})}")
        return redirect(self.get_success_url())


@require_POST
@transaction.atomic
def logout(request: HttpRequest) -> HttpResponse:
    sessions.end(request)
    return redirect("login")


@portal_view()
def password(request: StaffRequest) -> HttpResponse:
    """Choose a new password; other places where one is logged in are logged out."""
    form = PasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            user = services.change_password(request.actor, form.cleaned_data["old"], form.cleaned_data["new"])
        except Refused as refusal:
            form.add_error("old", f"{refusal.message}{refusal.action}")
        except BadInput as refusal:
            form.add_error("new", refusal.detail["problems"])
        else:
            sessions.keep(request, user)
            flash(request, "密码已修改。")
            return redirect("home")
    page = {"form": form, "due": request.presence.password_due}
    return render(request, "common/password.html", page, status=400 if form.errors else 200)


@portal_view()
def home(request: StaffRequest) -> HttpResponse:
    """The first page of whatever role one acts in."""
    portal = nav.portal_for(request.actor.role)
    if portal is None:
        return render(request, "common/no_portal.html", status=403)
    return redirect(portal.home)


@portal_view()
def logged_in_again(request: HttpRequest) -> HttpResponse:
    """Shown in the window that an expired page opened for logging in."""
    return render(request, "common/logged_in_again.html")


@require_GET
@portal_view()
def token(request: HttpRequest) -> HttpResponse:
    """A fresh CSRF token for a page that was open before its session ended."""
    return HttpResponse(get_token(request), content_type="text/plain")


@require_POST
@portal_view()
def switch_grant(request: StaffRequest) -> HttpResponse:
    """Act in another of one's roles and scopes from now on."""
    wanted = request.POST.get("grant", "")
    actor = sessions.switch(request, int(wanted) if wanted.isdecimal() else 0)
    flash(request, f"现在以{ROLES[actor.role].label}的身份办理（{nav.scope_name(actor.scope)}）。")
    return redirect("home")


@require_GET
@portal_view()
def search(request: StaffRequest) -> HttpResponse:
    """One box for everything. A number that belongs to exactly one object leads straight to it.

    `part=1` gives only the hits, for the box while one types.
    """
    query = request.GET.get("q", "").strip()
    hits = nav.search(request, query) if query else []
    if request.GET.get("part") == "1":
        return render(request, "common/search_hits.html", {"hits": hits[:8], "query": query})
    exact = [hit for hit in hits if hit.exact]
    if len(exact) == 1:
        return redirect(exact[0].url)
    return render(request, "common/search.html", {"hits": hits, "search_query": query})
