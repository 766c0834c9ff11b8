"""Counting what happened, from the history. One statement for each table and any stretch of days.

The same SQL serves a day that is over (kept in DayFigure and DayWait) and the present one (read live).
"""

from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import connection, transaction

from xueka.contexts.cards import api as cards
from xueka.contexts.reporting.domain.measures import MEASURES, STEPS, WHOLE
from xueka.contexts.reporting.models import DayFigure, DayWait, RecordedDay, Standing
from xueka.kernel import clock
from xueka.platform.identity.scope import Scope

_TABLES = {"application": "cards_application", "card": "cards_card"}
_DAY = "(h.at AT TIME ZONE 'Asia/Shanghai')::date"
CHUNK = 31  # days counted in one transaction
SETTLED = timedelta(hours=1)  # after midnight nothing of the day before is still under way


def midnight(day: date) -> datetime:
    """The moment a day begins in Shanghai."""
    return datetime.combine(day, time.min, clock.SHANGHAI)


def places(scope: Scope) -> tuple[str, dict[str, Any]]:
    """SQL that yields the ids of the schools of a scope, and its values."""
    if scope.level in ("system", "city"):
        return "SELECT id FROM registry_school", {}
    if scope.level == "district":
        return "SELECT id FROM registry_school WHERE district_id = %(district)s", {"district": scope.district}
    return "SELECT id FROM registry_school WHERE code = %(school)s", {"school": scope.school}


def figures_sql(inside: str) -> str:
    """Rows (day, school_id, measure, count) of what happened from %(since)s to before %(until)s."""
    parts = []
    for measure, (machine, events, states) in MEASURES.items():
        towards = f"AND h.to_state IN ({_listed(states)})" if states else ""
        parts.append(_happened(f"'{measure}'", machine, events, towards, inside))
    # First submissions by reason, for the rate of replacements.
    parts.append(
        _happened("'reason_' || o.reason", "application", ("submit",), "AND h.from_state = 'draft'", inside)
    )
    return " UNION ALL ".join(parts)


def waits_sql(inside: str) -> str:
    """Rows (day, school_id, step, whole hours, count) of the waits that ended in the same stretch."""
    hours = "floor(extract(epoch FROM h.at - {}) / 3600)::int"
    parts = [
        f"""SELECT {_DAY}, o.school_id, '{step}'::text, greatest(0, {hours.format("p.at")}), count(*)
              FROM history_transition h
              JOIN history_transition p
                ON p.machine = h.machine AND p.object_id = h.object_id AND p.seq = h.seq - 1
              JOIN {_TABLES[machine]} o ON o.id = h.object_id
             WHERE h.machine = '{machine}' AND h.event IN ({_listed(events)}) AND h.from_state = '{state}'
               AND h.at >= %(since)s AND h.at < %(until)s AND o.school_id IN ({inside})
             GROUP BY 1, 2, 4"""  # noqa: S608 - our own words
        for step, (_, machine, state, events) in STEPS.items()
    ]
    parts.append(
        f"""SELECT {_DAY}, o.school_id, '{WHOLE}', greatest(0, {hours.format("a.submitted_at")}), count(*)
              FROM history_transition h
              JOIN cards_card o ON o.id = h.object_id
              JOIN cards_application a ON a.id = o.application_id
             WHERE h.machine = 'card' AND h.event IN ('hand_out', 'give') AND a.submitted_at IS NOT NULL
               AND h.at >= %(since)s AND h.at < %(until)s AND o.school_id IN ({inside})
             GROUP BY 1, 2, 4"""  # noqa: S608 - our own words
    )
    return " UNION ALL ".join(parts)


