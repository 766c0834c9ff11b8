"""Where the gateway for short messages tells what became of them (docs/interfaces/messages.md §5)."""

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string
from django.views.decorators.http import require_POST

from xueka.entrypoints.rest.limits import machine_view
from xueka.entrypoints.rest.problems import problem
from xueka.kernel.errors import BadInput, Refused
from xueka.platform.identity.addresses import client_address
from xueka.platform.messages import hearing
from xueka.platform.messages.ports import Gateway

REFUSED_A_MINUTE = 60


@machine_view
@require_POST
def reports(request: HttpRequest) -> HttpResponse:
    """POST /api/messages/reports: 204 once they are kept."""
    name = f"report-refused:{client_address(request)}"
    if (cache.get(name) or 0) > REFUSED_A_MINUTE:
        return problem(429, "TOO_MANY", "验证未通过的推送太多。", "请一分钟后再试。", retry_after=60)
    gateway: Gateway | None = import_string(settings.MESSAGE_GATEWAY)()
    if gateway is None:
        return problem(404, "GATEWAY_UNKNOWN", "本系统没有接短信网关。")
    try:
        found = gateway.reports(request.get_full_path(), request.headers, request.body)
    except Refused as error:
        cache.add(name, 0, timeout=60)
        cache.incr(name)
        return problem(401, error.code, error.message)
    except BadInput as error:
        return problem(400, error.code, error.message)
    with transaction.atomic():
        hearing.hear(found)
    return HttpResponse(status=204)
