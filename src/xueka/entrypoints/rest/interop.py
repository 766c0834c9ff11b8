"""Where counterparts send their messages and files: the body as it comes, its signature instead of a session.

docs/interfaces/exchange.md is the contract. An acceptance says *kept*; applying is the worker's.
"""

from collections.abc import Callable
from functools import wraps

from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from xueka.contexts.interop import api as interop
from xueka.entrypoints.rest.limits import machine_view
from xueka.entrypoints.rest.problems import problem, refusal
from xueka.kernel.errors import BadInput, Conflict, NotFound, Refused, XuekaError
from xueka.kernel.foreign import json_of
from xueka.platform.exchange import receiving
from xueka.platform.exchange.counterparts import Counterpart, counterpart
from xueka.platform.identity.addresses import client_address

REFUSED_A_MINUTE = 60

Work = Callable[[HttpRequest, Counterpart, str], HttpResponse]


def _door(method: str) -> Callable[[Work], Callable[..., HttpResponse]]:
    """The counterpart of the address; refusals as problems; strangers who try too often are put off."""

    def make(work: Work) -> Callable[..., HttpResponse]:
        @wraps(work)
        def view(request: HttpRequest, code: str, name: str = "") -> HttpResponse:
            if request.method != method:
                return problem(405, "METHOD_WRONG", f"这个地址只接受 {method}。", headers={"Allow": method})
            tries = f"interop-refused:{client_address(request)}"
            if (cache.get(tries) or 0) > REFUSED_A_MINUTE:
                return problem(429, "TOO_MANY", "验证未通过的请求太多。", "请一分钟后再试。", retry_after=60)
            try:
                with transaction.atomic():
                    return work(request, counterpart(code), name)
            except (NotFound, Refused) as error:
                cache.add(tries, 0, timeout=60)
                cache.incr(tries)
                return refusal(request, error, status=404 if isinstance(error, NotFound) else 401)
            except (BadInput, Conflict) as error:
                if error.code == "COUNTERPART_FILE":  # ours to mend, and none of theirs to know
                    return problem(
                        503, "NOT_NOW", "暂时不能接收。", "请稍后再发。", headers={"Retry-After": "60"}
                    )
                return refusal(request, error, status=_status(error))

        return view

    return make


@machine_view
@_door("POST")
def message(request: HttpRequest, partner: Counterpart, name: str) -> HttpResponse:
    """POST /api/interop/v1/<code>/messages."""
    kept = receiving.receive(partner, request.headers, request.body)
    told = {"id": kept.message_id, "again": kept.again, "expected": kept.expected}
    return JsonResponse(told, status=200 if kept.again else 202)


@csrf_exempt
@_door("PUT")
def file(request: HttpRequest, partner: Counterpart, name: str) -> HttpResponse:
    """PUT /api/interop/v1/<code>/files/<sha256>."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdigit() or int(length) > receiving.LARGEST_FILE:
        limit = receiving.LARGEST_FILE >> 20
        return problem(413, "BODY_TOO_LARGE", "文件太大。", f"一个文件最多 {limit} MB。")
    new = receiving.receive_file(partner, name, request.headers, request.body)
    return HttpResponse(status=201 if new else 200)


@machine_view
@_door("POST")
def reconcile(request: HttpRequest, partner: Counterpart, name: str) -> HttpResponse:
    """POST /api/interop/v1/<code>/reconcile/<dataset>: the counterpart compares its records with ours."""
    receiving.authenticate(partner, request.headers, request.body)
    try:
        asked = json_of(request.body)
    except ValueError:
        asked = None
    if name not in partner.datasets:
        return problem(404, "DATASET_UNKNOWN", "没有这个数据集。", "请核对双方约定的数据集。")
    return JsonResponse(interop.answer(name, asked))


def _status(error: XuekaError) -> int:
    return 409 if isinstance(error, Conflict) else 400
