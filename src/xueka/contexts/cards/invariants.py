"""What must always hold of accounts, applications and cards."""

from xueka.contexts.cards.domain import states as s
from xueka.contexts.cards.domain.transitions import ACCOUNT, APPLICATION, CARD, DESTRUCTION
from xueka.platform.history.invariants import state_matches_history
from xueka.platform.invariants import from_rows


def _in(states: list[str]) -> str:
    return "(" + ", ".join(f"'{state}'" for state in states) + ")"


_LIVE = _in(s.LIVE)
_GOOD = _in([*s.BEFORE_HAND_OUT, *s.LIVE])
_WAITING = _in(s.BEFORE_HAND_OUT)

# Which fates of its numbers agree with the state of a card. A destroyed card was failed, void or cancelled.
_FATES = f"""
    CASE WHEN c.state IN {_WAITING} THEN u.state = 'assigned'
         WHEN c.state IN ('active', 'lost', 'cancelled') THEN u.state = 'used'
         WHEN c.state = 'failed' THEN u.state = 'spoiled'
         WHEN c.state = 'void' THEN u.state IN ('spoiled', 'returned')
         ELSE u.state <> 'assigned' END"""

INVARIANTS = [
    state_matches_history(ACCOUNT, "cards_cardaccount"),
    state_matches_history(APPLICATION, "cards_application"),
    state_matches_history(CARD, "cards_card"),
    state_matches_history(DESTRUCTION, "cards_destruction"),
    from_rows(
        "cards_destroyed_by_a_signed_list",
        "每张已销毁的卡都在一份已签字的销毁单上，签字的销毁单上每张卡都已销毁",
        """
        SELECT c.number, count(d.id) FILTER (WHERE d.state = 'signed')
                         <> CASE WHEN c.state = 'destroyed' THEN 1 ELSE 0 END
          FROM cards_card c
          LEFT JOIN cards_destructioncard p ON p.card_id = c.id AND p.is_here
          LEFT JOIN cards_destruction d ON d.id = p.destruction_id
         GROUP BY c.id""",
    ),
    from_rows(
        "cards_destruction_counts_its_cards",
        "签字的销毁单写着的张数就是单上的张数",
        """
        SELECT d.number, d.card_count <> (SELECT count(*) FROM cards_destructioncard p
                                           WHERE p.destruction_id = d.id AND p.is_here)
          FROM cards_destruction d WHERE d.state = 'signed'""",
    ),
    from_rows(
        "cards_application_knows_its_rules",
        "每份申领所依的卡种版本都在",
        """
        SELECT a.number, a.kind_version > k.version OR (a.kind_version < k.version AND NOT EXISTS (
                   SELECT 1 FROM cards_kindversion v WHERE v.kind_id = k.code AND v.version = a.kind_version))
          FROM cards_application a JOIN cards_cardkind k ON k.code = a.kind_id""",
    ),
    from_rows(
        "cards_one_live_per_student_and_kind",
        "每名学生每个卡种至多一张在用的卡",
        f"""
        SELECT a.number || ' ' || c.kind_id, count(*) FILTER (WHERE c.state IN {_LIVE}) > 1
          FROM cards_card c JOIN cards_cardaccount a ON a.student_id = c.student_id
         GROUP BY a.number, c.kind_id""",  # noqa: S608
    ),
    from_rows(
        "cards_belong_to_one_account",
        "卡、申领与账户属于同一名学生、同一卡种",
        """
        SELECT c.number,
               a.student_id <> c.student_id OR p.account_id <> c.account_id OR p.kind_id <> c.kind_id
          FROM cards_card c
          JOIN cards_cardaccount a ON a.id = c.account_id
          JOIN cards_application p ON p.id = c.application_id""",
    ),
    from_rows(
        "cards_production_has_one_good_card",
        "制卡中的申领恰有一张有效的卡，其他在办的申领没有",
        f"""
        SELECT p.number,
               count(c.id) FILTER (WHERE c.state IN {_GOOD})
               <> CASE WHEN p.state = 'in_production' THEN 1 ELSE 0 END
               OR count(c.id) FILTER (WHERE c.state IN {_LIVE}) > 0
          FROM cards_application p LEFT JOIN cards_card c ON c.application_id = p.id
         WHERE p.state <> 'fulfilled'
         GROUP BY p.id""",  # noqa: S608
    ),
    from_rows(
        "cards_live_card_has_a_fulfilled_application",
        "发放过的卡，其申领已办结；已办结的申领恰有一张发放过的卡",
        f"""
        SELECT p.number,
               (p.state = 'fulfilled' AND count(c.id) FILTER (WHERE h.handed_out) <> 1)
               OR (p.state <> 'fulfilled' AND count(c.id) FILTER (WHERE h.handed_out) <> 0)
          FROM cards_application p
          LEFT JOIN cards_card c ON c.application_id = p.id
          LEFT JOIN LATERAL (
                SELECT t.event <> 'repair' OR t.to_state IN ('active', 'lost', 'cancelled') AS handed_out
                  FROM history_transition t WHERE t.machine = 'card' AND t.object_id = c.id
                   AND (t.event IN ('hand_out', 'give', 'take_over') OR (t.event = 'repair'
                        AND (t.from_state IN {_WAITING}) <> (t.to_state IN {_WAITING})))
                 ORDER BY t.seq DESC LIMIT 1) h ON true
         GROUP BY p.id""",  # noqa: S608
    ),
    from_rows(
        "cards_numbers_equal_their_records",
        "卡上的每个号码都有发号记录，去向与卡的状态一致",
        f"""
        SELECT c.number || ' ' || n.sort, u.id IS NULL OR u.number <> n.number OR NOT ({_FATES})
          FROM cards_card c
         CROSS JOIN LATERAL (VALUES ('card', c.number), ('transit', c.transit_number),
                                    ('beijing_tong', c.beijing_tong_number)) AS n(sort, number)
          LEFT JOIN numbers_numberuse u ON u.card_id = c.id AND u.sort = n.sort
         WHERE n.number <> ''""",  # noqa: S608
    ),
    from_rows(
        "cards_every_number_is_on_its_card",
        "发出的每个号码都在它所属的那张卡上；没有卡的只有旧系统用掉的",
        """
        SELECT u.sort || ' ' || u.number,
               (c.id IS NULL AND NOT (u.card_id IS NULL AND u.taken_over IS NOT NULL AND u.state = 'spoiled'))
               OR (c.id IS NOT NULL AND u.number IS DISTINCT FROM CASE u.sort WHEN 'card' THEN c.number
                    WHEN 'transit' THEN c.transit_number ELSE c.beijing_tong_number END)
          FROM numbers_numberuse u LEFT JOIN cards_card c ON c.id = u.card_id""",
    ),
    from_rows(
        "cards_blank_is_in_its_card",
        "绑定的空白卡与卡的号码、芯片和状态一致",
        f"""
        SELECT b.transit_number || b.uid,
               c.id IS NULL OR (b.transit_number <> '' AND c.transit_number <> b.transit_number)
               OR (b.uid <> '' AND c.chip_uid <> '' AND b.uid <> c.chip_uid)
               OR NOT CASE b.state WHEN 'bound' THEN c.state IN {_WAITING}
                                   WHEN 'used' THEN c.state IN ('active', 'lost', 'cancelled', 'destroyed')
                                   ELSE c.state IN ('failed', 'void', 'destroyed') END
          FROM numbers_blank b LEFT JOIN cards_card c ON c.id = b.card_id
         WHERE b.card_id IS NOT NULL""",  # noqa: S608
    ),
]
