"""When the system itself fails: a designed page that needs neither a session nor the database."""

import json
import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from xueka.entrypoints.rest.problems import problem

_SECONDS = 10
_AWAY = "数据库暂时连不上，没有办成，什么都没有改变。请过一会儿再试。"


def server_error(request: HttpRequest) -> HttpResponse:
    """Whatever no view has caught; called while the exception is being handled."""
    away = isinstance(sys.exception(), OperationalError | InterfaceError)
    if request.path.startswith("/api/"):
        return _to_a_program(away)
    if not away:
        return HttpResponse(render_to_string("500.html", {"request": request}), status=500)
    headers = {"Retry-After": str(_SECONDS)}
    if request.headers.get("HX-Request") == "true":
        said = {"xk:say": {"text": _AWAY, "tone": "bad"}}
        headers |= {"HX-Trigger": json.dumps(said), "HX-Reswap": "none"}
        return HttpResponse(status=503, headers=headers)
    again = request.get_full_path() if request.method in ("GET", "HEAD") else ""
    return HttpResponse(
        render_to_string("503.html", {"request": request, "again": again}), status=503, headers=headers
    )


def _to_a_program(away: bool) -> HttpResponse:
    again = "请过一会儿原样再发一次；同一个编号重发不会办两遍。"
    if away:
        return problem(503, "DATABASE_AWAY", _AWAY, again, headers={"Retry-After": str(_SECONDS)})
    return problem(500, "INTERNAL", "系统内部出错，已记录。", again)
