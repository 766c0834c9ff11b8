"""Prepared rows on their way into the tables: staged by COPY, then applied in sets.

Everything happens in the caller's transaction, on temporary tables that disappear with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from xueka.contexts.registry.domain.report import Difference
from xueka.contexts.registry.domain.transitions import OPEN, TRANSFER
from xueka.contexts.registry.importing.copy_block import HEADER, TRAILER
from xueka.contexts.registry.importing.preparing import STAGED, STUDENT, Prepared
from xueka.contexts.registry.models import ImportRun, Transfer
from xueka.contexts.registry.services.deadlines import due_on
from xueka.kernel import clock
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor

_TYPES = {
    "education_id": "text",
    "name": "text",
    "sort_key": "text",
    "sort_key_by_hand": "bool",
    "sex": "text",
    "birth_year": "int2",
    "status": "text",
    "enrolled_from": "date",
    "school_id": "int8",
    "school_class_id": "int8",
    "envelope": "bytea",
    "id_index": "bytea",
    "phone_index": "bytea",
    "row_digest": "bytea",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
    "line": "int",
    "known": "bool",
}
_STUDENT, _STAGED = ", ".join(STUDENT), ", ".join(STAGED)

_OPEN_TABLES = [
    "DROP TABLE IF EXISTS roster_stage, roster_waiting, roster_change",
    f"CREATE TEMP TABLE roster_stage ({', '.join(f'{n} {_TYPES[n]}' for n in STAGED)}) ON COMMIT DROP",
    "CREATE TEMP TABLE roster_waiting (LIKE roster_stage) ON COMMIT DROP",
    """
    CREATE TEMP TABLE roster_change (
        student_id int8, line int, old_school int8, old_class int8, old_status text, enrolled_from date,
        new_school int8, new_class int8, new_status text, asked_school int8, asked_class int8, away bool
    ) ON COMMIT DROP
    """,
]

# A number that another student holds at this moment: it is decided at the end of the file.
_SET_ASIDE = f"""
    WITH held AS (
        DELETE FROM roster_stage s USING registry_student x
         WHERE x.id_index = s.id_index AND x.education_id <> s.education_id
        RETURNING {", ".join(f"s.{name}" for name in STAGED)})
    INSERT INTO roster_waiting SELECT * FROM held
"""  # noqa: S608 - names of our own columns

# Refused for good: the holder is not in this file with another number, or was refused with it.
_TAKEN = """
    DELETE FROM roster_waiting s USING registry_student x
     WHERE x.id_index = s.id_index AND x.education_id <> s.education_id
       AND NOT EXISTS (SELECT 1 FROM roster_waiting w WHERE w.education_id = x.education_id)
    RETURNING s.line, s.education_id, s.envelope, x.education_id
"""

_INSERT = f"""
    INSERT INTO registry_student ({_STUDENT})
    SELECT {_STUDENT} FROM roster_stage WHERE NOT known ORDER BY line
"""  # noqa: S608

# `away`: the file shows the student in another district; both districts have to confirm that.
_CHANGES = """
    INSERT INTO roster_change
    SELECT x.id, s.line, x.school_id, x.school_class_id, x.status, x.enrolled_from,
           CASE WHEN d.away THEN x.school_id ELSE s.school_id END,
           CASE WHEN d.away THEN x.school_class_id ELSE s.school_class_id END,
           s.status, s.school_id, s.school_class_id, d.away
      FROM roster_stage s
      JOIN registry_school asked ON asked.id = s.school_id
      JOIN registry_student x ON x.education_id = s.education_id
      JOIN registry_school present ON present.id = x.school_id
     CROSS JOIN LATERAL (SELECT asked.district_id <> present.district_id AND NOT %(waived)s AS away) d
     WHERE s.known
     ORDER BY x.id
       FOR UPDATE OF x
