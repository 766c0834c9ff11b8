"""One embedded server per test run, one database per process; tests connect as the application role."""

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg
import pytest
from django.db import connection, connections
from psycopg import sql

from tests.support.softhsm import softhsm_token
from xueka.platform.database import address, migrate, server
from xueka.platform.database.address import Role

__all__ = ["softhsm_token"]  # here, so that a process has one: the module reads its settings only once

# A run that is told to end (`timeout`, a cancelled job) ends as by Ctrl-C: fixtures stop what they started.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGTERM, signal.default_int_handler)

os.environ.pop("DJANGO_SETTINGS_MODULE")  # ours are loaded; commands that a test starts use the real ones


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: pytest.FixtureRequest, worker_id: str) -> Iterator[None]:
    """Replaces pytest-django's: the owner makes and migrates the database, the application role uses it."""
    name = f"test_xueka_{worker_id}"
    with server.hold(), django_db_blocker.unblock():
        administrator = Role.OWNER if address.external_url() else Role.ADMINISTRATOR
        with psycopg.connect(**address.parameters(administrator, "postgres"), autocommit=True) as maker:
            maker.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            owner = sql.Identifier(address.parameters(Role.OWNER)["user"])
            maker.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), owner))
            connection.settings_dict.update(NAME=name)
            migrate.prepare(name)
            _allow_truncate(name)
            # On the class: beside Playwright's loop a test may meet a connection object of its own.
            type(connection.ops).execute_sql_flush = lambda _, statements: _flush_as_owner(name, statements)
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


def _flush_as_owner(name: str, statements: Sequence[str]) -> None:
    """Emptying all tables after a `transaction=True` test is beyond the application role, and rightly so."""
    with psycopg.connect(**address.parameters(Role.OWNER, name)) as owner:
        for statement in statements:
            owner.execute(statement)
        queue = owner.execute(
            "SELECT tablename FROM pg_tables WHERE tablename LIKE 'procrastinate%'"
        ).fetchall()
        listed = sql.SQL(", ").join(sql.Identifier(table) for (table,) in queue)
        owner.execute(sql.SQL("TRUNCATE {} CASCADE").format(listed))
