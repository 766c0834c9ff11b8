"""Who connects where: the three roles, and the connection parameters of each.

With `DATABASE_URL` the server is somebody else's; without it the embedded one under `XUEKA_HOME` is used.
See docs/adr/0002 for the roles and docs/adr/0001 for the embedded server.
"""

import os
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from xueka.platform.database import home, location

DATABASE = "xueka"


class Role(StrEnum):
    """A database role. `ADMINISTRATOR` exists only on the embedded server and is never used to serve."""

    ADMINISTRATOR = "postgres"
    OWNER = "xueka_owner"
    APPLICATION = "xueka_application"
    READER = "xueka_reader"


def external_url() -> str:
    """`DATABASE_URL`, or empty when the embedded server is to be used."""
    return os.environ.get("DATABASE_URL", "")


def parameters(role: Role, database: str | None = None) -> dict[str, Any]:
    """libpq parameters (`host`, `port`, `user`, `password`, `dbname`, `options`, …), all text, for `role`."""
    if not external_url():
        return {
            "host": str(location.place().socket_directory),
            "port": str(location.PORT),
            "user": role.value,
            "password": home.secret(f"database-{role.name.lower()}"),
            "dbname": database or DATABASE,
        }
    owner_url = os.environ.get("DATABASE_OWNER_URL", "")
    found = parse_url(owner_url if owner_url and role is not Role.APPLICATION else external_url())
    if database:
        found["dbname"] = database
    if role is Role.READER or (role is Role.APPLICATION and not owner_url):
        found["options"] = f"{found.get('options', '')} -c role={role.value}".strip()
    return found


def application_role_name() -> str:
    """The role that grants are given to: the user of `DATABASE_URL` if a separate owner is configured."""
    if external_url() and os.environ.get("DATABASE_OWNER_URL"):
        return parse_url(external_url())["user"]
    return Role.APPLICATION.value


def django_settings() -> dict[str, Any]:
    """`DATABASES["default"]`: the application role. Migrations borrow the owner's (migrate.py)."""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "ATOMIC_REQUESTS": False,
        "CONN_MAX_AGE": 300,
        "CONN_HEALTH_CHECKS": True,
        **django_connection(parameters(Role.APPLICATION)),
    }


def django_connection(found: dict[str, str]) -> dict[str, Any]:
    """libpq parameters under the names that Django's settings use."""
    known = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}
    settings: dict[str, Any] = {name: found.get(key, "") for key, name in known.items()}
    settings["OPTIONS"] = {key: value for key, value in found.items() if key not in known}
    return settings


def parse_url(url: str) -> dict[str, str]:
    """`postgresql://user:password@host:port/name?option=value` as libpq parameters."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ValueError("DATABASE_URL: expected postgresql://user:password@host:port/name")
    found = {
        "host": unquote(parts.hostname or ""),
        "port": str(parts.port or ""),
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "dbname": unquote(parts.path.lstrip("/")) or DATABASE,
    }
    return {key: value for key, value in {**found, **dict(parse_qsl(parts.query))}.items() if value}
