"""The cards' history becomes messages; besides, a round looks at every card, a piece at a time.

The round finds what no step of a card says: cards handed out before the platform came, and students who have
left or come back.
"""

import json
from typing import Any

from django.db import connection

from xueka.contexts.cards import api as cards
from xueka.contexts.registry import api as registry
from xueka.contexts.welfare.domain import holders
from xueka.contexts.welfare.models import Follower
from xueka.contexts.welfare.services.common import partner
from xueka.contexts.welfare.services.telling import WITH, settle
from xueka.platform.history.following import Place, horizon, moved

AT_ONCE, PIECE = 1_000, 5_000
_STEPS = """
    SELECT id, object_id FROM history_transition
     WHERE machine = 'card' AND id > %(after)s
       AND (to_state = ANY(%(told)s) OR from_state = ANY(%(told)s))
     ORDER BY id LIMIT %(most)s"""
_PIECE = """
    WITH piece AS (
        SELECT id, state, student_id, beijing_tong_number FROM cards_card
         WHERE id > %(after)s ORDER BY id LIMIT %(most)s),
    seen AS (
        SELECT p.id, p.beijing_tong_number <> '' AS named,
               %(outside)s::jsonb ->> p.state AS state,
               CASE WHEN s.status = ANY(%(present)s) THEN 'enrolled' ELSE 'left' END AS holder,
               t.state AS told_state, t.holder AS told_holder
          FROM piece p JOIN registry_student s ON s.id = p.student_id
          LEFT JOIN welfare_entitledcard t ON t.card_id = p.id
           -- so that those of the piece alone are read, not all that ever were told
           AND t.card_id BETWEEN %(after)s AND (SELECT max(id) FROM piece))
    SELECT count(*), max(id), array_agg(id ORDER BY id) FILTER (WHERE
               CASE WHEN told_state IS NULL THEN named AND state = 'active' AND holder = 'enrolled'
                    ELSE state IS NOT NULL AND (state, holder) <> (told_state, told_holder) END)
      FROM seen"""


def follow() -> int:
    """One tick, in the caller's transaction; how many messages. None without a platform."""
    if partner() is None:
        return 0
    seen = horizon()
    follower = _follower(seen.last)
    values: dict[str, Any] = {"after": follower.read_up_to, "told": list(holders.OUTSIDE), "most": AT_ONCE}
    with connection.cursor() as cursor:
        cursor.execute(_STEPS, values)
        steps = cursor.fetchall()
    told = _settle(sorted({card for _, card in steps}))
    before = Place(follower.read_up_to, follower.pending_up_to, follower.pending_xid)
    after = moved(before, seen, steps[-1][0] if len(steps) == AT_ONCE else None)
    if after != before:
        follower.read_up_to, follower.pending_up_to = after.read_up_to, after.pending_up_to
        follower.pending_xid = after.pending_xid
        follower.save()
    return told


def walk(most: int = PIECE) -> int:
    """The next piece of the round, in the caller's transaction; how many messages. After the last card it
    begins anew.
    """
    if partner() is None:
        return 0
    follower = _follower(horizon().last)
    values: dict[str, Any] = {
        "after": follower.walked_to,
        "most": most,
        "outside": json.dumps(holders.OUTSIDE),
        "present": list(registry.PRESENT),
    }
    with connection.cursor() as cursor:
        cursor.execute(_PIECE, values)
        count, last, ids = cursor.fetchone()
    Follower.objects.filter(pk=follower.pk).update(walked_to=last if count == most else 0)
    return _settle(ids or [])


def _follower(last: int) -> Follower:
    Follower.objects.get_or_create(id=1, defaults={"read_up_to": last})
    return Follower.objects.select_for_update().get(id=1)


def _settle(ids: list[int]) -> int:
    if not ids:
        return 0
    return settle(list(cards.Card.objects.filter(id__in=ids).select_related(*WITH)))
