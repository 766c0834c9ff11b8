"""What the database refuses to each role."""

import pytest
from django.db import ProgrammingError, connection, transaction

from xueka.platform.database.roles import append_only_tables


@pytest.mark.django_db
def test_the_application_cannot_change_what_is_append_only() -> None:
    tables = append_only_tables()
    assert {"history_transition", "audit_entry", "audit_seal"} <= set(tables)
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT count(*) FROM {table}")
            for statement in (f"DELETE FROM {table}", f"TRUNCATE {table}", f"DROP TABLE {table}"):
                with (
                    pytest.raises(ProgrammingError, match=r"permission denied|must be owner"),
                    transaction.atomic(),
                ):
                    cursor.execute(statement)
            cursor.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = %s", [table]
            )
            column = cursor.fetchone()[0]
            with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
                cursor.execute(f"UPDATE {table} SET {column} = {column}")
