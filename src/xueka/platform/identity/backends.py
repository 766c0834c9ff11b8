"""Log-in attempts: counted by django-axes, checked by Django, and refused ones audited.

They run outside any transaction of the page, so that a refused attempt leaves its trace.
"""

from typing import Any

from axes.backends import AxesStandaloneBackend
from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.addresses import client_address
from xueka.platform.identity.models import User


class LockOut(AxesStandaloneBackend):
    """Stands first: five failures in 15 minutes lock user and address for 15."""

    def authenticate(self, request: HttpRequest, username: str | None = None, **credentials: Any) -> None:
        try:
            super().authenticate(request, username=username, **credentials)
        except PermissionDenied:
            _refused(request, username, "locked")
            raise


class Password(ModelBackend):
    """User name and password; a deactivated user is nobody, also in the middle of a session."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **other: Any,
    ) -> User | None:
        user = super().authenticate(request, username=username, password=password, **other)
        if user is not None and user.awaits_activation:
            user = None
        if user is None and request is not None:
            _refused(request, username, "wrong")
        return user


def _refused(request: HttpRequest, username: str | None, why: str) -> None:
    """A name that is no user's is not kept: people type passwords into the wrong field."""
    known = User.objects.filter(username=username or "").first()
    actor = Actor.nobody(client_address(request))
    record(
        actor,
        "session.log_in",
        "user",
        known.username if known else "",
        result="refused",
        detail={"why": why},
    )
