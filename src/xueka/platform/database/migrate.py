"""Bring the database's shape up to date, as its owner."""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

import psycopg
from django.apps import apps
from django.core.management import call_command
from django.db import connection, connections
from psycopg import sql

from xueka.platform.crypto.sealed_columns import append_only_columns
from xueka.platform.database import address, roles
from xueka.platform.database.address import Role

ADVISORY_LOCK = 0x5855454B  # "XUEK": two starts at once migrate one after the other


@contextlib.contextmanager
def as_owner(database: str | None = None) -> Iterator[None]:
    """Django's default connection is the owner's inside this block; nothing else may use it meanwhile."""
    before = dict(connection.settings_dict)
    connections["default"].close()
    connection.settings_dict.update(address.django_connection(address.parameters(Role.OWNER, database)))
    try:
        yield
    finally:
        connections["default"].close()
        connection.settings_dict.clear()
        connection.settings_dict.update(before)


def prepare(database: str | None = None, *, verbosity: int = 0) -> None:
    """Roles, migrations, grants; safe to repeat, quick when there is nothing to do."""
    with psycopg.connect(**address.parameters(Role.OWNER, database), autocommit=True) as owner:
        owner.execute("SELECT pg_advisory_lock(%s)", [ADVISORY_LOCK])
        roles.ensure_roles(owner)
        with as_owner(database):
            call_command("migrate", interactive=False, verbosity=verbosity)
        with owner.transaction():
            roles.grant_roles(owner)
            note = sql.SQL("COMMENT ON TABLE django_migrations IS {}").format(sql.Literal(fingerprint()))
            owner.execute(note)


def prepare_if_needed() -> None:
    """`prepare`, unless the database says that exactly this code has prepared it: one query, then."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT obj_description(to_regclass('public.django_migrations'))")
        if cursor.fetchone() == (fingerprint(),):
            return
    prepare()


def fingerprint() -> str:
    """Of everything that `prepare` depends on: migrations, append-only tables, what is sealed in them."""
    tables = roles.append_only_tables()
    digest = hashlib.sha256("\n".join([*tables, *map(str, append_only_columns(tables))]).encode())
    for config in apps.get_app_configs():
        for path in sorted(Path(config.path, "migrations").glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
