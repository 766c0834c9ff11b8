"""One statement judges every student of a school and plans the moves of those who go."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from xueka.contexts.registry import api as registry
from xueka.contexts.schoolyear.configuration import rules
from xueka.contexts.schoolyear.domain.rules import season_start
from xueka.contexts.schoolyear.models import Piece
from xueka.kernel import clock

Wont = list[dict[str, Any]]
EXAMPLES = 5


def plan_promotion(piece: Piece) -> tuple[int, Wont]:
    """Everybody one grade up within the stage; returns how many go, and who does not, by reason."""
    return _plan(_PROMOTION, _values(piece))


def plan_graduation(piece: Piece) -> tuple[int, Wont]:
    """The graduating grades leave, or go on to the next stage where the school has it."""
    offered = piece.school.stages
    going = [
        (stage, rung)
        for stage in registry.STAGES
        if rules().going_on_inside and (rung := registry.next_stage(stage, offered))
    ]
    values = _values(piece) | {
        "on_from": [stage for stage, _ in going],
        "on_stages": [rung.stage for _, rung in going],
        "on_grades": [rung.grade for _, rung in going],
        "graduated": registry.GRADUATED,
    }
    return _plan(_GRADUATION, values)


def plan_places(
    piece: Piece, ended_by: str, places: Sequence[tuple[int, int, str, int, str]]
) -> tuple[int, Wont]:
    """Whole classes go to other places: (class id, school id, stage, grade, name) of each."""
    values = {
        "piece": piece.id,
        "present": list(registry.PRESENT),
        "ended_by": ended_by,
        "classes": [place[0] for place in places],
        "schools": [place[1] for place in places],
        "stages": [place[2] for place in places],
        "grades": [place[3] for place in places],
        "names": [place[4] for place in places],
        "school": piece.school_id,
    }
    return _plan(_PLACES, values)


def _plan(statement: str, values: dict[str, Any]) -> tuple[int, Wont]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        found = cursor.fetchall()
    going = sum(count for why, count, _ in found if not why)
    return going, [
        {"code": why, "count": count, "examples": examples} for why, count, examples in found if why
    ]


def _values(piece: Piece) -> dict[str, Any]:
    schooling = piece.school.schooling
    season = season_start(piece.school_year, rules().season_begins)
    return {
        "piece": piece.id,
        "school": piece.school_id,
        "year": piece.school_year,
        "season": season,
        "season_began": datetime(season.year, season.month, season.day, tzinfo=clock.SHANGHAI),
        "present": list(registry.PRESENT),
        "promoting": rules().promoting,
        "stages": list(registry.STAGES),
        "lasts": [registry.last_grade(schooling, stage) for stage in registry.STAGES],
    }


# Where the student was when the season began tells whether she has moved up already, by whatever way.
_STUDENTS = """
      FROM registry_student s
      JOIN registry_schoolclass c ON c.id = s.school_class_id
      JOIN unnest(%(stages)s::text[], %(lasts)s::int2[]) AS l (stage, last) ON l.stage = c.stage
      LEFT JOIN schoolyear_choice ch ON ch.student_id = s.id AND ch.school_year = %(year)s
      LEFT JOIN LATERAL (
           SELECT ec.stage, ec.grade
             FROM registry_enrolment e JOIN registry_schoolclass ec ON ec.id = e.school_class_id
            WHERE e.student_id = s.id AND e.to_date >= %(season)s ORDER BY e.id LIMIT 1) began ON true
"""

_COLUMNS = """
    SELECT s.id, s.education_id, s.status, c.id AS class_id, c.school_id, c.stage, c.grade, c.name,
           coalesce(ch.choice, '') AS choice, coalesce(ch.value, '') AS value,
"""

_MOVED_UP = "(began.stage, began.grade) <> (c.stage, c.grade)"
_IN_TRANSFER = """
    EXISTS (SELECT 1 FROM registry_transfer t WHERE t.student_id = s.id AND t.state = 'open')
"""

_INSERT = """
    INSERT INTO schoolyear_move (piece_id, student_id, before_class_id, before_status, after_school_id,
                                 after_stage, after_grade, after_name, after_status, ended_by, outcome, note)
"""

_COUNT = f"""
    SELECT why, count(*),
           (array_agg(education_id ORDER BY education_id) FILTER (WHERE why <> ''))[1:{EXAMPLES}]
      FROM judged GROUP BY why ORDER BY why
