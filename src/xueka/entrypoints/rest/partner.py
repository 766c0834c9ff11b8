"""The partner interface, version 1 (docs/interfaces/partner-api.md)."""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any, TypeVar

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from ninja import Header, Query, Schema
from ninja.errors import HttpError, ValidationError
from ninja.security import HttpBasicAuth
from pydantic import Field

from xueka.contexts.multiapp import api as multiapp
from xueka.entrypoints.rest import versions
from xueka.entrypoints.rest.problems import problem, refusal
from xueka.entrypoints.rest.reference import DescribedAPI, answers, refusals
from xueka.kernel import clock
from xueka.kernel.errors import Forbidden, XuekaError
from xueka.platform.identity.addresses import client_address

LIST_TYPE = "text/tab-separated-values; charset=utf-8"
KEY_TYPE = "application/x-pem-file"


class Answer(Schema):
    """`state`: valid, lost, cancelled, expired or unknown. Accept the card only when it is valid."""

    number: str
    state: str
    checked_at: str


class Asked(Schema):
    numbers: list[str] = Field(min_length=1, max_length=multiapp.AT_ONCE)


class Answers(Schema):
    answers: list[Answer]


class ListState(Schema):
    """`version` is the present one; a change list can start from `oldest` or later."""

    version: int
    oldest: int
    at: str


class Reported(Schema):
    version: int = Field(ge=0)
    devices: int = Field(ge=0, le=1_000_000)
    behind: int = Field(default=0, ge=0, le=1_000_000)


class Thanks(Schema):
    version: int
    newest: int


class Me(Schema):
    """Who the interface takes you for, and what it lets you do."""

    unit: str
    credential: str
    scopes: list[str]
    per_minute: int
    expires_at: str
    grants: list[dict[str, str]]


REFUSALS = refusals()


class PartnerAuth(HttpBasicAuth):
    """Id and secret in the Authorization header; wrong ones are counted against the address."""

    def authenticate(self, request: HttpRequest, username: str, password: str) -> Any:
        address = client_address(request)
        if not request.is_secure() and not _is_here(address):
            raise Forbidden("TLS_REQUIRED", "接口只能经 HTTPS 访问。", action="请改用 https:// 开头的地址。")
        with transaction.atomic():  # a wrong one is counted before the next one is looked at
            found = multiapp.authenticate(username, password, address)
        if found is None:
            return None
        actor, credential = found
        request.partner, request.credential = actor, credential  # type: ignore[attr-defined]
        request.left = multiapp.count(  # type: ignore[attr-defined]
            credential.key_id, credential.per_minute
        )
        return actor


api = DescribedAPI(
    title="学卡合作单位接口",
    version="1",
    description="卡片有效性查询、黑名单下载。说明见《合作单位接口》。",
    urls_namespace="partner-v1",
    auth=PartnerAuth(),
    docs_url=None,
    openapi_url="openapi.json",
)
api.deprecations = versions.PARTNER


@api.exception_handler(XuekaError)
def refused(request: HttpRequest, error: XuekaError) -> HttpResponse:
    if isinstance(error, multiapp.TooMany):
        answer = refusal(request, error, status=429)
        answer.headers["Retry-After"] = str(error.seconds)
    elif error.code == "HOT_LIST_GAP":
        answer = refusal(request, error, status=410)
    elif error.code in ("NO_GRANT", "PERMISSION_DENIED"):
        answer = refusal(request, error, status=403)
    else:
        answer = refusal(request, error)
    _note(request, answer.status_code, error.code)
    return answer


@api.exception_handler(ValidationError)
def invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    first = error.errors[0] if error.errors else {}
    where = ".".join(str(part) for part in first.get("loc", ())[1:])
    answer = problem(422, "REQUEST_INVALID", "请求的内容不符合格式。", "请对照接口说明改正。", where=where)
    _note(request, 422, "REQUEST_INVALID")
    return answer


