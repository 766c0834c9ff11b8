"""What must always hold of repairs: nothing went beside a state table without two people."""

from xueka.contexts.repairs.domain.transitions import REPAIR
from xueka.platform.history.invariants import state_matches_history, steps_allowed
from xueka.platform.invariants import from_rows

INVARIANTS = [
    state_matches_history(REPAIR, "repairs_repair"),
    steps_allowed(REPAIR),
    from_rows(
        "repairs_have_two_people",
        "每一步差错修复都属于一项两人经手的修复",
        """
        SELECT h.machine || ' ' || h.object_id || '/' || h.seq,
               r.id IS NULL OR r.state NOT IN ('applied', 'undo_asked', 'undone')
               OR r.approved_by = '' OR r.approved_by = r.proposed_by
               OR NOT (h.actor = r.approved_by OR (h.actor = r.undone_by AND r.undone_by <> r.undo_asked_by))
          FROM history_transition h LEFT JOIN repairs_repair r ON r.id = (h.detail ->> 'repair')::bigint
         WHERE h.event = 'repair'""",
    ),
    from_rows(
        "repairs_of_numbers_exist",
        "每个被修复过的号码都指向一项批准过的修复",
        """
        SELECT u.sort || ' ' || u.number, r.id IS NULL OR r.approved_by = ''
          FROM numbers_numberuse u LEFT JOIN repairs_repair r ON r.id = u.repair
         WHERE u.repair IS NOT NULL""",
    ),
]
