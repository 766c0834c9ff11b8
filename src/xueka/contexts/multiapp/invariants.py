"""What must always hold of grants, modules, credentials and the hot-list."""

from xueka.contexts.multiapp.domain.transitions import (
    CARD_GRANT,
    CREDENTIAL,
    HOLDING,
    RISK,
    SAM,
    STOCK_TAKE,
    UNIT,
)
from xueka.platform.history.invariants import state_matches_history, steps_allowed
from xueka.platform.invariants import from_rows

_HOLDING = ", ".join(f"'{state}'" for state in HOLDING)
_TABLES = {
    UNIT: "multiapp_unit",
    CARD_GRANT: "multiapp_cardgrant",
    SAM: "multiapp_sam",
    RISK: "multiapp_risk",
    STOCK_TAKE: "multiapp_stocktake",
    CREDENTIAL: "multiapp_credential",
}

INVARIANTS = [
    *(state_matches_history(machine, table) for machine, table in _TABLES.items()),
    *(steps_allowed(machine) for machine in _TABLES),
    from_rows(
        "card_grants_hold_their_place",
        "占用卡片空间的授权都有位置，其余的没有",
        f"""
        SELECT g.number, (g.state IN ({_HOLDING})) <> EXISTS (
               SELECT 1 FROM multiapp_grantplace p WHERE p.grant_id = g.id AND p.holds)
               OR g.size > a.size
          FROM multiapp_cardgrant g JOIN multiapp_area a ON a.id = g.area_id""",  # noqa: S608
    ),
    from_rows(
        "card_grant_changes_have_two_people",
        "授权的批准、续期、恢复、收回和腾出都由提出人以外的人批准",
        """
        SELECT h.object_id || '/' || h.seq,
               h.actor = (SELECT p.actor FROM history_transition p
                           WHERE p.machine = 'card_grant' AND p.object_id = h.object_id AND p.seq < h.seq
                             AND p.event IN ('create', 'ask') ORDER BY p.seq DESC LIMIT 1)
          FROM history_transition h
         WHERE h.machine = 'card_grant' AND h.event IN ('approve', 'renew', 'resume', 'revoke', 'release')""",
    ),
    from_rows(
        "custody_is_unbroken",
        "安全模块的每次交接都从上一位持有人交出，现在的持有人是最后的接收人",
        """
        SELECT s.serial || '/' || c.seq,
               c.seq <> coalesce(lag(c.seq) OVER chain, 0) + 1
               OR c.from_unit_id IS DISTINCT FROM lag(c.to_unit_id) OVER chain
               OR (lead(c.seq) OVER chain IS NULL AND s.state = 'issued'
                   AND s.unit_id IS DISTINCT FROM c.to_unit_id)
          FROM multiapp_custody c JOIN multiapp_sam s ON s.id = c.sam_id
        WINDOW chain AS (PARTITION BY c.sam_id ORDER BY c.seq)""",
    ),
    from_rows(
        "lost_modules_have_a_risk",
        "丢失的安全模块若装有密钥，都登记了泄露风险",
        """
        SELECT s.serial, EXISTS (SELECT 1 FROM multiapp_samkey k WHERE k.sam_id = s.id AND k.until IS NULL)
               AND NOT EXISTS (SELECT 1 FROM multiapp_risk r WHERE r.sam_id = s.id)
          FROM multiapp_sam s WHERE s.state = 'lost'""",
    ),
    from_rows(
        "hot_list_follows_the_cards",
        "黑名单与卡的状态一致（到已读过的经过为止）",
        """
        SELECT c.number, c.state IS DISTINCT FROM nullif(k.state, '')
          FROM multiapp_hotlist l
          JOIN cards_card c ON c.state IN ('lost', 'cancelled') OR c.state = 'void' AND c.chip_uid <> ''
          LEFT JOIN multiapp_hotcard k ON k.card_id = c.id
         WHERE (SELECT max(h.id) FROM history_transition h
                 WHERE h.machine = 'card' AND h.object_id = c.id) <= l.read_up_to
         UNION ALL
        SELECT k.number, k.version > l.version OR k.version <= 0
               OR k.state <> '' AND c.state NOT IN ('lost', 'cancelled', 'void')
                  AND (SELECT max(h.id) FROM history_transition h
                        WHERE h.machine = 'card' AND h.object_id = c.id) <= l.read_up_to
          FROM multiapp_hotcard k CROSS JOIN multiapp_hotlist l JOIN cards_card c ON c.id = k.card_id""",
    ),
    from_rows(
        "partner_calls_add_up",
        "接口调用的每日合计与留存的记录一致",
        """
        SELECT d.day || ' ' || c.key_id, d.calls <> (
               SELECT count(*) FROM multiapp_apicall a WHERE a.credential_id = d.credential_id
                  AND (a.at AT TIME ZONE 'Asia/Shanghai')::date = d.day)
          FROM multiapp_callday d JOIN multiapp_credential c ON c.id = d.credential_id
         WHERE d.day >= (SELECT min((at AT TIME ZONE 'Asia/Shanghai')::date) FROM multiapp_apicall)""",
    ),
]
