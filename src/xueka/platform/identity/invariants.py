"""What must always hold of users, roles and requests."""

from xueka.platform.history.invariants import state_matches_history, steps_allowed
from xueka.platform.identity.machines import GRANT_REQUEST
from xueka.platform.identity.permissions import SEPARATED
from xueka.platform.invariants import from_rows

_APART = ", ".join(f"'{role}'" for role in sorted(SEPARATED))

INVARIANTS = [
    from_rows(
        "identity_duties_are_separated",
        "系统管理、安全管理、审计、业务由不同的人担任",
        f"""
            SELECT u.username, bool_or(g.role IN ({_APART})) AND count(DISTINCT g.role) > 1
              FROM identity_user u JOIN identity_grant g ON g.user_id = u.id AND g.revoked_at IS NULL
             GROUP BY u.username""",  # noqa: S608 - names of our own roles
    ),
    from_rows(
        "identity_requests_and_grants_agree",
        "确认的授权申请都有其授权，未确认的没有；申请与确认是两个人",
        """
            SELECT r.id::text,
                   (r.state = 'confirmed') <> (g.id IS NOT NULL)
                   OR r.state = 'confirmed' AND (g.role <> r.role OR g.user_id <> r.user_id
                                                 OR r.asked_by = r.decided_by)
              FROM identity_grantrequest r LEFT JOIN identity_grant g ON g.id = r.grant_id""",
    ),
    from_rows(
        "identity_people_are_sealed",
        "使用者的电话和邮箱都已加密，盲索引完整",
        """
            SELECT username, envelope IS NULL OR length(envelope) < 32 OR get_byte(envelope, 0) <> 1
                   OR length(phone_index) <> 32
              FROM identity_user WHERE envelope IS NOT NULL OR phone_index IS NOT NULL""",
    ),
    state_matches_history(GRANT_REQUEST, "identity_grantrequest"),
    steps_allowed(GRANT_REQUEST),
]
