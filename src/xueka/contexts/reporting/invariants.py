"""What must always hold about exports."""

from xueka.contexts.reporting.domain.transitions import EXPORT
from xueka.platform.history.invariants import state_matches_history, steps_allowed
from xueka.platform.invariants import Invariant, from_rows

INVARIANTS: list[Invariant] = [
    state_matches_history(EXPORT, "reporting_export"),
    steps_allowed(EXPORT),
    from_rows(
        "export_file_only_while_ready",
        "导出的文件只在可下载期间存在",
        "SELECT number, (state = 'ready') <> (file_id IS NOT NULL) FROM reporting_export",
    ),
    from_rows(
        "export_taken_only_after_approval",
        "每次下载的导出都经另一人批准，次数不超过许可",
        """SELECT e.number, e.decided_by = '' OR e.decided_by = e.asked_by
                  OR count(*) <> 3 - e.downloads_left
             FROM reporting_download d JOIN reporting_export e ON e.id = d.export_id
            GROUP BY e.id""",
    ),
]
