"""The published example is a sound set, and the document names every word and code that the reader knows."""

import re
from pathlib import Path

import pytest
import xlsxwriter
from django.db import transaction

from tests.unit.cards.conftest import NOW, build
from tests.unit.takeover.conftest import ONE, OTHER
from xueka.contexts.cards import api as cards
from xueka.contexts.takeover import api as takeover
from xueka.contexts.takeover.domain import format as form
from xueka.contexts.takeover.jobs import run
from xueka.contexts.takeover.services.checks import CHECKS
from xueka.kernel import clock

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs/interfaces/take-over.md").read_text("utf-8")
FILES = {path.name: path.read_bytes() for path in (Path(__file__).parent / "example").glob("*.csv")}


def as_workbooks(folder: Path) -> dict[str, bytes]:
    made = {}
    for name, content in FILES.items():
        path = folder / name.replace(".csv", ".xlsx")
        with xlsxwriter.Workbook(path) as book:
            sheet = book.add_worksheet()
            for row, line in enumerate(content.decode().splitlines()):
                sheet.write_row(row, 0, line.split(","))
        made[path.name] = path.read_bytes()
    return made


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.django_db
def test_the_example_is_loaded(kind: str, tmp_path: Path) -> None:
    with clock.at(NOW), transaction.atomic():
        build().students(3)
        found = takeover.check(ONE, FILES if kind == "csv" else as_workbooks(tmp_path))
        assert found.findings["error_counts"] == {}
        assert found.findings["warning_counts"] == {"PAIR_ALONE": 1}
        assert [total for total in found.totals if not total["agrees"]] == []
        takeover.approve(OTHER, found.id)
        run(found.id)
    assert cards.Card.objects.filter(number="XJ20070000001", state="active").exists()


def test_the_document_names_every_column_word_and_code() -> None:
    words = {field.header for part in form.PARTS.values() for field in part.fields}
    words |= {*form.ACCOUNT_STATES, *form.CARD_STATES, *form.APPLICATION_STATES, *form.SORTS, *form.REASONS}
    assert [word for word in sorted(words) if word not in DOCUMENT] == []
    reading = (ROOT / "src/xueka/contexts/takeover/domain/reading.py").read_text("utf-8")
    codes = {check.code for check in CHECKS} | set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', reading))
    assert [code for code in sorted(codes) if f"`{code}`" not in DOCUMENT] == []


def test_the_files_of_the_example_are_those_of_the_document() -> None:
    assert {Path(name).stem for name in FILES} == {form.MANIFEST, *form.PARTS}
