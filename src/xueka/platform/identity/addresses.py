"""Where a request comes from."""

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The address of the browser; behind our proxy (XUEKA_HTTPS=1) the one that the proxy saw.

    Only the last part of X-Forwarded-For is the proxy's own; the rest is whatever the client wrote.
    """
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "") if settings.HTTPS else ""
    return forwarded.rsplit(",", 1)[-1].strip() or request.META.get("REMOTE_ADDR", "")
