"""A log whose entries are really committed, and the hands of an intruder who owns the database."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import psycopg
import pytest
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker

from xueka.platform.database import address
from xueka.platform.database.address import Role

TABLES = ("audit_entry", "audit_seal")
FOREIGN_KEYS = """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
                   WHERE confrelid = 'audit_entry'::regclass AND contype = 'f'"""


def as_owner() -> AbstractContextManager[psycopg.Connection[Any]]:
    name = connection.settings_dict["NAME"]
    return psycopg.connect(**address.parameters(Role.OWNER, name), autocommit=True)


@pytest.fixture
def log(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Commits for real, and empties the three tables afterwards, which is quicker than emptying all."""
    with django_db_blocker.unblock():
        yield
        with as_owner() as owner:
            owner.execute("TRUNCATE audit_entry, audit_seal, audit_unsealed CASCADE")


@pytest.fixture
def tamper(log: None) -> Iterator[Callable[..., None]]:
    """Run statements as the owner, append-only triggers off; the foreign keys are put back afterwards."""
    with as_owner() as owner:
        keys = owner.execute(FOREIGN_KEYS).fetchall()

        def run(*statements: str) -> None:
            with owner.transaction():
                for table in TABLES:
                    owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
                for table, key, _ in keys:
                    owner.execute(f'ALTER TABLE {table} DROP CONSTRAINT IF EXISTS "{key}"')
                for statement in statements:
                    owner.execute(statement)
                for table in TABLES:
                    owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
                    # tests/conftest.py has this one off, to empty the tables between tests
                    owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER audit_no_truncate")

        yield run
        owner.execute("TRUNCATE audit_entry, audit_seal, audit_unsealed CASCADE")
        for table, key, definition in keys:
            owner.execute(f'ALTER TABLE {table} DROP CONSTRAINT IF EXISTS "{key}"')
            owner.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{key}" {definition}')