"""  # noqa: S608 - a number of our own

# A new entrant is told from a new installation by whether anybody was on record before the season.
_PROMOTION = f"""
    WITH judged AS MATERIALIZED (
        {_COLUMNS}
               CASE WHEN ch.choice = 'leave' THEN ''
                    WHEN s.status <> ALL(%(promoting)s) THEN 'suspended'
                    WHEN ch.choice = 'repeat' THEN 'repeat'
                    WHEN {_MOVED_UP} THEN 'already'
                    WHEN c.grade >= l.last THEN 'final'
                    WHEN c.grade = 1 AND began.grade IS NULL AND s.created_at >= %(season_began)s
                         AND EXISTS (SELECT 1 FROM registry_student o
                                      WHERE o.school_id = %(school)s AND o.created_at < %(season_began)s)
                         THEN 'new_entrant'
                    WHEN {_IN_TRANSFER} THEN 'transfer'
                    ELSE '' END AS why
        {_STUDENTS}
         WHERE s.school_id = %(school)s AND s.status = ANY(%(present)s)),
    planned AS (
        {_INSERT}
        SELECT %(piece)s, id, class_id, status, school_id, stage,
               CASE WHEN choice = 'leave' THEN grade ELSE grade + 1 END,
               CASE WHEN choice = 'class' THEN value ELSE name END,
               CASE WHEN choice = 'leave' THEN value ELSE status END,
               CASE WHEN choice = 'leave' THEN 'left' ELSE 'promoted' END, 'planned', ''
          FROM judged WHERE why = '' ORDER BY id)
    {_COUNT}
"""  # noqa: S608

_GRADUATION = f"""
    WITH judged AS MATERIALIZED (
        {_COLUMNS}
               CASE WHEN ch.choice = 'leave' THEN ''
                    WHEN s.status <> ALL(%(promoting)s) THEN 'suspended'
                    WHEN ch.choice = 'repeat' THEN 'repeat'
                    WHEN {_MOVED_UP} THEN 'already'
                    WHEN {_IN_TRANSFER} THEN 'transfer'
                    ELSE '' END AS why
        {_STUDENTS}
         WHERE s.school_id = %(school)s AND s.status = ANY(%(present)s) AND c.grade >= l.last),
    planned AS (
        {_INSERT}
        SELECT %(piece)s, j.id, j.class_id, j.status, j.school_id,
               CASE WHEN j.choice = 'leave' THEN j.stage ELSE coalesce(n.stage, j.stage) END,
               CASE WHEN j.choice = 'leave' THEN j.grade ELSE coalesce(n.grade, j.grade) END,
               CASE WHEN j.choice = 'class' THEN j.value ELSE j.name END,
               CASE WHEN j.choice = 'leave' THEN j.value
                    WHEN n.stage IS NULL THEN %(graduated)s ELSE j.status END,
               CASE WHEN j.choice = 'leave' THEN 'left' ELSE 'graduated' END, 'planned', ''
          FROM judged j
          LEFT JOIN unnest(%(on_from)s::text[], %(on_stages)s::text[], %(on_grades)s::int2[])
                    AS n (origin, stage, grade) ON n.origin = j.stage
         WHERE why = '' ORDER BY j.id)
    {_COUNT}
"""  # noqa: S608

_PLACES = f"""
    WITH judged AS MATERIALIZED (
        SELECT s.id, s.education_id, s.status, s.school_class_id AS class_id,
               p.school, p.stage, p.grade, p.name,
               CASE WHEN p.school IS NULL THEN 'no_target' WHEN {_IN_TRANSFER} THEN 'transfer'
                    ELSE '' END AS why
          FROM registry_student s
          LEFT JOIN unnest(%(classes)s::int8[], %(schools)s::int8[], %(stages)s::text[], %(grades)s::int2[],
                           %(names)s::text[]) AS p (class_id, school, stage, grade, name)
            ON p.class_id = s.school_class_id
         WHERE s.school_id = %(school)s AND s.status = ANY(%(present)s)
           AND (p.school IS NOT NULL OR %(ended_by)s = 'merged')),
    planned AS (
        {_INSERT}
        SELECT %(piece)s, id, class_id, status, school, stage, grade, name, status, %(ended_by)s,
               'planned', ''
          FROM judged WHERE why = '' ORDER BY id)
    {_COUNT}
"""  # noqa: S608
