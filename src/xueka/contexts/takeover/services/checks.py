"""What lines of a set are judged by beside the other lines and what is on record, over whole sets at once.

Each check is a statement that answers (line, value) of what is wrong; `{only}` restricts it to some lines,
when a chunk is looked at once more right before it is loaded.
"""

from typing import NamedTuple

from django.db import connection

from xueka.contexts.cards import api as cards
from xueka.contexts.takeover.domain import format as f
from xueka.contexts.takeover.domain.reading import problem
from xueka.contexts.takeover.models import ROWS, TakeOver
from xueka.kernel.errors import LineProblem


class Check(NamedTuple):
    """`on_record`: asked again before loading. `warning`: the line is taken all the same."""

    part: str
    code: str
    key: str
    what: str
    action: str
    sql: str
    on_record: bool = False
    warning: bool = False


_LIVE = ", ".join(f"'{state}'" for state in cards.LIVE)
_OPEN = "('fulfilled', 'refused', 'withdrawn', 'cancelled')"


def _twice(part: str, key: str, code: str, what: str, *, also: str = "", given: bool = False) -> Check:
    table = ROWS[part]._meta.db_table
    only = f"AND {key} <> ''" if given else ""
    columns = ", ".join(filter(None, [key, also]))
    sql = f"""
        SELECT r.line, r.{key} FROM (
            SELECT line, {key}, count(*) OVER (PARTITION BY {columns}) AS times
              FROM {table} WHERE take_over_id = %(id)s AND ok {only}) r
         WHERE r.times > 1"""  # noqa: S608 - names of our own tables
    return Check(part, code, key, what, "请只保留正确的一行。", sql)


def _taken(key: str, sort: str, code: str, what: str) -> Check:
    sql = f"""
        SELECT r.line, r.{key} FROM takeover_cardrow r
         WHERE r.take_over_id = %(id)s AND r.ok AND r.{key} <> '' {{only}}
           AND (EXISTS (SELECT 1 FROM numbers_numberuse u WHERE u.sort = '{sort}' AND u.number = r.{key})
                OR EXISTS (SELECT 1 FROM cards_card c WHERE c.{key} = r.{key}))"""  # noqa: S608
    return Check("cards", code, key, what, "请核对号码；已在本系统的卡不必接管。", sql, True)


def _not_given(key: str, sort: str) -> list[Check]:
    """A number that one of our open ranges, or the unused part of a range of the set, would give again."""
    what = "这个号码在还没有发出的号段里，本系统以后会再发一次"
    digits = "left(r.{key}, 11)" if sort == "card" else "r.{key}"
    digits = digits.format(key=key)
    # Only twelve digits can be one of ours; an opaque number may be longer and begin alike.
    whole = f"length(r.{key}) = 12 AND " if sort == "card" else ""
    lies = f"""{whole}length({digits}) = length(g.prefix) + g.width AND {digits} LIKE g.prefix || '%%'
               AND substr({digits}, length(g.prefix) + 1) ~ '^[0-9]+$'
               AND substr({digits}, length(g.prefix) + 1)::numeric"""
    ours = f"""
        SELECT r.line, r.{key} FROM takeover_cardrow r JOIN numbers_numberrange g
            ON g.sort = '{sort}' AND g.is_open AND {lies} BETWEEN g.next_serial AND g.last
         WHERE r.take_over_id = %(id)s AND r.ok AND r.{key} <> '' {{only}}
           AND g.taken_over IS DISTINCT FROM %(id)s"""  # noqa: S608
    theirs = f"""
        SELECT r.line, r.{key} FROM takeover_cardrow r JOIN takeover_rangerow g
            ON g.take_over_id = r.take_over_id AND g.sort = '{sort}' AND g.ok
               AND {lies} BETWEEN g.used + 1 AND g.last
         WHERE r.take_over_id = %(id)s AND r.ok AND r.{key} <> ''"""  # noqa: S608
    return [
        Check("cards", "NUMBER_NOT_GIVEN", key, what, "请核对号段的起止和“已用至”。", ours, True),
        Check("cards", "NUMBER_NOT_GIVEN", key, what, "请核对号段文件的“已用至”。", theirs),
    ]


