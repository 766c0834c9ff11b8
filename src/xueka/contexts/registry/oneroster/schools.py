"""Both sides of one school compared: how many students each has, and where that differs, which.

A record is a student at a school. What one side cannot agree to is known and no difference: whoever is
missing (absences), moves between schools under two confirmations, was refused, or has changed since we last
fetched.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl
from django.conf import settings
from django.db import connection

from xueka.contexts.registry.domain.vocabulary import PRESENT
from xueka.contexts.registry.models import OneRosterFetch
from xueka.contexts.registry.oneroster import known
from xueka.contexts.registry.oneroster.importing import reading
from xueka.contexts.registry.oneroster.joining import Joined, join
from xueka.contexts.registry.oneroster.records import package_of
from xueka.contexts.registry.oneroster.registry_client import RegistryClient, RegistryUnavailable
from xueka.kernel import clock

ABSENT, MOVING, REFUSED, ON_THE_WAY = "absent", "moving", "refused", "on_the_way"
KNOWN = {ABSENT: "学籍缺失", MOVING: "转学待确认", REFUSED: "没有收下", ON_THE_WAY: "在途"}
"""Why one side has a student and the other has not, without a difference."""
_ACTIVE = "status='active'"
_MOST_PAGES = 100


@dataclass(slots=True)
class SchoolCompared:
    """`ours` and `theirs` count students; `known` those that are explained, by reason. `differing`: education
    ID → (our text, their text), either empty where that side lacks her. So many `calls` were made.
    """

    ours: int = 0
    theirs: int = 0
    known: Counter[str] = field(default_factory=Counter)
    differing: dict[str, tuple[str, str]] = field(default_factory=dict)
    calls: int = 0


def last_brought_in() -> OneRosterFetch | None:
    """The fetch after which both sides should agree; None where none was, or one is under way."""
    if OneRosterFetch.objects.filter(ended_at=None).exists():
        return None
    last = OneRosterFetch.objects.filter(run__isnull=False).select_related("run").order_by("-id").first()
    return last if last and last.run and last.run.reverted_at is None else None


def registry_schools() -> list[tuple[str, list[str]]]:
    """Schools of ours that the registry has: code, and the sourcedIds of their orgs; by code."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT h.code, array_agg(x.sourced_id ORDER BY x.sourced_id) FROM registry_school h"
            " JOIN registry_onerosterlink x ON x.kind = 'org' AND NOT x.gone AND x.value = h.code"
            " WHERE h.is_open GROUP BY h.code ORDER BY h.code"
        )
        return cursor.fetchall()


def compare_school(
    client: RegistryClient, code: str, orgs: list[str], fetch: OneRosterFetch, *, closely: bool
) -> SchoolCompared:
    """Count both sides; where that differs, or `closely`, read the school's lists and name the students.

    Raises as the client does.
    """
    ours, away, coming = _ours(code)
    found = SchoolCompared(ours=len(ours))
    for org in orgs:
        answered = client.of_school(org, "users", 0, 1, _ACTIVE)
        found.calls += 1
        if answered.total is None:
            raise RegistryUnavailable(
                "ONEROSTER_ANSWER", "学籍系统的应答没有总数。", where=org, expected="X-Total-Count"
            )
        found.theirs += answered.total
    if not closely and found.theirs == found.ours - len(away) + len(coming):
        found.known.update([*away.values(), *coming.values()])
        return found
    first = _differing(client, code, orgs, fetch, found)
    if found.differing:  # what is seen once may have moved between two calls, or come from a slow copy
        again = _differing(client, code, orgs, fetch, found)
        found.differing = {key: pair for key, pair in again.items() if first.get(key) == pair}
    return found


_OURS = """
    SELECT s.education_id, s.name, s.sex, c.stage, c.grade, c.name,
           CASE WHEN a.state IN ('missing', 'confirmed', 'kept') THEN 'absent'
                WHEN t.id IS NOT NULL THEN 'moving' ELSE '' END
      FROM registry_student s
      JOIN registry_school h ON h.id = s.school_id
      JOIN registry_schoolclass c ON c.id = s.school_class_id
      LEFT JOIN LATERAL (SELECT state FROM registry_absence a WHERE a.student_id = s.id
                          ORDER BY a.id DESC LIMIT 1) AS a ON true
      LEFT JOIN registry_transfer t ON t.student_id = s.id AND t.state = 'open' AND t.origin = 'roster'
     WHERE h.code = %s AND s.status = ANY(%s)"""
_COMING = """
    SELECT s.education_id FROM registry_transfer t
      JOIN registry_student s ON s.id = t.student_id
      JOIN registry_school h ON h.id = t.to_school_id
     WHERE h.code = %s AND t.state = 'open' AND t.origin = 'roster'"""


def _ours(code: str) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Our students' texts by education ID; who of them the registry has not, and why; whom it alone has."""
    with connection.cursor() as cursor:
        cursor.execute(_OURS, [code, list(PRESENT)])
        rows = cursor.fetchall()
        cursor.execute(_COMING, [code])
        coming = {education_id: MOVING for (education_id,) in cursor.fetchall()}
    texts = {row[0]: _text(*row[:6]) for row in rows}
    return texts, {row[0]: row[6] for row in rows if row[6]}, coming


