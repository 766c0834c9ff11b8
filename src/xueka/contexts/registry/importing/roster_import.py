"""A roster, from the file to the tables (docs/interfaces/roster.md).

Two passes over the file: the first finds lines that share a key and text that breaks off, the second judges,
seals and stages chunk by chunk while the database applies the chunk before. One transaction, the caller's.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import chain
from typing import TypeVar

from django.conf import settings
from django.db import connection

from xueka.contexts.registry.domain.report import ImportReport, sentence, shown
from xueka.contexts.registry.domain.roster import COLUMNS, Rules, Twins
from xueka.contexts.registry.importing import runs
from xueka.contexts.registry.importing.classes import Classes
from xueka.contexts.registry.importing.crew import Crew, processes_for
from xueka.contexts.registry.importing.preparing import Desk, Task, look, prepare
from xueka.contexts.registry.importing.staging import Applied, Staging, Taken
from xueka.contexts.registry.importing.twins import FIRST_LINE, Index
from xueka.contexts.registry.models import ImportRun, School, Student
from xueka.contexts.registry.tables.csv_file import Content
from xueka.contexts.registry.tables.opening import open_table
from xueka.contexts.registry.tables.source import Table
from xueka.kernel import clock
from xueka.kernel.errors import LineProblem
from xueka.kernel.masking import mask_id
from xueka.platform.crypto.fields import unseal
from xueka.platform.crypto.keyring import keyring
from xueka.platform.identity.actor import Actor

Report = TypeVar("Report", bound=ImportReport)

Progress = Callable[[int, int], None]
"""Called with the lines done and the lines there are."""


def import_roster(
    actor: Actor,
    content: Content,
    file_name: str,
    dry_run: bool = False,
    *,
    processes: int | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Bring a roster in (XLSX or CSV), in the caller's transaction; alone at it (`runs.one_at_a_time`).

    A bad row is refused and never stops the others; a file that cannot be read as a whole raises BadInput and
    changes nothing. `dry_run` gives the report and changes nothing but the record of the run. `processes`
    is decided by the size of the file unless given. Needs `city:registry:import`.
    """
    actor.require(runs.PERMISSION)
    table = open_table(COLUMNS, content)
    report = ImportReport(dry_run=dry_run)
    return bring_in(
        actor,
        "roster",
        file_name,
        report,
        lambda now: table,
        lambda: runs.file_digest(content),
        processes=processes,
        progress=progress,
    )


def bring_in(
    actor: Actor,
    kind: str,
    file_name: str,
    report: Report,
    read: Callable[[datetime], Table],
    digest: Callable[[], bytes],
    *,
    processes: int | None = None,
    progress: Progress | None = None,
    finish: Callable[[ImportRun], None] | None = None,
) -> Report:
    """What all rosters have in common: one run, alone at it, kept with its report.

    `read` gives the table once nobody else imports; `finish` has the last word on what was brought in, inside
    what a dry run undoes.
    """
    now = clock.now()
    run = runs.new_run(actor, kind, file_name, report.dry_run, now)
    runs.one_at_a_time(actor)
    table = read(now)
    schools = dict(School.objects.values_list("code", "id"))
    closed = frozenset(School.objects.filter(is_open=False).values_list("code", flat=True))
    rules = Rules(frozenset(schools) - closed, settings.REGISTRY_EDUCATION_ID_PATTERN, closed)
    straight = not Student.objects.exists()
    desk = Desk(table.layout, rules, schools, keyring(), now, straight)
    with (
        ThreadPoolExecutor(1) as background,  # a city's file takes a second or two to digest
        Crew(desk, processes=processes or processes_for(table.size)) as crew,
        runs.rehearsal(report.dry_run),
    ):
        digested = background.submit(digest)
        run.save()
        _Import(actor, run, desk, table, crew, report, progress).carry_out()
        if finish:
            finish(run)
    _name_unread(table, report)
    runs.keep(actor, run, digested.result(), report.in_order())
    return report


