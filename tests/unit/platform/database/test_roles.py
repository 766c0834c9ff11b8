"""What the database refuses to each role, and how a database is brought up to date."""

import psycopg
import pytest
from django.core.management import call_command
from django.db import ProgrammingError, connection, transaction
from psycopg import errors

from xueka.platform.database import address, migrate
from xueka.platform.database.address import Role
from xueka.platform.database.roles import append_only_tables

pytestmark = pytest.mark.django_db


def test_the_application_cannot_change_what_is_append_only() -> None:
    tables = append_only_tables()
    assert {"history_transition", "audit_entry", "audit_seal"} <= set(tables)
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT count(*) FROM {table}")
            cursor.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = %s", [table]
            )
            column = cursor.fetchone()[0]
            for statement in (
                f"UPDATE {table} SET {column} = {column}",
                f"DELETE FROM {table}",
                f"TRUNCATE {table}",
                f"DROP TABLE {table}",
            ):
                refusal = pytest.raises(ProgrammingError, match=r"permission denied|must be owner")
                with refusal, transaction.atomic():
                    cursor.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id int)",
        "ALTER TABLE identity_user ADD COLUMN back_door text",
        "DELETE FROM django_migrations",
        "SET ROLE xueka_owner",
        "COPY identity_user TO PROGRAM 'cat'",
    ],
)
def test_the_application_cannot_leave_its_part(statement: str) -> None:
    with connection.cursor() as cursor, pytest.raises(ProgrammingError), transaction.atomic():
        cursor.execute(statement)


def test_the_reader_reads_and_no_more() -> None:
    with psycopg.connect(**address.parameters(Role.READER, connection.settings_dict["NAME"])) as reader:
        reader.execute("SELECT count(*) FROM identity_user")
        with pytest.raises(errors.InsufficientPrivilege), reader.transaction():
            reader.execute("DELETE FROM identity_user")
        with pytest.raises(errors.InsufficientPrivilege):
            reader.execute("INSERT INTO database_cache VALUES ('a', 'b', now())")


def test_the_models_have_their_migrations() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_what_this_code_has_prepared_is_not_prepared_again(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(migrate, "prepare", lambda: calls.append("prepared"))
    migrate.prepare_if_needed()
    assert calls == []
    monkeypatch.setattr(migrate, "fingerprint", lambda: "of other code")
    migrate.prepare_if_needed()
    assert calls == ["prepared"]
