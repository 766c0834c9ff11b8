"""Where couriers push what became of parcels: the body as it comes (docs/interfaces/couriers.md §2.7, §3.2).

What cannot be believed is kept sealed and judged; addresses that send it, or what is about no parcel of ours,
again and again, are put off.
"""

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from xueka.contexts.couriers import api as couriers
from xueka.entrypoints.rest.limits import machine_view
from xueka.entrypoints.rest.problems import problem
from xueka.kernel.errors import NotFound, Refused
from xueka.platform.identity.addresses import client_address

REFUSED_A_MINUTE = 60


@machine_view
@require_POST
def push(request: HttpRequest, courier: str) -> HttpResponse:
    """POST /api/couriers/<courier>/push."""
    name = f"push-refused:{client_address(request)}"
    if (cache.get(name) or 0) > REFUSED_A_MINUTE:
        return problem(429, "TOO_MANY", "验证未通过的推送太多。", "请一分钟后再试。", retry_after=60)
    try:
        status, body, kind, ours = couriers.take_push(
            courier, request.headers.get("Content-Type", ""), request.body
        )
    except NotFound as error:
        return problem(404, error.code, error.message)
    except Refused as error:
        return problem(413, error.code, error.message)
    if not ours:
        cache.add(name, 0, timeout=60)
        cache.incr(name)
    return HttpResponse(body, status=status, content_type=kind)