"""

_END_ENROLMENTS = """
    INSERT INTO registry_enrolment
           (student_id, school_id, school_class_id, status, from_date, to_date, reason)
    SELECT student_id, old_school, old_class, old_status,
           enrolled_from, greatest(enrolled_from, %(today)s::date),
           CASE WHEN old_school <> new_school THEN 'moved' WHEN old_class <> new_class THEN 'class'
                ELSE 'status' END
      FROM roster_change
     WHERE (old_school, old_class, old_status) <> (new_school, new_class, new_status)
     ORDER BY student_id
"""

# Kept for as long as the run may be taken back; the indexes follow from the envelope.
_KEEP_BEFORE = """
    INSERT INTO registry_studentbefore
           (run_id, student_id, line, name, sort_key, sort_key_by_hand, sex, birth_year, status, school_id,
            school_class_id, envelope, row_digest, after_class_id, after_status, after_digest, outcome, note)
    SELECT %(run)s, x.id, c.line, x.name, x.sort_key, x.sort_key_by_hand, x.sex, x.birth_year, x.status,
           x.school_id, x.school_class_id, x.envelope, x.row_digest, c.new_class, c.new_status,
           s.row_digest, 'applied', ''
      FROM roster_change c
      JOIN registry_student x ON x.id = c.student_id
      JOIN roster_stage s ON s.line = c.line
     ORDER BY x.id
"""

# Numbers that change hands within the file are let go before anybody takes them.
_LET_GO = """
    UPDATE registry_student x SET id_index = NULL FROM roster_stage s
     WHERE s.known AND x.education_id = s.education_id AND x.id_index IS DISTINCT FROM s.id_index
"""

# A key that staff have put right stays as long as the name does.
_UPDATE = """
    UPDATE registry_student x
       SET sort_key = CASE WHEN x.sort_key_by_hand AND x.name = s.name THEN x.sort_key ELSE s.sort_key END,
           sort_key_by_hand = x.sort_key_by_hand AND x.name = s.name,
           name = s.name, sex = s.sex, birth_year = s.birth_year, status = c.new_status,
           school_id = c.new_school, school_class_id = c.new_class,
           enrolled_from = CASE WHEN (c.old_school, c.old_class, c.old_status)
                                  <> (c.new_school, c.new_class, c.new_status)
                                THEN greatest(x.enrolled_from, %(today)s::date) ELSE x.enrolled_from END,
           envelope = s.envelope, id_index = s.id_index, phone_index = s.phone_index,
           row_digest = s.row_digest, updated_at = %(now)s
      FROM roster_change c, roster_stage s
     WHERE x.id = c.student_id AND s.line = c.line
"""

_REMEMBER = """
    INSERT INTO registry_studentchange (student_id, run_id, line)
    SELECT student_id, %(run)s, line FROM roster_change ORDER BY student_id
"""

# What a person asked for waits for the answer as long as the roster still shows the student where she is.
_STALE_TRANSFERS = f"""
    SELECT t.id FROM registry_transfer t JOIN roster_change c USING (student_id)
     WHERE t.state = '{OPEN}' AND NOT (c.away AND t.to_school_id = c.asked_school)
       AND NOT (t.origin = 'person' AND c.asked_school = t.from_school_id)
"""  # noqa: S608

_OTHER_CLASS = f"""
    UPDATE registry_transfer t SET to_class_id = c.asked_class FROM roster_change c
     WHERE t.student_id = c.student_id AND t.state = '{OPEN}' AND c.away AND t.to_class_id <> c.asked_class
"""  # noqa: S608

_ASK = f"""
    INSERT INTO registry_transfer (student_id, from_school_id, to_school_id, to_class_id, state, asked_at,
                                   released_by, accepted_by, rejected_by, origin, asked_by, asked_side,
                                   reason, due_on, warnings)
    SELECT c.student_id, c.old_school, c.asked_school, c.asked_class, '{OPEN}', %(now)s, '', '', '',
           'roster', '', '', '', %(due_on)s, '[]'
      FROM roster_change c
     WHERE c.away AND NOT EXISTS (SELECT 1 FROM registry_transfer t
                                   WHERE t.student_id = c.student_id AND t.state = '{OPEN}')
     ORDER BY c.student_id
    RETURNING id
