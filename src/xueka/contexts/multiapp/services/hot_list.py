"""Keeping the hot-list: it follows the history of the cards, gets a new version when something changed.

Every tick looks at the cards that came to a standing told of here, or left one, since the place up to which
the history is known to be complete, and writes those whose standing differs. Looking twice changes nothing,
so a long transaction elsewhere delays nobody, and nothing is missed: ids of history rows are given before
they are committed, and the place moves on only when every transaction that could still bring an older row has
ended (docs/adr/0141).
"""

from collections.abc import Collection
from datetime import timedelta

from django.db import connection

from xueka.contexts.multiapp.models import HotCard, HotList
from xueka.kernel import clock

KEPT_DAYS = 90
"""How long a card that may be accepted again is still told of; whoever is longer away takes the full list."""

_STANDING = """
    SELECT c.id, c.number, c.chip_uid, c.kind_id,
           CASE WHEN c.state IN ('lost', 'cancelled') OR c.state = 'void' AND c.chip_uid <> ''
                THEN c.state ELSE '' END AS hot,
           CASE WHEN c.state IN ('active', 'lost', 'cancelled', 'destroyed')
                THEN s.school_id ELSE c.school_id END AS school_id
      FROM cards_card c JOIN registry_student s ON s.id = c.student_id
     WHERE c.id IN ({touched})"""
_KEEP = """
    INSERT INTO multiapp_hotcard AS known
           (card_id, version, state, number, chip_uid, kind_id, school_id, at)
    SELECT n.id, %(version)s, n.hot, n.number, n.chip_uid, n.kind_id, n.school_id, %(now)s
      FROM ({standing}) n LEFT JOIN multiapp_hotcard k ON k.card_id = n.id
     WHERE n.hot <> '' OR k.state <> ''
     ORDER BY n.id
        ON CONFLICT (card_id) DO UPDATE
       SET version = excluded.version, state = excluded.state, chip_uid = excluded.chip_uid,
           number = excluded.number, school_id = excluded.school_id, at = excluded.at
     WHERE (known.state, known.chip_uid, known.number, known.school_id)
           IS DISTINCT FROM (excluded.state, excluded.chip_uid, excluded.number, excluded.school_id)"""
#: Only such a step changes what the list says; an index of theirs keeps looking twice cheap (migration 0004).
_STEPS = """
    SELECT object_id FROM history_transition
     WHERE machine = 'card' AND id > %(after)s
       AND (from_state IN ('lost', 'cancelled', 'void') OR to_state IN ('lost', 'cancelled', 'void'))"""
_ALL = """
    SELECT id FROM cards_card WHERE state IN ('lost', 'cancelled', 'void')
    UNION SELECT card_id FROM multiapp_hotcard WHERE state <> ''"""


def follow() -> int:
    """One tick, in the caller's transaction; returns how many cards changed."""
    head = _head()
    before = _place(head)
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value FROM history_transition_id_seq")
        (last,) = cursor.fetchone()
        # After the id, and the history takes no id before its transaction has a number (platform.history): so
        # whoever may still bring a row up to `last` is older than `newest`.
        cursor.execute(
            "SELECT pg_snapshot_xmin(now)::text::bigint, pg_snapshot_xmax(now)::text::bigint"
            " FROM (SELECT pg_current_snapshot() AS now) AS snapshot"
        )
        oldest, newest = cursor.fetchone()
    if head.pending_xid > newest:  # the database was restored into another server, whose numbers are its own
        head.pending_up_to = head.pending_xid = 0
    complete = bool(head.pending_xid) and oldest >= head.pending_xid
    if head.compared_at is None:  # a new list: the cards say it quicker than their whole history
        changed = _write(head, _ALL, {})
        head.compared_at = clock.now() if complete else None
    else:
        changed = _write(head, _STEPS, {"after": head.read_up_to})
    if complete:
        head.read_up_to, head.pending_up_to, head.pending_xid = head.pending_up_to, 0, 0
    if not head.pending_xid and last > head.read_up_to:
        head.pending_up_to, head.pending_xid = last, newest
    if _place(head) != before:
        head.save()
    return changed


def compare() -> int:
    """Compare the whole list with the cards: students who changed schools, and what a tick could not see."""
    head = _head()
    changed = _write(head, _ALL, {})
    gone = HotCard.objects.filter(state="", at__lt=clock.now() - timedelta(days=KEPT_DAYS))
    last = gone.order_by("-version").values_list("version", flat=True).first()
    if last is not None:
        gone.delete()
        head.floor = max(head.floor, last)
    if head.compared_at is not None:
        head.compared_at = clock.now()
    head.save()
    return changed


def tell_again(kind: str, schools: Collection[int] | None) -> int:
    """Cards of a kind (at these schools; None: all) get a new version, for a partner that begins to see them.

    Its change lists left them out until now. Who sees them already is told once more, which alters nothing.
    """
    head = _head()
    rows = HotCard.objects.filter(kind_id=kind)
    if schools is not None:
        rows = rows.filter(school_id__in=schools)
    told = rows.update(version=head.version + 1, at=clock.now())
    if told:
        head.version, head.at = head.version + 1, clock.now()
        head.save(update_fields=["version", "at"])
    return told


def _head() -> HotList:
    HotList.objects.get_or_create(id=1, defaults={"at": clock.now()})
    return HotList.objects.select_for_update().get(id=1)


def _place(head: HotList) -> tuple[object, ...]:
    return head.version, head.read_up_to, head.pending_up_to, head.pending_xid, head.compared_at


def _write(head: HotList, touched: str, values: dict[str, int]) -> int:
    now = clock.now()
    statement = _KEEP.format(standing=_STANDING.format(touched=touched))
    with connection.cursor() as cursor:
        cursor.execute(statement, {"version": head.version + 1, "now": now, **values})
        changed: int = cursor.rowcount
    if changed:
        head.version, head.at = head.version + 1, now
    return changed
