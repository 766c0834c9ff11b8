"""Filling tables in sets, on tables that have laid their keys and indexes aside meanwhile.

Django's default connection is the owner's here (`migrate.as_owner`), in every thread.
"""

import contextlib
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from functools import partial
from typing import Any

from django.apps import apps
from django.db import connection, models, transaction
from django.db.models import NOT_PROVIDED

Job = Callable[[], object]

#: Fewer rows than this are filled faster with their indexes in place.
WORTH_IT = 100_000


def execute(statement: str) -> int:
    """Run one statement; returns how many rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return max(cursor.rowcount, 0)


def rows(query: str) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def one(query: str) -> Any:
    """The single value of a query."""
    return rows(query)[0][0]


def workshop(name: str, select: str) -> None:
    """A table of our own, without a log and with statistics; `tidy` removes it."""
    execute(f"CREATE UNLOGGED TABLE city_{name} AS {select}")
    execute(f"ANALYZE city_{name}")


def tidy() -> None:
    """Remove the workshop's tables."""
    for (name,) in rows("SELECT tablename FROM pg_tables WHERE tablename LIKE 'city\\_%'"):
        execute(f'DROP TABLE "{name}"')


def fill(label: str, source: str, **columns: str) -> int:
    """Rows for a model (`app.Model`): `columns` are SQL expressions over `source` (FROM … and what follows).

    Fields that are not named get their default, so that a field that a model gains later needs no change
    here; a field without default must be named.
    """
    model, given = apps.get_model(label), dict(columns)
    for field in model._meta.concrete_fields:
        column = str(field.column)
        has_own = field.null or field.primary_key or field.db_default is not NOT_PROVIDED
        if column not in given and not has_own:
            given[column] = _literal(field)
    names = ", ".join(f'"{name}"' for name in given)
    return execute(
        f'INSERT INTO "{model._meta.db_table}" ({names}) SELECT {", ".join(given.values())} {source}'
    )


def restart(label: str) -> None:
    """The next id of a model follows the highest one."""
    table = apps.get_model(label)._meta.db_table
    execute(
        f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), greatest((SELECT max(id) FROM {table}), 1))"  # noqa: S608
    )


def dice(seed: int, purpose: str, key: str, sides: int = 10_000) -> str:
    """SQL for a throw from 0 to `sides` - 1 that depends on seed, purpose and the bigint `key` alone."""
    number = zlib.crc32(f"{seed}/{purpose}".encode())
    return f"((hashint8extended({key}, {number}) & 2147483647) % {sides})"


def mod_11_10(digits: str) -> str:
    """SQL for the check digit (ISO 7064 MOD 11,10) of an expression of eleven digits."""
    rest = "10"
    for place in range(1, 12):
        step = f"({rest} + substr({digits}, {place}, 1)::int) % 10"
        rest = f"(coalesce(nullif({step}, 0), 10) * 2 % 11)"
    return f"((11 - {rest}) % 10)"


def in_lanes(*lanes: Sequence[Job]) -> None:
    """Work through several rows of jobs side by side, each on a connection of its own."""
    if len(lanes) == 1:
        _lane(lanes[0], close=False)
        return
    with ThreadPoolExecutor(len(lanes)) as pool:
        for done in [pool.submit(_lane, lane, close=True) for lane in lanes]:
            done.result()


@contextlib.contextmanager
def bare(labels: Sequence[str], size: int) -> Iterator[None]:
    """Inside, the tables have no foreign keys, unique constraints, further indexes; then all are made anew.

    What is made anew is checked by the server over all rows, so nothing wrong gets past. A killed run leaves
    the database without them: the home is marked as unfinished and emptied by the next one.
    """
    if size < WORTH_IT:
        with transaction.atomic():  # foreign keys are checked at its end
            yield
        return
    names = [apps.get_model(label)._meta.db_table for label in labels]
    laid_aside = {name: _lay_aside(name) for name in names}
    yield
    lanes: list[list[Job]] = [[], []]
    for place, (_, (again, _)) in enumerate(sorted(laid_aside.items(), key=_heaviest_first)):
        lanes[place % 2] += [partial(execute, statement) for statement in again]
    in_lanes(*lanes)
    for _, keys in laid_aside.values():
        for add, _ in keys:
            execute(add)
    checks = [check for _, keys in laid_aside.values() for _, check in keys]
    in_lanes(*([partial(execute, check) for check in checks[lane::2]] for lane in (0, 1)))


def _heaviest_first(item: tuple[str, Any]) -> int:
    return -int(one(f"SELECT pg_table_size('{item[0]}')"))


def _lay_aside(table: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Drops them; returns what makes indexes and uniqueness again, and (add, check) of each foreign key."""
    again: list[str] = []
    keys: list[tuple[str, str]] = []
    constraints = rows(
        f"SELECT conname, contype::text, pg_get_constraintdef(oid) FROM pg_constraint"  # noqa: S608
        f" WHERE conrelid = '{table}'::regclass AND contype IN ('f', 'u') ORDER BY contype, conname"
    )
    for name, kind, definition in constraints:
        execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        add = f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}'
        if kind == "f":
            keys.append((f"{add} NOT VALID", f'ALTER TABLE {table} VALIDATE CONSTRAINT "{name}"'))
        else:
            again.append(add)
    indexes = rows(
        f"SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"  # noqa: S608
        f" WHERE indrelid = '{table}'::regclass AND NOT indisprimary"
    )
    for name, definition in indexes:
        execute(f"DROP INDEX {name}")
        again.append(definition)
    return again, keys


def _lane(jobs: Sequence[Job], *, close: bool) -> None:
    try:
        for statement in ("synchronous_commit = off", "work_mem = '192MB'", "maintenance_work_mem = '192MB'"):
            execute(f"SET {statement}")
        for job in jobs:
            job()
    finally:
        if close:
            connection.close()


def _literal(field: models.Field) -> str:
    value = field.get_default()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, dict | list):
        return quoted(json.dumps(value)) + "::jsonb"
    if isinstance(value, datetime):
        return f"{quoted(value.isoformat())}::timestamptz"
    if isinstance(value, date):
        return f"{quoted(value.isoformat())}::date"
    if isinstance(value, str):
        return quoted(value)
    raise TypeError(f"no default for {field}")


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
