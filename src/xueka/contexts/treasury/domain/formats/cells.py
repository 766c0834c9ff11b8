"""Judging the cells of a statement: each returns the value, or notes what is wrong and where."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from xueka.contexts.treasury.domain.formats.lines import WHOLE_LINE
from xueka.kernel.errors import LineProblem

OUR_NUMBER = re.compile(r"[0-9A-Za-z_\-|*@]{1,64}", re.ASCII)
CHANNEL_ID = re.compile(r"[0-9A-Za-z_\-]{1,64}", re.ASCII)
_YUAN = re.compile(r"(?P<sign>-?)(?P<whole>\d{1,12})(?:\.(?P<part>\d{1,5}))?", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_FEN, _FINE = 2, 5  # decimals of a yuan: amounts, fees
_SHOWN = 60


class Row:
    """One row: the cells by the names of their columns."""

    __slots__ = ("cells", "line")

    def __init__(self, line: int, cells: Mapping[str, str]) -> None:
        self.line = line
        self.cells = cells

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "").strip()

    def __contains__(self, column: str) -> bool:
        return column in self.cells


class Judge:
    """Reads cells and keeps what is wrong with them; a row with a problem is not used."""

    def __init__(self) -> None:
        self.problems: list[LineProblem] = []
        self._sums: Counter[str] = Counter()
        self._unsummed: set[str] = set()
        self._seen: dict[tuple[str, str], int] = {}

    def note(self, line: int, column: str, code: str, value: str, said: str) -> None:
        place = f"第 {line} 行" + ("" if column == WHOLE_LINE else f"“{column}”")
        self.problems.append(LineProblem(line, column, code, value[:_SHOWN], f"{place}{said}"))

    def fen(self, row: Row, column: str) -> int | None:
        """Fen from yuan with at most two decimals."""
        found = self._parse(row, column, _FEN, "LINE_AMOUNT", "金额")
        return None if found is None else found // 1000

    def millifen(self, row: Row, column: str) -> int | None:
        """Thousandths of a fen from yuan with at most five decimals."""
        return self._parse(row, column, _FINE, "LINE_FEE", "手续费")

    def _parse(self, row: Row, column: str, places: int, code: str, what: str) -> int | None:
        found = yuan(row[column], places)
        if found is None:
            said = f"的{what}“{row[column][:_SHOWN]}”无法识别，应为以元为单位、最多 {places} 位小数的数。"
            self.note(row.line, column, code, row[column], said)
            self._unsummed.add(column)
        return found

    def add(self, column: str, millifen: int | None) -> None:
        """Towards the sum of a column; None: this row's cell cannot be read, so no sum can be compared."""
        if millifen is None:
            self._unsummed.add(column)
        else:
            self._sums[column] += millifen

    def sum_of(self, column: str) -> int | None:
        """In thousandths of a fen; None where a cell of the column could not be read."""
        return None if column in self._unsummed else self._sums[column]

    def moment(self, row: Row, column: str) -> datetime | None:
        text = row[column]
        if _MOMENT.fullmatch(text):
            try:
                return datetime.fromisoformat(text)
            except ValueError:
                pass
        said = f"的时间“{text[:_SHOWN]}”无法识别或不存在，应如 2024-10-14 12:39:00。"
        self.note(row.line, column, "LINE_TIME", text, said)
        return None

    def number(self, row: Row, column: str) -> str | None:
        return self._matching(row, column, OUR_NUMBER, "LINE_NUMBER", "商户单号")

    def channel_id(self, row: Row, column: str) -> str | None:
        return self._matching(row, column, CHANNEL_ID, "LINE_CHANNEL_ID", "渠道单号")

    def _matching(self, row: Row, column: str, form: re.Pattern[str], code: str, what: str) -> str | None:
        text = row[column]
        if form.fullmatch(text):
            return text
        said = f"的{what}“{text[:_SHOWN]}”不合规则。" if text else f"缺少{what}。"
        self.note(row.line, column, code, text, said)
        return None

    def one_of(self, row: Row, column: str, known: Collection[str], code: str) -> str | None:
        if row[column] in known:
            return row[column]
        said = f"是“{row[column][:_SHOWN]}”，应为 {'、'.join(known)} 之一。"
        self.note(row.line, column, code, row[column], said)
        return None

    def once(self, row: Row, column: str, kind: str, text: str | None) -> None:
        """The same thing must not stand twice in one statement; None: what stands there is no number."""
        if text is not None:
            self.seen_once(row.line, column, kind, text)

    def seen_once(self, line: int, column: str, kind: str, text: str) -> None:
        first = self._seen.setdefault((kind, text), line)
        if first != line:
            self.note(line, column, "LINE_TWICE", text, f"的“{text}”在第 {first} 行已经出现过。")

    def total(self, line: int, column: str, text: str, found: int | None, *, money: bool) -> None:
        """Compare what the file says of itself with what its rows come to (millifen, or a count)."""
        told = yuan(text, _FINE) if money else (int(text) if text.isascii() and text.isdecimal() else None)
        if told is None:
            self.note(line, column, "TOTAL_FORM", text, f"的合计“{text[:_SHOWN]}”无法识别。")
        elif found is not None and told != found:
            wanted = shown(found) if money else str(found)
            said = f"写的是 {text}，各行合计是 {wanted}。请向渠道核实或重新下载。"
            self.note(line, column, "TOTAL_DIFFERS", text, said)


def yuan(text: str, places: int) -> int | None:
    """Thousandths of a fen from a channel's yuan, None for what is not an amount of at most `places`."""
    match = _YUAN.fullmatch(text)
    part = (match["part"] or "") if match else ""
    if not match or part[places:].strip("0"):
        return None
    found = int(match["whole"]) * 100_000 + int(part.ljust(5, "0"))
    return -found if match["sign"] else found


def shown(millifen: int) -> str:
    """Yuan again, with as many decimals as are needed, at least two."""
    whole, part = divmod(abs(millifen), 100_000)
    decimals = f"{part:05d}".rstrip("0").ljust(2, "0")
    return f"{'-' if millifen < 0 else ''}{whole}.{decimals}"


def rows(judge: Judge, columns: list[str], numbered: Iterator[tuple[int, list[str]]]) -> Iterator[Row]:
    """The rows that have as many cells as the header, and no characters that belong in no text."""
    for line, cells in numbered:
        if len(cells) != len(columns):
            said = f"有 {len(cells)} 个单元格，表头有 {len(columns)} 个。"
            judge.note(line, WHOLE_LINE, "LINE_CELLS", ",".join(cells), said)
            continue
        odd = [name for name, cell in zip(columns, cells, strict=True) if _CONTROL.search(cell)]
        for name in odd:
            judge.note(line, name, "LINE_TEXT", "", "有不可见的控制字符。")
        if not odd:
            yield Row(line, dict(zip(columns, cells, strict=True)))
