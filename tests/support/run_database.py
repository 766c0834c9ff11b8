"""Processes beside a test that work on the run's own server: a new one, migrated, costs more than a test."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import psycopg
from django.db import connection
from psycopg import sql

from xueka.platform.database import address, migrate
from xueka.platform.database.address import Role


def template() -> str:
    """The migrated database that those of the run's processes are copies of (tests/conftest.py)."""
    return f"test_xueka_{migrate.fingerprint()[:12]}"


def environment(**more: str) -> dict[str, str]:
    """For a process whose database is this test's, and its keys too. The test must commit its rows."""
    return _environment(connection.settings_dict["NAME"], more)


@contextmanager
def another(name: str, **more: str) -> Iterator[dict[str, str]]:
    """An empty database of its own; the environment of processes that work in it. `more` names their home."""
    name = f"{connection.settings_dict['NAME']}_{name}"
    administrator = Role.OWNER if address.external_url() else Role.ADMINISTRATOR
    owner = sql.Identifier(address.parameters(Role.OWNER)["user"])
    made = sql.Identifier(name)
    with psycopg.connect(**address.parameters(administrator, "postgres"), autocommit=True) as maker:
        maker.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(made))
        copy = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}")
        maker.execute(copy.format(made, owner, sql.Identifier(template())))
        try:
            yield _environment(name, more)
        finally:
            maker.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(made))


def _environment(name: str, more: dict[str, str]) -> dict[str, str]:
    found = {**os.environ, "DJANGO_SETTINGS_MODULE": "xueka.config.settings", **more}
    found["DATABASE_URL"] = _url(Role.APPLICATION, name)
    found["DATABASE_OWNER_URL"] = _url(Role.OWNER, name)
    return found


def _url(role: Role, name: str) -> str:
    known = address.parameters(role, name)
    who = f"{quote(known['user'], safe='')}:{quote(known.get('password', ''), safe='')}"
    where = f"{quote(known['host'], safe='')}:{known.get('port', '')}"
    return f"postgresql://{who}@{where}/{quote(known['dbname'], safe='')}"
