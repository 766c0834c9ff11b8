"""Refusals and ended sessions in one manner, on pages and for requests made by scripts."""

import json
from collections.abc import Callable

from django.conf import settings
from django.db import DataError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme

from xueka.entrypoints.design import nav, taking
from xueka.kernel.errors import BadInput, Conflict, Forbidden, NotFound, Refused, XuekaError

STATUS: tuple[tuple[type[XuekaError], int], ...] = (
    (NotFound, 404),
    (Forbidden, 403),
    (Conflict, 409),
    (Refused, 409),
    (BadInput, 400),
)


def status_of(error: XuekaError) -> int:
    return next((status for kind, status in STATUS if isinstance(error, kind)), 400)


class MannerMiddleware:
    """Stands after authentication and django-htmx, around the views."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if _by_script(request) and _leads_to_login(response):
            # A redirect would put the log-in page inside this one; 401 makes the script ask, and nothing
            # typed is lost.
            return HttpResponse(status=401)
        if _by_script(request) and _wants_json(request) and response.status_code == 302:
            # An upload goes on to its result page itself; followed inside the request, the message would be
            # shown to nobody.
            return HttpResponse(status=204, headers={"HX-Redirect": response.headers["Location"]})
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """A refusal that no view has caught becomes a page, JSON, or a message on the page that asked; a list
        that is taken away becomes its file.
        """
        if isinstance(error, taking.ListTaken):
            try:
                return taking.answer(error, request.actor)  # type: ignore[attr-defined]
            except XuekaError as refusal:
                error = refusal
        # The database holds no NUL, and so do no texts; its driver says so.
        if isinstance(error, (ValueError, DataError)) and "NUL (0x00)" in str(error):
            error = BadInput("TEXT_NUL", "文字里夹着看不见的字符（NUL）。", action="请删去后重新填写。")
        if not isinstance(error, XuekaError):
            return None
        status = status_of(error)
        if _wants_json(request):
            return JsonResponse(error.as_dict(), status=status, json_dumps_params={"ensure_ascii": False})
        if _by_script(request):
            said = {"xk:say": {"text": _in_one_line(error), "tone": "bad"}}
            return HttpResponse(status=status, headers={"HX-Trigger": json.dumps(said), "HX-Reswap": "none"})
        if status == 404:
            return render(request, "404.html", status=404)
        shown = {"error": error, "status": status, "layout": "design/plain.html", "back": None}
        actor = getattr(request, "actor", None)
        if actor is not None and nav.portal_for(actor.role):
            shown |= {"layout": "design/shell.html", "back": _page_before(request)}
        return render(request, "design/refused.html", shown, status=status)


def _page_before(request: HttpRequest) -> str:
    """Where on this site the person came from; empty when that is unknown or the refused page itself."""
    before = request.headers.get("Referer", "")
    here = url_has_allowed_host_and_scheme(before, {request.get_host()}, require_https=request.is_secure())
    return before if here and before != request.build_absolute_uri() else ""


def _by_script(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def _wants_json(request: HttpRequest) -> bool:
    return request.headers.get("Accept", "").startswith("application/json")


def _leads_to_login(response: HttpResponse) -> bool:
    login = resolve_url(settings.LOGIN_URL)
    return response.status_code == 302 and response.headers.get("Location", "").split("?")[0] == login


def _in_one_line(error: XuekaError) -> str:
    return " ".join(str(part) for part in (error.where, error.message, error.action) if part)
