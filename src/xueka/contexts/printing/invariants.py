"""What must always hold of print jobs, consumables and spoilt plastic."""

from xueka.contexts.printing.domain.transitions import PRINT_JOB
from xueka.platform.history.invariants import state_matches_history, steps_allowed
from xueka.platform.invariants import from_rows

INVARIANTS = [
    state_matches_history(PRINT_JOB, "printing_printjob"),
    steps_allowed(PRINT_JOB),
    from_rows(
        "printing_supplies_add_up",
        "每种耗材的剩余数等于装入、用去、盘点之和",
        """
        SELECT p.name || ' ' || s.sort, s.left <> coalesce(sum(e.change), 0)
               OR s.left <> coalesce((SELECT l.left FROM printing_supplyentry l WHERE l.supply_id = s.id
                                       ORDER BY l.id DESC LIMIT 1), 0)
          FROM printing_supply s JOIN printing_printer p ON p.id = s.printer_id
          LEFT JOIN printing_supplyentry e ON e.supply_id = s.id
         GROUP BY s.id, p.id""",
    ),
    from_rows(
        "printing_every_print_is_counted",
        "每个印好的任务都计了每种耗材，没有印好的都没有计",
        """
        SELECT j.id::text, (SELECT count(*) FROM printing_supplyentry e WHERE e.job_id = j.id)
               <> CASE WHEN j.state = 'printed'
                       THEN (SELECT count(*) FROM printing_supply s WHERE s.printer_id = j.printer_id)
                       ELSE 0 END
          FROM printing_printjob j""",
    ),
    from_rows(
        "printing_jobs_of_a_card_are_numbered",
        "同一张卡的打印任务从 1 起连续编号，没有结果的只能是最后一个",
        """
        SELECT card_id::text, max(number) <> count(*) OR min(number) <> 1
               OR bool_or(state IN ('queued', 'sent', 'printing', 'unknown') AND NOT is_last)
          FROM (SELECT card_id, number, state,
                       lead(number) OVER (PARTITION BY card_id ORDER BY number) IS NULL AS is_last
                  FROM printing_printjob) j
         GROUP BY card_id""",
    ),
    from_rows(
        "printing_spoilt_plastic_is_no_card",
        "登记为废卡的卡片不是任何在用的卡",
        """
        SELECT s.plastic, EXISTS (SELECT 1 FROM cards_card c WHERE c.chip_uid = s.plastic
                                     AND c.state NOT IN ('failed', 'void', 'cancelled', 'destroyed'))
          FROM printing_spoil s WHERE s.plastic <> ''""",
    ),
]
