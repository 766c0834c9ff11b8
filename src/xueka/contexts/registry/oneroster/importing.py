"""A OneRoster package, from its files to the tables (docs/interfaces/oneroster.md).

The files are joined into the lines that a roster has, judged and brought in as any roster is; what is found
is said of the file, the line and the column where it stands. Then comes what a roster cannot say: who is
missing.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

import polars as pl
from cryptography.hazmat.primitives import hashes
from django.conf import settings

from xueka.contexts.registry.domain import oneroster as o
from xueka.contexts.registry.domain.columns import Layout
from xueka.contexts.registry.domain.report import ImportReport, shown
from xueka.contexts.registry.importing import runs
from xueka.contexts.registry.importing.roster_import import Progress, bring_in
from xueka.contexts.registry.models import ImportRun
from xueka.contexts.registry.oneroster import absences, known, links
from xueka.contexts.registry.oneroster.changed import changed
from xueka.contexts.registry.oneroster.frames import FIRST_LINE, LINE
from xueka.contexts.registry.oneroster.joining import AT, KEYS, Joined, join, texts
from xueka.contexts.registry.oneroster.links import Links
from xueka.contexts.registry.oneroster.package import Package, open_files, open_zip
from xueka.contexts.registry.tables.csv_file import Content
from xueka.contexts.registry.tables.source import CHUNK_LINES, SEPARATOR, Chunk, Table
from xueka.kernel import clock
from xueka.kernel.errors import LineProblem
from xueka.platform.identity.actor import Actor


@dataclass(slots=True)
class OneRosterReport(ImportReport):
    """A roster's report, and of the package: who is missing (`deleted`, `left_out`, `unenrolled`) and who
    is back (`returned`), whether so many are missing that a person has to say it (`held`, beyond `allowed`),
    and how many users are no students (`others`); `changed` says of whom what (`oneroster.changed`). Problems
    carry the file they stand in.
    """

    deleted: int = 0
    left_out: int = 0
    unenrolled: int = 0
    returned: int = 0
    held: bool = False
    allowed: int = 0
    others: int = 0
    changed: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        missing = {
            "deleted": self.deleted,
            "left_out": self.left_out,
            "unenrolled": self.unenrolled,
            "returned": self.returned,
            "held": self.held,
            "allowed": self.allowed,
            "others": self.others,
            "changed": self.changed,
        }
        return {**ImportReport.as_dict(self), **missing}


def import_oneroster(
    actor: Actor,
    content: Content | Mapping[str, bytes],
    file_name: str,
    dry_run: bool = False,
    *,
    processes: int | None = None,
    progress: Progress | None = None,
) -> OneRosterReport:
    """Bring a OneRoster 1.2 package in: a zip, or files by name; in the caller's transaction, alone at it.

    Full (`bulk`) and changes (`delta`) as the manifest says. A bad row is refused and never stops the others;
    a package that cannot be read as a whole raises BadInput and changes nothing. `dry_run` gives the report
    and changes nothing but the record of the run. Needs `city:registry:import`.
    """
    actor.require(runs.PERMISSION)
    package = open_files(content) if isinstance(content, Mapping) else open_zip(content)
    return import_package(
        actor, package, file_name, lambda: _digest(content), dry_run, processes=processes, progress=progress
    )


def import_package(
    actor: Actor,
    package: Package,
    file_name: str,
    digest: Callable[[], bytes],
    dry_run: bool = False,
    *,
    processes: int | None = None,
    progress: Progress | None = None,
) -> OneRosterReport:
    """The same with a package that is open already, whatever it was made of."""
    actor.require(runs.PERMISSION)
    work = _Work(actor, package, OneRosterReport(dry_run=dry_run))
    return bring_in(
        actor,
        "oneroster",
        file_name,
        work.report,
        work.table,
        digest,
        processes=processes,
        progress=progress,
        finish=work.finish,
    )


@lru_cache(maxsize=4)
def _reading(columns: tuple[tuple[str, str], ...], grades: tuple[tuple[str, str], ...]) -> o.Reading:
    return o.read_mapping(dict(columns), dict(grades))


def reading() -> o.Reading:
    """Where the columns stand, by the configuration."""
    return _reading(tuple(settings.ONEROSTER_COLUMNS.items()), tuple(settings.ONEROSTER_GRADES.items()))


class _Work:
    def __init__(self, actor: Actor, package: Package, report: OneRosterReport) -> None:
        self._actor, self._package, self.report = actor, package, report
        self._joined: Joined
        self._links: Links

    def table(self, now: datetime) -> Table:
        """The lines of the roster; read under the lock of all imports, for they rest on what is on record."""
        joined = join(self._package, reading(), clock.local(now).date())
        self._links = joined.links
        joined.rows = self._held_once(known.fill(joined.rows, self._links.users), joined)
        self._joined = joined
        labels = {key: ":".join(source) for key, source in joined.labels.items()}
        # Stage and grade may stand in one column of the package; each keeps a name of its own.
        labels = {key: f"{label}:{key}" for key, label in labels.items()}
        lines = texts(joined.rows, joined.last_line, SEPARATOR)
        chunks = [Chunk(list(lines[at : at + CHUNK_LINES])) for at in range(0, len(lines), CHUNK_LINES)]
        layout = Layout({key: at for at, key in enumerate(KEYS)}, labels, len(KEYS))
        # The lines count, not the package: further processes are worth their start for much to judge alone.
        return Table("oneroster", layout, sum(map(len, lines)), lambda: iter(chunks))

    def _held_once(self, rows: pl.DataFrame, joined: Joined) -> pl.DataFrame:
        """Without new users whose education ID another one holds that is still there: one student, twice."""
        claims = rows.filter(pl.col("education_id") != "").join(
            self._links.users, on=["sourcedId", "education_id"], how="anti"
        )
        if claims.is_empty():
            return rows
        held = links.holders(claims["education_id"].to_list())
        gone = set(joined.deleted["sourcedId"])
        full = self._package.mode("users") == o.BULK
        named = set(joined.shown["sourcedId"]) if full and held else set()
        refused = []
        for line, user, education_id in claims.select(LINE, "sourcedId", "education_id").iter_rows():
            others = [
                each
                for each in held.get(education_id, ())
                if each != user and each not in gone and (not full or each in named)
            ]
            if others:
                refused.append(line)
                joined.problems.append(_twice(line, education_id, others[0]))
        joined.refused += len(refused)
        return rows.filter(~pl.col(LINE).is_in(refused))

    def finish(self, run: ImportRun) -> None:
        """What the roster's import does not know: defects of the files, links, who is missing."""
        joined, report = self._joined, self.report
        self._name_places()
        report.rows += joined.refused
        report.rejected += joined.refused
        report.add_errors(joined.problems)
        report.add_warnings(joined.warnings)
        report.add_warnings([_ignored(name) for name in self._package.ignored])
        report.others = joined.others
        if self._package.fetched:
            self._name_records()
        links.keep_links(joined.frames, joined.rows, joined.orgs, joined.classes, self._links)
        self._notice(run)
        report.changed = changed(run)

    def _notice(self, run: ImportRun) -> None:
        joined, package = self._joined, self._package
        named = self._education_ids(joined.shown)
        lost = pl.DataFrame({"sourcedId": sorted(package.lost)}, schema={"sourcedId": pl.String})
        named |= self._education_ids(lost.with_columns(identifier=pl.lit(None, dtype=pl.String)))
        fresh = self._education_ids(joined.fresh)
        placed = set(joined.rows.filter(pl.col(AT["enrollments"]).is_not_null())["education_id"])
        taken_out = joined.unenrolled.join(self._links.users, on="sourcedId", how="inner")
        schools = None
        unread = any(each.code == "COLUMN_COUNT" and each.file == "users.csv" for each in joined.problems)
        if package.mode("users") == o.BULK and unread:
            self.report.add_warnings([_not_whole()])
        elif package.mode("users") == o.BULK:
            schools = joined.orgs["school_code"].drop_nulls().unique().to_list()
        found = absences.notice(
            self._actor,
            run,
            shown=sorted(fresh),
            named=sorted(named),
            placed=sorted(placed),
            deleted=sorted(self._education_ids(joined.deleted) - fresh),
            unenrolled=taken_out.select("education_id", *links.PLACE).rows(),
            schools=schools,
        )
        report = self.report
        report.deleted, report.left_out, report.returned = found.deleted, found.left_out, found.returned
        report.unenrolled, report.held, report.allowed = found.unenrolled, found.held, found.allowed

    def _education_ids(self, users: pl.DataFrame) -> set[str]:
        """Of these users: by their own word, and by what is known."""
        known = users.join(self._links.users, on="sourcedId", how="left")
        return set(pl.concat([known["identifier"], known["education_id"]]).drop_nulls())

    def _name_records(self) -> None:
        """What came by REST has no lines: findings are said of the record."""
        report = self.report
        report.errors = [_of_record(each, self._package) for each in report.errors]
        report.warnings = [_of_record(each, self._package) for each in report.warnings]

    def _name_places(self) -> None:
        """Say of every finding where in the package it stands, instead of the joined line."""
        report = self.report
        lines = {problem.line for problem in (*report.errors, *report.warnings)}
        lines |= {difference.line for difference in report.differences}
        if not lines:
            return
        wanted = self._joined.rows.filter(pl.col(LINE).is_in(sorted(lines)))
        places = {row[LINE]: row for row in wanted.select(LINE, *_places(wanted)).iter_rows(named=True)}
        report.errors = [_placed(problem, places, self._joined.labels) for problem in report.errors]
        report.warnings = [_placed(problem, places, self._joined.labels) for problem in report.warnings]
        report.differences = [
            replace(
                each, line=places[each.line][AT["users"]] or places[each.line][AT["enrollments"]] or each.line
            )
            for each in report.differences
        ]


