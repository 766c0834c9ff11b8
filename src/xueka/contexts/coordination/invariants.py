"""What must always hold of matters and their files."""

from xueka.contexts.coordination.domain.transitions import MATTER
from xueka.platform.history.invariants import state_matches_history, steps_allowed
from xueka.platform.invariants import Invariant, from_rows

INVARIANTS: list[Invariant] = [
    state_matches_history(MATTER, "coordination_matter"),
    steps_allowed(MATTER),
    from_rows(
        "matter_files_are_whole",
        "每个协调事项的办理记录从第一条起没有缺号，每一步办理都有一条",
        "SELECT m.number, count(l.id) = 0 OR count(l.id) <> coalesce(max(l.seq), 0)"
        " OR count(l.id) FILTER (WHERE l.kind = 'step') <> (SELECT count(*) FROM history_transition h"
        "    WHERE h.machine = 'matter' AND h.object_id = m.id AND h.seq > 1)"
        "  FROM coordination_matter m LEFT JOIN coordination_line l ON l.matter_id = m.id GROUP BY m.id",
    ),
    from_rows(
        "matter_attachments_are_on_file",
        "协调事项的每个附件在经过里有一条，每条附件都有文件",
        "SELECT l.id, l.kind <> 'file' OR a.id IS NULL"
        "  FROM coordination_line l LEFT JOIN coordination_attachment a ON a.line_id = l.id"
        " WHERE l.kind = 'file' OR a.id IS NOT NULL",
    ),
]
