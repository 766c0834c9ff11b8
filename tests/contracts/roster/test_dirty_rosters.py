"""Rosters spoiled by chance: every defect is named with line, column and code; no bad row stops another."""

import io
import random

import pytest
import xlsxwriter
from django.db import transaction

from tests.support.dirty_rosters import DEFECTS, Answer, Outcome, spoil
from tests.support.registry import OPERATOR, SCHOOLS, load_schools
from tests.support.rosters import COLUMN, HEADER, Row, csv_text, roster_rows
from tests.support.size import dial
from xueka.contexts.registry.api import ImportReport, Student, import_roster

pytestmark = pytest.mark.django_db
ENCODINGS = ("utf-8", "utf-8-sig", "gb18030", "quoted", "xlsx")


def file_of(rows: list[Row], form: str) -> bytes:
    if form == "xlsx":
        target = io.BytesIO()
        with xlsxwriter.Workbook(target) as book:
            sheet = book.add_worksheet()
            for number, row in enumerate([list(HEADER), *rows]):
                for place, value in enumerate(row):
                    sheet.write_string(number, place, value)
        return target.getvalue()
    if form == "quoted":
        cells = [["教育ID" if name == "教育ID" else name for name in HEADER], *rows]
        quoted = [[f'"{cell}"' for cell in row] for row in cells]
        return "".join(",".join(row) + "\n" for row in quoted).encode()
    return csv_text(rows).encode(form)


def check(report: ImportReport, answer: Answer, rows: list[Row]) -> None:
    assert {(p.line, p.column, p.code) for p in report.errors} == answer.errors
    assert {(p.line, p.column, p.code) for p in report.warnings} == answer.warnings
    assert report.rejected == len(answer.refused)
    assert report.created == report.rows - report.rejected == len(rows) - len(answer.refused)
    for problem in (*report.errors, *report.warnings):
        assert problem.message.startswith(f"第 {problem.line} 行「{problem.column}」：")


@pytest.mark.parametrize("form", ENCODINGS)
def test_a_dirty_roster_in_every_form(form: str) -> None:
    load_schools()
    rows = list(roster_rows(SCHOOLS[:4], 400))
    answer = spoil(random.Random(20260901), rows)
    assert len(answer.refused) > 50
    assert len(answer.warnings) > 5
    assert len(answer.put_right - answer.refused) > 20
    clean = list(roster_rows(SCHOOLS[:4], 400))
    report = import_roster(OPERATOR, file_of(rows, form), "dirty")
    check(report, answer, rows)
    stored = dict(Student.objects.values_list("education_id", "name"))
    taken = [row for line, row in enumerate(clean, 2) if line not in answer.refused]
    assert stored == {row[COLUMN["教育ID"]]: row[COLUMN["姓名"]] for row in taken}
    again = import_roster(OPERATOR, file_of(rows, form), "dirty")
    assert (again.created, again.updated, again.unchanged) == (0, 0, report.created)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: f"{defect.name}")
def test_each_defect_alone(defect) -> None:
    load_schools()
    for seed in range(4):
        rows = list(roster_rows(SCHOOLS[:1], 3, first=seed * 100))
        if defect.name == "LOWER_X":
            rows = [row for row in roster_rows(SCHOOLS[:1], 60) if row[COLUMN["全国学籍号"]].endswith("X")][
                :3
            ]
        defect.spoil(random.Random(seed), rows[1])
        expected = {(3, defect.column, defect.code)}
        with transaction.atomic():
            report = import_roster(OPERATOR, csv_text(rows).encode(), "one.csv")
            errors = {(p.line, p.column, p.code) for p in report.errors}
            warnings = {(p.line, p.column, p.code) for p in report.warnings}
            assert errors == (expected if defect.outcome is Outcome.REFUSED else set())
            assert warnings == (expected if defect.outcome is Outcome.WARNED else set())
            assert report.created == 3 - len(errors)
            transaction.set_rollback(True)


def test_mutated_rosters() -> None:
    """Small rosters by the thousand (ten thousand by the dial), each spoiled in its own way."""
    load_schools()
    count = dial(1_000, 10_000)
    defects = refused = 0
    for seed in range(count):
        dice = random.Random(seed)
        rows = list(roster_rows(SCHOOLS[seed % 5 : seed % 5 + 2], dice.randint(1, 14), first=seed * 16))
        answer = spoil(dice, rows, share=0.5, most=4)
        form = ENCODINGS[seed % 3]
        with transaction.atomic():
            try:
                report = import_roster(OPERATOR, file_of(rows, form), f"{seed}.csv", dry_run=seed % 2 == 1)
                check(report, answer, rows)
            except Exception as error:
                error.add_note(f"seed {seed}")
                raise
            assert Student.objects.count() == (0 if seed % 2 else report.created)
            transaction.set_rollback(True)
        defects += len(answer.errors) + len(answer.warnings)
        refused += len(answer.refused)
    assert defects > count
    assert refused > count
    assert not Student.objects.exists()
