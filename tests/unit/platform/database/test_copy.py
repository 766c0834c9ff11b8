"""Bulk loading."""

from collections.abc import Iterator

import pytest
from django.db import DataError, connection

from xueka.platform.database.copy import copy_rows

ROWS = [(1, "王小明", b"\x00\xff"), (2, "tab\tand\nline\\", None)]


@pytest.fixture
def table(db: None) -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE bulk (id bigint NOT NULL, name text, content bytea) ON COMMIT DROP"
        )
    yield "bulk"


def _stored(table: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, name, content FROM {table} ORDER BY id")
        return cursor.fetchall()


@pytest.mark.parametrize("types", [None, ["int8", "text", "bytea"]])
def test_rows_arrive_as_they_were(table: str, types: list[str] | None) -> None:
    assert copy_rows(connection, table, ["id", "name", "content"], iter(ROWS), types=types) == 2
    assert _stored(table) == ROWS


def test_no_rows_are_no_error(table: str) -> None:
    assert copy_rows(connection, table, ["id"], []) == 0


def test_one_bad_row_refuses_all(table: str) -> None:
    with pytest.raises(DataError):
        copy_rows(connection, table, ["id"], [(1,), ("two",)])
