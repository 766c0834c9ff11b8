"""Card status to whoever wants it: the steps of cards become messages, each once, each card in its order.

Counterparts whose file names the dataset `card-status` are told. What was before a counterpart came is found
by comparing.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from xueka.contexts.interop.adapters.records import CARD_STATUS
from xueka.contexts.interop.domain.card_status import OUTSIDE
from xueka.contexts.interop.models import Follower
from xueka.kernel import clock
from xueka.platform.exchange.counterparts import counterparts
from xueka.platform.exchange.services import Letter, post_many
from xueka.platform.history.following import Place, horizon, moved

KIND = "card.status"
AT_ONCE = 1_000
ROUNDS = 3  # of one tick: other sweeps wait meanwhile

#: Steps that change what is told, of cards with a number, that have no message yet. The id of a message is
#: made
#: of its step (`exchange.services`), so that one which is read again is known.
_STEPS = """
    SELECT h.id, h.to_state, h.at, c.number, c.beijing_tong_number, c.kind_id
      FROM history_transition h JOIN cards_card c ON c.id = h.object_id
     WHERE h.machine = 'card' AND h.id > %(after)s AND c.beijing_tong_number <> ''
       AND %(outside)s::jsonb ->> h.to_state IS NOT NULL
       AND %(outside)s::jsonb ->> h.to_state IS DISTINCT FROM %(outside)s::jsonb ->> h.from_state
       AND (%(cards)s::text[] IS NULL OR c.number = ANY(%(cards)s))
       AND NOT EXISTS (
           SELECT 1 FROM exchange_outgoing o
            WHERE o.message_id = 'msg_' || left(encode(sha256(convert_to(
                %(code)s || chr(10) || 'card:' || c.number || chr(10) || 'step:' || h.id,
                'UTF8')), 'hex'), 40))
     ORDER BY h.id LIMIT %(most)s"""


def follow_all() -> int:
    """One tick for every counterpart that is told; returns how many messages were posted. Opens its
    transactions.
    """
    told = [each.code for each in counterparts() if CARD_STATUS in each.datasets]
    return sum(_follow(code) for code in told)


def _follow(code: str) -> int:
    posted, after = 0, 0
    for _ in range(ROUNDS):
        with transaction.atomic():
            seen = horizon()
            follower = _follower(code, seen.last)
            rows = _steps(code, max(after, follower.read_up_to))
            posted += post_many(code, [_letter(*row) for row in rows])
            after = rows[-1][0] if rows else after
            whole = len(rows) < AT_ONCE
            place = Place(follower.read_up_to, follower.pending_up_to, follower.pending_xid)
            _keep(follower, place, moved(place, seen, None if whole else after))
        if whole:
            break
    return posted


def untold(code: str, numbers: Sequence[str]) -> set[str]:
    """Of the cards with these numbers, those with a step of which the counterpart has no message yet."""
    follower = Follower.objects.filter(counterpart=code).first()
    if follower is None or not numbers:
        return set()
    return {row[3] for row in _steps(code, follower.read_up_to, numbers)}


def _steps(code: str, after: int, cards: Sequence[str] | None = None) -> list[tuple[Any, ...]]:
    values: dict[str, Any] = {
        "code": code,
        "after": after,
        "outside": json.dumps(OUTSIDE),
        "cards": None if cards is None else list(cards),
        "most": AT_ONCE,
    }
    with connection.cursor() as cursor:
        cursor.execute(_STEPS, values)
        return list(cursor.fetchall())


def _letter(step: int, state: str, at: datetime, number: str, beijing_tong_number: str, kind: str) -> Letter:
    told = content(number, beijing_tong_number, OUTSIDE[state], kind)
    return Letter(f"card:{number}", KIND, told, f"step:{step}", at)


def _keep(follower: Follower, before: Place, after: Place) -> None:
    if after != before:
        follower.read_up_to, follower.pending_up_to = after.read_up_to, after.pending_up_to
        follower.pending_xid, follower.at = after.pending_xid, clock.now()
        follower.save()


def content(number: str, beijing_tong_number: str, status: str, kind: str) -> dict[str, str]:
    """What a message of a card's status says."""
    return {"card": number, "beijing_tong_number": beijing_tong_number, "state": status, "card_kind": kind}


def _follower(code: str, last: int) -> Follower:
    Follower.objects.get_or_create(counterpart=code, defaults={"read_up_to": last, "at": clock.now()})
    return Follower.objects.select_for_update().get(counterpart=code)
