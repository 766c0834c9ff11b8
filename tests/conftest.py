"""One embedded server per test run, one database per process; tests connect as the application role."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import connection, connections
from django.test import TransactionTestCase
from psycopg import sql

from tests.support import run_database
from tests.support.softhsm import softhsm_token
from xueka.platform.database import address, migrate, server
from xueka.platform.database.address import Role

__all__ = ["softhsm_token"]  # here, so that a process has one: the module reads its settings only once

# A run that is told to end (`timeout`, a cancelled job) ends as by Ctrl-C: fixtures stop what they started.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGTERM, signal.default_int_handler)

KEPT_TABLES = {"django_migrations", "django_content_type", "auth_permission"}

os.environ.pop("DJANGO_SETTINGS_MODULE")  # ours are loaded; commands that a test starts use the real ones


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: pytest.FixtureRequest, worker_id: str) -> Iterator[None]:
    """Replaces pytest-django's: the owner makes and migrates the database, the application role uses it.

    It is migrated once a run: the processes have copies. On a server elsewhere the owner must be a superuser.
    """
    name, template = f"test_xueka_{worker_id}", run_database.template()
    with server.hold(), django_db_blocker.unblock():
        administrator = Role.OWNER if address.external_url() else Role.ADMINISTRATOR
        with psycopg.connect(**address.parameters(administrator, "postgres"), autocommit=True) as maker:
            maker.execute("SELECT pg_advisory_lock(%s)", [migrate.ADVISORY_LOCK])  # one of them migrates
            owner = sql.Identifier(address.parameters(Role.OWNER)["user"])
            if not maker.execute("SELECT 1 FROM pg_database WHERE datname = %s", [template]).fetchone():
                maker.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(template), owner))
            migrate.prepare(template)
            _allow_truncate(template)
            maker.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            copy = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}")
            maker.execute(copy.format(sql.Identifier(name), owner, sql.Identifier(template)))
            maker.execute("SELECT pg_advisory_unlock_all()")
            connection.settings_dict.update(NAME=name)
            with psycopg.connect(**address.parameters(administrator, name), autocommit=True) as emptier:
                TransactionTestCase._fixture_teardown = lambda _: _empty(emptier)
                yield
            connections.close_all()
            maker.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """A command run inside a test makes its process private; the next test begins as a login shell does."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture(autouse=True)
def audit_head(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The chain's head of one test is no head of the next one, whose audit log is empty again."""
    path = tmp_path_factory.getbasetemp() / "audit" / "head.json"
    path.unlink(missing_ok=True)
    monkeypatch.setattr("xueka.platform.audit.head.path", lambda: path)
    return path


@pytest.fixture(autouse=True)
def key_stores(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Test processes share a home, but not the local master keys of what stands in their databases."""
    path = tmp_path_factory.getbasetemp() / "key-stores"
    monkeypatch.setattr("xueka.contexts.keys.services.stores.root", lambda: path)
    return path


def _allow_truncate(name: str) -> None:
    """Append-only tables refuse TRUNCATE even to their owner; only a test run may empty them."""
    with psycopg.connect(**address.parameters(Role.OWNER, name)) as owner:
        for table, trigger in owner.execute(
            "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE tgname LIKE '%no_truncate'"
        ).fetchall():
            statement = sql.SQL("ALTER TABLE {} DISABLE TRIGGER {}")
            owner.execute(statement.format(sql.Identifier(table), sql.Identifier(trigger)))


def _empty(administrator: psycopg.Connection) -> None:
    """After a `transaction=True` test, whose rows were committed; beyond the application, and rightly so.

    As a replica does it: without foreign keys and the triggers of append-only tables. Django's way, TRUNCATE
    of all tables, makes a new file for each and all caches worthless, which costs more than most tests.
    """
    with administrator.transaction():
        administrator.execute("SET LOCAL session_replication_role = replica")
        found = administrator.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        tables = [table for (table,) in found if table not in KEPT_TABLES]
        listed = sql.SQL(", ").join(map(sql.Identifier, tables))
        administrator.execute(sql.SQL("LOCK TABLE {}").format(listed))  # whoever still writes comes to an end
        filled = administrator.execute(
            "SELECT name FROM unnest(%s::text[]) AS name WHERE pg_relation_size(name::regclass) > 0", [tables]
        )
        for (table,) in filled.fetchall():
            administrator.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
