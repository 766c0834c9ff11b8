"""Where payment channels send their notices: the body as it comes, its signature instead of a session.

Whatever is no notice of a channel of ours is refused before it is kept; addresses that are refused again and
again are put off (docs/adr/0171).
"""

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from xueka.contexts.payments import api as payments
from xueka.entrypoints.rest.limits import machine_view
from xueka.entrypoints.rest.problems import problem
from xueka.kernel.errors import NotFound, Refused
from xueka.platform.identity.addresses import client_address

REFUSED_A_MINUTE = 60


@machine_view
@require_POST
def notice(request: HttpRequest, channel: str) -> HttpResponse:
    """POST /api/pay/<channel>/notice."""
    name = f"notice-refused:{client_address(request)}"
    if (cache.get(name) or 0) > REFUSED_A_MINUTE:
        return problem(429, "TOO_MANY", "验证未通过的通知太多。", "请一分钟后再试。", retry_after=60)
    try:
        status, body, kind = payments.take_notice(channel, request.headers, request.body)
    except NotFound as error:
        return problem(404, error.code, error.message)
    except Refused as error:
        return problem(413, error.code, error.message)
    if status >= 400 or body == b"failure":
        cache.add(name, 0, timeout=60)
        cache.incr(name)
    return HttpResponse(body, status=status, content_type=kind)
