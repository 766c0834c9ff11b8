"""Log-in, landing, password, search: pages that belong to no single role."""

import os
from typing import Any

from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView, PasswordChangeView
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.entrypoints.design import nav
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.portals.common.forms import LoginForm, PasswordForm


def styleguide_is_open(settings: Any) -> bool:
    """The style guide is for those who build pages: with DEBUG, or with XUEKA_DESIGN=1."""
    return settings.DEBUG or os.environ.get("XUEKA_DESIGN") == "1"


class Login(LoginView):
    template_name = "common/login.html"
    authentication_form = LoginForm
    redirect_authenticated_user = True


class Password(PasswordChangeView):
    template_name = "common/password.html"
    form_class = PasswordForm

    def form_valid(self, form: BaseForm) -> HttpResponse:
        answer = super().form_valid(form)
        flash(self.request, "密码已修改。")
        return answer

    def get_success_url(self) -> str:
        return reverse("home")


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """The first page of whatever role one acts in."""
    portal = nav.portal_for(request.actor.role)
    if portal is None:
        return render(request, "common/no_portal.html", status=403)
    return redirect(portal.home)


@login_required
def logged_in_again(request: HttpRequest) -> HttpResponse:
    """Shown in the window that an expired page opened for logging in."""
    return render(request, "common/logged_in_again.html")


@require_GET
@login_required
def token(request: HttpRequest) -> HttpResponse:
    """A fresh CSRF token for a page that was open before its session ended."""
    return HttpResponse(get_token(request), content_type="text/plain")


@require_POST
@login_required
def switch_grant(request: HttpRequest) -> HttpResponse:
    """Act in another of one's roles and scopes from now on."""
    request.session["grant"] = request.POST.get("grant", "")
    return HttpResponseRedirect(reverse("home"))


@require_GET
@login_required
def search(request: HttpRequest) -> HttpResponse:
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
