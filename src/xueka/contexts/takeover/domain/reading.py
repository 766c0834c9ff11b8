"""One line of a file as values, or what is wrong with it. Looks at no other line and no table."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from xueka.contexts.takeover.domain import format as f
from xueka.kernel.errors import BadInput, LineProblem
from xueka.kernel.identifiers import check_card_number, education_id_problem
from xueka.kernel.text import compact, normalise, parse_date

_CARD = re.compile(r"[0-9A-Za-z]{1,32}", re.ASCII)
_UID = re.compile(r"(?:[0-9A-F]{8}|[0-9A-F]{14}|[0-9A-F]{20})", re.ASCII)
_SERIAL = re.compile(r"\d{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rules:
    """What lines are judged by. `kinds` reads code and name of a card kind; patterns are by kind or sort."""

    kinds: Mapping[str, str]
    transit_patterns: Mapping[str, str]
    beijing_tong_patterns: Mapping[str, str]
    today: date
    as_of: date
    education_id_pattern: str


@dataclass(slots=True)
class Line:
    """A line being read: its cells by key, and what is found wrong or doubtful."""

    part: f.Part
    number: int
    cells: Mapping[str, str]
    errors: list[LineProblem] = field(default_factory=list)
    warnings: list[LineProblem] = field(default_factory=list)

    def text(self, key: str) -> str:
        return normalise(self.cells.get(key, ""))

    def complain(self, key: str, code: str, what: str, action: str, *, warning: bool = False) -> None:
        column, value = self.part.header(key), self.text(key)[:40]
        said = problem(self.part, self.number, column, code, value, what, action)
        (self.warnings if warning else self.errors).append(said)

    def word(self, key: str, known: Mapping[str, str], code: str) -> str:
        found = known.get(self.text(key), "")
        if not found:
            words = "、".join(dict.fromkeys(word for word in known if not word.isascii()))
            self.complain(key, code, f"不认识这个词，应为：{words}", "请改用文档中的词。")
        return found

    def day(self, key: str, latest: date | None = None, *, needed: bool = False) -> date | None:
        if not self.text(key):
            if needed:
                self.complain(key, "DATE_MISSING", "日期为空", "请补上日期。")
            return None
        try:
            day = parse_date(self.text(key))
        except BadInput:
            self.complain(key, "DATE_INVALID", "日期无法识别或不存在，应如 2015-09-01", "请填写真实日期。")
            return None
        if latest and day > latest:
            self.complain(key, "DATE_FUTURE", f"日期晚于 {latest:%Y-%m-%d}", "请核对日期。")
        return day

    def serial(self, key: str) -> int:
        text = compact(self.cells.get(key, ""))
        if not _SERIAL.fullmatch(text):
            self.complain(key, "NUMBER_INVALID", "应为不超过 18 位的数字", "请填写数字。")
            return 0
        return int(text)

    def education_id(self, rules: Rules) -> str:
        value = compact(self.cells.get("education_id", ""))
        if reason := education_id_problem(value, rules.education_id_pattern):
            self.complain("education_id", reason.code, f"应为{reason.expected}", "请核对教育ID。")
        return value


def problem(
    part: f.Part, line: int, column: str, code: str, value: str, what: str, action: str
) -> LineProblem:
    """A finding in the one manner: where, what was read, what is wrong, what to do."""
    read = f"读到“{value}”" if value else "读到空白"
    return LineProblem(
        line, column, code, value, f"{part.label}第 {line} 行「{column}」：{what}。{read}。{action}"
    )


Row = Sequence[Any]


def read_account(line: Line, rules: Rules) -> Row:
    """education_id, number, state, opened_on."""
    number = compact(line.cells.get("number", ""))
    if len(number) > 16:
        line.complain("number", "ACCOUNT_NUMBER", "账户号超过 16 个字符", "可以留空，由本系统编号。")
    return (
        line.education_id(rules),
        number,
        line.word("state", f.ACCOUNT_STATES, "ACCOUNT_STATE"),
        line.day("opened_on", rules.today, needed=True),
    )


def read_card(line: Line, rules: Rules) -> Row:
    """number, education_id, kind, state, uid, transit, beijing_tong, issued, valid_until, lost, cancelled."""
    number = compact(line.cells.get("number", ""))
    if not _CARD.fullmatch(number):
        line.complain("number", "CARD_NUMBER_FORM", "应为 1 至 32 位数字或字母", "请核对卡号。")
    elif len(number) == 12 and number.isdigit() and not check_card_number(number):
        line.complain(
            "number",
            "CARD_NUMBER_CHECK",
            "12 位数字但校验码与本系统规则不符，按旧系统卡号收下",
            "如应为新卡号请核对。",
            warning=True,
        )
    kind = line.word("kind", rules.kinds, "KIND_UNKNOWN")
    state = line.word("state", f.CARD_STATES, "CARD_STATE")
    uid = compact(line.cells.get("chip_uid", "")).upper()
    if uid and not _UID.fullmatch(uid):
        line.complain("chip_uid", "CHIP_UID_FORM", "应为 8、14 或 20 位十六进制数", "请核对芯片UID。")
    transit = _numbered(line, "transit_number", rules.transit_patterns.get(kind))
    beijing_tong = _numbered(line, "beijing_tong_number", rules.beijing_tong_patterns.get(kind))
    issued = line.day("issued_on", rules.today, needed=True)
    valid_until = line.day("valid_until")
    lost = line.day("lost_on", rules.today)
    cancelled = line.day("cancelled_on", rules.today)
    for key, day, wanted in (("lost_on", lost, "lost"), ("cancelled_on", cancelled, "cancelled")):
        if state == wanted and day is None and not line.text(key):
            what = f"状态为{line.text('state')}却没有日期，按数据时点 {rules.as_of:%Y-%m-%d} 记"
            line.complain(key, "DATE_ASSUMED", what, "如知道日期请补上。", warning=True)
        if day and issued and day < issued:
            line.complain(key, "DATE_ORDER", "早于发卡日期", "请核对两个日期。")
    return (
        number,
        line.education_id(rules),
        kind,
        state,
        uid,
        transit,
        beijing_tong,
        issued,
        valid_until,
        lost,
        cancelled,
    )


def read_range(line: Line, rules: Rules) -> Row:
    """sort, issuer, document, prefix, width, first, last, used."""
    sort = line.word("sort", f.SORTS, "NUMBER_SORT")
    issuer, prefix = line.text("issuer"), compact(line.cells.get("prefix", ""))
    if not 1 <= len(issuer) <= 64:
        line.complain("issuer", "RANGE_ISSUER", "发放单位为空或超过 64 个字", "请填写发放单位。")
    width, first, last = line.serial("width"), line.serial("first"), line.serial("last")
    used = line.serial("used") if line.text("used") else first - 1
    if not 1 <= width <= 18 or len(prefix) > 16 or len(str(last)) > width:
        line.complain("width", "RANGE_WIDTH", "止号放不进序号位数，或前缀超过 16 个字符", "请核对号段。")
    if first > last:
        line.complain("first", "RANGE_ORDER", f"起始序号大于终止序号 {last}", "请核对起止。")
    if used > last or used < first - 1:
        line.complain(
            "used", "RANGE_USED", f"不在 {first} 至 {last} 之内（没有用过可留空）", "请核对已用至。"
        )
    if sort == "card" and (len(prefix) != 2 or not prefix.isdigit() or width != 9):
        line.complain(
            "prefix", "RANGE_CARD_FORM", "学生卡号段应为两位年份加九位序号", "旧式卡号不必登记号段。"
        )
    return sort, issuer, line.text("document")[:100], prefix, width, first, last, used


def read_number(line: Line, rules: Rules) -> Row:
    """sort, number, note."""
    number = compact(line.cells.get("number", ""))
    if not _CARD.fullmatch(number):
        line.complain("number", "NUMBER_FORM", "应为 1 至 32 位数字或字母", "请核对号码。")
    return line.word("sort", f.SORTS, "NUMBER_SORT"), number, line.text("note")[:100]


def read_application(line: Line, rules: Rules) -> Row:
    """number, education_id, kind, reason, state, submitted_on."""
    number = line.text("number")
    if not 1 <= len(number) <= 32:
        line.complain("number", "APPLICATION_NUMBER", "申领号为空或超过 32 个字符", "请核对申领号。")
    return (
        number,
        line.education_id(rules),
        line.word("kind", rules.kinds, "KIND_UNKNOWN"),
        line.word("reason", f.REASONS, "REASON_UNKNOWN"),
        line.word("state", f.APPLICATION_STATES, "APPLICATION_STATE"),
        line.day("submitted_on", rules.today, needed=True),
    )


def _numbered(line: Line, key: str, pattern: str | None) -> str:
    value = compact(line.cells.get(key, ""))
    if value and (len(value) > 32 or (pattern and not re.fullmatch(pattern, value, re.ASCII))):
        line.complain(key, "NUMBER_FORM", f"不符合该卡种的格式 {pattern or '32 位以内'}", "请核对号码。")
    return value


READERS: dict[str, Callable[[Line, Rules], Row]] = {
    "accounts": read_account,
    "cards": read_card,
    "ranges": read_range,
    "numbers": read_number,
    "applications": read_application,
}
