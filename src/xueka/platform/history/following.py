"""Following the history by its ids without missing a row that is committed late (docs/adr/0141, 0230).

Whoever follows reads everything after `Place.read_up_to` each time, knows what it has done already, and keeps
the place that `moved` returns after it has read all: that place has nothing older still to come.
"""

from dataclasses import dataclass

from django.db import connection


@dataclass(frozen=True, slots=True)
class Place:
    """Up to `read_up_to` all is read. `pending`: an id, and the transaction number from which nothing older
    is born.
    """

    read_up_to: int
    pending_up_to: int = 0
    pending_xid: int = 0


@dataclass(frozen=True, slots=True)
class Horizon:
    """What the server said before the rows were read."""

    last: int
    oldest: int
    newest: int


def horizon() -> Horizon:
    """Ask this before reading. After the id: the history takes no id before its transaction has a number."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value FROM history_transition_id_seq")
        (last,) = cursor.fetchone()
        cursor.execute(
            "SELECT pg_snapshot_xmin(now)::text::bigint, pg_snapshot_xmax(now)::text::bigint"
            " FROM (SELECT pg_current_snapshot() AS now) AS snapshot"
        )
        oldest, newest = cursor.fetchone()
    return Horizon(last, oldest, newest)


def moved(place: Place, seen: Horizon, done_to: int | None = None) -> Place:
    """The place after everything behind it was read, or, with `done_to`, everything up to that id.

    Transaction numbers belong to one server: after a restore into another one the note begins anew.
    """
    read, up_to, xid = place.read_up_to, place.pending_up_to, place.pending_xid
    if xid > seen.newest:
        up_to = xid = 0
    if xid and seen.oldest >= xid:
        if done_to is not None and done_to < up_to:
            return Place(max(read, done_to), up_to, xid)
        read, up_to, xid = up_to, 0, 0
    if not xid and seen.last > read:
        up_to, xid = seen.last, seen.newest
    return Place(read, up_to, xid)
