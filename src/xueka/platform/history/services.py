"""The one door through which a state changes: the state column and its history row move together."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import connection, models

from xueka.kernel import clock
from xueka.kernel.errors import Conflict
from xueka.kernel.machine import Machine
from xueka.platform.identity.actor import Actor


def begin(
    machine: Machine, ids: Sequence[int], actor: Actor, *, detail: Mapping[str, Any] | None = None
) -> None:
    """Write the first history row (event `create`, into the machine's initial state) of new objects."""
    _write(
        machine.name, [(object_id, "", machine.initial) for object_id in ids], "create", actor, "", detail, {}
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
    Raises Refused where the table says no, Conflict where an id is gone. Checks the permission of
    the row that applies. `detail` is kept with every row, `details` by object. The caller's
    transaction commits.
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
    moves: list[tuple[int, str, str]] = []
    decided: dict[str, str] = {}
    for object_id, state in present:
        if state not in decided:
            decided[state] = machine.target(event, state, to)
            actor.require(machine.permission(event, state))
        moves.append((object_id, state, decided[state]))
    now = clock.now()
    stamped = ", state_at = %s" if any(f.name == "state_at" for f in model._meta.fields) else ""
    with connection.cursor() as cursor:
        for target in sorted(set(decided.values())):
            group = [object_id for object_id, _, moved_to in moves if moved_to == target]
            values: list[Any] = [target, *([now] if stamped else []), group]
            cursor.execute(f"UPDATE {table} SET state = %s{stamped} WHERE id = ANY(%s)", values)  # noqa: S608
    _write(machine.name, moves, event, actor, reason, detail, details or {})
    return len(moves)


def _write(
    machine: str,
    moves: Sequence[tuple[int, str, str]],
    event: str,
    actor: Actor,
    reason: str,
    detail: Mapping[str, Any] | None,
    details: Mapping[int, Mapping[str, Any]],
) -> None:
    from psycopg.types.json import Jsonb

    now = clock.now()
    common = dict(detail or {})
    # The next seq is read under the row lock of the object itself, so two writers never meet here.
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO history_transition
                   (machine, object_id, seq, event, from_state, to_state, at, actor, reason, detail)
            SELECT %s, m.id, coalesce(last.seq, 0) + 1, %s, m.source, m.target, %s, %s, %s, m.detail
              FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::jsonb[])
                   AS m(id, source, target, detail)
              LEFT JOIN LATERAL (SELECT max(seq) AS seq FROM history_transition h
                                  WHERE h.machine = %s AND h.object_id = m.id) last ON true
             ORDER BY m.id
            """,
            [
                machine,
                event,
                now,
                actor.username,
                reason,
                [move[0] for move in moves],
                [move[1] for move in moves],
                [move[2] for move in moves],
                [Jsonb({**common, **details.get(move[0], {})}) for move in moves],
                machine,
            ],
        )
