"""Moving many students at once, and the classes they move between. For mass changes that were agreed before.

Set-based: one statement moves a whole school. Every move says where it expects the student; whoever is
elsewhere by now is left alone, and the caller sees it from the answer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from xueka.contexts.registry.domain.vocabulary import ENDED_BY
from xueka.kernel import clock
from xueka.platform.identity.actor import Actor

PERMISSION = "city:student:move"
"""Nobody's but the system's: a mass change is agreed by people and carried out by the worker."""


@dataclass(frozen=True, slots=True)
class Moves:
    """Parallel columns: student i goes from class and status to class and status."""

    students: list[int] = field(default_factory=list)
    from_classes: list[int] = field(default_factory=list)
    from_statuses: list[str] = field(default_factory=list)
    to_classes: list[int] = field(default_factory=list)
    to_statuses: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Places:
    """Parallel columns: classes named by school (id), stage, grade and name."""

    schools: list[int] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)
    grades: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


def ensure_classes(actor: Actor, places: Places) -> tuple[list[int], list[int]]:
    """The ids of these classes in the order given, and of those that had to be made."""
    actor.require(PERMISSION)
    columns: list[Any] = [places.schools, places.stages, places.grades, places.names]
    with connection.cursor() as cursor:
        cursor.execute(_MAKE_CLASSES, columns)
        made = [identity for (identity,) in cursor.fetchall()]
        cursor.execute(_FIND_CLASSES, columns)
        return [identity for (identity,) in cursor.fetchall()], made


def remove_empty_classes(actor: Actor, class_ids: Sequence[int]) -> int:
    """Remove those of the classes that nobody is or ever was in; returns how many."""
    actor.require(PERMISSION)
    with connection.cursor() as cursor:
        cursor.execute(_REMOVE_EMPTY, [list(class_ids)])
        return cursor.rowcount


def hold_students(actor: Actor, students: Iterable[int]) -> set[int]:
    """Lock students by rising id before they are moved; those of them who are in an open transfer."""
    actor.require(PERMISSION)
    ids = list(students)
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [ids])
        cursor.execute(_IN_TRANSFER, [ids])
        return {identity for (identity,) in cursor.fetchall()}


def move_students(actor: Actor, moves: Moves, ended_by: str) -> list[int]:
    """Move whoever is where `moves` expects; returns their ids, in order.

    The enrolment that ends is kept with `ended_by` (a code of ENDED_BY); the new one begins today.
    """
    actor.require(PERMISSION)
    if ended_by not in ENDED_BY:
        raise ValueError(f"unknown end of an enrolment: {ended_by!r}")
    values: dict[str, Any] = {
        "students": moves.students,
        "from_classes": moves.from_classes,
        "from_statuses": moves.from_statuses,
        "to_classes": moves.to_classes,
        "to_statuses": moves.to_statuses,
        "today": clock.today(),
        "now": clock.now(),
        "ended_by": ended_by,
    }
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, values)
        return sorted(identity for (identity,) in cursor.fetchall())


_WANTED = """unnest(%s::int8[], %s::text[], %s::int2[], %s::text[])
             WITH ORDINALITY AS w (school, stage, grade, name, n)"""

# A roster at work may make the same class in this moment: then theirs is the class.
_MAKE_CLASSES = f"""
    INSERT INTO registry_schoolclass (school_id, stage, grade, name)
    SELECT DISTINCT w.school, w.stage, w.grade, w.name FROM {_WANTED}
     WHERE NOT EXISTS (SELECT 1 FROM registry_schoolclass c
                        WHERE (c.school_id, c.stage, c.grade, c.name) = (w.school, w.stage, w.grade, w.name))
    ON CONFLICT DO NOTHING
    RETURNING id
"""  # noqa: S608 - no values in it

_FIND_CLASSES = f"""
    SELECT c.id FROM {_WANTED}
      JOIN registry_schoolclass c
        ON (c.school_id, c.stage, c.grade, c.name) = (w.school, w.stage, w.grade, w.name)
     ORDER BY w.n
"""  # noqa: S608

# One look into the index for each class: a table filled in this transaction has no statistics, and a join
# would meet a whole school for each of its classes.
_REMOVE_EMPTY = """
    DELETE FROM registry_schoolclass c
     WHERE c.id = ANY(%s)
       AND (SELECT 1 FROM registry_student s
             WHERE s.school_id = c.school_id AND s.school_class_id = c.id LIMIT 1) IS NULL
       AND NOT EXISTS (SELECT 1 FROM registry_enrolment e WHERE e.school_class_id = c.id)
       AND NOT EXISTS (SELECT 1 FROM registry_transfer t WHERE t.to_class_id = c.id)
"""

_HOLD = "SELECT 1 FROM registry_student WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"

_IN_TRANSFER = "SELECT student_id FROM registry_transfer WHERE state = 'open' AND student_id = ANY(%s)"

# No key of a student changes: cards and applications that name her may be written meanwhile, which a lock
# for update would keep waiting while it waits for theirs.
_MOVE = """
    WITH going AS (
        SELECT x.id, x.school_id, x.school_class_id, x.status, x.enrolled_from,
               c.school_id AS new_school, c.id AS new_class, w.to_status AS new_status,
               greatest(x.enrolled_from, %(today)s::date) AS day
          FROM unnest(%(students)s::int8[], %(from_classes)s::int8[], %(from_statuses)s::text[],
                      %(to_classes)s::int8[], %(to_statuses)s::text[])
               AS w (student, from_class, from_status, to_class, to_status)
          JOIN registry_student x ON x.id = w.student
          JOIN registry_schoolclass c ON c.id = w.to_class
         WHERE x.school_class_id = w.from_class AND x.status = w.from_status
         ORDER BY x.id
           FOR NO KEY UPDATE OF x),
    ended AS (
        INSERT INTO registry_enrolment
               (student_id, school_id, school_class_id, status, from_date, to_date, reason)
        SELECT id, school_id, school_class_id, status, enrolled_from, day, %(ended_by)s
          FROM going ORDER BY id)
    UPDATE registry_student x
       SET school_id = g.new_school, school_class_id = g.new_class, status = g.new_status,
           enrolled_from = g.day, updated_at = %(now)s
      FROM going g
     WHERE x.id = g.id
    RETURNING x.id
"""
