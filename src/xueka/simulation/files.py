"""The files that a simulated city's counterparts hand in, with their usual mistakes."""

import csv
import io
from collections.abc import Iterable
from dataclasses import replace
from random import Random

from xueka.kernel.districts import DISTRICTS
from xueka.simulation.people import SyntheticSchool, SyntheticStudent

_PHONE = "01000000000"  # rings nowhere
_SCHOOL_HEAD = [
    "学校标识码",
    "学校名称",
    "主校标识码",
    "区代码",
    "区名称",
    "学段",
    "校区",
    "收货地址",
    "收货人",
    "收货电话",
]
ROSTER_HEAD = [
    "学校标识码",
    "学校名称",
    "学段",
    "年级",
    "班级",
    "姓名",
    "性别",
    "出生日期",
    "证件类型",
    "证件号码",
    "全国学籍号",
    "教育ID",
    "学籍状态",
    "监护人姓名",
    "监护人手机",
    "现住址",
]

#: What the control of the registry's simulator calls these columns (docs/interfaces/oneroster.md §10).
_WORDS = [
    "school_code",
    "school_name",
    "stage",
    "grade",
    "class_name",
    "name",
    "sex",
    "birth_date",
    "id_type",
    "id_number",
    "national_number",
    "education_id",
    "status",
    "guardian_name",
    "guardian_phone",
    "address",
]


def schools_csv(schools: Iterable[SyntheticSchool]) -> bytes:
    """UTF-8 with a byte-order mark, as spreadsheet programs save it."""
    rows = [
        [s.code, s.name, "", s.district, DISTRICTS[s.district], s.stage, "本部", s.address, "收发室", _PHONE]
        for s in schools
    ]
    return _csv([_SCHOOL_HEAD, *rows]).encode("utf-8-sig")


def roster_csv(students: Iterable[SyntheticStudent]) -> bytes:
    """GB 18030, the registration system's encoding."""
    return _csv([ROSTER_HEAD, *(roster_row(student) for student in students)]).encode("gb18030")


def spoil(
    random: Random, students: list[SyntheticStudent], share: float
) -> tuple[list[SyntheticStudent], set[str]]:
    """The same list with about `share` of the rows wrong in one field; and whose (education IDs)."""
    result, spoiled = [], set()
    for student in students:
        if random.random() < share:
            spoiled.add(student.education_id)
            result.append(random.choice(_DEFECTS)(student))
        else:
            result.append(student)
    return result, spoiled


def _wrong_check_digit(student: SyntheticStudent) -> SyntheticStudent:
    last = student.id_number[-1]
    return replace(student, id_number=student.id_number[:-1] + ("1" if last != "1" else "2"))


def _wrong_sex(student: SyntheticStudent) -> SyntheticStudent:
    return replace(student, sex="女" if student.sex == "男" else "男")


def _no_name(student: SyntheticStudent) -> SyntheticStudent:
    return replace(student, name="")


def _unknown_school(student: SyntheticStudent) -> SyntheticStudent:
    return replace(student, school=replace(student.school, code="2111999999"))


_DEFECTS = (_wrong_check_digit, _wrong_sex, _no_name, _unknown_school)


def roster_row(s: SyntheticStudent, status: str = "在校") -> list[str]:
    """One line of the roster, under `ROSTER_HEAD`."""
    return [
        s.school.code,
        s.school.name,
        s.school.stage,
        str(s.grade),
        s.class_name,
        s.name,
        s.sex,
        s.birth_date.isoformat(),
        "居民身份证",
        s.id_number,
        f"G{s.id_number}",
        s.education_id,
        status,
        s.guardian,
        s.phone,
        s.address,
    ]


def person(student: SyntheticStudent) -> dict[str, str]:
    """What the roster says of somebody, as the registry's simulator is told it."""
    return dict(zip(_WORDS, roster_row(student), strict=True))


def _csv(rows: Iterable[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()
