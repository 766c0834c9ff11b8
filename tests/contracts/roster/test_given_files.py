"""The sample files that lie beside the checkout, against their answer key."""

import json

import pytest

from tests.support.given import DATA, given_files
from tests.support.registry import OPERATOR
from xueka.contexts.registry.api import ImportReport, Student, import_roster, import_schools, student
from xueka.platform.identity.scope import EVERYWHERE


@pytest.fixture(autouse=True)
def directory(db: None) -> ImportReport:
    return import_schools(OPERATOR, (given_files() / "schools.csv").read_bytes(), "schools.csv")


def load(name: str, *, dry_run: bool = False) -> ImportReport:
    return import_roster(OPERATOR, (DATA / name).read_bytes(), name, dry_run)


def test_the_school_directory(directory: ImportReport) -> None:
    assert (directory.rows, directory.created, directory.errors) == (1867, 1867, [])
    again = import_schools(OPERATOR, (DATA / "schools.csv").read_bytes(), "schools.csv")
    assert (again.unchanged, again.updated) == (1867, 0)


def test_the_clean_workbook() -> None:
    report = load("roster_dongcheng.xlsx")
    assert (report.rows, report.created, report.rejected) == (2196, 2196, 0)
    assert not report.errors
    assert not report.warnings
    names = set(Student.objects.values_list("name", flat=True))
    assert {"彭𠮷文", "何𬱖涵", "阎䶮楷", "张㛃思", "古丽娜尔·艾合买提江"} <= names
    assert load("roster_dongcheng.xlsx").unchanged == 2196


def test_the_dirty_file_line_by_line() -> None:
    key = json.loads((DATA / "roster_dirty_key.json").read_text("utf-8"))
    name = "roster_dirty_gb18030.csv"
    rehearsed = load(name, dry_run=True)
    assert not Student.objects.exists()
    report = load(name)
    assert {**report.as_dict(), "dry_run": True} == rehearsed.as_dict()
    assert report.rows == key["rows"]
    assert report.rejected == len(key["rejected_lines"])
    assert {str(problem.line): problem.code for problem in report.errors} == key["rejected_lines"]
    assert {str(problem.line): problem.code for problem in report.warnings} == key["accepted_with_warning"]
    before = list(Student.objects.order_by("id").values_list())
    again = load(name)
    assert (again.created, again.updated, again.unchanged) == (0, 0, report.created)
    assert list(Student.objects.order_by("id").values_list()) == before


def test_lines_that_were_put_right_are_students_now() -> None:
    key = json.loads((DATA / "roster_dirty_key.json").read_text("utf-8"))
    load("roster_dirty_gb18030.csv")
    lines = (DATA / "roster_dirty_gb18030.csv").read_text("gb18030").splitlines()
    for number in key["accepted_after_normalizing"]:
        cells = lines[int(number) - 1].split(",")
        found = student(EVERYWHERE, cells[11])
        assert found.name == cells[5].strip(" \u3000")
        assert found.sex in "男女"
