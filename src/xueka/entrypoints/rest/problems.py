"""Refusals of the interfaces as application/problem+json, with the same codes and words as everywhere."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, JsonResponse

from xueka.entrypoints.design.middleware import status_of
from xueka.kernel.errors import XuekaError

MEDIA_TYPE = "application/problem+json"


def problem(
    status: int,
    code: str,
    title: str,
    detail: str = "",
    *,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> JsonResponse:
    """`title` says what is wrong, `detail` what to do; further members are `where`, `found`, `expected`."""
    body = {"status": status, "code": code, "title": title, "detail": detail}
    body |= {name: value for name, value in more.items() if value is not None}
    return JsonResponse(
        body,
        status=status,
        content_type=f"{MEDIA_TYPE}; charset=utf-8",
        headers=dict(headers or {}),
        json_dumps_params={"ensure_ascii": False},
    )


def refusal(request: HttpRequest, error: XuekaError, *, status: int = 0, **more: Any) -> JsonResponse:
    """A refusal of a service."""
    told = error.as_dict()
    return problem(
        status or status_of(error),
        error.code,
        error.message,
        error.action or "",
        where=told.get("where"),
        found=told.get("found"),
        expected=told.get("expected"),
        **more,
    )
