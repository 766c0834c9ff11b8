"""State in one SQLite file: what a transaction has left there survives a kill at any moment."""

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCHEMA = """
create table if not exists note (name text primary key, value text not null);
create table if not exists fault (
    id integer primary key, kind text not null, channel text not null, reference text not null,
    at text not null, detail text not null
);
"""


class Store:
    """One connection, one writer at a time. `work()` is a transaction; inside another it joins that one."""

    def __init__(self, path: Path, schema: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        self._lock = threading.RLock()
        self._depth = 0
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("pragma journal_mode = wal")
        self._connection.execute("pragma synchronous = full")
        self._connection.execute("pragma foreign_keys = on")
        self._connection.executescript(SCHEMA + schema)

    @contextmanager
    def work(self) -> Iterator[None]:
        """All or nothing; durable when the block is left."""
        with self._lock:
            if self._depth:
                yield
                return
            self._connection.execute("begin immediate")
            self._depth = 1
            try:
                yield
            except BaseException:
                self._connection.execute("rollback")
                raise
            else:
                self._connection.execute("commit")
            finally:
                self._depth = 0

    def run(self, statement: str, *values: Any) -> int:
        """Rows touched."""
        with self.work():
            return self._connection.execute(statement, values).rowcount

    def all(self, statement: str, *values: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    def one(self, statement: str, *values: Any) -> sqlite3.Row | None:
        with self._lock:
            found: sqlite3.Row | None = self._connection.execute(statement, values).fetchone()
            return found

    def insert(self, table: str, **values: Any) -> None:
        """A row; the names are the program's own, the values are bound."""
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        self.run(f"insert into {table} ({names}) values ({marks})", *values.values())  # noqa: S608

    def get(self, name: str, default: Any = None) -> Any:
        found = self.one("select value from note where name = ?", name)
        return json.loads(found["value"]) if found else default

    def put(self, name: str, value: Any) -> None:
        text = json.dumps(value, ensure_ascii=False)
        self.run(
            "insert into note values (?, ?) on conflict do update set value = excluded.value", name, text
        )

    def number(self, name: str) -> int:
        """1, 2, 3 … for each name, never twice."""
        with self.work():
            value = int(self.get(f"number.{name}", 0)) + 1
            self.put(f"number.{name}", value)
            return value

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def rows(found: Sequence[sqlite3.Row]) -> list[dict[str, Any]]:
    """For JSON."""
    return [dict(row) for row in found]
