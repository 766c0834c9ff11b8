"""The school directory: campuses and main schools, stages, what is refused."""

import pytest

from tests.support.registry import OPERATOR, SCHOOLS, load_schools
from tests.support.rosters import SCHOOL_HEADER, Row, csv_text
from xueka.contexts.registry.api import ImportReport, import_schools
from xueka.contexts.registry.models import ImportRun, School

pytestmark = pytest.mark.django_db
CODE, NAME, MAIN, DISTRICT, STAGES = (
    SCHOOL_HEADER.index(name) for name in SCHOOL_HEADER[:4] + SCHOOL_HEADER[5:6]
)


def fresh(count: int) -> list[Row]:
    return [list(row) for row in SCHOOLS[:count]]


def problems(report: ImportReport) -> list[tuple[int, str, str]]:
    assert report.rows == report.created + report.updated + report.unchanged + report.rejected
    return [(problem.line, problem.column, problem.code) for problem in report.errors]


def test_schools_are_created_updated_and_left_alone() -> None:
    rows = fresh(5)
    report = load_schools(rows)
    assert (report.created, report.errors) == (5, [])
    rows[0][NAME] = "改名学校"
    report = load_schools([*rows, SCHOOLS[9]])
    assert (report.created, report.updated, report.unchanged) == (1, 1, 4)
    school = School.objects.get(code=rows[0][CODE])
    assert (school.name, school.district_id, school.stages) == ("改名学校", "110101", ["小学"])
    assert ImportRun.objects.filter(kind="schools").count() == 2


def test_a_campus_finds_its_main_school_anywhere() -> None:
    rows = fresh(4)
    rows[0][MAIN] = rows[3][CODE]  # further down
    load_schools(rows)
    assert School.objects.get(code=rows[0][CODE]).main_school.code == rows[3][CODE]
    later = list(SCHOOLS[7])
    later[MAIN] = rows[3][CODE]  # on record
    assert load_schools([later]).created == 1
    rows[0][MAIN] = ""
    assert load_schools(rows).updated == 1
    assert School.objects.get(code=rows[0][CODE]).main_school is None


@pytest.mark.parametrize(
    ("text", "stages"),
    [
        ("小学、初中", ["小学", "初中"]),
        ("高中,初中", ["初中", "高中"]),
        ("九年一贯制", ["小学", "初中"]),
        ("完全中学", ["初中", "高中"]),
    ],
)
def test_a_school_may_have_several_stages(text: str, stages: list[str]) -> None:
    rows = fresh(1)
    rows[0][STAGES] = text
    load_schools(rows)
    assert School.objects.get().stages == stages


@pytest.mark.parametrize(
    ("place", "value", "code"),
    [
        (CODE, "211180001", "SCHOOL_CODE_FORMAT"),
        (CODE, "0111800001", "SCHOOL_CODE_TYPE"),
        (CODE, "2112800001", "SCHOOL_CODE_PROVINCE"),
        (NAME, "", "NAME_MISSING"),
        (NAME, "名" * 101, "CELL_TOO_LONG"),
        (DISTRICT, "110199", "DISTRICT_UNKNOWN"),
        (DISTRICT, "110103", "DISTRICT_UNKNOWN"),
        (DISTRICT, "110102", "DISTRICT_MISMATCH"),
        (STAGES, "幼儿园", "STAGE_UNKNOWN"),
        (STAGES, "", "STAGE_UNKNOWN"),
        (MAIN, "2111999999", "MAIN_SCHOOL_UNKNOWN"),
        (MAIN, SCHOOLS[1][CODE], "MAIN_SCHOOL_SELF"),
    ],
)
def test_a_bad_row_is_refused_and_stops_no_other(place: int, value: str, code: str) -> None:
    rows = fresh(3)
    rows[1][place] = value
    report = load_schools(rows)
    assert [(line, found) for line, _, found in problems(report)] == [(3, code)]
    assert set(School.objects.values_list("code", flat=True)) == {rows[0][CODE], rows[2][CODE]}
    assert report.errors[0].message.startswith("第 3 行「")


def test_a_retired_district_is_told_its_successor() -> None:
    rows = fresh(1)
    rows[0][DISTRICT] = "110104"
    assert "110102（西城区）" in load_schools(rows).errors[0].message


def test_the_same_code_twice_is_refused_on_both_lines() -> None:
    rows = fresh(3)
    rows[2][CODE] = f" {rows[0][CODE]}"
    report = load_schools(rows)
    assert problems(report) == [(2, "学校标识码", "SCHOOL_DUPLICATE"), (4, "学校标识码", "SCHOOL_DUPLICATE")]


def test_main_schools_stand_one_level_high() -> None:
    rows = fresh(4)
    rows[0][MAIN], rows[1][MAIN] = rows[1][CODE], rows[2][CODE]
    assert problems(load_schools(rows)) == [(2, "主校标识码", "MAIN_SCHOOL_IS_CAMPUS")]
    assert School.objects.count() == 3
    main = list(SCHOOLS[2])
    main[MAIN] = rows[3][CODE]
    assert problems(load_schools([main])) == [(2, "主校标识码", "CAMPUS_IS_MAIN_SCHOOL")]


def test_the_campus_of_a_refused_main_school_is_refused_with_it() -> None:
    rows = fresh(2)
    rows[0][MAIN], rows[1][NAME] = rows[1][CODE], ""
    report = load_schools(rows)
    assert problems(report) == [
        (2, "主校标识码", "MAIN_SCHOOL_UNKNOWN"),
        (3, "学校名称", "NAME_MISSING"),
    ]
    assert not School.objects.exists()


def test_columns_that_a_file_lacks_leave_what_is_stored() -> None:
    rows = fresh(1)
    header = [*SCHOOL_HEADER, "收货电话", "收货时间"]
    content = csv_text([[*rows[0], "010-12345678", "工作日 9–16 点"]], header).encode()
    import_schools(OPERATOR, content, "s.csv")
    assert load_schools(rows).unchanged == 1
    assert School.objects.get().receiving_hours == "工作日 9–16 点"


def test_a_dry_run_changes_nothing() -> None:
    report = import_schools(OPERATOR, csv_text(fresh(2), SCHOOL_HEADER).encode(), "s.csv", dry_run=True)
    assert (report.created, report.dry_run) == (2, True)
    assert not School.objects.exists()
    assert ImportRun.objects.get().dry_run


def test_a_short_row_is_refused() -> None:
    content = csv_text([SCHOOLS[0][:-1]], SCHOOL_HEADER).encode()
    assert problems(import_schools(OPERATOR, content, "s.csv")) == [(2, "", "COLUMN_COUNT")]
