"""The hand-over file of a lot of blanks (docs/interfaces/blank-lot.md), read and judged line by line."""

import csv
import io
import re
from dataclasses import dataclass

from xueka.contexts.numbers.domain import series
from xueka.kernel.errors import BadInput, LineProblem
from xueka.kernel.text import compact, normalise

#: Accepted heads of the three columns, and the name used in messages.
COLUMNS = {
    "position": ("序号", "position"),
    "uid": ("芯片UID", "uid"),
    "transit_number": ("一卡通号", "transit_number"),
}
_POSITION = re.compile(r"0*[1-9]\d{0,6}", re.ASCII)
_UID = re.compile(r"(?:[0-9A-F]{8}|[0-9A-F]{14}|[0-9A-F]{16}|[0-9A-F]{20})", re.ASCII)


@dataclass(frozen=True, slots=True)
class LotLine:
    """One blank; `line` is its row as a person counts it (the head is line 1)."""

    line: int
    position: int
    uid: str
    transit_number: str


def read(content: bytes) -> tuple[list[LotLine], list[LineProblem]]:
    """The sound lines, and every defect of the others.

    Raises BadInput where the file as a whole cannot be read: LOT_UNREADABLE, LOT_COLUMNS, LOT_EMPTY.
    """
    try:
        rows = list(csv.reader(io.StringIO(_decode(content), newline="")))
    except csv.Error:
        raise _unreadable() from None
    places = _places(rows[0] if rows else [])
    lines: list[LotLine] = []
    problems: list[LineProblem] = []
    seen: dict[tuple[str, str], int] = {}
    for number, row in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in row):
            continue
        cell = {name: row[place] if place < len(row) else "" for name, place in places.items()}
        found = _judge(number, cell)
        for column in COLUMNS:
            value = compact(cell.get(column, "")).upper()
            first = seen.setdefault((column, value), number) if value else number
            if first != number:
                found.append(
                    _problem(number, column, "LOT_DUPLICATE", value, f"与第 {first} 行重复，只能出现一次。")
                )
        problems += found
        if not found:
            lines.append(
                LotLine(
                    number,
                    int(normalise(cell["position"])),
                    compact(cell.get("uid", "")).upper(),
                    compact(cell.get("transit_number", "")),
                )
            )
    if not lines and not problems:
        raise BadInput("LOT_EMPTY", "交接文件里没有空白卡。", action="请核对文件后重新导入。")
    if not problems:
        problems += _gaps(lines)
    return lines, problems


def _judge(number: int, cell: dict[str, str]) -> list[LineProblem]:
    found = []
    position = normalise(cell["position"])
    if not _POSITION.fullmatch(position):
        found.append(_problem(number, "position", "LOT_POSITION", position, "序号应为从 1 开始的整数。"))
    uid = compact(cell.get("uid", "")).upper()
    if uid and not _UID.fullmatch(uid):
        found.append(_problem(number, "uid", "LOT_UID", uid, "芯片UID应为 8、14、16 或 20 位十六进制数字。"))
    transit = compact(cell.get("transit_number", ""))
    if transit and not series.fits(series.TRANSIT, transit):
        message = f"一卡通号应符合格式 {series.patterns()[series.TRANSIT]}。"
        found.append(_problem(number, "transit_number", "LOT_TRANSIT_NUMBER", transit, message))
    return found


def _gaps(lines: list[LotLine]) -> list[LineProblem]:
    """Positions run from 1 without a gap, so that a blank that was left out is noticed on the day."""
    for expected, line in enumerate(sorted(lines, key=lambda line: line.position), 1):
        if line.position != expected:
            return [
                _problem(
                    line.line,
                    "position",
                    "LOT_POSITION_GAP",
                    str(line.position),
                    f"序号不连续：缺少序号 {expected}。请补齐缺少的行，或向交付方核实。",
                )
            ]
    return []


def _places(head: list[str]) -> dict[str, int]:
    titles = [normalise(title).lower() for title in head]
    places = {
        name: titles.index(title.lower())
        for name, accepted in COLUMNS.items()
        for title in accepted
        if title.lower() in titles
    }
    if "position" not in places or len(places) == 1:
        raise BadInput(
            "LOT_COLUMNS",
            "交接文件的表头不对。",
            where="第 1 行",
            found="、".join(head)[:200],
            expected="序号，以及芯片UID、一卡通号中的至少一列",
            action="请按《空白卡交接文件》的格式整理表头后重新导入。",
        )
    return places


def _decode(content: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise _unreadable()


def _unreadable() -> BadInput:
    return BadInput(
        "LOT_UNREADABLE",
        "交接文件无法读取。",
        expected="UTF-8 或 GB 18030 编码的 CSV",
        action="请另存为 CSV 后重新导入。",
    )


def _problem(line: int, column: str, code: str, value: str, message: str) -> LineProblem:
    return LineProblem(line, COLUMNS[column][0], code, value[:40], message)
