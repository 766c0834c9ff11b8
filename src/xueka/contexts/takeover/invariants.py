"""What must always hold of take-overs and of what they brought."""

from xueka.contexts.takeover.domain.transitions import TAKEOVER
from xueka.contexts.takeover.models import ROWS
from xueka.platform.history.invariants import state_matches_history, steps_allowed
from xueka.platform.invariants import from_rows

_OBJECTS = {
    "accounts": "cards_cardaccount",
    "cards": "cards_card",
    "applications": "cards_application",
    "ranges": "numbers_numberrange",
    "numbers": "numbers_numberuse",
}
_LOADED = "\n UNION ALL\n".join(
    f"""SELECT t.number || ' {code} ' || r.line, (o.id IS NULL) <> r.back
          FROM {ROWS[code]._meta.db_table} r JOIN takeover_takeover t ON t.id = r.take_over_id
          LEFT JOIN {table} o ON o.id = r.object_id
         WHERE r.object_id IS NOT NULL"""  # noqa: S608 - names of our own tables
    for code, table in _OBJECTS.items()
)

INVARIANTS = [
    state_matches_history(TAKEOVER, "takeover_takeover"),
    steps_allowed(TAKEOVER),
    from_rows(
        "takeover_approved_by_two_people",
        "载入过的每一套接管文件都由提交人以外的人批准，控制总数相符",
        """
        SELECT number, approved_by = '' OR approved_by = created_by
               OR EXISTS (SELECT 1 FROM jsonb_array_elements(totals) e WHERE NOT (e ->> 'agrees')::boolean)
          FROM takeover_takeover
         WHERE purpose = 'load' AND state NOT IN ('checked', 'dropped')""",
    ),
    from_rows(
        "takeover_rows_have_their_objects",
        "接管载入的每一行都有对应的账户、卡、号码或申领，收回的都已不在",
        _LOADED,
    ),
    from_rows(
        "takeover_complete_when_loaded",
        "已载入的接管没有漏下一行",
        "\n UNION ALL\n".join(
            f"""SELECT t.number || ' {code}', EXISTS (
                       SELECT 1 FROM {ROWS[code]._meta.db_table} r
                        WHERE r.take_over_id = t.id AND r.ok AND r.object_id IS NULL)
                  FROM takeover_takeover t WHERE t.state IN ('loaded', 'settled')"""  # noqa: S608
            for code in _OBJECTS
        ),
    ),
    from_rows(
        "takeover_numbers_are_never_given_again",
        "旧系统用过的号码不在任何未发出的号段里",
        """
        SELECT u.sort || ' ' || u.number, EXISTS (
               SELECT 1 FROM numbers_numberrange g
                WHERE g.sort = u.sort AND g.is_open AND u.number LIKE g.prefix || '%'
                  AND length(u.number) = length(g.prefix) + g.width + (u.sort = 'card')::int
                  AND CASE WHEN substr(u.number, length(g.prefix) + 1, g.width) ~ '^[0-9]+$'
                           THEN substr(u.number, length(g.prefix) + 1, g.width)::numeric
                                BETWEEN g.next_serial AND g.last ELSE false END)
          FROM numbers_numberuse u WHERE u.taken_over IS NOT NULL""",
    ),
]
