"""Columns that hold field-encryption envelopes, and putting their rows under the present field key.

A model says which they are by its field, `SealedField`; nothing else has to know. What is left to do is what
the rows say: the head of each envelope names its key version.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connection, models
from psycopg import sql

from xueka.platform.crypto import fields
from xueka.platform.crypto.keyring import keyring

PIECE = 200  # rows in one transaction; a column with large rows says less


class SealedField(models.BinaryField):
    """An envelope of `crypto.fields`. `when`: SQL that is true for the rows in which it is one.

    In the database, and so for migrations, it is bytes like any other.
    """

    def __init__(self, *args: Any, when: str = "", piece: int = PIECE, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.when, self.piece = when, piece

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.BinaryField", args, kwargs


@dataclass(frozen=True, slots=True)
class SealedColumn:
    table: str
    key: str
    column: str
    when: str
    piece: int

    def sealed(self) -> sql.Composed:
        """The condition for a row that holds an envelope."""
        when = sql.SQL(self.when or "true")  # type: ignore[arg-type]  # written in a model, not by anybody
        return sql.SQL("{} IS NOT NULL AND {}").format(sql.Identifier(self.column), when)


def sealed_columns() -> list[SealedColumn]:
    """All of them, by table."""
    found = [
        SealedColumn(
            model._meta.db_table, str(model._meta.pk.column), str(field.column), field.when, field.piece
        )
        for model in apps.get_models()
        for field in model._meta.local_concrete_fields
        if isinstance(field, SealedField)
    ]
    return sorted(found, key=lambda each: (each.table, each.column))


def append_only_columns(tables: Sequence[str]) -> list[SealedColumn]:
    """Those of append-only tables: an envelope may be made anew there, and nothing else (docs/adr/0117)."""
    return [each for each in sealed_columns() if each.table in tables]


def left() -> int:
    """How many envelopes are under another version than the present one."""
    head, total = fields.head(keyring().present), 0
    with connection.cursor() as cursor:
        for each in sealed_columns():
            asked = sql.SQL("SELECT count(*) FROM {} WHERE {} AND substring({} FROM 1 FOR 3) <> %s")
            named = (sql.Identifier(each.table), each.sealed(), sql.Identifier(each.column))
            cursor.execute(asked.format(*named), [head])
            total += cursor.fetchone()[0]
    return total


def reseal(each: SealedColumn, after: int) -> tuple[int | None, int]:
    """Make up to a piece of envelopes anew under the present version, in the caller's transaction.

    `after` is the last row looked at (0 at first). Returns where to go on (None at the end) and how many it
    were. Rows that somebody holds are passed over: a later pass finds them, and nobody ever waits for us.
    """
    head = fields.head(keyring().present)
    column, key = sql.Identifier(each.column), sql.Identifier(each.key)
    asked = sql.SQL(
        "SELECT {key}, {column} FROM {table} WHERE {key} > %s AND {sealed}"
        " AND substring({column} FROM 1 FOR 3) <> %s ORDER BY {key} LIMIT %s FOR UPDATE SKIP LOCKED"
    )
    change = sql.SQL(
        "UPDATE {table} SET {column} = made.envelope FROM unnest(%s::bigint[], %s::bytea[])"
        " AS made (id, envelope) WHERE {table}.{key} = made.id"
    )
    named = {"table": sql.Identifier(each.table), "column": column, "key": key, "sealed": each.sealed()}
    with connection.cursor() as cursor:
        cursor.execute(asked.format(**named), [after, head, each.piece])
        rows = cursor.fetchall()
        if not rows:
            return None, 0
        ids = [row[0] for row in rows]
        made = fields.seal_many([fields.open_bytes(row[1]) for row in rows])
        cursor.execute(change.format(**named), [ids, made])
    return ids[-1], len(rows)
