"""The four measures of each interface, by day (docs/interfaces/exchange.md §8)."""

from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import connection
from django.db.models import Max

from xueka.contexts.interop.models import ACCURATE, COMPLETE, TIMELY, VALID, Comparison, Quality
from xueka.kernel import clock
from xueka.platform.exchange.counterparts import Counterpart, counterparts


def measure_all() -> None:
    """Today and yesterday of every counterpart; older days stay as they were."""
    today = clock.today()
    for partner in counterparts():
        for day in (today - timedelta(days=1), today):
            measure(partner, day)


def measure(partner: Counterpart, day: date) -> None:
    """Write the measures of one day, in the caller's transaction; what has nothing to measure has no row."""
    found = {**_messages(partner, day), **_compared(partner, day)}
    for name, (good, total) in found.items():
        if total:
            Quality.objects.update_or_create(
                counterpart=partner.code,
                day=day,
                measure=name,
                defaults={"good": good, "total": total, "at": clock.now()},
            )


def _messages(partner: Counterpart, day: date) -> dict[str, tuple[int, int]]:
    first = datetime.combine(day, time(), clock.SHANGHAI)
    values: dict[str, Any] = {
        "code": partner.code,
        "first": first,
        "last": first + timedelta(days=1),
        "limit": timedelta(seconds=partner.limits.in_time),
        "now": clock.now(),
    }
    with connection.cursor() as cursor:
        cursor.execute(_TIMELY, values)
        timely = cursor.fetchone()
        cursor.execute(_VALID, values)
        valid = cursor.fetchone()
    return {TIMELY: timely, VALID: valid}


#: Of the messages posted that day: those that arrived in time, of those that have arrived or are late.
_TIMELY = """
    SELECT count(*) FILTER (WHERE o.state = 'delivered' AND o.ended_at <= o.created_at + %(limit)s),
           count(*) FILTER (WHERE o.state = 'delivered' OR o.created_at + %(limit)s < %(now)s)
      FROM exchange_outgoing o JOIN exchange_stream s ON s.id = o.stream_id
     WHERE s.counterpart = %(code)s AND o.created_at >= %(first)s AND o.created_at < %(last)s"""
#: Of the messages judged that day, either way: those whose content was accepted.
_VALID = """
    SELECT coalesce(sum(good), 0), coalesce(sum(total), 0) FROM (
        SELECT count(*) FILTER (WHERE a.code = '') AS good, count(*) AS total
          FROM (SELECT DISTINCT a.outgoing_id, a.code FROM exchange_attempt a
                  JOIN exchange_outgoing o ON o.id = a.outgoing_id
                  JOIN exchange_stream s ON s.id = o.stream_id
                 WHERE s.counterpart = %(code)s AND a.at >= %(first)s AND a.at < %(last)s
                   AND a.code IN ('', 'CONTENT_REFUSED')) a
        UNION ALL
        SELECT count(*) FILTER (WHERE state = 'applied'), count(*) FILTER (WHERE state <> 'waiting')
          FROM exchange_incoming
         WHERE counterpart = %(code)s AND ended_at >= %(first)s AND ended_at < %(last)s) AS judged"""


def _compared(partner: Counterpart, day: date) -> dict[str, tuple[int, int]]:
    """From the last comparison of each dataset that day."""
    first = datetime.combine(day, time(), clock.SHANGHAI)
    done = Comparison.objects.filter(
        counterpart=partner.code,
        problem="",
        finished_at__gte=first,
        finished_at__lt=first + timedelta(days=1),
    )
    latest = done.values("dataset").annotate(last=Max("id")).values_list("last", flat=True)
    rows = list(Comparison.objects.filter(id__in=list(latest)))
    both = sum(each.both for each in rows)
    either = sum(each.ours + each.theirs - each.both for each in rows)
    return {COMPLETE: (both, max(either, both)), ACCURATE: (sum(each.agreeing for each in rows), both)}
