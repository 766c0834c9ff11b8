"""A roster's columns, its rows, and what they are judged by (docs/interfaces/roster.md)."""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from xueka.contexts.registry.domain.columns import Column, Layout
from xueka.contexts.registry.domain.vocabulary import id_type
from xueka.kernel.errors import LineProblem
from xueka.kernel.identifiers import EDUCATION_ID_PATTERN, clean_id
from xueka.kernel.text import compact, normalise

COLUMNS = (
    Column("school_code", "学校标识码", ("学校(机构)标识码", "学校代码", "学校编码")),
    Column("school_name", "学校名称", ("学校",), required=False),
    Column("stage", "学段"),
    Column("grade", "年级"),
    Column("class_name", "班级", ("班级名称", "班号")),
    Column("name", "姓名", ("学生姓名",)),
    Column("sex", "性别"),
    Column("birth_date", "出生日期", ("出生年月日",)),
    Column("id_type", "证件类型", ("身份证件类型", "身份证件类别")),
    Column("id_number", "证件号码", ("身份证件号", "身份证件号码", "身份证号", "身份证号码")),
    Column("national_number", "全国学籍号", ("学籍号",)),
    Column("education_id", "教育ID", ("教育ID号", "教育id")),
    Column("status", "学籍状态", ("学生状态",)),
    Column("guardian_name", "监护人姓名", ("家长姓名",)),
    Column("guardian_phone", "监护人手机", ("监护人电话", "监护人手机号", "家长手机")),
    Column("address", "现住址", ("家庭住址", "家庭地址")),
)

NAME_LIMIT, CLASS_LIMIT, CELL_LIMIT = 100, 32, 500


class RosterRow(NamedTuple):
    """An accepted row, normalised; all text. Dates are ISO; what is missing is empty; `grade` is a number."""

    education_id: str
    name: str
    sex: str
    birth_date: str
    id_type: str
    id_number: str
    national_number: str
    status: str
    school_code: str
    stage: str
    grade: str
    class_name: str
    guardian_name: str
    guardian_phone: str
    address: str


class Place(NamedTuple):
    """A class as a row of a roster names it; all text."""

    school_code: str
    stage: str
    grade: str
    class_name: str


@dataclass(frozen=True, slots=True)
class Rules:
    """What differs between installations: the schools there are (and ended), the form of an education ID."""

    schools: Container[str]
    education_id_pattern: str = EDUCATION_ID_PATTERN
    closed: Container[str] = frozenset()


@dataclass(slots=True)
class Verdict:
    """`row` is None when the row is refused; then `errors` says why, else `warnings` may hold some."""

    row: RosterRow | None = None
    errors: list[LineProblem] = field(default_factory=list)
    warnings: list[LineProblem] = field(default_factory=list)


@dataclass(slots=True)
class Twins:
    """Other lines of the file that give the same education ID or the same identity document as this one."""

    education_id: Sequence[int] = ()
    id_number: Sequence[int] = ()


def is_blank(cells: Sequence[str]) -> bool:
    """An empty line counts as a line, but is not a row."""
    return not any(map(normalise, cells))


def key_values(cells: Sequence[str], layout: Layout) -> tuple[str, tuple[str, str]]:
    """The education ID and the (kind, number) of the identity document, as they are compared between rows."""
    at = layout.positions
    width = len(cells)
    education, kind, number = (
        cells[at[key]] if at[key] < width else "" for key in ("education_id", "id_type", "id_number")
    )
    return _clean_number(education, compact), (_kind(kind), _clean_number(number, clean_id).upper())


def _clean_number(cell: str, clean: Callable[[str], str]) -> str:
    return cell if cell.isascii() and cell.isalnum() else clean(cell)


@lru_cache(maxsize=1024)
def _kind(cell: str) -> str:
    kind = normalise(cell)
    return id_type(kind) or kind
