"""A OneRoster delta of a city of which one student in twenty has changed, beside staging the city's rows.

Ours begins with what was fetched by REST: sealed pages of users, enrolments and demographics of the changed
students. They are opened, joined with what is known, judged, compared, sealed and brought in with history,
with links for the next delta and with what taking them back needs. The floor is the one of the specification
for a daily delta: rows of the whole city that are ready are copied into a stage, and those whose digest
differs are upserted; nothing is read, judged or sealed. A delta by REST does not hold the rows that have not
changed: `floor_changed` is the harder floor that stages the ready rows of the changed students alone. `full`
is ours where the pages hold the whole city. All are rolled back, so that every round finds the same.
"""

import json
import os
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from harness import compare
from roster_csv import SCHOOLS
from roster_delta import CHANGED, SIZES, Day, _actor, _fill, floor
from support.city import start
from tests.support import rosters

PAGE = 1000
YESTERDAY, TODAY = "2026-11-25T03:00:00.000Z", "2026-11-26T03:00:00.000Z"


class City(NamedTuple):
    size: int
    roster: Path
    ready: Path
    changed: Path


def prepare(size: int) -> City:
    """A home of this size whose students are known by their sourcedIds, and today's pages in its tables."""
    home = Path(os.environ["XUEKA_BENCH_HOME"]) / f"oneroster-{size}"
    home.mkdir(exist_ok=True)
    home.chmod(0o711)
    os.environ["XUEKA_HOME"] = str(home)
    start()
    city = City(size, home / "today.csv", home / "today.copy", home / "changed.copy")
    if not city.ready.exists():
        _fill(home, Day(city.roster, home / "today.part", size))
        _keep(size)
        _copy_changed(city.changed)
        (home / "today.part").rename(city.ready)
    return city


def _copy_changed(path: Path) -> None:
    """The ready rows of the changed students alone, as `roster_delta` has them of the whole city."""
    from django.db import connection

    rows = f"""SELECT education_id, name, sort_key, envelope, id_index, phone_index, sha256(row_digest)
                 FROM registry_student WHERE id % {CHANGED} = 0 ORDER BY id"""
    with (
        path.open("wb") as file,
        connection.cursor() as cursor,
        cursor.copy(f"COPY ({rows}) TO STDOUT (FORMAT BINARY)") as copy,
    ):
        for piece in copy:
            file.write(piece)


def _keep(size: int) -> None:
    """Two fetches with their pages: the whole city as of yesterday, brought in; what has changed."""
    from django.db import transaction

    from xueka.contexts.registry.fetched import OneRosterFetch, OneRosterPage
    from xueka.contexts.registry.oneroster.fetched_package import bring_in, open_pages
    from xueka.kernel import clock
    from xueka.platform.crypto.fields import seal_bytes

    with transaction.atomic():
        for full in (True, False):
            fetch = OneRosterFetch.objects.create(
                full=full, asked_by="benchmark", started_at=clock.now(), fetched_at=clock.now(),
                ended_at=clock.now(),
            )  # fmt: skip
            for number, (kind, records) in enumerate(_pages(size, full=full)):
                OneRosterPage.objects.create(
                    fetch=fetch, kind=kind, number=number,
                    envelope=seal_bytes(zlib.compress(json.dumps(records, ensure_ascii=False).encode(), 1)),
                )  # fmt: skip
            if full:
                bring_in(_actor(), fetch, open_pages(fetch))  # type: ignore[arg-type]


def _pages(size: int, *, full: bool) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    batch: dict[str, list[dict[str, Any]]] = {"users": [], "enrollments": [], "demographics": []}
    orgs: dict[str, dict[str, Any]] = {}
    classes: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(rosters.roster_rows(SCHOOLS, size)):
        if not full and number % CHANGED:
            continue
        for kind, record in _records(row, full=full):
            {"orgs": orgs, "classes": classes}.get(kind, {})[record["sourcedId"]] = record
            if kind in batch:
                batch[kind].append(record)
        if len(batch["users"]) == PAGE:
            yield from batch.items()
            batch = {kind: [] for kind in batch}
    yield from batch.items()
    yield "orgs", list(orgs.values())
    yield "classes", list(classes.values())


def _records(row: rosters.Row, *, full: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    value = {header: row[place] for header, place in rosters.COLUMN.items()}
    grade = f"{ {'小学': 0, '初中': 6, '高中': 9}[value['学段']] + int(value['年级']):02d}"
    school, user = f"org-{value['学校标识码']}", f"u-{value['教育ID']}"
    class_ = f"c-{school}-{grade}-{value['班级']}"
    every = {"status": "active", "dateLastModified": YESTERDAY if full else TODAY}
    yield "orgs", {
        "sourcedId": school, **every, "name": value["学校名称"], "type": "school",
        "identifier": value["学校标识码"],
    }  # fmt: skip
    yield "classes", {
        "sourcedId": class_, **every, "title": value["班级"], "grades": [grade], "classType": "homeroom",
        "school": {"sourcedId": school},
    }  # fmt: skip
    yield "users", {
        "sourcedId": user, **every, "givenName": value["姓名"][1:], "familyName": value["姓名"][:1],
        "identifier": value["教育ID"], "roles": [{"role": "student", "roleType": "primary"}],
        "metadata": {
            "bj.name": value["姓名"], "bj.idType": value["证件类型"], "bj.idNumber": value["证件号码"],
            "bj.nationalNumber": value["全国学籍号"], "bj.status": value["学籍状态"],
            "bj.guardianName": value["监护人姓名"], "bj.guardianPhone": value["监护人手机"],
            "bj.address": value["现住址"] if full else "北京市样例路1号",
        },
    }  # fmt: skip
    yield "enrollments", {
        "sourcedId": f"e-{user}", **every, "user": {"sourcedId": user}, "class": {"sourcedId": class_},
        "school": {"sourcedId": school}, "role": "student", "primary": "true",
    }  # fmt: skip
    sex = {"男": "male", "女": "female"}[value["性别"]]
    yield "demographics", {"sourcedId": user, **every, "birthDate": value["出生日期"], "sex": sex}


def _work(city: City, *, full: bool) -> None:
    from django.db import transaction

    from xueka.contexts.registry.fetched import OneRosterFetch
    from xueka.contexts.registry.oneroster.fetched_package import bring_in, open_pages

    with transaction.atomic():
        fetch = OneRosterFetch.objects.get(full=full)
        report = bring_in(_actor(), fetch, open_pages(fetch))  # type: ignore[arg-type]
        transaction.set_rollback(True)
    if report.rejected or report.updated != (0 if full else -(-city.size // CHANGED)):
        raise AssertionError(report.as_dict())


def ours(city: City) -> None:
    _work(city, full=False)


def full(city: City) -> None:
    _work(city, full=True)


def floor_changed(city: City) -> None:
    floor(Day(city.roster, city.changed, city.size))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="xueka-bench-") as home:
        Path(home).chmod(0o711)
        os.environ.setdefault("XUEKA_BENCH_HOME", home)
        others = {"floor_changed": floor_changed, "full": full}
        compare("oneroster_delta", "rows", SIZES, prepare, ours, floor, others)
