"""A city's roster from CSV to the database, beside a floor that seals, indexes and copies, and nothing else.

Ours reads, judges, compares with what is on record, seals, stages and applies in one transaction, with
foreign keys and checks. The floor seals an envelope and makes three blind indexes a row in as many processes,
renders rows of the same widths and copies them into a table with the same database indexes; another floor
copies them into a bare table. All on the embedded server, durable, committed.
"""

import csv
import mmap
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from struct import pack
from typing import Any, NamedTuple

from harness import compare
from tests.support import rosters

from xueka.contexts.registry.importing.copy_block import FALSE, HEADER, TRAILER, int2, int8, render
from xueka.contexts.registry.importing.crew import Crew
from xueka.platform.crypto.fields import blind_index_many, seal_many
from xueka.platform.crypto.keyring import Keyring

SIZES = (130_000, 1_300_000)
PROCESSES = os.cpu_count() or 1
CHUNK = 10_000
SCHOOLS = rosters.school_rows(100)


def prepare(size: int) -> Path:
    """A server, an empty registry with its schools, a CSV file of `size` clean rows."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "xueka.config.settings"
    from xueka.platform.database import server

    server.acquire()
    import django

    django.setup()
    from xueka.contexts.registry.api import import_schools
    from xueka.platform.database import migrate

    migrate.prepare_if_needed()
    _owner(
        "TRUNCATE registry_student, registry_schoolclass, registry_importrun CASCADE",
        "DROP TABLE IF EXISTS floor_table, floor_bare",
        "CREATE TABLE floor_bare (LIKE registry_student INCLUDING IDENTITY)",
        "CREATE TABLE floor_table (LIKE registry_student INCLUDING IDENTITY INCLUDING INDEXES)",
    )
    import_schools(_actor(), rosters.csv_text(SCHOOLS, rosters.SCHOOL_HEADER).encode(), "schools.csv")
    path = Path(os.environ["XUEKA_HOME"]) / f"roster-{size}.csv"
    if not path.exists():
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\r\n")
            writer.writerow(rosters.HEADER)
            writer.writerows(rosters.roster_rows(SCHOOLS, size))
    _owner("CHECKPOINT", administrator=True)
    return path


def ours(path: Path) -> None:
    from django.db import transaction

    from xueka.contexts.registry.api import import_roster

    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        transaction.atomic(),
    ):
        report = import_roster(_actor(), content, path.name)
    if report.created != _size(path) or report.rejected:
        raise AssertionError(report.counts())


class Material(NamedTuple):
    """What the floor makes rows of: as many bytes of plain text in a row as ours has."""

    keys: Keyring
    plains: list[bytes]
    names: list[bytes]


def floor(path: Path) -> None:
    _floor(path, "floor_table")


def floor_without_indexes(path: Path) -> None:
    _floor(path, "floor_bare")


def _floor(path: Path, table: str) -> None:
    from xueka.contexts.registry.domain.clean import Recogniser
    from xueka.contexts.registry.domain.columns import match
    from xueka.contexts.registry.domain.roster import COLUMNS, Rules
    from xueka.contexts.registry.importing.preparing import personal_fields
    from xueka.kernel import clock
    from xueka.platform.crypto.keyring import keyring

    rules = Rules({school[0] for school in SCHOOLS})
    read = Recogniser(match(COLUMNS, rosters.HEADER), rules, clock.today(), ",").read
    sample = [row for row in map(read, map(",".join, rosters.roster_rows(SCHOOLS, 500))) if row]
    material = Material(keyring(), list(map(personal_fields, sample)), [row.name.encode() for row in sample])
    size = _size(path)
    with _connection() as connection, Crew(material, processes=PROCESSES) as crew:
        columns = (
            "education_id, name, sort_key, sort_key_by_hand, sex, birth_year, status, enrolled_from, "
            "school_id, school_class_id, envelope, id_index, phone_index, row_digest, created_at, updated_at"
        )
        statement = f"COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)"
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(HEADER)
            starts = range(0, size, CHUNK)
            for block in crew.run(_block, ((start, min(start + CHUNK, size)) for start in starts)):
                copy.write(block)
            copy.write(TRAILER)


def _block(material: Material, part: tuple[int, int]) -> bytes:
    numbers = range(*part)
    keys, count = material.keys, len(material.plains)
    seals = seal_many([material.plains[n % count] for n in numbers], keys)
    documents = blind_index_many("id_number", [f"居民身份证:{n:018d}" for n in numbers], keys)
    phones = blind_index_many("guardian_phone", [f"1{n:010d}" for n in numbers], keys)
    digests = blind_index_many("roster_row", [f"{n:0200d}" for n in numbers], keys)
    rows = _rows(material, numbers, zip(seals, documents, phones, digests, strict=True))
    return render(rows, 16)


def _rows(
    material: Material, numbers: range, made: Iterator[tuple[bytes, ...]]
) -> Iterator[tuple[bytes, ...]]:
    count = len(material.names)
    sex, status, year, day, moment = (
        "男".encode(),
        "在校".encode(),
        int2(2015),
        pack(">i", 9_000),
        int8(8 * 10**14),
    )
    for n, (seal, document, phone, digest) in zip(numbers, made, strict=True):
        yield (
            b"%d" % (10_000_000 + n * 7_368_787 % 90_000_000),
            material.names[n % count],
            b"zhang wen xuan",
            FALSE,
            sex,
            year,
            status,
            day,
            int8(n // 813 + 1),
            int8(n // 35 + 1),
            seal,
            document,
            phone,
            digest,
            moment,
            moment,
        )


def _size(path: Path) -> int:
    return int(path.stem.split("-")[1])


def _actor() -> Any:
    from xueka.platform.identity.actor import Actor

    return Actor.command_line("benchmark")


def _connection() -> Any:
    import psycopg

    from xueka.platform.database import address

    return psycopg.connect(**address.parameters(address.Role.OWNER))


def _owner(*statements: str, administrator: bool = False) -> None:
    import psycopg

    from xueka.platform.database import address

    role = address.Role.ADMINISTRATOR if administrator else address.Role.OWNER
    with psycopg.connect(**address.parameters(role, address.DATABASE), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="xueka-bench-") as home:
        Path(home).chmod(0o711)  # the database server may run as another user
        os.environ["XUEKA_HOME"] = home
        compare(
            "roster_csv",
            "rows",
            SIZES,
            prepare,
            ours,
            floor,
            {"floor_without_indexes": floor_without_indexes},
        )
