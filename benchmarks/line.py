"""A production line for the benchmarks: a server, a small city, and any number of children on paper.

What a benchmark does not measure is written by COPY and SQL, not by the services.
"""

import os
from collections.abc import Iterable, Sequence
from typing import Any

KIND = "bjt_student"
FIRST_SERIAL = 10_000_000  # of education IDs; the small city's own children come before


def open_line() -> None:
    """The server of XUEKA_HOME with the small city of the unit tests and a bureau with confirmed keys."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "xueka.config.settings"
    from xueka.platform.database import server

    server.acquire()
    import django

    django.setup()
    from xueka.platform.database import migrate

    migrate.prepare_if_needed()
    from tests.unit.cards.conftest import build
    from tests.unit.production.conftest import ENCRYPTION, SIGNING, introduce

    from xueka.contexts.cards import api as cards
    from xueka.contexts.registry import api as registry

    if not registry.School.objects.exists():
        build()
        cards.CardKind.objects.filter(code=KIND).update(photo_required=False)
    introduce("bureau", SIGNING, ENCRYPTION)  # the keys live as long as this process


def children(count: int) -> list[int]:
    """Ids of so many new accepted applications, spread over the classes of the city."""
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(education_id::bigint), 0) FROM registry_student")
        first = max(cursor.fetchone()[0] + 1, FIRST_SERIAL)
        cursor.execute(_CHILDREN, {"first": first, "last": first + count - 1, "kind": KIND})
        ids = [row[0] for row in cursor.fetchall()]
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE registry_student, cards_cardaccount, cards_application, history_transition")
    return ids


_CHILDREN = """
WITH classes AS (SELECT id, school_id, row_number() OVER (ORDER BY id) - 1 AS place, count(*) OVER () AS many
                   FROM registry_schoolclass),
serials AS (SELECT n, c.id AS class_id, c.school_id FROM generate_series(%(first)s::bigint, %(last)s) n
              JOIN classes c ON c.place = n %% c.many),
students AS (
    INSERT INTO registry_student (education_id, name, sort_key, sort_key_by_hand, sex, birth_year, status,
        enrolled_from, school_id, school_class_id, envelope, row_digest, created_at, updated_at)
    SELECT n::text, '学生' || n, 'xuesheng' || n, false, CASE WHEN n %% 2 = 0 THEN '男' ELSE '女' END, 2015,
           '在校', current_date, school_id, class_id, '', '', now(), now() FROM serials
    RETURNING id, education_id, school_id, school_class_id),
accounts AS (
    INSERT INTO cards_cardaccount (number, student_id, state, opened_at)
    SELECT 'ZH' || education_id, id, 'open', now() FROM students RETURNING id, student_id),
applications AS (
    INSERT INTO cards_application (number, account_id, kind_id, reason, state, school_id, school_class_id,
        doubts, submitted_by, submitted_at, refusal_code, refusal_text, created_at, updated_at)
    SELECT 'SQ' || s.education_id, a.id, %(kind)s, 'new', 'accepted', s.school_id, s.school_class_id, '[]',
           'benchmark', now(), '', '', now(), now()
      FROM accounts a JOIN students s ON s.id = a.student_id
    RETURNING id),
steps AS (
    INSERT INTO history_transition (machine, object_id, seq, event, from_state, to_state, at, actor, reason,
        detail)
    SELECT 'application', id, 1, 'create', '', 'accepted', now(), 'benchmark', '', '{}' FROM applications)
SELECT id FROM applications ORDER BY id
"""


def copy(table: str, columns: Sequence[str], types: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    from django.db import connection

    from xueka.platform.database.copy import copy_rows

    copy_rows(connection, table, columns, rows, types=types)
