"""The one door through which a state changes: the state column and its history row move together."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from django.db import connection, models
from psycopg.types.json import Jsonb

from xueka.kernel import clock
from xueka.kernel.errors import Conflict, Refused
from xueka.kernel.machine import Machine
from xueka.platform.identity.actor import Actor

#: The event of the first row of every object.
CREATE = "create"
#: The first row of an object that another system brought so far: it begins in the state it had there.
TAKE_OVER = "take_over"
#: The last row of an object whose take-over was taken back: the object is gone, its history stays.
TAKE_BACK = "take_back"
#: A step beside the machine's table, under two people (docs/adr/0090).
REPAIR = "repair"
#: What the screen calls the steps that no machine's table has.
LABELS = {TAKE_OVER: "接管", TAKE_BACK: "收回接管", REPAIR: "差错修复"}


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


def take_over(
    machine: Machine,
    states: Mapping[int, str],
    actor: Actor,
    *,
    detail: Mapping[str, Any] | None = None,
    details: Mapping[int, Mapping[str, Any]] | None = None,
) -> None:
    """Write the first history row (event `take_over`) of objects that another system had brought so far.

    `states` gives the state each begins in; a state that the machine does not know raises ValueError.
    """
    actor.require("city:takeover:load")
    for state in set(states.values()):
        machine.state(state)
    moves = [(object_id, "", state) for object_id, state in states.items()]
    _write(machine.name, moves, TAKE_OVER, actor, first=True, detail=detail, details=details)


def take_back(
    machine: Machine, model: type[models.Model], ids: Iterable[int], actor: Actor, *, reason: str
) -> int:
    """Delete objects that were taken over and have not moved since; their history says that they are gone.

    Raises Refused `OBJECT_MOVED` where one was not taken over or has had a step since, Conflict where one is
    gone; then nothing has changed.
    """
    actor.require("city:takeover:approve")
    wanted = sorted(set(ids))
    if not wanted:
        return 0
    table = connection.ops.quote_name(model._meta.db_table)
    present = _locked(machine, table, wanted)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FILTER (WHERE seq = 1 AND event = %s), count(*) FROM history_transition"
            " WHERE machine = %s AND object_id = ANY(%s)",
            [TAKE_OVER, machine.name, wanted],
        )
        if cursor.fetchone() != (len(wanted), len(wanted)):
            raise Refused(
                "OBJECT_MOVED",
                f"有{machine.label}在接管之后已经办过业务，不能收回。",
                expected="接管后没有任何变动",
                action="请重新预览，只收回没有变动的。",
            )
        cursor.execute(f"DELETE FROM {table} WHERE id = ANY(%s)", [wanted])  # noqa: S608
    moves = [(object_id, state, "") for object_id, state in present]
    _write(machine.name, moves, TAKE_BACK, actor, reason=reason)
    return len(moves)


def repair(
    machine: Machine,
    model: type[models.Model],
    ids: Iterable[int],
    to: str,
    actor: Actor,
    *,
    repair: int,
    reason: str,
    detail: Mapping[str, Any] | None = None,
) -> int:
    """Bring objects into state `to` beside the machine's table, in the name of an approved repair.

    `repair` is its id; the history rows carry it, and an invariant of `repairs` asks for it. Rows are
    locked in id order. Raises Forbidden, Conflict where an id is gone, ValueError for an unknown state.
    """
    actor.require("city:repair:approve")
    machine.state(to)
    wanted = sorted(set(ids))
    if not wanted:
        return 0
    table = connection.ops.quote_name(model._meta.db_table)
    present = _locked(machine, table, wanted)
    _set_state(model, table, to, wanted)
    moves = [(object_id, state, to) for object_id, state in present]
    _write(machine.name, moves, REPAIR, actor, reason=reason, detail={"repair": repair, **(detail or {})})
    return len(moves)


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
    also: Mapping[str, Mapping[int, str]] | None = None,
) -> int:
    """Move every object of `ids` by `event`; all or nothing. Returns how many moved.

    Rows are locked in id order. Each may start from another state as long as the table allows it.
    Raises Refused where the table says no, Forbidden where the actor lacks the permission of the row that
    applies, Conflict where an id is gone; then nothing has changed. `detail` is kept with every row,
    `details` by object. `also` are text columns that change with the state, as values by object: one new
    version of a row costs half of two. The caller's transaction commits.
    """
    wanted = sorted(set(ids))
    if not wanted:
        return 0
    table = connection.ops.quote_name(model._meta.db_table)
    present = _locked(machine, table, wanted)
    target: dict[str, str] = {}
    for state in sorted({state for _, state in present}):
        target[state] = machine.target(event, state, to)
        actor.require(machine.permission(event, state))
    for aim in sorted(set(target.values())):
        group = [object_id for object_id, state in present if target[state] == aim]
        _set_state(model, table, aim, group, also or {})
    moves = [(object_id, state, target[state]) for object_id, state in present]
    _write(machine.name, moves, event, actor, reason=reason, detail=detail, details=details)
    return len(moves)


def _locked(machine: Machine, table: str, wanted: list[int]) -> list[tuple[int, str]]:
    """(id, state) of the rows, locked in id order. Raises Conflict where one is gone."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, state FROM {table} WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [wanted])  # noqa: S608
        present = cursor.fetchall()
    if len(present) != len(wanted):
        raise Conflict("OBJECT_GONE", f"{machine.label}已不存在或已被他人改动。", action="请刷新页面后再试。")
    return present


def _set_state(
    model: type[models.Model],
    table: str,
    state: str,
    ids: list[int],
    also: Mapping[str, Mapping[int, str]] = MappingProxyType({}),
) -> None:
    stamped = any(field.name == "state_at" for field in model._meta.fields)
    values: list[Any] = [state, *([clock.now()] if stamped else []), ids]
    values += [[column[object_id] for object_id in ids] for column in also.values()]
    changes = ", state_at = %s" * stamped + "".join(f", {name} = moved.{name}" for name in also)
    arrays = "%s::bigint[]" + ", %s::text[]" * len(also)
    moved = ", ".join(["id", *also])
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET state = %s{changes} FROM unnest({arrays}) AS moved({moved})"  # noqa: S608
            f" WHERE {table}.id = moved.id",
            values,
        )


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
