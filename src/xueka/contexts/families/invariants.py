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
        "家长登录最长 30 天，京通里最长 12 小时，结束不早于开始",
        "SELECT id::text, expires_at > began_at + CASE container WHEN '' THEN interval '30 days'"
        "                                              ELSE interval '12 hours' END OR ended_at < began_at"
        "  FROM families_familysession",
    ),
    from_rows(
        "families_account_has_shown_a_child",
        "家长账户都以一名孩子的教育ID登录过，或由京通核实过手机号",
        "SELECT a.id::text, NOT EXISTS (SELECT 1 FROM families_familychild c WHERE c.account_id = a.id)"
        "    AND NOT EXISTS (SELECT 1 FROM families_familysession s WHERE s.account_id = a.id"
        "                       AND s.container <> '')"
        "  FROM families_familyaccount a",
    ),
]