@api.exception_handler(HttpError)
def unreadable(request: HttpRequest, error: HttpError) -> HttpResponse:
    if error.status_code == 401:
        return _unknown()
    _note(request, error.status_code, "BODY_UNREADABLE")
    return problem(error.status_code, "BODY_UNREADABLE", "请求体不是可读的 JSON。", "请按接口说明重新发送。")


@api.get("/me", response={200: Me, **REFUSALS}, summary="我是谁，可以做什么", operation_id="me")
def me(request: HttpRequest) -> HttpResponse:
    credential = request.credential  # type: ignore[attr-defined]
    body = {
        "unit": credential.unit.name,
        "credential": credential.key_id,
        "scopes": credential.scopes,
        "per_minute": credential.per_minute,
        "expires_at": clock.local(credential.expires_at).isoformat(timespec="seconds"),
        "grants": multiapp.grants_told(credential.unit),
    }
    return _json(request, "me", body)


@api.get(
    "/cards/{number}/validity",
    response={200: Answer, 304: None, **REFUSALS},
    summary="一张卡是否有效（卡号或芯片号）",
    operation_id="validity",
)
def validity(request: HttpRequest, number: str) -> HttpResponse:
    actor, credential = request.partner, request.credential  # type: ignore[attr-defined]
    found = multiapp.validity(actor, credential.unit, number)
    etag = f'"{found.state}"'
    if request.headers.get("If-None-Match") == etag:
        answer: HttpResponse = HttpResponse(status=304)
    else:
        answer = JsonResponse(_told(number, found))
    answer.headers["ETag"] = etag
    return _noted(request, answer, "validity", found.state, found.card_id)


@api.post(
    "/cards/validity",
    response={200: Answers, **REFUSALS},
    summary=f"一次查多张卡（最多 {multiapp.AT_ONCE} 张）",
    operation_id="validities",
)
def validities(
    request: HttpRequest, asked: Asked, key: str = Header("", alias="Idempotency-Key")
) -> HttpResponse:
    actor, credential = request.partner, request.credential  # type: ignore[attr-defined]

    def answer() -> dict[str, Any]:
        found = multiapp.validities(actor, credential.unit, asked.numbers)
        return {"answers": [_told(*each) for each in zip(asked.numbers, found, strict=True)]}

    body, again = multiapp.once(credential, key, _request(request), answer)
    return _json(request, "validities", body, "again" if again else str(len(asked.numbers)))


@api.get(
    "/hot-list/state",
    response={200: ListState, **REFUSALS},
    summary="黑名单现在的版本",
    operation_id="hot_list_state",
)
def hot_list_state(request: HttpRequest) -> HttpResponse:
    request.partner.require("partner:hot_list:read")  # type: ignore[attr-defined]
    head = multiapp.head()
    body = {"version": head.version, "oldest": head.floor, "at": f"{head.at:%Y-%m-%dT%H:%M:%SZ}"}
    return _json(request, "list_state", body)


@api.get(
    "/hot-list",
    response={200: str, 304: None, **REFUSALS},
    summary="黑名单全量（签名的文本）",
    operation_id="hot_list",
    openapi_extra=answers(LIST_TYPE),
)
def hot_list(request: HttpRequest) -> HttpResponseBase:
    actor, credential = request.partner, request.credential  # type: ignore[attr-defined]
    head = multiapp.head()
    lines = multiapp.full_list(actor, credential.unit)
    if same := _unchanged(request, f'"full-{head.version}"'):
        return _noted(request, same, "list_full", "same")
    multiapp.count(f"{credential.key_id}:full", multiapp.FULL_PER_MINUTE)
    answer = _stream(lines, f"hot-list-{head.version}.txt", f'"full-{head.version}"')
    return _noted(request, answer, "list_full", str(head.version))


