"""Judging one line of a return file by itself (docs/interfaces/card-bureau.md §10, §11.2)."""

import re
from datetime import datetime
from typing import NamedTuple

from xueka.contexts.production.domain.bureau.records import CardContents, Source
from xueka.contexts.production.domain.bureau.returns import LINE_FIELDS, RESULTS
from xueka.contexts.production.domain.bureau.text import OPAQUE_NUMBER, UID, text_problem, unescape
from xueka.kernel.clock import SHANGHAI
from xueka.kernel.errors import LineProblem
from xueka.kernel.identifiers import check_card_number

MADE = "00"
OTHER = "99"
MAX_TEXT = 200

# Places of fields in a split line.
CARD, TRANSIT, CHIP_UID = 2, 3, 5

_OPAQUE = re.compile(OPAQUE_NUMBER, re.ASCII).fullmatch
_UID = re.compile(UID, re.ASCII).fullmatch


class Settled(NamedTuple):
    """What an earlier return file said of a card, and we accepted."""

    transit_number: str
    beijing_tong_number: str
    chip_uid: str
    result: str


class ExpectedCard(NamedTuple):
    """What was sent for a card (empty text where nothing was), and what an earlier return settled."""

    sequence: int
    transit_number: str
    beijing_tong_number: str
    blank_uid: str
    settled: Settled | None = None


class ReturnRecord(NamedTuple):
    """A line that may be applied. `line` is its place in the file, `produced_at` aware."""

    line: int
    card_number: str
    transit_number: str
    beijing_tong_number: str
    chip_uid: str
    result: str
    produced_at: datetime
    text: str


# A reason before it knows its line: column, code, value found, what was expected.
Reason = tuple[str, str, str, str]


def judge(
    contents: CardContents, number: int, fields: list[str], sent: ExpectedCard
) -> ReturnRecord | list[LineProblem]:
    """The record of a sound line on the card `sent`, else every reason why it is not. Never raises."""
    if len(fields) != LINE_FIELDS:
        return [_fields_problem(number, fields)]
    _, sequence, card, transit, tong, uid, result, at, escaped = fields
    reasons = _number_reasons(contents, sent, transit, tong, uid, result == MADE)
    if sequence != str(sent.sequence):
        reasons.append(("sequence", "LINE_SEQUENCE", sequence, f"序号应为 {sent.sequence}"))
    if result not in RESULTS:
        reasons.append(("result", "LINE_RESULT", result, "结果代码应为 " + "、".join(RESULTS)))
    produced_at = read_moment(at)
    text, unreadable = ("", None) if not escaped and result != OTHER else _text(escaped, result)
    if unreadable:
        reasons.append(("text", "LINE_TEXT", escaped, unreadable))
    if produced_at is None:
        reasons.append(("produced_at", "LINE_PRODUCED_AT", at, "完成时间应为真实的年月日时分秒（14 位数字）"))
    elif not reasons:
        return ReturnRecord(number, card, transit, tong, uid, result, produced_at, text)
    where = f"第 {number} 行（学卡 {card}）"
    return [
        LineProblem(number, column, code, value, f"{where}：{expected}，实际为“{value}”。")
        for column, code, value, expected in reasons
    ]


def _number_reasons(
    contents: CardContents, sent: ExpectedCard, transit: str, tong: str, uid: str, made: bool
) -> list[Reason]:
    """What is wrong with the three numbers. A card that failed may leave any of them empty."""
    reasons = []
    if contents.transit is Source.BLANK:
        if not (_OPAQUE(transit) or (not transit and not made)):
            reasons.append(("transit_number", "LINE_TRANSIT_NUMBER", transit, "应填白卡自带的一卡通号"))
    elif transit != sent.transit_number and (made or transit):
        expected = _as_sent("一卡通号", sent.transit_number)
        reasons.append(("transit_number", "LINE_TRANSIT_NUMBER", transit, expected))
    if tong != sent.beijing_tong_number and (made or tong):
        expected = _as_sent("北京通号", sent.beijing_tong_number)
        reasons.append(("beijing_tong_number", "LINE_BEIJING_TONG_NUMBER", tong, expected))
    if not contents.chip:
        if uid:
            reasons.append(("chip_uid", "LINE_CHIP_UID", uid, "此卡种没有芯片，芯片UID应为空"))
    elif not (_UID(uid) or (not uid and not made)):
        reasons.append(("chip_uid", "LINE_CHIP_UID", uid, "芯片UID应为 4、7、8 或 10 字节的大写十六进制"))
    elif made and sent.blank_uid and uid != sent.blank_uid:
        reasons.append(("chip_uid", "LINE_CHIP_UID_BOUND", uid, f"应使用指定的白卡 {sent.blank_uid}"))
    return reasons


def unknown_problem(number: int, card: str) -> LineProblem:
    """Why a card number is not one of the batch."""
    if check_card_number(card):
        reason = f"第 {number} 行：学卡 {card} 不在本批次中。"
        return LineProblem(number, "card_number", "LINE_UNKNOWN_CARD", card, reason)
    reason = f"第 {number} 行：学卡号“{card}”不是 12 位数字或校验码不符。"
    return LineProblem(number, "card_number", "LINE_CARD_NUMBER", card, reason)


def _as_sent(label: str, sent: str) -> str:
    return f"{label}应与送出的一致（{sent}）" if sent else f"{label}应为空"


def _fields_problem(number: int, fields: list[str]) -> LineProblem:
    reason = f"第 {number} 行（学卡 {fields[CARD]}）：应有 {LINE_FIELDS} 个字段，实际为 {len(fields)} 个。"
    return LineProblem(number, "line", "LINE_FIELDS", str(len(fields)), reason)


def read_moment(text: str) -> datetime | None:
    """`YYYYMMDDHHMMSS` in Shanghai, aware; None when it is no real time."""
    if len(text) != 14 or not text.isdigit():
        return None
    try:
        return datetime.fromisoformat(f"{text[:8]}T{text[8:]}").replace(tzinfo=SHANGHAI)
    except ValueError:
        return None


def _text(escaped: str, result: str) -> tuple[str, str | None]:
    """The note, and what is wrong with it. Blanks around it are not worth refusing a card for."""
    try:
        text = unescape(escaped).strip(" ")
    except ValueError:
        return "", "说明中的反斜杠用法不对"
    wrong = text_problem(text, MAX_TEXT, shortest=1 if result == OTHER else 0)
    return text, f"说明{wrong}" if wrong else None