"""  # noqa: S608

_DIFFERENCES = """
    SELECT c.line, x.education_id, old.code, new.code, c.away
      FROM roster_change c
      JOIN registry_student x ON x.id = c.student_id
      JOIN registry_school old ON old.id = c.old_school
      JOIN registry_school new ON new.id = c.asked_school
     WHERE c.old_school <> c.asked_school
     ORDER BY c.line
"""


@dataclass(slots=True)
class Applied:
    """What one set of rows did."""

    created: int
    updated: int
    differences: list[Difference]


@dataclass(frozen=True, slots=True)
class Taken:
    """A row whose identity number another student holds."""

    line: int
    education_id: str
    envelope: bytes
    holder: str


class Staging:
    """One import at work. `straight`: nobody is on record yet, and rows need not be staged."""

    def __init__(self, actor: Actor, run: ImportRun, *, now: datetime, waived: bool, straight: bool) -> None:
        self._actor = actor
        self._now = now
        self._keep_before = run.kind == "oneroster"
        self._straight = straight
        self._values: dict[str, Any] = {"now": now, "today": clock.today(), "run": run.id, "waived": waived}
        self._values["due_on"] = due_on()
        for statement in _OPEN_TABLES:
            self._execute(statement)

    def apply(self, prepared: Prepared) -> Applied:
        """Bring one chunk into the tables, except for rows whose number is held by somebody else."""
        if not prepared.staged:
            return Applied(0, 0, [])
        if self._straight:  # twins within the file are refused before, so nothing can collide
            self._copy(f"registry_student ({_STUDENT})", prepared.block)
            return Applied(prepared.staged, 0, [])
        self._execute("TRUNCATE roster_stage")
        self._copy(f"roster_stage ({_STAGED})", prepared.block)
        self._execute(_SET_ASIDE)
        return self._apply_stage()

    def settle(self) -> tuple[Applied, list[Taken]]:
        """Decide the rows that were set aside.

        A number passes from one student to another when this file gives its holder a different one; the chain
        of such passings is followed to its end, and a ring of them is as good. Everything else is refused.
        """
        taken: list[Taken] = []
        while found := self._rows(_TAKEN):
            # A row may meet its holder once only: numbers are unique, and so are education IDs in the file.
            taken += [
                Taken(line, education_id, bytes(seal), holder) for line, education_id, seal, holder in found
            ]
        self._execute("TRUNCATE roster_stage")
        self._execute(f"INSERT INTO roster_stage SELECT {_STAGED} FROM roster_waiting")  # noqa: S608
        self._execute(_LET_GO)
        return self._apply_stage(), taken

    def _apply_stage(self) -> Applied:
        created = self._execute(_INSERT)
        self._execute("TRUNCATE roster_change")
        updated = self._execute(_CHANGES)
        if not updated:
            return Applied(created, 0, [])
        differences = [Difference(*row) for row in self._rows(_DIFFERENCES)]
        self._execute(_END_ENROLMENTS)
        if self._keep_before:
            self._execute(_KEEP_BEFORE)
        self._execute(_UPDATE)
        self._execute(_REMEMBER)
        self._transfers()
        return Applied(created, updated, differences)

    def _transfers(self) -> None:
        if stale := [identity for (identity,) in self._rows(_STALE_TRANSFERS)]:
            apply(TRANSFER, Transfer, stale, "withdraw", self._actor, reason="名册已更新")
            Transfer.objects.filter(id__in=stale).update(closed_at=self._now)
        self._execute(_OTHER_CLASS)
        asked = [identity for (identity,) in self._rows(_ASK)]
        begin(TRANSFER, asked, self._actor)

    def _copy(self, target: str, block: bytes) -> None:
        with connection.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(HEADER)
            copy.write(block)
            copy.write(TRAILER)

    def _execute(self, statement: str) -> int:
        with connection.cursor() as cursor:
            cursor.execute(statement, self._values)
            return max(cursor.rowcount, 0)

    def _rows(self, statement: str) -> Sequence[tuple]:
        with connection.cursor() as cursor:
            cursor.execute(statement, self._values)
            return cursor.fetchall()