@api.get(
    "/hot-list/changes",
    response={200: str, 304: None, **refusals(410)},
    summary="黑名单自某版本以来的变动（签名的文本）",
    operation_id="hot_list_changes",
    openapi_extra=answers(LIST_TYPE),
)
def hot_list_changes(request: HttpRequest, since: int = Query(..., ge=0)) -> HttpResponseBase:
    actor, credential = request.partner, request.credential  # type: ignore[attr-defined]
    head = multiapp.head()
    lines = multiapp.change_list(actor, credential.unit, since)
    etag = f'"changes-{since}-{head.version}"'
    if same := _unchanged(request, etag):
        return _noted(request, same, "list_changes", "same")
    answer = _stream(lines, f"hot-list-{since}-{head.version}.txt", etag)
    return _noted(request, answer, "list_changes", f"{since}-{head.version}")


@api.post(
    "/hot-list/reports",
    response={200: Thanks, **REFUSALS},
    summary="回报机具所用的黑名单版本",
    operation_id="report",
)
def report(
    request: HttpRequest, told: Reported, key: str = Header("", alias="Idempotency-Key")
) -> HttpResponse:
    actor, credential = request.partner, request.credential  # type: ignore[attr-defined]
    newest = multiapp.head().version

    def answer() -> dict[str, Any]:
        multiapp.report_list(actor, credential, told.version, told.devices, told.behind, newest)
        return {"version": told.version, "newest": newest}

    body, again = multiapp.once(credential, key, _request(request), answer)
    return _json(request, "report", body, "again" if again else str(told.version))


@api.get(
    "/hot-list/key",
    response={200: str, **REFUSALS},
    summary="验签公钥（PEM）；指纹请与市级运营电话核对",
    operation_id="hot_list_key",
    openapi_extra=answers(KEY_TYPE),
)
def hot_list_key(request: HttpRequest) -> HttpResponse:
    public = multiapp.public_key()
    answer = HttpResponse(public.to_pem(), content_type=KEY_TYPE)
    answer.headers["Xueka-Fingerprint"] = public.fingerprint
    return _noted(request, answer, "key")


def _told(number: str, found: multiapp.Validity) -> dict[str, str]:
    moment = clock.local(found.checked_at).isoformat(timespec="seconds")
    return {"number": number, "state": found.state, "checked_at": moment}


def _request(request: HttpRequest) -> bytes:
    return b"\n".join([str(request.method).encode(), request.path.encode(), request.body])


def _unchanged(request: HttpRequest, etag: str) -> HttpResponse | None:
    if request.headers.get("If-None-Match") != etag:
        return None
    return HttpResponse(status=304, headers={"ETag": etag})


def _stream(lines: Iterator[bytes], name: str, etag: str) -> StreamingHttpResponse:
    answer = StreamingHttpResponse(lines, content_type=LIST_TYPE)
    answer.headers["ETag"] = etag
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _json(request: HttpRequest, what: str, body: dict[str, Any], outcome: str = "") -> HttpResponse:
    answer = JsonResponse(body, json_dumps_params={"ensure_ascii": False})
    return _noted(request, answer, what, outcome)


Answered = TypeVar("Answered", bound=HttpResponseBase)


def _noted(
    request: HttpRequest, answer: Answered, what: str, outcome: str = "", card: int | None = None
) -> Answered:
    """The line of this call, and how many are left in this minute."""
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.headers["Xueka-Calls-Left"] = str(request.left)  # type: ignore[attr-defined]
    _note(request, answer.status_code, outcome, what, card)
    return answer


def _note(request: HttpRequest, status: int, outcome: str, what: str = "", card: int | None = None) -> None:
    credential = getattr(request, "credential", None)
    if credential is None:
        return
    match = request.resolver_match
    name = what or (match.url_name if match and match.url_name else "")
    multiapp.note(credential, name[:24], status, outcome=outcome, card=card, address=client_address(request))


def _is_here(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _unknown() -> JsonResponse:
    return problem(
        401,
        "CREDENTIAL_WRONG",
        "凭证号或密码不对，或凭证已失效。",
        "请核对；换发过的请改用新的凭证。",
        headers={"WWW-Authenticate": 'Basic realm="xueka", charset="UTF-8"'},
    )
