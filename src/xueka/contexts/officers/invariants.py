"""What must always hold of hand-overs and substitutes."""

from xueka.contexts.officers.domain.transitions import HAND_OVER
from xueka.platform.history.invariants import state_matches_history, steps_allowed
from xueka.platform.invariants import from_rows

INVARIANTS = [
    from_rows(
        "officers_substitutes_do_the_same_work",
        "代理的角色和范围与被代理人的相同，不代理自己，不再转代",
        """
            SELECT s.id::text,
                   (s.role, s.level, s.district_code, s.school_code)
                   <> (g.role, g.level, g.district_code, g.school_code)
                   OR s.user_id = g.user_id OR g.stands_in_for_id IS NOT NULL
              FROM identity_grant s JOIN identity_grant g ON g.id = s.stands_in_for_id""",
    ),
    from_rows(
        "officers_agreed_hand_over_has_ended_the_old_grant",
        "成立的交接，移交人的角色已结束或定了结束的日子",
        """
            SELECT h.id::text, EXISTS (
                SELECT 1 FROM identity_grant g
                 WHERE g.user_id = h.from_user_id AND g.role = h.role AND g.district_code = h.district_code
                   AND g.school_code = h.school_code AND g.revoked_at IS NULL AND g.ends_at IS NULL
                   AND g.granted_at < h.asked_at)
              FROM officers_handover h WHERE h.state = 'agreed'""",
    ),
    state_matches_history(HAND_OVER, "officers_handover"),
    steps_allowed(HAND_OVER),
]