def standing_sql(inside: str) -> str:
    """Rows (school_id, and the figures of Standing in the order of its fields) of the present moment."""
    entitled, live = _listed(cards.ENTITLED), _listed(cards.LIVE)
    return f"""
        WITH place AS MATERIALIZED ({inside}),
        student AS (
            SELECT s.school_id, count(*) AS students,
                   count(*) FILTER (WHERE NOT EXISTS (
                       SELECT FROM cards_photo p WHERE p.student_id = s.id)) AS without_photo,
                   count(*) FILTER (WHERE NOT EXISTS (
                       SELECT FROM registry_consent c WHERE c.student_id = s.id AND c.action = 'given'
                          AND NOT EXISTS (SELECT FROM registry_consent later
                                           WHERE later.student_id = s.id AND later.id > c.id))
                   ) AS without_consent
              FROM registry_student s
             WHERE s.status IN ({entitled}) AND s.school_id IN (SELECT id FROM place)
             GROUP BY 1),
        holder AS (
            SELECT s.school_id, count(DISTINCT c.student_id) AS holding,
                   count(*) FILTER (WHERE c.state = 'lost') AS lost
              FROM cards_card c JOIN registry_student s ON s.id = c.student_id
             WHERE c.state IN ({live}) AND s.status IN ({entitled}) AND s.school_id IN (SELECT id FROM place)
             GROUP BY 1),
        paper AS (
            SELECT school_id,
                   count(*) FILTER (WHERE state IN ('draft', 'returned', 'school_review', 'district_review',
                                                    'city_review')) AS applying,
                   count(*) FILTER (WHERE state IN ('accepted', 'at_counter')) AS accepted
              FROM cards_application
             WHERE state IN ('draft', 'returned', 'school_review', 'district_review', 'city_review',
                             'accepted', 'at_counter')
               AND school_id IN (SELECT id FROM place)
             GROUP BY 1),
        plastic AS (
            SELECT school_id,
                   count(*) FILTER (WHERE state IN ('planned', 'ordered', 'issuing')) AS making,
                   count(*) FILTER (WHERE state IN ('made', 'packed', 'in_transit', 'ready')) AS on_way,
                   count(*) FILTER (WHERE state = 'at_school') AS at_school
              FROM cards_card
             WHERE state IN ('planned', 'ordered', 'made', 'packed', 'in_transit', 'at_school',
                             'issuing', 'ready')
               AND school_id IN (SELECT id FROM place)
             GROUP BY 1)
        SELECT place.id, coalesce(students, 0), coalesce(holding, 0), coalesce(applying, 0),
               coalesce(accepted, 0), coalesce(making, 0), coalesce(on_way, 0), coalesce(at_school, 0),
               coalesce(lost, 0), coalesce(without_photo, 0), coalesce(without_consent, 0)
          FROM place
          LEFT JOIN student ON student.school_id = place.id
          LEFT JOIN holder ON holder.school_id = place.id
          LEFT JOIN paper ON paper.school_id = place.id
          LEFT JOIN plastic ON plastic.school_id = place.id"""  # noqa: S608 - our own words


def record_days(first: date, last: date) -> None:
    """Count the days anew, whatever was known of them; killed in the middle, whole days are kept."""
    everywhere, _ = places(Scope("city"))
    while first <= last:
        until = min(first + timedelta(days=CHUNK - 1), last)
        values = {"since": midnight(first), "until": midnight(until + timedelta(days=1))}
        with transaction.atomic(), connection.cursor() as cursor:
            DayFigure.objects.filter(day__range=(first, until)).delete()
            DayWait.objects.filter(day__range=(first, until)).delete()
            cursor.execute(
                "INSERT INTO reporting_dayfigure (day, school_id, measure, count) " + figures_sql(everywhere),
                values,
            )
            cursor.execute(
                "INSERT INTO reporting_daywait (day, school_id, step, hours, count) " + waits_sql(everywhere),
                values,
            )
            cursor.execute(
                """INSERT INTO reporting_recordedday (day, recorded_at)
                   SELECT day, %(now)s FROM generate_series(%(first)s::date, %(last)s::date, '1 day') AS day
                   ON CONFLICT (day) DO UPDATE SET recorded_at = excluded.recorded_at""",
                {"first": first, "last": until, "now": clock.now()},
            )
        first = until + timedelta(days=1)


def record_standing() -> None:
    """How every school stands now, as the present day's row."""
    everywhere, _ = places(Scope("city"))
    with transaction.atomic(), connection.cursor() as cursor:
        Standing.objects.filter(day=clock.today()).delete()
        cursor.execute(
            f"""INSERT INTO reporting_standing (day, counted_at, school_id, students, holding, applying,
                    accepted, making, on_way, at_school, lost, without_photo, without_consent)
                SELECT %(day)s, %(now)s, * FROM ({standing_sql(everywhere)}) AS counted""",  # noqa: S608
            {"day": clock.today(), "now": clock.now()},
        )


def first_day() -> date | None:
    """The day of the oldest step on record."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT at FROM history_transition ORDER BY id LIMIT 1")
        row = cursor.fetchone()
    return clock.local(row[0]).date() if row else None


def due() -> tuple[date, date] | None:
    """The days that are over and not recorded, from the first of them to yesterday.

    Yesterday is counted soon after midnight, and once more an hour later: what began before midnight may have
    been committed after the first count.
    """
    begin, yesterday = first_day(), clock.today() - timedelta(days=1)
    if begin is None or begin > yesterday:
        return None
    last = RecordedDay.objects.filter(day__gte=begin).order_by("-day").first()
    first = begin if last is None else last.day + timedelta(days=1)
    if first <= yesterday:
        return first, yesterday
    settled = midnight(clock.today()) + SETTLED
    early = last is not None and last.day == yesterday and last.recorded_at < settled <= clock.now()
    return (yesterday, yesterday) if early else None


def _happened(measure: str, machine: str, events: tuple[str, ...], further: str, inside: str) -> str:
    return f"""SELECT {_DAY} AS day, o.school_id, {measure} AS measure, count(*) AS count
              FROM history_transition h JOIN {_TABLES[machine]} o ON o.id = h.object_id
             WHERE h.machine = '{machine}' AND h.event IN ({_listed(events)}) {further}
               AND h.at >= %(since)s AND h.at < %(until)s AND o.school_id IN ({inside})
             GROUP BY 1, 2, 3"""  # noqa: S608 - our own words


def _listed(words: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)