_ALIKE = """g.sort = r.sort AND length(g.prefix) + g.width = length(r.prefix) + r.width
            AND rtrim(g.prefix, '0123456789') = rtrim(r.prefix, '0123456789')
            AND numbers_low(g.prefix, g.width, g.first) <= numbers_low(r.prefix, r.width, r.last)
            AND numbers_low(r.prefix, r.width, r.first) <= numbers_low(g.prefix, g.width, g.last)"""

CHECKS: list[Check] = [
    Check(
        "ranges",
        "RANGE_OVERLAPS",
        "first",
        "与本系统已登记的号段重叠，同一个号码会发出两次",
        "请核对起止；已登记的号段不必接管。",
        f"""SELECT r.line, r.prefix || r.first FROM takeover_rangerow r
             WHERE r.take_over_id = %(id)s AND r.ok {{only}}
               AND EXISTS (SELECT 1 FROM numbers_numberrange g WHERE {_ALIKE})""",  # noqa: S608
        True,
    ),
    Check(
        "ranges",
        "RANGE_OVERLAPS",
        "first",
        "与文件里的另一个号段重叠",
        "请核对起止。",
        f"""SELECT r.line, r.prefix || r.first FROM takeover_rangerow r
             WHERE r.take_over_id = %(id)s AND r.ok
               AND EXISTS (SELECT 1 FROM takeover_rangerow g WHERE g.take_over_id = r.take_over_id
                              AND g.line <> r.line AND g.ok AND {_ALIKE})""",  # noqa: S608
    ),
    _twice("accounts", "education_id", "ACCOUNT_TWICE", "同一学生出现两个账户"),
    _twice("accounts", "number", "ACCOUNT_NUMBER_TWICE", "同一账户号出现两次", given=True),
    Check(
        "accounts",
        "STUDENT_UNKNOWN",
        "education_id",
        "名册里没有这名学生",
        "请先导入名册，再重新试算。",
        """SELECT r.line, r.education_id FROM takeover_accountrow r
            WHERE r.take_over_id = %(id)s AND r.ok {only} AND NOT EXISTS (
                  SELECT 1 FROM registry_student s WHERE s.education_id = r.education_id)""",
        True,
    ),
    Check(
        "accounts",
        "ACCOUNT_EXISTS",
        "education_id",
        "这名学生在本系统已有账户",
        "请从文件中删去，或核对学生。",
        """SELECT r.line, r.education_id FROM takeover_accountrow r
             JOIN registry_student s ON s.education_id = r.education_id
             JOIN cards_cardaccount a ON a.student_id = s.id
            WHERE r.take_over_id = %(id)s AND r.ok {only}""",
        True,
    ),
    Check(
        "accounts",
        "ACCOUNT_NUMBER_TAKEN",
        "number",
        "账户号在本系统已被使用",
        "可以留空，由本系统编号。",
        """SELECT r.line, r.number FROM takeover_accountrow r JOIN cards_cardaccount a ON a.number = r.number
            WHERE r.take_over_id = %(id)s AND r.ok AND r.number <> '' {only}""",
        True,
    ),
    _twice("cards", "number", "CARD_TWICE", "同一卡号出现两次"),
    _twice("cards", "chip_uid", "CHIP_UID_TWICE", "同一芯片出现在两张卡上", given=True),
    _twice("cards", "transit_number", "TRANSIT_TWICE", "同一一卡通号出现在两张卡上", given=True),
    _twice("cards", "beijing_tong_number", "BEIJING_TONG_TWICE", "同一北京通号出现在两张卡上", given=True),
    Check(
        "cards",
        "ACCOUNT_MISSING",
        "education_id",
        "这名学生没有可用的账户（账户文件里没有，或那一行被拒收）",
        "请补上账户，或先改正账户那一行。",
        """SELECT r.line, r.education_id FROM takeover_cardrow r
            WHERE r.take_over_id = %(id)s AND r.ok {only} AND NOT EXISTS (
                  SELECT 1 FROM takeover_accountrow a
                   WHERE a.take_over_id = r.take_over_id AND a.education_id = r.education_id AND a.ok)
              AND NOT EXISTS (SELECT 1 FROM registry_student s JOIN cards_cardaccount a ON a.student_id = s.id
                               WHERE s.education_id = r.education_id)""",
        True,
    ),
    Check(
        "cards",
        "ACCOUNT_CLOSED",
        "education_id",
        "账户已销户，却还有没注销的卡",
        "请核对账户状态或卡状态。",
        f"""SELECT r.line, r.education_id FROM takeover_cardrow r
              JOIN takeover_accountrow a ON a.take_over_id = r.take_over_id
                   AND a.education_id = r.education_id AND a.ok
             WHERE r.take_over_id = %(id)s AND r.ok AND a.state = 'closed' AND r.state IN ({_LIVE})""",  # noqa: S608
    ),
    Check(
        "cards",
        "SECOND_LIVE_CARD",
        "kind",
        "同一学生同一卡种有两张没注销的卡",
        "请只保留在用的一张，另一张改为已注销。",
        f"""SELECT r.line, r.kind FROM (
                SELECT line, kind, count(*) OVER (PARTITION BY education_id, kind) AS times
                  FROM takeover_cardrow
                 WHERE take_over_id = %(id)s AND ok AND state IN ({_LIVE})) r WHERE r.times > 1""",  # noqa: S608
    ),
    Check(
        "cards",
        "SECOND_LIVE_CARD",
        "kind",
        "这名学生在本系统已有一张该卡种的卡",
        "请核对；已在本系统的卡不必接管。",
        f"""SELECT r.line, r.kind FROM takeover_cardrow r
              JOIN registry_student s ON s.education_id = r.education_id
              JOIN cards_card c ON c.student_id = s.id AND c.kind_id = r.kind AND c.state IN ({_LIVE})
             WHERE r.take_over_id = %(id)s AND r.ok AND r.state IN ({_LIVE}) {{only}}""",  # noqa: S608
        True,
    ),
    _taken("number", "card", "CARD_EXISTS", "本系统已有这个卡号"),
    _taken("transit_number", "transit", "TRANSIT_TAKEN", "本系统已用过这个一卡通号"),
    _taken("beijing_tong_number", "beijing_tong", "BEIJING_TONG_TAKEN", "本系统已用过这个北京通号"),
    Check(
        "cards",
        "CHIP_UID_TAKEN",
        "chip_uid",
        "这个芯片已在本系统的另一张卡或空白卡里",
        "请核对芯片UID。",
        """SELECT r.line, r.chip_uid FROM takeover_cardrow r
            WHERE r.take_over_id = %(id)s AND r.ok AND r.chip_uid <> '' {only}
              AND (EXISTS (SELECT 1 FROM cards_card c WHERE c.chip_uid = r.chip_uid)
                   OR EXISTS (SELECT 1 FROM numbers_blank b WHERE b.uid = r.chip_uid))""",
        True,
    ),
    *_not_given("number", "card"),
    *_not_given("transit_number", "transit"),
    *_not_given("beijing_tong_number", "beijing_tong"),
    Check(
        "cards",
        "PAIR_ALONE",
        "state",
        "配对的另一张卡不在使用中，这张按“不成对”收下",
        "遗失的一张请按补卡办理。",
        """SELECT r.line, r.number FROM takeover_cardrow r JOIN cards_cardkind k ON k.code = r.kind
            WHERE r.take_over_id = %(id)s AND r.ok AND r.state = 'active' AND k.coupled_with_id IS NOT NULL
              AND NOT EXISTS (SELECT 1 FROM takeover_cardrow o
                               WHERE o.take_over_id = r.take_over_id AND o.ok AND o.state = 'active'
                                 AND o.education_id = r.education_id AND o.kind = k.coupled_with_id)""",
        warning=True,
    ),
    _twice("numbers", "number", "NUMBER_TWICE", "同一号码出现两次", also="sort"),
    Check(
        "numbers",
        "NUMBER_ON_CARD",
        "number",
        "这个号码在学生卡文件里的一张卡上",
        "卡上的号码不必再列。",
        """SELECT r.line, r.number FROM takeover_numberrow r JOIN takeover_cardrow c
               ON c.take_over_id = r.take_over_id AND c.ok
                  AND r.number = CASE r.sort WHEN 'card' THEN c.number WHEN 'transit' THEN c.transit_number
                                             ELSE c.beijing_tong_number END
            WHERE r.take_over_id = %(id)s AND r.ok""",
    ),
    Check(
        "numbers",
        "NUMBER_TAKEN",
        "number",
        "本系统已记录过这个号码",
        "不必再列。",
        """SELECT r.line, r.number FROM takeover_numberrow r
             JOIN numbers_numberuse u ON u.sort = r.sort AND u.number = r.number
            WHERE r.take_over_id = %(id)s AND r.ok {only}""",
        True,
    ),
    _twice(
        "applications", "education_id", "APPLICATION_TWICE", "同一学生同一卡种有两份在办申领", also="kind"
    ),
    Check(
        "applications",
        "ACCOUNT_MISSING",
        "education_id",
        "这名学生没有可用的账户",
        "请补上账户，或先改正账户那一行。",
        """SELECT r.line, r.education_id FROM takeover_applicationrow r
            WHERE r.take_over_id = %(id)s AND r.ok {only} AND NOT EXISTS (
                  SELECT 1 FROM takeover_accountrow a WHERE a.take_over_id = r.take_over_id
                         AND a.education_id = r.education_id AND a.ok AND a.state = 'open')
              AND NOT EXISTS (SELECT 1 FROM registry_student s JOIN cards_cardaccount a ON a.student_id = s.id
                               WHERE s.education_id = r.education_id AND a.state = 'open')""",
        True,
    ),
    Check(
        "applications",
        "APPLICATION_OPEN",
        "education_id",
        "这名学生在本系统已有该卡种的在办申领",
        "请只保留一份。",
        f"""SELECT r.line, r.education_id FROM takeover_applicationrow r
              JOIN registry_student s ON s.education_id = r.education_id
              JOIN cards_cardaccount a ON a.student_id = s.id
              JOIN cards_application p ON p.account_id = a.id AND p.kind_id = r.kind
                   AND p.state NOT IN {_OPEN}
             WHERE r.take_over_id = %(id)s AND r.ok {{only}}""",  # noqa: S608
        True,
    ),
    Check(
        "applications",
        "HAS_CARD",
        "reason",
        "申领原因是新领，但学生已有没注销的该卡种的卡",
        "请核对申领原因。",
        f"""SELECT r.line, r.education_id FROM takeover_applicationrow r
             WHERE r.take_over_id = %(id)s AND r.ok AND r.reason = 'new' AND EXISTS (
                   SELECT 1 FROM takeover_cardrow c WHERE c.take_over_id = r.take_over_id AND c.ok
                      AND c.education_id = r.education_id AND c.kind = r.kind AND c.state IN ({_LIVE}))""",  # noqa: S608
    ),
]


