"""The school directory: a few thousand rows, added or brought up to date by school identification code."""

from collections import defaultdict
from itertools import chain

from xueka.contexts.registry.domain.columns import Layout
from xueka.contexts.registry.domain.report import ImportReport
from xueka.contexts.registry.domain.roster import is_blank
from xueka.contexts.registry.domain.school_list import (
    COLUMNS,
    Mains,
    SchoolJudge,
    SchoolRow,
    main_school_problem,
)
from xueka.contexts.registry.importing import runs
from xueka.contexts.registry.models import District, School
from xueka.contexts.registry.tables.csv_file import Content, broken_text
from xueka.contexts.registry.tables.opening import open_table
from xueka.contexts.registry.tables.source import Cells, Table, Undecodable
from xueka.kernel import clock
from xueka.kernel.districts import DISTRICTS
from xueka.kernel.errors import BadInput
from xueka.kernel.text import compact
from xueka.platform.identity.actor import Actor

FIRST_LINE = 2
MAX_ROWS = 20_000


def import_schools(actor: Actor, content: Content, file_name: str, dry_run: bool = False) -> ImportReport:
    """Bring the school directory in (XLSX or CSV), in the caller's transaction.

    A campus names its main school, which may stand anywhere in the file or be on record. Schools that the
    file leaves out stay as they are. Raises BadInput for a file that cannot be read as a whole. Needs
    `city:registry:import`.
    """
    actor.require(runs.PERMISSION)
    table = open_table(COLUMNS, content)
    lines = _lines(table)
    run = runs.new_run(actor, "schools", file_name, dry_run, clock.now())
    runs.one_at_a_time(actor)
    report = ImportReport(dry_run=dry_run)
    with runs.rehearsal(dry_run):
        _ensure_districts()
        _apply(_accepted(lines, table.layout, report), report)
    report.add_warnings(table.layout.warnings())
    runs.keep(actor, run, runs.file_digest(content), report.in_order())
    return report


def _lines(table: Table) -> list[tuple[int, Cells]]:
    try:
        lines = list(chain.from_iterable(chunk.lines() for chunk in table.chunks()))
    except Undecodable as error:
        raise broken_text(FIRST_LINE + error.line) from None
    if len(lines) > MAX_ROWS:
        raise BadInput(
            "TOO_MANY_ROWS",
            f"学校名录有 {len(lines)} 行，这不像是学校名录。",
            found=len(lines),
            expected=f"不超过 {MAX_ROWS} 行",
            action="请确认选对了文件，再导入一次。",
        )
    return [(line, cells) for line, cells in enumerate(lines, FIRST_LINE) if not is_blank(cells)]


def _accepted(lines: list[tuple[int, Cells]], layout: Layout, report: ImportReport) -> dict[str, SchoolRow]:
    at = layout.positions["code"]
    lines_of: dict[str, list[int]] = defaultdict(list)
    for line, cells in lines:
        if at < len(cells):
            lines_of[compact(cells[at])].append(line)
    judge = SchoolJudge(layout, lines_of).judge
    rows: dict[int, SchoolRow] = {}
    report.rows = len(lines)
    for line, cells in lines:
        verdict = judge(cells, line)
        report.add_errors(verdict.errors)
        if verdict.row:
            rows[line] = verdict.row
    _refuse_orphans(rows, layout, report)
    report.rejected = len(lines) - len(rows)
    return {row.code: row for row in rows.values()}


def _refuse_orphans(rows: dict[int, SchoolRow], layout: Layout, report: ImportReport) -> None:
    """Refuse campuses whose main school is neither on record nor in the file, or is a campus itself."""
    stored = dict(School.objects.values_list("code", "main_school__code"))
    while True:
        in_file = {row.code for row in rows.values()}
        main_of = {**stored, **{row.code: row.main_code or None for row in rows.values()}}
        named = Mains(
            schools=set(main_of),
            campuses={code for code, main in main_of.items() if main},
            relied_on={main for code, main in main_of.items() if main and code not in in_file},
        )
        orphans = {
            line: problem
            for line, row in rows.items()
            if (problem := main_school_problem(row, line, layout, named))
        }
        if not orphans:
            return
        report.add_errors(list(orphans.values()))
        for line in orphans:
            del rows[line]


def _apply(rows: dict[str, SchoolRow], report: ImportReport) -> None:
    present = {school.code: school for school in School.objects.select_for_update().order_by("id")}
    main_of = {school.id: school.code for school in present.values()}
    created: list[School] = []
    changed: list[School] = []
    for code, row in rows.items():
        school = present.get(code) or School(code=code)
        before = None if school.pk is None else _values(school, main_of.get(school.main_school_id or 0))
        for name, text in row.texts.items():
            setattr(school, name, text)
        school.district_id, school.stages = row.district, list(row.stages)
        if before is None:
            created.append(school)
        elif before != _values(school, row.main_code or None):
            changed.append(school)
    School.objects.bulk_create(created)
    ids = {**{school.code: school.pk for school in present.values()}, **{s.code: s.pk for s in created}}
    for school in created + changed:
        main_code = rows[school.code].main_code
        school.main_school_id = ids[main_code] if main_code else None
    School.objects.bulk_update([s for s in created if s.main_school_id], ["main_school"])
    School.objects.bulk_update(changed, [*_WRITTEN, "main_school"])
    report.created, report.updated = len(created), len(changed)
    report.unchanged = len(rows) - len(created) - len(changed)


_WRITTEN = (
    "name",
    "campus_name",
    "district",
    "stages",
    "address",
    "consignee",
    "consignee_phone",
    "receiving_hours",
)


def _values(school: School, main_code: str | None) -> tuple[object, ...]:
    names = ("district_id" if name == "district" else name for name in _WRITTEN)
    return (*(getattr(school, name) for name in names), main_code)


def _ensure_districts() -> None:
    District.objects.bulk_create(
        [District(code=code, name=name) for code, name in DISTRICTS.items()], ignore_conflicts=True
    )