class _Import:
    """One file at work."""

    def __init__(
        self,
        actor: Actor,
        run: ImportRun,
        desk: Desk,
        table: Table,
        crew: Crew[Desk],
        report: ImportReport,
        progress: Progress | None,
    ) -> None:
        self._table, self._crew, self._report, self._progress = table, crew, report, progress
        self._desk = desk
        self._index = Index()
        self._classes = Classes(desk.schools)
        waived = settings.REGISTRY_TRANSFER_WAIVED
        self._staging = Staging(actor, run, now=desk.now, waived=waived, straight=desk.straight)

    def carry_out(self) -> None:
        for keys in self._crew.run(look, self._table.chunks()):
            self._index.add(keys)
        self._classes.ensure(chain.from_iterable(self._index.places))
        report = self._report
        for number, prepared in enumerate(self._crew.run(prepare, self._tasks())):
            self._count(self._staging.apply(prepared))
            report.rows += prepared.rows
            report.unchanged += prepared.unchanged
            report.rejected += prepared.rejected
            report.add_errors(prepared.errors)
            report.add_warnings(prepared.warnings)
            if self._progress:
                self._progress(self._index.lines_until(number), self._index.lines)
        applied, taken = self._staging.settle()
        self._count(applied)
        self._refuse(taken)
        self._classes.take_back()

    def _tasks(self) -> Iterator[Task]:
        twins = self._index.twins()
        for number, chunk in enumerate(self._table.chunks()):
            start = self._index.starts[number]
            classes = self._classes.of(self._index.places[number])
            known = {} if self._desk.straight else _known(self._index.education_ids(number))
            yield Task(chunk, start, classes, known, _part(twins, start, self._index.lines_until(number)))

    def _count(self, applied: Applied) -> None:
        self._report.created += applied.created
        self._report.updated += applied.updated
        self._report.transfers += sum(difference.pending for difference in applied.differences)
        self._report.moved += sum(not difference.pending for difference in applied.differences)
        self._report.add_differences(applied.differences)

    def _refuse(self, taken: list[Taken]) -> None:
        report, column = self._report, self._table.layout.labels["id_number"]
        lines = {row.line for row in taken}
        report.rejected += len(taken)
        report.warnings = [warning for warning in report.warnings if warning.line not in lines]
        report.add_errors([_taken_problem(row, column, self._index.line_of(row.holder)) for row in taken])


def _taken_problem(row: Taken, column: str, holder_line: int | None) -> LineProblem:
    number = mask_id(str(unseal(row.envelope)["id_number"]))
    where = f"（本名册第 {holder_line} 行）" if holder_line else ""
    text = sentence(
        row.line,
        column,
        f"该证件已登记在教育ID {row.holder} 名下{where}，不能再登记给教育ID {row.education_id}",
        value=number,
        action="本行没有导入。请核对两名学生的证件与教育ID，改正后再导入一次；其余各行不受影响。",
    )
    return LineProblem(row.line, column, "ID_TAKEN", number, text)


def _name_unread(table: Table, report: ImportReport) -> None:
    """Say what of the file nobody read: columns without a meaning, further sheets."""
    report.add_warnings(table.layout.warnings())
    report.add_warnings(
        [
            LineProblem(
                1,
                "",
                "SHEET_IGNORED",
                shown(name),
                f"工作表「{shown(name)}」没有读取：每次只导入第一张工作表。如果它也是名册，请单独导入。",
            )
            for name in table.ignored_sheets
        ]
    )


def _known(education_ids: list[str]) -> dict[str, bytes]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT education_id, row_digest FROM registry_student WHERE education_id = ANY(%s)",
            [education_ids],
        )
        return dict(cursor.fetchall())


def _part(twins: dict[int, Twins], first_line: int, lines_until: int) -> dict[int, Twins]:
    if not twins:
        return {}
    return {line: twins[line] for line in range(first_line, FIRST_LINE + lines_until) if line in twins}
