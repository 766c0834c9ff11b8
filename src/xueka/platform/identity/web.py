"""The edge of the portals: who may see a page, and the transaction of what it does."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme

from xueka.platform.identity.sessions import StaffRequest

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
View = TypeVar("View", bound=Callable[..., Any])


def _afterwards(request: StaffRequest) -> str:
    """Where to go after logging in: to what was asked for; for a form, to the page that it stood on."""
    if request.method in SAFE:
        return request.get_full_path()
    page = request.META.get("HTTP_REFERER", "")
    if not url_has_allowed_host_and_scheme(page, {request.get_host()}, request.is_secure()):
        return "/"
    parts = urlsplit(page)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def portal_view(*permissions: str, atomic: bool = True) -> Callable[[View], View]:
    """For a view function or a view class: log-in required, one of the permissions, then one transaction.

    Anonymous people go to the log-in page; without any of them `Forbidden` (403) is raised. What is not a
    GET runs in a transaction, which is rolled back by an exception and by an answer of status 400 or more: a
    view that catches a refusal and draws the form again leaves nothing half-done if it says so by the status.
    A view with `atomic=False` speaks with the outside and opens its transactions itself.
    Every refusal (`XuekaError`) that leaves the view is drawn by the middleware of the design.
    """

    def decorate(view: View) -> View:
        if isinstance(view, type):
            return method_decorator(decorate, name="dispatch")(view)  # type: ignore[return-value]

        @functools.wraps(view)
        def guarded(request: StaffRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.presence.actor is None:
                return redirect_to_login(_afterwards(request))
            if permissions and not any(map(request.actor.may, permissions)):
                request.actor.require(permissions[0])
            if request.method in SAFE or not atomic:
                return view(request, *args, **kwargs)
            with transaction.atomic():
                response = view(request, *args, **kwargs)
                if response.status_code >= 400:
                    transaction.set_rollback(True)
            return response

        guarded.permissions = permissions  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return decorate
