"""Who acts, on every request: `request.actor` (None when anonymous), `request.grant`, `request.grants`."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from xueka.platform.identity import sessions

#: Pages that are open to somebody who has yet to choose a new password.
WITHOUT_RENEWAL = frozenset({"password", "logout", "login", "logged_in_again", "session_token"})

_SAID = {
    "idle": "您有 30 分钟没有操作，请重新登录。",
    "absolute": "登录已满 12 小时，请重新登录。",
    "revoked": "您的角色已变更，请重新登录。",
}


class StaffSessionMiddleware:
    """Stands after Django's authentication."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.presence = present = sessions.resume(request)
        request.actor, request.grant, request.grants = present.actor, present.grant, present.grants
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """Runs inside the other middleware: messages can be said here, and the address is resolved."""
        present = request.presence
        if present.ended:
            messages.info(request, _SAID[present.ended])
        if present.password_due and request.resolver_match.url_name not in WITHOUT_RENEWAL:
            return redirect("password")
        return None
