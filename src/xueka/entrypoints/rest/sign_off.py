"""Where Jingtong says that a citizen has left it: OpenID Connect Back-Channel Logout 1.0
(docs/interfaces/jingtong.md §4).
"""

from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_POST

from xueka.contexts.families import api as families
from xueka.entrypoints.rest.limits import machine_view
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.addresses import client_address

REFUSED_A_MINUTE = 60
_NOT_KEPT = {"Cache-Control": "no-store"}


@machine_view
@require_POST
def over(request: HttpRequest) -> HttpResponse:
    """POST /api/jingtong/logout, a form with `logout_token`."""
    name = f"logout-refused:{client_address(request)}"
    if (cache.get(name) or 0) > REFUSED_A_MINUTE:
        return _refused(429, "too many refused")
    try:
        told = families.hear_over(request.POST.get("logout_token", ""))
    except families.SignOnFailed as error:
        cache.add(name, 0, timeout=60)
        cache.incr(name)
        return _refused(400, error.code)
    with transaction.atomic():
        families.leave(Actor.system("jingtong"), told)
    return HttpResponse(status=200, headers=_NOT_KEPT)


def _refused(status: int, why: str) -> JsonResponse:
    told = {"error": "invalid_request", "error_description": why}
    return JsonResponse(told, status=status, headers=_NOT_KEPT)
