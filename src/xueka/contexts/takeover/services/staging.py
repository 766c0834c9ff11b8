"""Files of a set → staged rows: each line read once, what is wrong named, control totals counted."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from django.db import connection

from xueka.contexts.registry import api as registry
from xueka.contexts.takeover.domain import format as f
from xueka.contexts.takeover.domain import totals
from xueka.contexts.takeover.domain.reading import READERS, Line, Rules
from xueka.contexts.takeover.models import ROWS
from xueka.kernel.errors import BadInput, LineProblem
from xueka.kernel.text import compact, normalise
from xueka.platform.database.copy import copy_rows

FIRST_LINE = 2

#: Column names and PostgreSQL types of a staged row, after those that all rows have.
COLUMNS: dict[str, list[tuple[str, str]]] = {
    "accounts": [("education_id", "text"), ("number", "text"), ("state", "text"), ("opened_on", "date")],
    "cards": [
        ("number", "text"),
        ("education_id", "text"),
        ("kind", "text"),
        ("state", "text"),
        ("chip_uid", "text"),
        ("transit_number", "text"),
        ("beijing_tong_number", "text"),
        ("issued_on", "date"),
        ("valid_until", "date"),
        ("lost_on", "date"),
        ("cancelled_on", "date"),
    ],
    "ranges": [
        ("sort", "text"),
        ("issuer", "text"),
        ("document", "text"),
        ("prefix", "text"),
        ("width", "int2"),
        ("first", "int8"),
        ("last", "int8"),
        ("used", "int8"),
    ],
    "numbers": [("sort", "text"), ("number", "text"), ("note", "text")],
    "applications": [
        ("number", "text"),
        ("education_id", "text"),
        ("kind", "text"),
        ("reason", "text"),
        ("state", "text"),
        ("submitted_on", "date"),
    ],
}
_HEAD = [("take_over_id", "int8"), ("line", "int4"), ("ok", "bool"), ("back", "bool"), ("stays", "text")]


@dataclass(slots=True)
class Staged:
    """What one file held. `found` counts rows, the control sum and the groups."""

    found: Counter[str] = field(default_factory=Counter)
    errors: list[LineProblem] = field(default_factory=list)
    warnings: list[LineProblem] = field(default_factory=list)
    error_counts: Counter[str] = field(default_factory=Counter)
    warning_counts: Counter[str] = field(default_factory=Counter)
    rejected: int = 0


def part_of(name: str) -> str:
    """The part that a file is, by the beginning of its name. Raises BadInput `FILE_NAME`."""
    stem = normalise(PurePath(name).stem).lower()
    for code in (f.MANIFEST, *f.PARTS):
        if stem.startswith(code):
            return code
    raise BadInput(
        "FILE_NAME",
        f"文件“{name[:60]}”的名字看不出是哪一种。",
        found=name[:60],
        expected="、".join(f"{code}.csv" for code in (f.MANIFEST, *f.PARTS)),
        action="请按文档改名后再交。",
    )


def read_manifest(content: bytes) -> tuple[dict[str, str], dict[tuple[str, str], int]]:
    """(facts about the set, told totals by part and item). Raises BadInput for what cannot be read."""
    facts: dict[str, str] = {}
    told: dict[tuple[str, str], int] = {}
    labels = {part.label: code for code, part in f.PARTS.items()} | {code: code for code in f.PARTS}
    for line, cells in lines_of(f.MANIFEST_PART, content):
        part, item, value = (normalise(cells[key]) for key in ("part", "item", "value"))
        if part in ("清单", f.MANIFEST):
            facts[item] = value
        elif part not in labels or not compact(value).isdigit():
            raise BadInput(
                "MANIFEST_LINE",
                f"清单第 {line} 行无法识别。",
                where=f"清单第 {line} 行",
                found=f"{part}、{item}、{value}"[:60],
                expected="文件名、项目、整数",
                action="请按文档改正清单。",
            )
        else:
            told[labels[part], item] = int(compact(value))
    if facts.get("版本") != f.VERSION:
        raise BadInput(
            "MANIFEST_VERSION",
            "清单没有写明本系统认识的版本。",
            found=facts.get("版本", ""),
            expected=f"清单、版本、{f.VERSION}",
            action="请按文档导出。",
        )
    return facts, told


def stage(take_over: int, part: f.Part, content: bytes, rules: Rules, limit: int = 2000) -> Staged:
    """Read a file and COPY its sound lines. Raises BadInput where the file breaks off as a whole."""
    staged = Staged()
    columns = [*_HEAD, *COLUMNS[part.code]]
    copy_rows(
        connection,
        ROWS[part.code]._meta.db_table,
        [name for name, _ in columns],
        _rows(take_over, part, content, rules, staged, limit),
        types=[kind for _, kind in columns],
    )
    return staged


def _rows(
    take_over: int, part: f.Part, content: bytes, rules: Rules, staged: Staged, limit: int
) -> Iterator[tuple[Any, ...]]:
    read = READERS[part.code]
    for number, cells in lines_of(part, content):
        staged.found[totals.ROWS] += 1
        staged.found[totals.SUM] += totals.weight(cells.get(part.total, ""))
        if of := totals.group(part, cells):
            staged.found[of] += 1
        line = Line(part, number, cells)
        values = read(line, rules)
        for problems, listed, counts in (
            (line.errors, staged.errors, staged.error_counts),
            (line.warnings, staged.warnings, staged.warning_counts),
        ):
            counts.update(each.code for each in problems)
            listed.extend(problems[: max(0, limit - len(listed))])
        if line.errors:
            staged.rejected += 1
        else:
            yield (take_over, number, True, False, "", *values)


def lines_of(part: f.Part, content: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    """(line as a person counts it, cells by key) of every line that is not blank."""
    columns = [registry.Column(each.key, each.header, each.aliases, each.required) for each in part.fields]
    table = registry.open_table(columns, content)
    places = table.layout.positions
    number = FIRST_LINE
    for chunk in table.chunks():
        try:
            lines = chunk.lines()
        except registry.Undecodable as error:
            raise registry.broken_text(number + error.line) from None
        for offset, cells in enumerate(lines):
            if any(cell.strip() for cell in cells):
                yield (
                    number + offset,
                    {key: cells[at] if at < len(cells) else "" for key, at in places.items()},
                )
        number += len(lines)
