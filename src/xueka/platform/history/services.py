"""The one door through which a state changes: the state column and its history row move together."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import connection, models
from psycopg.types.json import Jsonb

from xueka.kernel import clock
from xueka.kernel.errors import Conflict
from xueka.kernel.machine import Machine
from xueka.platform.identity.actor import Actor

#: The event of the first row of every object.
CREATE = "create"


def begin(
    machine: Machine, ids: Sequence[int], actor: Actor, *, detail: Mapping[str, Any] | None = None
) -> None:
    """Write the first history row (event `create`, into the machine's initial state) of new objects.

    An object that has a history already raises IntegrityError: an object is created once.
    """
    _write(
        machine.name,
        [(object_id, "", machine.initial) for object_id in ids],
        CREATE,
        actor,
        first=True,
        detail=detail,
    )


def apply(
    machine: Machine,
    model: type[models.Model],
    ids: Iterable[int],
    event: str,
    actor: Actor,
    *,
    to: str | None = None,
    reason: str = "",
    detail: Mapping[str, Any] | None = None,
    details: Mapping[int, Mapping[str, Any]] | None = None,
) -> int:
    """Move every object of `ids` by `event`; all or nothing. Returns how many moved.

    Rows are locked in id order. Each may start from another state as long as the table allows it.
    Raises Refused where the table says no, Forbidden where the actor lacks the permission of the row that
    applies, Conflict where an id is gone; then nothing has changed. `detail` is kept with every row,
    `details` by object. The caller's transaction commits.
    """
    wanted = sorted(set(ids))
    if not wanted:
        return 0
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, state FROM {table} WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [wanted])  # noqa: S608
        present = cursor.fetchall()
    if len(present) != len(wanted):
        raise Conflict("OBJECT_GONE", f"{machine.label}已不存在或已被他人改动。", action="请刷新页面后再试。")
    target: dict[str, str] = {}
    for state in sorted({state for _, state in present}):
        target[state] = machine.target(event, state, to)
        actor.require(machine.permission(event, state))
    now = clock.now()
    stamped = ", state_at = %s" if any(field.name == "state_at" for field in model._meta.fields) else ""
    with connection.cursor() as cursor:
        for aim in sorted(set(target.values())):
            group = [object_id for object_id, state in present if target[state] == aim]
            values: list[Any] = [aim, *([now] if stamped else []), group]
            cursor.execute(f"UPDATE {table} SET state = %s{stamped} WHERE id = ANY(%s)", values)  # noqa: S608
    moves = [(object_id, state, target[state]) for object_id, state in present]
    _write(machine.name, moves, event, actor, reason=reason, detail=detail, details=details)
    return len(moves)


def _write(
    machine: str,
    moves: Sequence[tuple[int, str, str]],
    event: str,
    actor: Actor,
    *,
    first: bool = False,
    reason: str = "",
    detail: Mapping[str, Any] | None = None,
    details: Mapping[int, Mapping[str, Any]] | None = None,
) -> None:
    """One INSERT for any number of (object id, from, to).

    The next seq is read under the row lock of the object itself, so two writers never meet here; the unique
    index on (machine, object_id, seq) answers it and would refuse a doubled step.
    """
    own: list[Any] = [Jsonb(details.get(move[0], {})) for move in moves] if details else [None] * len(moves)
    last = (
        "0"
        if first
        else "coalesce((SELECT h.seq FROM history_transition h WHERE h.machine = %(machine)s"
        " AND h.object_id = m.id ORDER BY h.seq DESC LIMIT 1), 0)"
    )
    shared: Any = Jsonb(dict(detail or {}))
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO history_transition
                   (machine, object_id, seq, event, from_state, to_state, at, actor, reason, detail)
            SELECT %(machine)s, m.id, {last} + 1, %(event)s, m.source, m.target, %(at)s, %(actor)s,
                   %(reason)s,
                   CASE WHEN m.own IS NULL THEN %(detail)s ELSE %(detail)s || m.own END
              FROM unnest(%(ids)s::bigint[], %(sources)s::text[], %(targets)s::text[], %(own)s::jsonb[])
                   AS m(id, source, target, own)
             ORDER BY m.id
            """,  # noqa: S608
            {
                "machine": machine,
                "event": event,
                "at": clock.now(),
                "actor": actor.username,
                "reason": reason,
                "detail": shared,
                "ids": [move[0] for move in moves],
                "sources": [move[1] for move in moves],
                "targets": [move[2] for move in moves],
                "own": own,
            },
        )
