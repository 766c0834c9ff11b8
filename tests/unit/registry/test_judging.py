"""Every rule of a roster row: where, what was read (masked), which code."""

from datetime import UTC, datetime

import pytest

from tests.support.rosters import COLUMN, HEADER, roster_row, school_rows
from xueka.contexts.registry.domain.columns import match
from xueka.contexts.registry.domain.judging import judge
from xueka.contexts.registry.domain.roster import COLUMNS, RosterRow, Rules, Twins, Verdict
from xueka.kernel import clock

SCHOOLS = school_rows()
LAYOUT = match(COLUMNS, HEADER)
RULES = Rules({school[0] for school in SCHOOLS})
BOY = roster_row(SCHOOLS[0], 0)
assert BOY[COLUMN["性别"]] == "男"


@pytest.fixture(autouse=True)
def _today():
    with clock.at(datetime(2026, 9, 1, tzinfo=UTC)):
        yield


def judged(twins: Twins | None = None, **changes: str) -> Verdict:
    row = list(BOY)
    for header, value in changes.items():
        row[COLUMN[header]] = value
    return judge(row, 37, LAYOUT, RULES, twins)


def accepted(**changes: str) -> RosterRow:
    verdict = judged(**changes)
    assert verdict.row is not None, verdict.errors
    assert not verdict.warnings
    return verdict.row


def test_a_clean_row_is_taken_as_it_is() -> None:
    row = accepted()
    assert row.education_id == BOY[COLUMN["教育ID"]]
    assert row.id_number == BOY[COLUMN["证件号码"]]
    assert row.national_number == "G" + row.id_number
    assert (row.stage, row.grade, row.class_name) == ("小学", "1", "1班")


NUMBER = BOY[COLUMN["证件号码"]]
WRONG_CHECK = NUMBER[:17] + ("0" if NUMBER[17] != "0" else "1")


@pytest.mark.parametrize(
    ("header", "value", "code", "shown"),
    [
        ("学校标识码", "2111999999", "SCHOOL_UNKNOWN", "2111999999"),
        ("学校标识码", "", "SCHOOL_UNKNOWN", ""),
        ("学段", "大学", "STAGE_UNKNOWN", "大学"),
        ("年级", "7", "GRADE_INVALID", "7"),
        ("年级", "一", "GRADE_INVALID", "一"),
        ("年级", "0", "GRADE_INVALID", "0"),
        ("年级", "01", "GRADE_INVALID", "01"),
        ("班级", " ", "CLASS_MISSING", ""),
        ("班级", "班" * 33, "CLASS_TOO_LONG", "班" * 33),
        ("班级", "1\x00班", "CLASS_CHARACTERS", "1\ufffd班"),
        ("姓名", "\u3000", "NAME_MISSING", ""),
        ("姓名", "彭?文", "NAME_CHARACTERS", "彭?文"),
        ("姓名", "彭\ufffd文", "NAME_CHARACTERS", "彭\ufffd文"),
        ("姓名", "彭\n文", "NAME_CHARACTERS", "彭\ufffd文"),
        ("姓名", "长" * 101, "NAME_TOO_LONG", "长" * 40 + "…"),
        ("性别", "X", "GENDER_UNKNOWN", "X"),
        ("性别", "", "GENDER_UNKNOWN", ""),
        ("性别", "女", "GENDER_MISMATCH", "女"),
        ("出生日期", "2014-13-01", "DATE_INVALID", "2014-13-01"),
        ("出生日期", "2015-02-30", "DATE_INVALID", "2015-02-30"),
        ("出生日期", "昨天", "DATE_INVALID", "昨天"),
        ("出生日期", "42005", "DATE_INVALID", "42005"),
        ("出生日期", "2027-01-01", "DATE_INVALID", "2027-01-01"),
        ("出生日期", "2008-09-02", "BIRTH_DATE_MISMATCH", "2008-**-**"),
        ("证件类型", "学生证", "ID_TYPE_UNKNOWN", "学生证"),
        ("证件号码", WRONG_CHECK, "ID_CHECK_DIGIT", f"{WRONG_CHECK[:6]}********{WRONG_CHECK[14:]}"),
        ("证件号码", "1.10105E+17", "ID_LOST_DIGITS", "1.10105E+17"),
        ("证件号码", "110101200809010000", "ID_LOST_DIGITS", "110101********0000"),
        ("证件号码", "110105130410592", "ID_15_DIGITS", "11***********92"),
        ("证件号码", "1101052008090", "ID_LENGTH", "11*********90"),
        ("证件号码", "", "ID_MISSING", ""),
        ("教育ID", "1234567", "EDUCATION_ID_FORMAT", "1234567"),
        ("教育ID", "12A45678", "EDUCATION_ID_FORMAT", "12A45678"),
        ("教育ID", "", "EDUCATION_ID_FORMAT", ""),
        ("教育ID", NUMBER, "EDUCATION_ID_FORMAT", f"{NUMBER[:6]}********{NUMBER[14:]}"),
        ("学籍状态", "未知", "STATUS_UNKNOWN", "未知"),
        ("学籍状态", "", "STATUS_UNKNOWN", ""),
        ("现住址", "址" * 501, "CELL_TOO_LONG", "*" * 40 + "…"),
        ("监护人姓名", "姓" * 501, "CELL_TOO_LONG", "姓" + "*" * 39 + "…"),
    ],
)
def test_refused(header: str, value: str, code: str, shown: str) -> None:
    verdict = judged(**{header: value})
    assert verdict.row is None
    (problem,) = verdict.errors
    assert (problem.line, problem.column, problem.code, problem.value) == (37, header, code, shown)
    assert problem.message.startswith(f"第 37 行「{header}」：")
    assert "读到" in problem.message
    assert "其余各行不受影响" in problem.message
    assert not value.strip() or shown == value or value not in problem.message