def _places(rows: pl.DataFrame) -> list[str]:
    return [column for column in AT.values() if column in rows.columns]


_HEAD = re.compile(r"第 \d+ 行(?:「[^」]*」)?")


def _placed(
    problem: LineProblem, places: Mapping[int, dict[str, Any]], labels: Mapping[str, tuple[str, str]]
) -> Any:
    """The same finding where a person finds it: in the column's own file, else on the student's row."""
    place = places.get(problem.line)
    if place is None:
        return problem
    key = problem.column.rpartition(":")[2]
    file, column = labels.get(key, ("users", problem.column))
    line = place.get(AT[file])
    if line is None:
        column = f"{file}.{column}"
        file = next((name for name in AT if place.get(AT[name])), "users")
        line = place.get(AT[file]) or problem.line
    head = f"{file}.csv 第 {line} 行「{column}」"
    text = _HEAD.sub(lambda _: head, problem.message, count=1)
    return replace(problem, line=line, column=column, message=text, file=f"{file}.csv")


_LINE = re.compile(r"\w+\.csv 第 (\d+) 行")


def _of_record(problem: LineProblem, package: Package) -> LineProblem:
    kind = problem.file.removesuffix(".csv")
    names = package.named.get(kind)
    place = problem.line - FIRST_LINE
    if names is None or not problem.file.endswith(".csv") or not 0 <= place < len(names):
        return problem
    text = _LINE.sub(lambda _: f"{kind} 记录 {shown(names[place])}", problem.message, count=1)
    text = text.replace(".csv 里", " 里").replace("这一行没有导入，其余各行", "这条记录没有导入，其余各条")
    return replace(problem, line=0, message=text, file=kind)


