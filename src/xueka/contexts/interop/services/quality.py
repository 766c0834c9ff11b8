"""The four measures of each interface, by day (docs/interfaces/exchange.md §8)."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models import Max

from xueka.contexts.interop.models import Comparison, Quality
from xueka.kernel import clock
from xueka.platform.exchange.counterparts import Counterpart, counterparts
from xueka.platform.exchange.quality import (
    ACCURATE,
    COMPLETE,
    TIMELY,
    VALID,
    Meaning,
    Share,
    Source,
    sources,
)
from xueka.platform.exchange.standing import EXCHANGE

log = structlog.get_logger("xueka.interop")


def measure_all() -> None:
    """Today and yesterday of every interface; older days stay as they were. What has nothing to measure has
    no row. An interface whose measuring breaks keeps the others from nothing.
    """
    today = clock.today()
    for source in sources():
        for day in (today - timedelta(days=1), today):
            try:
                with transaction.atomic():
                    _keep(day, source.taken(_start(day), _start(day + timedelta(days=1))))
            except Exception:
                log.exception("interop.measure_broken", interfaces=list(source.meanings))


def _keep(day: date, found: Mapping[str, Mapping[str, Share]]) -> None:
    now = clock.now()
    rows = [
        Quality(counterpart=code, day=day, measure=name, good=good, total=total, at=now)
        for code, shares in found.items()
        for name, (good, total) in shares.items()
        if total
    ]
    Quality.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["counterpart", "day", "measure"],
        update_fields=["good", "total", "at"],
    )


def _start(day: date) -> datetime:
    return datetime.combine(day, time(), clock.SHANGHAI)


def _of_partner(partner: Counterpart, first: datetime, last: datetime) -> dict[str, Share]:
    return {**_messages(partner, first, last), **_compared(partner, first, last)}


def _messages(partner: Counterpart, first: datetime, last: datetime) -> dict[str, Share]:
    values: dict[str, Any] = {
        "code": partner.code,
        "first": first,
        "last": last,
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


def _compared(partner: Counterpart, first: datetime, last: datetime) -> dict[str, Share]:
    """From the last comparison of each dataset that day."""
    done = Comparison.objects.filter(
        counterpart=partner.code,
        problem="",
        finished_at__gte=first,
        finished_at__lt=last,
    )
    latest = done.values("dataset").annotate(last=Max("id")).values_list("last", flat=True)
    rows = list(Comparison.objects.filter(id__in=list(latest)))
    both = sum(each.both for each in rows)
    either = sum(each.ours + each.theirs - each.both for each in rows)
    return {COMPLETE: (both, max(either, both)), ACCURATE: (sum(each.agreeing for each in rows), both)}


def _measured(first: datetime, last: datetime) -> Mapping[str, Mapping[str, Share]]:
    return {each.code: _of_partner(each, first, last) for each in counterparts()}


#: Every counterpart of the exchange, whatever its code.
QUALITY = Source(
    {
        EXCHANGE: {
            COMPLETE: Meaning("当天最后一次核对：两边都有的记录 ÷ 任一边有的"),
            VALID: Meaning("当天判过的消息里，内容被接受的 ÷ 接受和因内容被拒的（两个方向）"),
            ACCURATE: Meaning("当天最后一次核对：两边一致的记录 ÷ 两边都有的"),
            TIMELY: Meaning("当天的消息里，约定时间内送到的 ÷ 已送到和已超时的"),
        }
    },
    _measured,
)