@pytest.mark.parametrize(
    ("header", "value", "code", "shown", "kept"),
    [
        ("监护人手机", "1381234567a", "PHONE_INVALID", "138****567a", ""),
        ("监护人手机", "23812345678", "PHONE_INVALID", "238****5678", ""),
        ("监护人手机", "1381234567", "PHONE_INVALID", "13******67", ""),
        ("全国学籍号", "G" + WRONG_CHECK, "NATIONAL_NUMBER_MISMATCH", None, "G" + WRONG_CHECK),
        ("全国学籍号", "L110115201305297090", "NATIONAL_NUMBER_MISMATCH", None, "L110115201305297090"),
        ("全国学籍号", "12345", "NATIONAL_NUMBER_FORMAT", "1***5", ""),
    ],
)
def test_accepted_with_a_warning(header: str, value: str, code: str, shown: str | None, kept: str) -> None:
    verdict = judged(**{header: value})
    (warning,) = verdict.warnings
    assert (warning.line, warning.column, warning.code) == (37, header, code)
    assert value not in warning.message
    assert shown is None or warning.value == shown
    assert verdict.row is not None
    field = {"监护人手机": "guardian_phone", "全国学籍号": "national_number"}[header]
    assert getattr(verdict.row, field) == kept


@pytest.mark.parametrize(
    ("header", "value", "field", "read"),
    [
        ("证件号码", "".join(chr(ord(c) + 0xFEE0) for c in NUMBER), "id_number", NUMBER),
        ("证件号码", f" {NUMBER}\t", "id_number", NUMBER),
        ("全国学籍号", f"g{NUMBER.lower()}", "national_number", f"G{NUMBER}"),
        ("姓名", "  丁馨\u3000", "name", "丁馨"),
        ("姓名", "古丽娜尔·艾合买提江", "name", "古丽娜尔·艾合买提江"),
        ("姓名", "高𬱖芷", "name", "高𬱖芷"),
        ("出生日期", "2008/9/1", "birth_date", "2008-09-01"),
        ("出生日期", "20080901", "birth_date", "2008-09-01"),
        ("出生日期", "2008年09月01日", "birth_date", "2008-09-01"),
        ("出生日期", "2008.09.01", "birth_date", "2008-09-01"),
        ("性别", "1", "sex", "男"),
        ("监护人手机", "131 7626 1311", "guardian_phone", "13176261311"),
        ("监护人手机", "+8613052819843", "guardian_phone", "13052819843"),
        ("监护人手机", "", "guardian_phone", ""),
        ("全国学籍号", "", "national_number", ""),
        ("现住址", "甲\n乙", "address", "甲 乙"),
        ("证件类型", "身份证", "id_type", "居民身份证"),
    ],
)
def test_put_right(header: str, value: str, field: str, read: str) -> None:
    assert getattr(accepted(**{header: value}), field) == read


