"""Which column of a file is which: headers matched by name and documented alias, never by position."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from xueka.contexts.registry.domain.report import shown
from xueka.kernel.errors import BadInput, LineProblem
from xueka.kernel.text import compact

#: Headings this close may be one and the same: 教育号 is 教育ID, but 姓名 is not 区名称.
_ALIKE = 0.55


@dataclass(frozen=True, slots=True)
class Column:
    """`key` names the field in code, `header` is the documented heading, `aliases` are read as the same.

    A column that is not `required` carries nothing that is stored: a stored one must be present, because a
    missing column would otherwise empty the field of every student in the file.
    """

    key: str
    header: str
    aliases: tuple[str, ...] = ()
    required: bool = True


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each known column stands (`positions`) and what the file calls it (`labels`), by key."""

    positions: dict[str, int]
    labels: dict[str, str]
    width: int
    unknown: tuple[str, ...] = ()

    def warnings(self) -> list[LineProblem]:
        """One warning for every column that nobody reads."""
        return [
            LineProblem(
                1,
                shown(header),
                "COLUMN_UNKNOWN",
                shown(header),
                f"第 1 行「{shown(header)}」：不认识这一列，没有读取。如果它另有其名，请改用文档中的列名。",
            )
            for header in self.unknown
        ]


def match(columns: Sequence[Column], cells: Sequence[str]) -> Layout:
    """Read the header line. Raises BadInput `COLUMNS_MISSING` or `COLUMN_TWICE`, naming look-alikes."""
    names = {name: column for column in columns for name in (column.header, *column.aliases)}
    headers = [_heading(cell) for cell in cells]
    positions: dict[str, int] = {}
    labels: dict[str, str] = {}
    unknown: list[str] = []
    for position, header in enumerate(headers):
        column = names.get(header)
        if column is None:
            if header:
                unknown.append(header)
        elif column.key in positions:
            raise BadInput(
                "COLUMN_TWICE",
                f"表头里「{labels[column.key]}」和「{header}」是同一列，出现了两次。",
                where=f"第 1 行，第 {positions[column.key] + 1} 列和第 {position + 1} 列",
                found=header,
                expected="每列一次",
                action="请删除多余的一列后再导入。",
            )
        else:
            positions[column.key] = position
            labels[column.key] = header
    missing = [column for column in columns if column.required and column.key not in positions]
    if missing:
        raise _missing(missing, unknown, headers)
    return Layout(positions, labels, len(headers), tuple(unknown))


def looks_like_header(columns: Sequence[Column], cells: Sequence[str]) -> bool:
    """Does this line name most of the required columns?"""
    known = {name for column in columns for name in (column.header, *column.aliases)}
    hits = sum(_heading(cell) in known for cell in cells)
    return hits * 2 >= sum(column.required for column in columns)


def _heading(cell: str) -> str:
    return compact(cell).replace("（", "(").replace("）", ")")


def _missing(missing: Sequence[Column], unknown: Sequence[str], headers: Sequence[str]) -> BadInput:
    similar = {
        column.header: close[0]
        for column in missing
        if (close := get_close_matches(column.header, unknown, n=1, cutoff=_ALIKE))
    }
    listed = "、".join(
        f"{column.header}（与表中的「{similar[column.header]}」相近）"
        if column.header in similar
        else column.header
        for column in missing
    )
    return BadInput(
        "COLUMNS_MISSING",
        f"表头缺少 {len(missing)} 列：{listed}。",
        where="第 1 行（表头）",
        found="、".join(shown(header) for header in headers[:40] if header) or "空白",
        expected="、".join(column.header for column in missing),
        action="请按导入页上的列名或「下载空白」的表头补齐后再导入；本次没有改动任何数据。",
        missing=[column.header for column in missing],
        similar=similar,
    )