def _text(education_id: str, name: str, sex: str, stage: str, grade: object, class_name: str) -> str:
    return f"{education_id}|{name}|{sex}|{stage}{grade}年级|{class_name}"


def _differing(
    client: RegistryClient, code: str, orgs: list[str], fetch: OneRosterFetch, found: SchoolCompared
) -> dict[str, tuple[str, str]]:
    """What differs now, and in `found` what is known besides."""
    joined, listed, moved = _theirs(client, orgs, fetch, found)
    users = _education_ids(sorted(listed | moved))
    rows = known.fill(joined.rows, joined.links.users).filter(
        pl.col("sourcedId").is_in(sorted(listed)), pl.col("school_code") == code
    )
    theirs, by_id = {}, {}
    for row in rows.iter_rows(named=True):
        if row["status"] in PRESENT and row["education_id"]:
            places = ("education_id", "name", "sex", "stage", "grade", "class_name")
            theirs[row["education_id"]] = _text(*(row[key] for key in places))
            by_id[row["education_id"]] = row["sourcedId"]
    ours, away, coming = _ours(code)
    moved_ids = {users[each] for each in moved if each in users}
    unread = {users[each] for each in listed if each in users} - theirs.keys()
    here = _on_record(sorted(theirs.keys() - ours.keys()))
    found.known = Counter()
    differing = {}
    for key in sorted(ours.keys() | theirs.keys()):
        pair = (ours.get(key, ""), theirs.get(key, ""))
        if pair[0] == pair[1]:
            continue
        why = ""
        if not pair[1]:
            why = away.get(key, "") or (REFUSED if key in unread else "")
        elif not pair[0]:
            why = coming.get(key, "") or (REFUSED if key not in here and by_id[key] in users else "")
        why = why or (ON_THE_WAY if key in moved_ids or by_id.get(key) in moved else "")
        if why:
            found.known[why] += 1
        else:
            differing[key] = pair
    found.known[REFUSED] += len([each for each in joined.problems if each.file in ("users", "users.csv")])
    found.differing = differing
    return differing


def _education_ids(users: list[str]) -> dict[str, str]:
    """Those that earlier packages said, by sourcedId."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sourced_id, value FROM registry_onerosterlink"
            " WHERE kind = 'user' AND value <> '' AND sourced_id = ANY(%s)",
            [users],
        )
        return dict(cursor.fetchall())


def _on_record(education_ids: list[str]) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT education_id FROM registry_student WHERE education_id = ANY(%s)", [education_ids]
        )
        return {education_id for (education_id,) in cursor.fetchall()}


def _theirs(
    client: RegistryClient, orgs: list[str], fetch: OneRosterFetch, found: SchoolCompared
) -> tuple[Joined, set[str], set[str]]:
    """What the registry says of the school, joined as a package is; the sourcedIds of its students; and of
    those who were changed since we last fetched, there or gone.
    """
    since = fetch.started_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    pages: list[tuple[str, bytes]] = []
    listed: set[str] = set()
    moved: set[str] = set()
    for org in orgs:
        for kind, where in (("classes", _ACTIVE), ("users", _ACTIVE), ("enrollments", _ACTIVE)):
            for content in _pages(client, org, kind, where, found):
                pages.append((kind, content))
                if kind == "users":
                    records = [each for each in json.loads(content) if isinstance(each, dict)]
                    listed |= {str(each.get("sourcedId")) for each in records}
        for content in _pages(client, org, "enrollments", f"dateLastModified>'{since}'", found):
            for each in json.loads(content):
                user = each.get("user") if isinstance(each, dict) else None
                moved |= {str(user.get("sourcedId"))} if isinstance(user, dict) else set()
    package = package_of(pages, full=False)
    joined = join(package, reading(), clock.local(clock.now()).date(), as_it_is=True)
    for file in ("users", "enrollments"):
        later = joined.frames[file].filter(pl.col("dateLastModified") > since)
        moved |= set(later["sourcedId" if file == "users" else "userSourcedId"])
    return joined, listed, moved


def _pages(client: RegistryClient, org: str, kind: str, where: str, found: SchoolCompared) -> Iterator[bytes]:
    """All of a list that is short enough to be read at once. A page may hold less than was asked for."""
    seen: set[str] = set()
    offset = 0
    for _ in range(_MOST_PAGES):
        answered = client.of_school(org, kind, offset, settings.ONEROSTER_LIMIT, where)
        found.calls += 1
        seen |= set(answered.ids)
        offset += len(answered.ids)
        yield answered.content
        if not answered.ids or offset >= (answered.total or 0):
            break
    if len(seen) != (answered.total or 0):
        raise RegistryUnavailable(
            "ONEROSTER_INCOMPLETE",
            f"学籍系统的学校名单 {kind} 读得不齐。",
            where=org,
            found=f"{len(seen)} 条",
            expected=f"X-Total-Count {answered.total} 条",
        )