@pytest.mark.parametrize(
    ("kind", "number"),
    [("护照", "E45466073"), ("港澳居民来往内地通行证", "h14169233"), ("无证件", ""), ("其他", "AB-12345")],
)
def test_other_documents_need_not_agree_with_birth_date_and_sex(kind: str, number: str) -> None:
    row = accepted(证件类型=kind, 证件号码=number, 全国学籍号="L110115201305297090", 性别="女")
    assert row.id_number == number.upper().replace("-", "")


@pytest.mark.parametrize(
    ("kind", "number", "code"),
    [
        ("护照", "E 1", "ID_FORMAT"),
        ("护照", "", "ID_MISSING"),
        ("护照", "1.2E+09", "ID_LOST_DIGITS"),
        ("无证件", NUMBER, "ID_UNEXPECTED"),
    ],
)
def test_other_documents_refused(kind: str, number: str, code: str) -> None:
    verdict = judged(证件类型=kind, 证件号码=number, 全国学籍号="")
    assert [problem.code for problem in verdict.errors] == [code]


def test_all_independent_defects_are_named() -> None:
    verdict = judged(姓名="", 学籍状态="?", 年级="9", 监护人手机="12")
    assert [problem.code for problem in verdict.errors] == ["GRADE_INVALID", "NAME_MISSING", "STATUS_UNKNOWN"]
    assert not verdict.warnings  # only for rows that are accepted


def test_twins_are_named_with_their_lines() -> None:
    verdict = judged(Twins(education_id=[5, 9], id_number=[9]))
    assert {problem.code: problem.value for problem in verdict.errors} == {
        "ID_DUPLICATE": f"{NUMBER[:6]}********{NUMBER[14:]}",
        "EDUCATION_ID_DUPLICATE": BOY[COLUMN["教育ID"]],
    }
    assert "第 5、9 行" in verdict.errors[1].message
    damaged = judged(Twins(id_number=[5]), 证件号码="1.10105E+17")
    assert [problem.code for problem in damaged.errors] == ["ID_LOST_DIGITS"]


@pytest.mark.parametrize("cells", [BOY[:-1], [*BOY, "多出"]])
def test_a_row_of_another_width_is_not_guessed_at(cells: list[str]) -> None:
    verdict = judge(cells, 37, LAYOUT, RULES)
    assert [problem.code for problem in verdict.errors] == ["COLUMN_COUNT"]
    assert judge([*BOY, " "], 37, LAYOUT, RULES).row is not None


def test_an_installation_may_configure_its_education_ids() -> None:
    rules = Rules(RULES.schools, r"[A-Z]\d{4}")
    cells = list(BOY)
    cells[COLUMN["教育ID"]] = "B1234"
    assert judge(cells, 2, LAYOUT, rules).row is not None
    assert judge(BOY, 2, LAYOUT, rules).errors[0].code == "EDUCATION_ID_FORMAT"