def _ignored(name: str) -> LineProblem:
    text = f"包里的 {shown(name)} 不是 OneRoster 1.2 的文件，没有读取。"
    return LineProblem(1, "", "FILE_IGNORED", shown(name), text, shown(name))


def _twice(line: int, education_id: str, other: str) -> LineProblem:
    text = (
        f"users.csv 第 {line} 行「identifier」：教育ID {shown(education_id)} 已由另一用户 {shown(other)}"
        " 持有，同一学生登记了两次。这一行没有导入，其余各行不受影响；请登记方删除其中一个。"
    )
    return LineProblem(line, "identifier", "ONEROSTER_TWICE", shown(education_id), text, "users.csv")


def _not_whole() -> LineProblem:
    text = "users.csv 里有读不出的行，不能断定谁不在这份全量里，这次没有列出缺失的学生。"
    return LineProblem(1, "", "ONEROSTER_NOT_WHOLE", "", text, "users.csv")


def _digest(content: Content | Mapping[str, bytes]) -> bytes:
    """SM3 of the zip, or of its files in the order of their names."""
    if not isinstance(content, Mapping):
        return runs.file_digest(content)
    digest = hashes.Hash(hashes.SM3())
    for name in sorted(content):
        digest.update(name.encode() + b"\0" + content[name])
    return digest.finalize()
