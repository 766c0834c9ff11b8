"""The rules of one row of the school directory (docs/interfaces/roster.md)."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from xueka.contexts.registry.domain.columns import Column, Layout
from xueka.contexts.registry.domain.report import sentence, shown
from xueka.contexts.registry.domain.vocabulary import STAGES
from xueka.kernel.districts import DISTRICTS, present_district
from xueka.kernel.errors import LineProblem
from xueka.kernel.identifiers import school_code_problem
from xueka.kernel.text import compact, normalise

COLUMNS = (
    Column("code", "学校标识码", ("学校(机构)标识码", "学校代码", "学校编码")),
    Column("name", "学校名称", ("学校",)),
    Column("main_code", "主校标识码", ("主校代码",)),
    Column("district", "区代码", ("行政区代码", "所属区代码")),
    Column("district_name", "区名称", ("行政区", "所属区"), required=False),
    Column("stages", "学段"),
    Column("campus_name", "校区", ("校区名称",)),
    Column("address", "收货地址", ("地址", "学校地址")),
    Column("consignee", "收货人", ("联系人",)),
    Column("consignee_phone", "收货电话", ("联系电话",), required=False),
    Column("receiving_hours", "收货时间", required=False),
)
"""The last two are written where the file has them; without them the stored values stay."""

_LIMITS = {
    "name": 100,
    "campus_name": 32,
    "address": 200,
    "consignee": 64,
    "consignee_phone": 32,
    "receiving_hours": 100,
}
_COMBINED = {
    "九年一贯制": ("小学", "初中"),
    "完全中学": ("初中", "高中"),
    "十二年一贯制": ("小学", "初中", "高中"),
}
_BETWEEN = re.compile(r"[、,，;；/+\s]+")
FIX = "请核对后改正本行，再导入一次；其余各行不受影响。"


class SchoolRow(NamedTuple):
    """An accepted row. `texts` holds those of the free texts that the file has a column for."""

    code: str
    main_code: str
    district: str
    stages: tuple[str, ...]
    texts: dict[str, str]


@dataclass(slots=True)
class SchoolVerdict:
    row: SchoolRow | None = None
    errors: list[LineProblem] = field(default_factory=list)


class SchoolJudge:
    """Judges the rows of one file. `lines_of` gives every line on which a code stands."""

    def __init__(self, layout: Layout, lines_of: dict[str, list[int]]) -> None:
        self._layout, self._lines_of = layout, lines_of

    def judge(self, cells: Sequence[str], line: int) -> SchoolVerdict:
        """All independent defects of a row are named."""
        verdict = SchoolVerdict()
        if len(cells) < self._layout.width:
            text = f"第 {line} 行：本行有 {len(cells)} 列，表头有 {self._layout.width} 列。{FIX}"
            verdict.errors.append(LineProblem(line, "", "COLUMN_COUNT", str(len(cells)), text))
            return verdict
        texts = {key: normalise(cells[at]) for key, at in self._layout.positions.items()}

        def refuse(key: str, code: str, what: str, value: str, expected: str = "", action: str = FIX) -> None:
            column = self._layout.labels[key]
            text = sentence(line, column, what, value=shown(value), expected=expected, action=action)
            verdict.errors.append(LineProblem(line, column, code, shown(value), text))

        code, main_code = compact(texts["code"]), compact(texts["main_code"])
        if reason := school_code_problem(code):
            refuse("code", reason.code, reason.message, code, reason.expected)
        elif len(lines := self._lines_of[code]) > 1:
            others = "、".join(str(other) for other in lines[:6] if other != line)
            refuse("code", "SCHOOL_DUPLICATE", f"与第 {others} 行重复，两行都没有导入", code)
        if main_code and main_code == code:
            refuse("main_code", "MAIN_SCHOOL_SELF", "学校不能是自己的主校", main_code, "主校的标识码或空白")
        district = self._district(texts, refuse)
        stages = _stages(texts["stages"])
        if not stages:
            refuse("stages", "STAGE_UNKNOWN", "学段无法识别", texts["stages"], "、".join(STAGES))
        if not texts["name"]:
            refuse("name", "NAME_MISSING", "学校名称为空", "", "学校名称")
        for key, limit in _LIMITS.items():
            if len(texts.get(key, "")) > limit:
                refuse(
                    key,
                    "CELL_TOO_LONG",
                    f"内容过长，有 {len(texts[key])} 个字",
                    texts[key],
                    f"{limit} 字以内",
                )
        if not verdict.errors:
            free = {key: texts[key] for key in _LIMITS if key in texts}
            verdict.row = SchoolRow(code, main_code, district, stages, free)
        return verdict

    def _district(self, texts: dict[str, str], refuse: Callable[..., None]) -> str:
        code = compact(texts["district"])
        if code not in DISTRICTS:
            successor = present_district(code)
            expected = f"{successor}（{DISTRICTS[successor]}）" if successor else "十六个区的六位代码"
            refuse("district", "DISTRICT_UNKNOWN", "没有这个区", code, expected)
        elif texts.get("district_name") and texts["district_name"] != DISTRICTS[code]:
            refuse(
                "district_name",
                "DISTRICT_MISMATCH",
                f"区名称与区代码 {code} 不一致",
                texts["district_name"],
                DISTRICTS[code],
            )
        return code


@dataclass(frozen=True, slots=True)
class Mains:
    """Schools as they would be after the import; `relied_on` are mains of campuses not in the file."""

    schools: set[str]
    campuses: set[str]
    relied_on: set[str]


def main_school_problem(row: SchoolRow, line: int, layout: Layout, mains: Mains) -> LineProblem | None:
    """What is wrong with the main school that a row names, or None."""
    main = row.main_code
    if not main:
        return None
    if main not in mains.schools:
        code, what, expected = "MAIN_SCHOOL_UNKNOWN", "没有这所主校", "本文件或名录中的学校标识码"
    elif main in mains.campuses:
        code, what, expected = "MAIN_SCHOOL_IS_CAMPUS", "它自己也是校区", "主校的标识码"
    elif row.code in mains.relied_on:
        code, what, expected = "CAMPUS_IS_MAIN_SCHOOL", "本校是其他校区的主校，不能同时是校区", "空白"
    else:
        return None
    column, value = layout.labels["main_code"], shown(main)
    text = sentence(line, column, what, value=value, expected=expected, action=FIX)
    return LineProblem(line, column, code, value, text)


def _stages(text: str) -> tuple[str, ...]:
    """小学、初中 → both, in the order of schooling; empty when any word is unknown."""
    found: set[str] = set()
    for word in filter(None, _BETWEEN.split(text)):
        if word not in STAGES and word not in _COMBINED:
            return ()
        found.update(_COMBINED.get(word, (word,)))
    return tuple(stage for stage in STAGES if stage in found)
