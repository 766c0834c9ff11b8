"""A roster from an XLSX workbook to lines ready to be judged, beside calamine alone.

Ours looks into the archive first, reads in a process of its own and hands over lines of text. The floor
loads the same bytes and walks over the rows of the same sheet. `imported` is the whole import of ours.
"""

import os
import tempfile
from pathlib import Path

import xlsxwriter
from harness import compare
from roster_csv import SCHOOLS
from support.city import start
from tests.support import rosters

SIZES = (20_000, 200_000)


def prepare(size: int) -> bytes:
    """The workbook of this size, written once; a server with the schools for the import."""
    folder = Path(os.environ["XUEKA_BENCH_HOME"]) / "xlsx"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o711)
    os.environ["XUEKA_HOME"] = str(folder)
    start()
    path = folder / f"roster-{size}.xlsx"
    if not path.exists():
        with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
            sheet = book.add_worksheet()
            for number, row in enumerate([list(rosters.HEADER), *rosters.roster_rows(SCHOOLS, size)]):
                for place, value in enumerate(row):
                    sheet.write_string(number, place, value)
    return path.read_bytes()


def ours(content: bytes) -> None:
    from xueka.contexts.registry.domain.roster import COLUMNS
    from xueka.contexts.registry.tables.opening import open_table

    table = open_table(COLUMNS, content)
    if not sum(len(chunk.texts()) for chunk in table.chunks()):
        raise AssertionError


def imported(content: bytes) -> None:
    from django.db import transaction

    from xueka.contexts.registry.api import import_roster, import_schools
    from xueka.platform.identity.actor import Actor

    actor = Actor.command_line("benchmark")
    with transaction.atomic():
        import_schools(actor, rosters.csv_text(SCHOOLS, rosters.SCHOOL_HEADER).encode(), "schools.csv")
        report = import_roster(actor, content, "roster.xlsx")
        transaction.set_rollback(True)
    if report.rejected or not report.created:
        raise AssertionError(report.counts())


def floor(content: bytes) -> None:
    import io

    from python_calamine import load_workbook

    sheet = load_workbook(io.BytesIO(content)).get_sheet_by_index(0)
    if not sum(len(row) for row in sheet.iter_rows()):
        raise AssertionError


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="xueka-bench-") as home:
        Path(home).chmod(0o711)
        os.environ.setdefault("XUEKA_BENCH_HOME", home)
        compare("roster_xlsx", "rows", SIZES, prepare, ours, floor, {"imported": imported})
