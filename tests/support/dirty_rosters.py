"""Defects for synthetic rosters, each with what an import has to say about it.

Written from the rules (docs/interfaces/roster.md) and not from the code that judges: every defect spoils one
cell, names its column and code, and says whether the row is refused, warned of, or put right.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from tests.support.rosters import COLUMN, Row
from xueka.kernel.check_digits import citizen_check


class Outcome(Enum):
    REFUSED = "refused"
    WARNED = "warned"
    PUT_RIGHT = "put right"


@dataclass(frozen=True)
class Defect:
    """`spoil(random, row)` changes the row. `cells` are those that must still be sound for it to be seen."""

    name: str
    column: str
    code: str
    outcome: Outcome
    spoil: Callable[[random.Random, Row], None]
    cells: frozenset[str] = field(default=frozenset())


def _put(column: str, *values: str) -> Callable[[random.Random, Row], None]:
    def spoil(dice: random.Random, row: Row) -> None:
        row[COLUMN[column]] = dice.choice(values)

    return spoil


def _change(column: str, change: Callable[[random.Random, str], str]) -> Callable[[random.Random, Row], None]:
    def spoil(dice: random.Random, row: Row) -> None:
        row[COLUMN[column]] = change(dice, row[COLUMN[column]])

    return spoil


def _wrong_check(dice: random.Random, number: str) -> str:
    others = [char for char in "123456789X" if char != citizen_check(number[:17])]
    return number[:17] + dice.choice(others)


def _other_day(dice: random.Random, day: str) -> str:
    return f"{int(day[:4]) - dice.randint(1, 9)}{day[4:8]}{'01' if day[8:] != '01' else '02'}"


def _full_width(text: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if char.isascii() and char.isalnum() else char for char in text)


def _padded(dice: random.Random, text: str) -> str:
    blanks = [" ", "\u3000", "  ", "\t", "\u00a0", "\u200b"]
    return dice.choice(blanks) + text + dice.choice(blanks)


def _other_form(dice: random.Random, day: str) -> str:
    year, month, number = day.split("-")
    return dice.choice(
        [
            f"{year}/{int(month)}/{int(number)}",
            f"{year}{month}{number}",
            f"{year}年{month}月{number}日",
            f"{year}.{month}.{number}",
        ]
    )


_ID_CELLS = frozenset({"证件号码", "证件类型"})


def _refused(column: str, code: str, spoil, cells: Sequence[str] = (), name: str = "") -> Defect:
    return Defect(name or code, column, code, Outcome.REFUSED, spoil, frozenset({column, *cells}))


REFUSED = [
    _refused("学校标识码", "SCHOOL_UNKNOWN", _put("学校标识码", "2111999999", "ABCDEFGHIJ", "2111 9999", "")),
    _refused("学段", "STAGE_UNKNOWN", _put("学段", "幼儿园", "", "primary")),
    _refused("年级", "GRADE_INVALID", _put("年级", "13", "0", "", "-1", "三")),
    _refused("班级", "CLASS_MISSING", _put("班级", "", " \u3000")),
    _refused("姓名", "NAME_MISSING", _put("姓名", "", "  ", "\u3000")),
    _refused("姓名", "NAME_CHARACTERS", _put("姓名", "彭?文", "彭\ufffd文", "彭□文")),
    _refused("性别", "GENDER_UNKNOWN", _put("性别", "", "X", "3", "男女")),
    _refused(
        "性别", "GENDER_MISMATCH", _change("性别", lambda _, s: "女" if s == "男" else "男"), [*_ID_CELLS]
    ),
    _refused("出生日期", "DATE_INVALID", _put("出生日期", "2014-13-01", "2015-02-30", "昨天", "", "42005")),
    _refused("出生日期", "BIRTH_DATE_MISMATCH", _change("出生日期", _other_day), [*_ID_CELLS]),
    _refused("证件类型", "ID_TYPE_UNKNOWN", _put("证件类型", "", "学生证", "驾驶证")),
    _refused("证件号码", "ID_CHECK_DIGIT", _change("证件号码", _wrong_check), [*_ID_CELLS]),
    _refused("证件号码", "ID_LOST_DIGITS", _put("证件号码", "1.10105E+17", "1.1E+17"), [*_ID_CELLS]),
    _refused("证件号码", "ID_15_DIGITS", _change("证件号码", lambda _, n: n[:6] + n[8:17]), [*_ID_CELLS]),
    _refused("证件号码", "ID_LENGTH", _change("证件号码", lambda _, n: n[:-2]), [*_ID_CELLS]),
    _refused("证件号码", "ID_MISSING", _put("证件号码", "", " "), [*_ID_CELLS]),
    _refused("教育ID", "EDUCATION_ID_FORMAT", _put("教育ID", "1234567", "123456789", "12A45678", "")),
    _refused("学籍状态", "STATUS_UNKNOWN", _put("学籍状态", "未知", "", "在读？")),
]
WARNED = [
    Defect(
        "PHONE_INVALID",
        "监护人手机",
        "PHONE_INVALID",
        Outcome.WARNED,
        _put("监护人手机", "1381234567a", "23812345678", "1381234567"),
        frozenset({"监护人手机"}),
    ),
    Defect(
        "NATIONAL_NUMBER_MISMATCH",
        "全国学籍号",
        "NATIONAL_NUMBER_MISMATCH",
        Outcome.WARNED,
        _change("全国学籍号", lambda dice, n: n[:17] + str((int(n[17]) + dice.randint(1, 9)) % 10) + n[18:]),
        frozenset({"全国学籍号"}),
    ),
]
_HARMLESS: list[tuple[str, str, Callable[[random.Random, str], str]]] = [
    ("FULL_WIDTH", "证件号码", lambda _, n: _full_width(n)),
    ("FULL_WIDTH_ID", "教育ID", lambda _, n: _full_width(n)),
    ("SPACES", "姓名", _padded),
    ("SPACES_CODE", "学校标识码", _padded),
    ("SPACES_CLASS", "班级", _padded),
    ("LOWER_X", "全国学籍号", lambda _, n: n.lower()),
    ("DATE_FORMAT", "出生日期", _other_form),
    ("GENDER_CODE", "性别", lambda _, s: "1" if s == "男" else "2"),
    ("PHONE_SPACED", "监护人手机", lambda _, n: f"{n[:3]} {n[3:7]} {n[7:]}"),
    ("PHONE_PLUS86", "监护人手机", lambda _, n: f"+86{n}"),
]
PUT_RIGHT = [
    Defect(name, column, name, Outcome.PUT_RIGHT, _change(column, change), frozenset({column}))
    for name, column, change in _HARMLESS
]
DEFECTS = [*REFUSED, *WARNED, *PUT_RIGHT]


@dataclass
class Answer:
    """What an import must say: (line, column, code), sorted; and which lines it must take."""

    errors: set[tuple[int, str, str]] = field(default_factory=set)
    warnings: set[tuple[int, str, str]] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)
    put_right: set[int] = field(default_factory=set)


# A spoiled cell on the left hides what is found by comparing it with the cells on the right.
_HIDES = {
    "证件号码": {"性别", "出生日期"},
    "证件类型": {"性别", "出生日期", "证件号码"},
}


def spoil(dice: random.Random, rows: list[Row], *, share: float = 0.4, most: int = 3) -> Answer:
    """Spoil about `share` of the rows with up to `most` defects each, and some pairs; returns the answer."""
    answer = Answer()
    for line, row in enumerate(rows, start=2):
        if dice.random() < share:
            _spoil_row(dice, row, line, dice.randint(1, most), answer)
    sound = [line for line in range(2, len(rows) + 2) if line not in answer.refused | answer.put_right]
    dice.shuffle(sound)
    for kind in ("教育ID", "证件号码"):
        if len(sound) >= 2 and dice.random() < 0.5:
            _make_twins(rows, kind, sound.pop(), sound.pop(), answer)
    answer.warnings = {warning for warning in answer.warnings if warning[0] not in answer.refused}
    return answer


def _spoil_row(dice: random.Random, row: Row, line: int, count: int, answer: Answer) -> None:
    touched: set[str] = set()
    for _ in range(count):
        defect = dice.choice(DEFECTS)
        if defect.cells & touched or any(_HIDES.get(cell, set()) & touched for cell in defect.cells):
            continue
        if any(defect.column in _HIDES.get(cell, set()) for cell in touched):
            continue
        before = list(row)
        defect.spoil(dice, row)
        if row == before:  # a lower-case G would be needed, and there is no letter to lower
            continue
        touched |= defect.cells
        where = (line, defect.column, defect.code)
        if defect.outcome is Outcome.REFUSED:
            answer.errors.add(where)
            answer.refused.add(line)
        elif defect.outcome is Outcome.WARNED:
            answer.warnings.add(where)
        else:
            answer.put_right.add(line)


def _make_twins(rows: list[Row], kind: str, one: int, other: int, answer: Answer) -> None:
    """Let the row on line `other` give the same key as the row on line `one`."""
    source, target = rows[one - 2], rows[other - 2]
    code = "EDUCATION_ID_DUPLICATE" if kind == "教育ID" else "ID_DUPLICATE"
    columns = ("教育ID",) if kind == "教育ID" else ("性别", "出生日期", "证件号码", "全国学籍号")
    for column in columns:
        target[COLUMN[column]] = source[COLUMN[column]]
    for line in (one, other):
        answer.errors.add((line, kind, code))
        answer.refused.add(line)
        answer.warnings = {warning for warning in answer.warnings if warning[0] != line}
