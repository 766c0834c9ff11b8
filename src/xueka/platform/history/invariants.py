"""What must always hold between a `state` column and the history it is the cache of."""

from xueka.kernel.machine import Machine
from xueka.platform.invariants import Invariant, from_rows


def state_matches_history(machine: Machine, table: str) -> Invariant:
    """Every object of `table` is in the state of its last history row, reached step by step.

    The history of an object that is gone ends in no state (its take-over was taken back), or it is wrong.
    """
    rows = f"""
        SELECT coalesce(o.id, h.object_id)::text,
               (o.id IS NULL AND h.last_state <> '') OR h.object_id IS NULL OR o.state <> h.last_state
               OR NOT h.unbroken OR h.steps <> h.last_seq
          FROM {table} o
          FULL JOIN (
              SELECT object_id, count(*) AS steps, max(seq) AS last_seq,
                     max(to_state) FILTER (WHERE is_last) AS last_state,
                     bool_and(from_state = coalesce(previous, '')) AS unbroken
                FROM (SELECT object_id, seq, from_state, to_state,
                             lag(to_state) OVER steps AS previous,
                             lead(seq) OVER steps IS NULL AS is_last
                        FROM history_transition WHERE machine = '{machine.name}'
                      WINDOW steps AS (PARTITION BY object_id ORDER BY seq)) step
               GROUP BY object_id) h ON h.object_id = o.id"""  # noqa: S608 - names of our own tables
    return from_rows(
        f"{machine.name}_state_equals_last_history_row",
        f"{machine.label}的状态与其最后一条历史记录一致",
        rows,
    )


def steps_allowed(machine: Machine) -> Invariant:
    """Every history row of the machine is its creation or a row of its table; no back door was used.

    The doors that are watched elsewhere pass: a take-over, its taking back, and repairs, whose two people an
    invariant of `contexts.repairs` asks for.
    """
    known = ", ".join(f"'{state}'" for state in machine.state_codes)
    allowed = ", ".join(f"('{row.event}', '{row.source}', '{row.target}')" for row in machine.transitions)
    rows = f"""
        SELECT object_id || '/' || seq || ' ' || event,
               NOT CASE WHEN seq = 1 THEN (event, from_state, to_state) = ('create', '', '{machine.initial}')
                             OR (event = 'take_over' AND from_state = '' AND to_state IN ({known}))
                        WHEN event = 'take_back' THEN seq = 2 AND to_state = ''
                        WHEN event = 'repair' THEN to_state IN ({known}) AND detail ? 'repair'
                        ELSE (event, from_state, to_state) IN ({allowed}) END
          FROM history_transition WHERE machine = '{machine.name}'"""  # noqa: S608 - names of our own tables
    return from_rows(
        f"{machine.name}_steps_allowed",
        f"{machine.label}的每一步都是状态表所允许的",
        rows,
    )
