"""Hands of an intruder who owns the database: they bypass every right and every trigger of the tables."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from django.db import connection

from xueka.platform.database import address
from xueka.platform.database.address import Role

TABLES = ("audit_entry", "audit_seal")


@pytest.fixture
def tamper(transactional_db: None) -> Iterator[Callable[..., None]]:
    """Run statements as the owner, append-only triggers off; the foreign key is put back afterwards."""
    name = connection.settings_dict["NAME"]
    with psycopg.connect(**address.parameters(Role.OWNER, name), autocommit=True) as owner:
        key = owner.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = 'audit_seal'::regclass AND contype = 'f'"
        ).fetchone()[0]

        def run(*statements: str) -> None:
            with owner.transaction():
                for table in TABLES:
                    owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
                owner.execute(f'ALTER TABLE audit_seal DROP CONSTRAINT IF EXISTS "{key}"')
                for statement in statements:
                    owner.execute(statement)
                for table in TABLES:
                    owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
                    # tests/conftest.py has this one off, to empty the tables between tests
                    owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER audit_no_truncate")

        yield run
        owner.execute("TRUNCATE audit_entry, audit_seal, audit_unsealed")
        owner.execute(
            f'ALTER TABLE audit_seal ADD CONSTRAINT "{key}" FOREIGN KEY (entry_id)'
            " REFERENCES audit_entry (id) DEFERRABLE INITIALLY DEFERRED"
        )
