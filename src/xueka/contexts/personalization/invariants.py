"""What must always hold of the journal, of the cards it made and of the stock they came from."""

from xueka.contexts.personalization.domain.transitions import AGENT, PROFILE, SCRIPT, SESSION
from xueka.platform.history.invariants import state_matches_history, steps_allowed
from xueka.platform.invariants import from_rows

INVARIANTS = [
    state_matches_history(PROFILE, "personalization_cardprofile"),
    state_matches_history(SCRIPT, "personalization_cardscript"),
    state_matches_history(AGENT, "personalization_agent"),
    state_matches_history(SESSION, "personalization_session"),
    steps_allowed(SESSION),
    from_rows(
        "personalization_no_session_without_intent",
        "没有一次写卡在命令入账之前开始",
        """
            SELECT '写卡 ' || s.id,
                   CASE WHEN s.state IN ('waiting', 'cancelled') THEN count(r.id) > 0
                        WHEN s.state IN ('running', 'probing')
                             THEN count(r.id) FILTER (WHERE r.outcome = '' OR r.reply IS NULL) = 0
                        ELSE count(r.id) = 0 END
                   OR count(r.id) <> coalesce(max(r.seq), 0)
                   OR (s.state IN ('verified', 'void', 'failed', 'unknown')
                       AND count(r.id) FILTER (WHERE r.outcome = '') > 0)
              FROM personalization_session s
              LEFT JOIN personalization_run r ON r.session_id = s.id GROUP BY s.id""",
    ),
    from_rows(
        "personalization_card_agrees_with_session",
        "验证通过的卡芯片一致，作废的卡没有制成",
        """
            SELECT '写卡 ' || s.id,
                   CASE s.state WHEN 'verified'
                        THEN c.chip_uid NOT IN ('', s.chip_uid)
                             OR (c.chip_uid = ''
                                 AND c.state NOT IN ('issuing', 'failed', 'void', 'destroyed'))
                        ELSE c.state NOT IN ('failed', 'void', 'destroyed') OR c.chip_uid <> '' END
              FROM personalization_session s JOIN cards_card c ON c.id = s.card_id
             WHERE s.purpose = 'make' AND s.state IN ('verified', 'void')""",
    ),
    from_rows(
        "personalization_stock_agrees",
        "写过的空白卡都已离开库存，作废的已登记报废",
        """
            SELECT b.uid,
                   CASE s.state WHEN 'void' THEN b.state <> 'spoiled'
                        WHEN 'verified' THEN b.card_id IS DISTINCT FROM s.card_id OR b.state = 'in_stock'
                        ELSE false END
              FROM personalization_session s JOIN numbers_blank b ON b.uid = s.chip_uid AND b.uid <> ''
             WHERE s.purpose = 'make' AND s.state IN ('verified', 'void')""",
    ),
    from_rows(
        "personalization_blanks_of_their_counter",
        "在柜台写的卡，用的是发给这个柜台的空白卡",
        """
            SELECT b.uid, b.counter NOT IN ('', coalesce(nullif(a.district, ''), 'city'))
              FROM personalization_session s
              JOIN personalization_agent a ON a.id = s.agent_id
              JOIN numbers_blank b ON b.uid = s.chip_uid AND b.uid <> ''
             WHERE s.purpose = 'make' AND s.state = 'verified'""",
    ),
    from_rows(
        "personalization_chip_written_once",
        "一枚芯片只写一张卡，一张卡只写在一枚芯片上",
        """
            SELECT s.chip_uid, count(*) OVER (PARTITION BY s.chip_uid) > 1
                   OR count(*) FILTER (WHERE s.state = 'verified') OVER (PARTITION BY s.card_id) > 1
              FROM personalization_session s
             WHERE s.purpose = 'make' AND s.chip_uid <> ''
               AND s.state IN ('running', 'unknown', 'probing', 'verified', 'void')""",
    ),
    from_rows(
        "personalization_finished_is_proved",
        "柜台制成的卡，芯片都已验证，卡面都印在同一张卡片上",
        """
            SELECT c.number,
                   CASE WHEN k.transit_source = 'none' AND k.beijing_tong_source = 'none'
                        THEN c.chip_uid <> ''
                        ELSE NOT EXISTS (SELECT 1 FROM personalization_session s
                                          WHERE s.card_id = c.id AND s.purpose = 'make'
                                            AND s.state = 'verified' AND s.chip_uid = c.chip_uid) END
                   OR NOT EXISTS (SELECT 1 FROM printing_printjob j
                                   WHERE j.card_id = c.id AND j.state = 'printed' AND j.plastic = c.chip_uid)
              FROM cards_card c JOIN cards_cardkind k ON k.code = c.kind_id
             WHERE c.id IN (SELECT object_id FROM history_transition
                             WHERE machine = 'card' AND event = 'finish')""",
    ),
    from_rows(
        "personalization_lineage_complete",
        "每张写好的卡都查得到每把密钥出自哪个版本",
        """
            SELECT '写卡 ' || s.id,
                   count(k.id) <> count(DISTINCT k.role) OR count(k.id) = 0
                   OR bool_or(k.version < 1 OR k.session_id <> s.id) OR count(k.id) <> s.key_count
              FROM personalization_session s
              LEFT JOIN personalization_cardkeyversion k ON k.card_id = s.card_id
             WHERE s.purpose = 'make' AND s.state = 'verified' GROUP BY s.id""",
    ),
    from_rows(
        "personalization_two_people",
        "在用的卡片结构和脚本都由两个人提交、批准",
        """
            SELECT code || ' ' || version,
                   submitted_by = '' OR approved_by = '' OR submitted_by = approved_by
              FROM (SELECT code, version, state, submitted_by, approved_by FROM personalization_cardprofile
                    UNION ALL
                    SELECT code, version, state, submitted_by, approved_by
                      FROM personalization_cardscript) each
             WHERE state = 'in_force'""",
    ),
]
