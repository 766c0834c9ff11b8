"""The cards' history becomes bindings and hot-list entries: each card is looked at after its steps."""

from datetime import timedelta
from typing import Any

from django.db import connection

from xueka.contexts.cards import api as cards
from xueka.contexts.transit.models import Follower
from xueka.contexts.transit.services import bindings, hot_list
from xueka.contexts.transit.services.common import partner
from xueka.kernel import clock
from xueka.platform.history.following import Place, horizon, moved
from xueka.platform.identity.actor import Actor

AT_ONCE, PIECE = 1_000, 5_000
LOOK_AGAIN = timedelta(days=1)
_STEPS = """
    SELECT id, object_id FROM history_transition
     WHERE machine = 'card' AND id > %s
       AND (to_state IN ('active', 'lost', 'cancelled', 'void', 'destroyed')
            OR from_state IN ('active', 'lost', 'cancelled', 'void'))
     ORDER BY id LIMIT %s"""
#: Of the next piece of all cards: its last one, and those handed out, or dead, before we began to read.
_BEHIND = """
    WITH piece AS (
        SELECT id, state, transit_number FROM cards_card WHERE id > %(after)s ORDER BY id LIMIT %(piece)s)
    SELECT max(p.id), count(*), (array_agg(p.id ORDER BY p.id) FILTER (
           WHERE p.transit_number <> ''
             AND (p.state = 'active' AND NOT EXISTS (SELECT 1 FROM transit_binding b WHERE b.card_id = p.id)
                  OR p.state IN ('lost', 'cancelled')
                     AND NOT EXISTS (SELECT 1 FROM transit_hotcard h WHERE h.card_id = p.id))))[:%(most)s]
      FROM piece p"""


def follow(actor: Actor) -> int:
    """One tick, in the caller's transaction; how many bindings and entries moved. None without a company."""
    if partner() is None:
        return 0
    seen = horizon()
    follower, new = Follower.objects.get_or_create(id=1, defaults={"read_up_to": seen.last})
    if not new:
        follower = Follower.objects.select_for_update().get(id=1)
    with connection.cursor() as cursor:
        cursor.execute(_STEPS, [follower.read_up_to, AT_ONCE])
        steps = cursor.fetchall()
    changed = _settle(actor, sorted({card for _, card in steps}))
    before = Place(follower.read_up_to, follower.pending_up_to, follower.pending_xid)
    after = moved(before, seen, steps[-1][0] if len(steps) == AT_ONCE else None)
    if after != before:
        follower.read_up_to, follower.pending_up_to = after.read_up_to, after.pending_up_to
        follower.pending_xid = after.pending_xid
        follower.save()
    return changed


def catch_up(actor: Actor, most: int = AT_ONCE, piece: int = PIECE) -> int:
    """Cards of before, by a round over all cards, a piece at a time; the next round begins a day after it."""
    follower = Follower.objects.select_for_update().filter(id=1).first()
    if partner() is None or follower is None:
        return 0
    now = clock.now()
    if follower.caught_up_at is not None and follower.caught_up_at > now - LOOK_AGAIN:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_BEHIND, {"after": follower.caught_up_to, "piece": piece, "most": most})
        last, count, ids = cursor.fetchone()
    ids = ids or []
    if len(ids) == most:
        place: dict[str, Any] = {"caught_up_to": ids[-1]}
    elif count == piece:
        place = {"caught_up_to": last}
    else:
        place = {"caught_up_to": 0, "caught_up_at": now}
    Follower.objects.filter(id=1).update(**place)
    return _settle(actor, ids)


def _settle(actor: Actor, ids: list[int]) -> int:
    if not ids:
        return 0
    rows = cards.Card.objects.filter(id__in=ids).exclude(transit_number="").select_related("student")
    found = list(rows.order_by("id"))
    return bindings.settle(actor, found) + hot_list.settle(actor, found)
