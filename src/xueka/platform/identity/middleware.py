"""Who acts, on every request: `request.actor` (None when anonymous), `request.grant`, `request.grants`."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from xueka.platform.identity import sessions
from xueka.platform.identity.sessions import Presence, StaffRequest

#: Pages that are open to somebody who has yet to choose a new password or to show her second factor.
WITHOUT_RENEWAL = frozenset({"password", "logout", "login", "logged_in_again", "session_token"})
WITHOUT_FACTOR = WITHOUT_RENEWAL | {"factor", "confirm"}

#: Where the machine interfaces begin.
MACHINES = "/api/"

_SAID = {
    "idle": "您有 30 分钟没有操作，请重新登录。",
    "absolute": "登录已满 12 小时，请重新登录。",
    "revoked": "您的角色已变更，请重新登录。",
}


class StaffSessionMiddleware:
    """Stands after Django's authentication."""

    def __init__(self, get_response: Callable[[StaffRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: StaffRequest) -> HttpResponse:
        # Programs come without a session; one that a browser sends along has no say there.
        machine = request.path.startswith(MACHINES)
        request.presence = present = Presence() if machine else sessions.resume(request)
        request.actor = present.actor  # type: ignore[assignment]  # None for nobody, see StaffRequest
        request.grant, request.grants = present.grant, present.grants
        return self.get_response(request)

    def process_view(
        self, request: StaffRequest, view: Callable[..., HttpResponse], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """Runs inside the other middleware: messages can be said here, and the address is resolved."""
        present = request.presence
        if present.ended:
            messages.info(request, _SAID[present.ended])
        match = request.resolver_match
        page = match.url_name if match else None
        if present.password_due and page not in WITHOUT_RENEWAL:
            return redirect("password")
        if present.factor_due and page not in WITHOUT_FACTOR:
            return redirect("factor")
        needed = getattr(view, "permission", None)
        may = present.actor is not None and (needed is None or present.actor.may(needed))
        sensitive = match is not None and match.view_name in settings.PROVED_FOR
        if (
            sensitive
            and may
            and present.actor
            and request.method == "POST"
            and not sessions.is_fresh(request)
        ):
            messages.info(request, "这一步很要紧：请先确认是您本人，再办一次。")
            came_from = urlsplit(request.headers.get("Referer", ""))
            query = urlencode({"next": f"{came_from.path}?{came_from.query}" if came_from.path else "/"})
            return redirect(f"{reverse('confirm')}?{query}")
        return None
