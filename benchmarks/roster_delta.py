"""A daily roster of which one row in twenty has changed, beside staging it and upserting what differs.

Ours reads, judges and digests every row, finds what has changed, seals it and brings it in with history.
The floor copies rows that are ready into a stage and upserts those whose digest differs; nothing is read,
judged or sealed. Both are rolled back, so that every round finds the same.
"""

import csv
import mmap
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

from harness import compare
from roster_csv import SCHOOLS
from support.city import start
from tests.support import rosters

SIZES = (130_000, 1_300_000)
CHANGED = 20


class Day(NamedTuple):
    roster: Path
    ready: Path
    size: int


def prepare(size: int) -> Day:
    """A home of this size with yesterday's roster; today's as a file, and as rows in COPY format."""
    home = Path(os.environ["XUEKA_BENCH_HOME"]) / f"delta-{size}"
    home.mkdir(exist_ok=True)
    home.chmod(0o711)
    os.environ["XUEKA_HOME"] = str(home)
    start()
    day = Day(home / "today.csv", home / "today.copy", size)
    if not day.ready.exists():
        _fill(home, day)
    return day


def _fill(home: Path, day: Day) -> None:
    from django.db import connection, transaction

    from xueka.contexts.registry.api import import_schools

    with transaction.atomic():
        import_schools(_actor(), rosters.csv_text(SCHOOLS, rosters.SCHOOL_HEADER).encode(), "schools.csv")
    _write(home / "yesterday.csv", day.size, changed=False)
    _import(home / "yesterday.csv", keep=True)
    _write(day.roster, day.size, changed=True)
    with day.ready.open("wb") as file, connection.cursor() as cursor:
        rows = f"""SELECT education_id, name, sort_key, envelope, id_index, phone_index,
                          CASE WHEN id % {CHANGED} = 0 THEN sha256(row_digest) ELSE row_digest END
                     FROM registry_student ORDER BY id"""
        with cursor.copy(f"COPY ({rows}) TO STDOUT (FORMAT BINARY)") as copy:
            for piece in copy:
                file.write(piece)


def _write(path: Path, size: int, *, changed: bool) -> None:
    street = rosters.COLUMN["现住址"]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(rosters.HEADER)
        for number, row in enumerate(rosters.roster_rows(SCHOOLS, size)):
            if changed and number % CHANGED == 0:
                row[street] = "北京市样例路1号"
            writer.writerow(row)


def _import(path: Path, *, keep: bool) -> int:
    from django.db import transaction

    from xueka.contexts.registry.api import import_roster

    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        transaction.atomic(),
    ):
        report = import_roster(_actor(), content, path.name)
        if not keep:
            transaction.set_rollback(True)
    if report.rejected:
        raise AssertionError(report.counts())
    return report.updated


def _actor() -> object:
    from xueka.platform.identity.actor import Actor

    return Actor.command_line("benchmark")


def ours(day: Day) -> None:
    if _import(day.roster, keep=False) != -(-day.size // CHANGED):
        raise AssertionError


def floor(day: Day) -> None:
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """CREATE TEMP TABLE stage (education_id text, name text, sort_key text, envelope bytea,
                                        id_index bytea, phone_index bytea, row_digest bytea) ON COMMIT DROP"""
        )
        with (
            cursor.copy("COPY stage FROM STDIN (FORMAT BINARY)") as copy,
            day.ready.open("rb") as file,
        ):
            while piece := file.read(1024 * 1024):
                copy.write(piece)
        cursor.execute(
            """
            UPDATE registry_student x
               SET name = s.name, sort_key = s.sort_key, envelope = s.envelope, id_index = s.id_index,
                   phone_index = s.phone_index, row_digest = s.row_digest, updated_at = now()
              FROM stage s WHERE x.education_id = s.education_id AND x.row_digest <> s.row_digest
            """
        )
        if not cursor.rowcount:
            raise AssertionError
        transaction.set_rollback(True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="xueka-bench-") as home:
        Path(home).chmod(0o711)
        os.environ.setdefault("XUEKA_BENCH_HOME", home)
        compare("roster_delta", "rows", SIZES, prepare, ours, floor)
