"""Refusals of the agent interface (docs/interfaces/issuing-agent.md §9)."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from xueka.entrypoints.rest.problems import problem, refusal
from xueka.kernel.errors import BadInput, XuekaError


class Problem(XuekaError):
    """A refusal with its own HTTP status; `members` go into the body beside the usual ones."""

    def __init__(self, status: int, code: str, message: str, action: str = "", **members: Any) -> None:
        super().__init__(code, message, action=action)
        self.status = status
        self.members = members


def of_error(request: HttpRequest, error: Any) -> HttpResponse:
    """What a refusal looks like to the agent."""
    if not isinstance(error, Problem):
        return refusal(request, error, status=422 if isinstance(error, BadInput) else 0)
    answer = problem(error.status, error.code, error.message, error.action or "", **error.members)
    if "retry_after" in error.members:
        answer.headers["Retry-After"] = str(error.members["retry_after"])
    return answer


def register(api: NinjaAPI) -> None:
    """Every way in which a request of this interface can go wrong ends here."""
    api.add_exception_handler(XuekaError, of_error)
    api.add_exception_handler(ValidationError, _invalid)
    api.add_exception_handler(HttpError, _unreadable)


def _invalid(request: HttpRequest, error: Any) -> HttpResponse:
    places = [".".join(map(str, each["loc"][2:])) or "请求" for each in error.errors]
    where = "、".join(dict.fromkeys(places))[:200]
    return problem(422, "BODY_INVALID", f"请求的内容不符合接口：{where}。", "请核对接口文档。", where=where)


def _unreadable(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(400, "BODY_UNREADABLE", "请求的内容无法读取。", "应为 UTF-8 编码的 JSON。")
