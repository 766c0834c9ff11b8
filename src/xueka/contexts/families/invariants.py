"""What must always hold of guardians and their phones."""

from xueka.platform.invariants import from_rows

INVARIANTS = [
    from_rows(
        "families_code_used_in_time",
        "登录验证码只在有效期内用过",
        "SELECT id::text, used_at IS NOT NULL AND (used_at > expires_at OR tries > 5)"
        "  FROM families_coderequest",
    ),
    from_rows(
        "families_session_at_most_thirty_days",
        "家长登录最长 30 天，结束不早于开始",
        "SELECT id::text, expires_at > began_at + interval '30 days' OR ended_at < began_at"
        "  FROM families_familysession",
    ),
    from_rows(
        "families_account_has_shown_a_child",
        "家长账户都以一名孩子的教育ID登录过",
        "SELECT a.id::text, NOT EXISTS (SELECT 1 FROM families_familychild c WHERE c.account_id = a.id)"
        "  FROM families_familyaccount a",
    ),
]
