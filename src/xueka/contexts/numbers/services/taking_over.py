"""Numbers that another system has used come in, so that none is ever given again; and go out again.

Steps of a take-over: that act carries the approval and the audit entry (docs/adr/0091).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.db import connection

from xueka.contexts.numbers.models import NumberRange, NumberUse
from xueka.contexts.numbers.services.ranges import one_at_a_time
from xueka.kernel import clock
from xueka.platform.identity.actor import Actor


class TakenRange(NamedTuple):
    """A range of another system: `used` is the last serial it has used, below `first` if none."""

    sort: str
    issuer: str
    document: str
    prefix: str
    width: int
    first: int
    last: int
    used: int
    low_water: int = 0


class TakenNumber(NamedTuple):
    """A number on a card (`card_id`), or one that was used up and is on none."""

    sort: str
    number: str
    card_id: int | None
    reason: str = ""


def take_over_ranges(actor: Actor, take_over: int, ranges: Sequence[TakenRange]) -> list[list[int]]:
    """Take in ranges with what is used of them; answers the ids of the (one or two) ranges made of each.

    The used part becomes a closed range that gives nothing and that no other may overlap, the rest an open
    one. The caller has judged form and overlap; a violated constraint is the database's last word.
    """
    actor.require("city:takeover:load")
    for sort in sorted({each.sort for each in ranges}):
        one_at_a_time(sort)
    now = clock.now()
    made = []
    for each in ranges:
        parts = []
        if each.used >= each.first:
            parts.append((each.first, min(each.used, each.last), False, "旧系统已用"))
        if each.used < each.last:
            parts.append((max(each.first, each.used + 1), each.last, True, each.document))
        made.append(
            [
                NumberRange.objects.create(
                    sort=each.sort,
                    issuer=each.issuer,
                    document=document[:100],
                    prefix=each.prefix,
                    width=each.width,
                    first=first,
                    last=last,
                    next_serial=first,
                    low_water=each.low_water if is_open else 0,
                    is_open=is_open,
                    received_at=now,
                    received_by=actor.username,
                    taken_over=take_over,
                ).id
                for first, last, is_open, document in parts
            ]
        )
    return made


def take_over_numbers(actor: Actor, take_over: int, numbers: Sequence[TakenNumber]) -> list[int]:
    """Write down numbers that are used; answers their ids in the order given.

    A number on a card is used, one on none is spoiled: it will never be on any.
    """
    actor.require("city:takeover:load")
    if not numbers:
        return []
    columns: list[list[object]] = [
        [each.sort for each in numbers],
        [each.number for each in numbers],
        [each.card_id for each in numbers],
        [each.reason[:100] for each in numbers],
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO numbers_numberuse (sort, number, state, card_id, at, reason, taken_over)
            SELECT t.sort, t.number, CASE WHEN t.card_id IS NULL THEN 'spoiled' ELSE 'used' END, t.card_id,
                   %s, t.reason, %s
              FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::text[]) WITH ORDINALITY
                   AS t(sort, number, card_id, reason, place)
             ORDER BY t.place
            RETURNING id
            """,
            [clock.now(), take_over, *columns],
        )
        return [row[0] for row in cursor.fetchall()]


def take_back_numbers(
    actor: Actor, take_over: int, *, card_ids: Iterable[int] = (), ids: Iterable[int] = ()
) -> int:
    """Forget the numbers on cards whose take-over is taken back, and those of `ids`; answers how many."""
    actor.require("city:takeover:approve")
    _say(take_over)
    rows = NumberUse.objects.filter(taken_over=take_over)
    on_cards, _ = rows.filter(card_id__in=list(card_ids)).delete()
    alone, _ = rows.filter(card_id=None, id__in=list(ids)).delete()
    return on_cards + alone


def take_back_ranges(actor: Actor, take_over: int, ids: Sequence[int]) -> tuple[int, list[int]]:
    """Forget ranges of a take-over of which nothing was given since; answers (how many, ids that stay)."""
    actor.require("city:takeover:approve")
    _say(take_over)
    rows = NumberRange.objects.filter(taken_over=take_over, id__in=ids).order_by("id").select_for_update()
    stay = [each.id for each in rows if each.next_serial != each.first]
    gone, _ = NumberRange.objects.filter(id__in=[each.id for each in rows if each.id not in stay]).delete()
    return gone, stay


def _say(take_over: int) -> None:
    """Name the take-over to the guards of the tables, for the length of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('xueka.take_back', %s, true)", [str(take_over)])