def find(
    take_over: TakeOver, *, lines: tuple[str, int, int] | None = None, limit: int = 2000
) -> tuple[list[tuple[Check, int]], list[LineProblem], list[LineProblem]]:
    """Run the checks and mark wrong lines as not ok.

    With `lines` (part, first, last) only those are asked that look at what is on record. Answers what each
    check found and how often, and the findings in words: errors and warnings, at most `limit` of each check.
    """
    counts: list[tuple[Check, int]] = []
    errors: list[LineProblem] = []
    warnings: list[LineProblem] = []
    for check in CHECKS:
        if lines and (check.part != lines[0] or not check.on_record):
            continue
        only = f"AND r.line BETWEEN {int(lines[1])} AND {int(lines[2])}" if lines else ""
        found = _run(take_over, check, only)
        if not found:
            continue
        counts.append((check, len(found)))
        part = f.PARTS[check.part]
        listed = [
            problem(part, line, part.header(check.key), check.code, value, check.what, check.action)
            for line, value in found[:limit]
        ]
        (warnings if check.warning else errors).extend(listed)
    return counts, errors, warnings


def _run(take_over: TakeOver, check: Check, only: str) -> list[tuple[int, str]]:
    with connection.cursor() as cursor:
        cursor.execute(check.sql.replace("{only}", only), {"id": take_over.id})
        found = sorted(set(cursor.fetchall()))
        if found and not check.warning:
            table = ROWS[check.part]._meta.db_table
            cursor.execute(
                f"UPDATE {table} SET ok = false WHERE take_over_id = %s AND line = ANY(%s)",  # noqa: S608
                [take_over.id, [line for line, _ in found]],
            )
    return found
