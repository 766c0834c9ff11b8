"""Bulk loading by COPY: the one fast way into PostgreSQL."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import sql


def copy_rows(
    connection: BaseDatabaseWrapper,
    table: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    types: Sequence[str] | None = None,
) -> int:
    """Append `rows` to `table` in the caller's transaction; returns how many.

    With `types` (PostgreSQL type names, one per column, e.g. `["int8", "text", "bytea"]`) the rows travel in
    the binary format, which is faster and needs values of exactly those types; without, as text.
    """
    statement = sql.SQL("COPY {} ({}) FROM STDIN{}").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(" (FORMAT BINARY)" if types else ""),
    )
    count = 0
    with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(statement) as copy:
        if types:
            copy.set_types(types)
        for count, row in enumerate(rows, start=1):  # noqa: B007 - the last number is the answer
            copy.write_row(row)
    return count
