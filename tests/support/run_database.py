"""Processes beside a test that work in the run's own database: a new one costs more than a test."""

import os
from urllib.parse import quote

from django.db import connection

from xueka.platform.database import address
from xueka.platform.database.address import Role


def environment(**more: str) -> dict[str, str]:
    """For a process whose database is this test's, and its keys too. The test must commit its rows."""
    found = {**os.environ, "DJANGO_SETTINGS_MODULE": "xueka.config.settings", **more}
    found["DATABASE_URL"] = _url(Role.APPLICATION)
    found["DATABASE_OWNER_URL"] = _url(Role.OWNER)
    return found


def _url(role: Role) -> str:
    known = address.parameters(role, connection.settings_dict["NAME"])
    who = f"{quote(known['user'], safe='')}:{quote(known.get('password', ''), safe='')}"
    where = f"{quote(known['host'], safe='')}:{known.get('port', '')}"
    return f"postgresql://{who}@{where}/{quote(known['dbname'], safe='')}"
