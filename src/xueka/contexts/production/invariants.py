"""What must always hold of batches, what was sent for them and what came back."""

from xueka.contexts.production.domain.transitions import BATCH
from xueka.platform.history.invariants import state_matches_history, steps_allowed
from xueka.platform.invariants import from_rows

INVARIANTS = [
    state_matches_history(BATCH, "production_batch"),
    steps_allowed(BATCH),
    from_rows(
        "every_batch_card_accounted",
        "批次中的每张卡都有交代：张数相符，结果与卡的状态一致",
        """
            SELECT b.number || ' / ' || i.position,
                   c.id IS NULL OR c.application_id <> i.application_id
                   OR CASE WHEN b.state = 'dissolved' THEN i.outcome <> 'dropped'
                           WHEN i.outcome IN ('pending', 'missing', 'altered')
                           THEN c.state NOT IN (CASE b.state WHEN 'locked' THEN 'planned' ELSE 'ordered' END,
                                                'void', 'destroyed')
                           WHEN i.outcome = 'matched' THEN c.state IN ('planned', 'ordered', 'failed')
                           WHEN i.outcome = 'failed' THEN c.state NOT IN ('failed', 'destroyed')
                           ELSE c.state NOT IN ('void', 'destroyed') END
              FROM production_batch b JOIN production_batchitem i ON i.batch_id = b.id
              LEFT JOIN cards_card c ON c.id = i.card_id
             WHERE b.state <> 'open' AND NOT (b.state = 'dissolved' AND i.card_id IS NULL)""",
    ),
    from_rows(
        "batch_has_its_cards",
        "已锁定的批次不缺卡",
        """
            SELECT b.number, b.card_count < 1 OR b.card_count <> count(i.id)
                   OR b.card_count <> coalesce(max(i.position), 0)
              FROM production_batch b LEFT JOIN production_batchitem i ON i.batch_id = b.id
             WHERE b.state NOT IN ('open', 'dissolved') GROUP BY b.id""",
    ),
    from_rows(
        "every_card_sent_had_a_stored_intent",
        "每张已传送的卡在传送之前已经下单并留有记录",
        """
            SELECT b.number || ' / ' || i.position, NOT EXISTS (
                       SELECT 1 FROM history_transition h
                        WHERE h.machine = 'card' AND h.object_id = i.card_id AND h.event = 'order'
                          AND h.at <= p.sent_at)
              FROM production_package p
              JOIN production_batch b ON b.id = p.batch_id
              JOIN production_batchitem i ON i.batch_id = b.id
             WHERE p.sent_at IS NOT NULL""",
    ),
    from_rows(
        "every_package_sent_was_approved",
        "每个已传送的制卡文件事先由两人锁定、复核，并已存档",
        """
            SELECT b.number || ' / ' || p.attempt,
                   b.locked_by = '' OR b.approved_by IN ('', b.locked_by)
                   OR b.approved_at IS NULL OR b.approved_at > p.sent_at
                   OR b.locked_at IS NULL OR b.locked_at > b.approved_at
                   OR f.created_at > p.sent_at
              FROM production_package p
              JOIN production_batch b ON b.id = p.batch_id
              JOIN files_storedfile f ON f.id = p.file_id
             WHERE p.sent_at IS NOT NULL""",
    ),
    from_rows(
        "packages_were_made_for_confirmed_keys",
        "每个制卡文件所用的卡厂公钥事先由两人确认",
        """
            SELECT b.number || ' / ' || p.attempt, k.confirmed_at > p.built_at
              FROM production_package p JOIN production_batch b ON b.id = p.batch_id
              JOIN production_partnerkeys k ON k.id = p.keys_id""",
    ),
    from_rows(
        "returns_are_signed_by_the_bureau_that_was_sent",
        "每个已受理的回盘由收到制卡文件的卡厂签名，所用公钥不早于传送时的公钥",
        """
            SELECT b.number || ' / ' || r.return_number, NOT coalesce(
                       (SELECT said.partner_id = sent.partner_id AND said.id >= sent.id
                          FROM production_package p JOIN production_partnerkeys sent ON sent.id = p.keys_id
                         WHERE p.batch_id = b.id AND p.state IN ('sent', 'accepted')), false)
              FROM production_returnfile r JOIN production_batch b ON b.id = r.batch_id
              JOIN production_partnerkeys said ON said.id = r.keys_id
             WHERE r.state = 'applied'""",
    ),
    from_rows(
        "package_bytes_match_their_digest",
        "存档的制卡文件与其摘要一致",
        """
            SELECT f.name, f.sealed OR sha256(f.content) <> p.sha256 OR length(f.content) <> f.size
              FROM production_package p JOIN files_storedfile f ON f.id = p.file_id""",
    ),
    from_rows(
        "batch_state_fits_its_package",
        "批次的状态与其制卡文件的传送情况一致",
        """
            SELECT b.number, CASE
                       WHEN b.state IN ('open', 'locked') THEN p.state IS NOT NULL
                       WHEN b.state IN ('approved', 'bounced', 'dissolved')
                       THEN coalesce(p.state, 'refused') <> 'refused'
                       WHEN b.state = 'ready' THEN p.state IS DISTINCT FROM 'stored'
                       WHEN b.state = 'sent' THEN p.state IS DISTINCT FROM 'sent'
                       WHEN b.state = 'acknowledged' THEN p.state IS DISTINCT FROM 'accepted'
                       ELSE coalesce(p.state, '') NOT IN ('sent', 'accepted') END
              FROM production_batch b
              LEFT JOIN LATERAL (SELECT state FROM production_package WHERE batch_id = b.id
                                  ORDER BY attempt DESC LIMIT 1) p ON true""",
    ),
    from_rows(
        "closed_batch_has_nothing_open",
        "已结批的批次没有未交代的卡",
        """
            SELECT b.number, bool_or(coalesce(i.outcome IN ('pending', 'missing', 'altered'), false))
              FROM production_batch b LEFT JOIN production_batchitem i ON i.batch_id = b.id
             WHERE b.state IN ('closed', 'dissolved') GROUP BY b.id""",
    ),
    from_rows(
        "results_come_from_applied_returns",
        "每个制卡结果都来自已受理的回盘文件，且张数与该文件的记录相符",
        """
            SELECT coalesce(r.id, s.return_file_id)::text,
                   r.state IS DISTINCT FROM 'applied' AND s.total > 0
                   OR r.state = 'applied' AND (
                       coalesce(s.matched, 0) <> (r.counts->>'made')::int
                       OR coalesce(s.failed, 0) <> (r.counts->>'spoiled')::int
                       OR coalesce(s.foreign_items, 0) > 0)
              FROM production_returnfile r
              LEFT JOIN (
                  SELECT i.return_file_id, count(*) AS total,
                         count(*) FILTER (WHERE i.outcome = 'matched') AS matched,
                         count(*) FILTER (WHERE i.outcome = 'failed') AS failed,
                         count(*) FILTER (WHERE i.batch_id <> f.batch_id) AS foreign_items
                    FROM production_batchitem i JOIN production_returnfile f ON f.id = i.return_file_id
                   GROUP BY i.return_file_id) s ON s.return_file_id = r.id""",
    ),
    from_rows(
        "open_card_is_in_one_batch",
        "待制的卡只在一个批次里",
        """
            SELECT c.number, count(i.id) FILTER (WHERE i.outcome IN ('pending', 'missing', 'altered')) <> 1
              FROM cards_card c LEFT JOIN production_batchitem i ON i.application_id = c.application_id
             WHERE c.state IN ('planned', 'ordered') GROUP BY c.id""",
    ),
]
