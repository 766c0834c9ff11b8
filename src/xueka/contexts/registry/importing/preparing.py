"""From lines to rows ready for the database: judged, sealed, indexed, rendered. Runs in any process."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import repeat
from json.encoder import encode_basestring as quoted

from xueka.contexts.registry.domain.clean import Recogniser
from xueka.contexts.registry.domain.columns import Layout
from xueka.contexts.registry.domain.judging import judge
from xueka.contexts.registry.domain.roster import Place, RosterRow, Rules, Twins, is_blank
from xueka.contexts.registry.domain.vocabulary import id_key
from xueka.contexts.registry.importing.copy_block import FALSE, TRUE, day, int2, int4, int8, moment, render
from xueka.contexts.registry.importing.keys import Keys, keys_of
from xueka.contexts.registry.sort_keys import sort_key
from xueka.contexts.registry.tables.source import SEPARATOR, Chunk
from xueka.kernel import clock
from xueka.kernel.errors import LineProblem
from xueka.platform.crypto.fields import blind_index_many, seal_many
from xueka.platform.crypto.keyring import Keyring

ID_KIND, PHONE_KIND, ROW_KIND = "id_number", "guardian_phone", "roster_row"
"""Kinds of blind index: identity document (`id_key`), guardian's mobile number, a whole row."""

STUDENT = (
    "education_id",
    "name",
    "sort_key",
    "sort_key_by_hand",
    "sex",
    "birth_year",
    "status",
    "enrolled_from",
    "school_id",
    "school_class_id",
    "envelope",
    "id_index",
    "phone_index",
    "row_digest",
    "created_at",
    "updated_at",
)
"""The columns of a prepared row, in the order in which they are rendered: those of its table …"""

STAGED = (*STUDENT, "line", "known")
"""… and, for rows that are staged first, where it stands in the file and whether the student is on record."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What every process needs to know for one file.

    `schools` gives the id of each school code. `straight`: nobody is on record yet, so that rows may go
    straight into their table, without being staged.
    """

    layout: Layout
    rules: Rules
    schools: Mapping[str, int]
    keys: Keyring
    now: datetime
    straight: bool

    @property
    def columns(self) -> tuple[str, ...]:
        return STUDENT if self.straight else STAGED


@dataclass(frozen=True, slots=True)
class Task:
    """One chunk; `known` gives the row digest of each student of it who is on record."""

    chunk: Chunk
    first_line: int
    classes: Mapping[Place, int]
    known: Mapping[str, bytes]
    twins: Mapping[int, Twins]


@dataclass(slots=True)
class Prepared:
    """`block` holds the new and changed rows in binary COPY format, without head and tail."""

    block: bytes = b""
    staged: int = 0
    rows: int = 0
    unchanged: int = 0
    rejected: int = 0
    errors: list[LineProblem] = field(default_factory=list)
    warnings: list[LineProblem] = field(default_factory=list)


def look(desk: Desk, chunk: Chunk) -> Keys:
    """The first pass over a chunk."""
    return keys_of(desk.layout, chunk)


def prepare(desk: Desk, task: Task) -> Prepared:
    """The second pass over a chunk."""
    done = Prepared()
    with clock.at(desk.now):
        accepted = _judged(desk, task, done)
    digests = blind_index_many(ROW_KIND, [SEPARATOR.join(row) for _, row in accepted], desk.keys)
    fresh = [
        (line, row, digest)
        for (line, row), digest in zip(accepted, digests, strict=True)
        if task.known.get(row.education_id) != digest
    ]
    done.unchanged = len(accepted) - len(fresh)
    done.staged = len(fresh)
    done.block = render(_columns(desk, task, fresh), len(desk.columns))
    return done


def _judged(desk: Desk, task: Task, done: Prepared) -> list[tuple[int, RosterRow]]:
    separator = task.chunk.separator
    recognise = Recogniser(desk.layout, desk.rules, clock.today(), separator).read
    accepted: list[tuple[int, RosterRow]] = []
    for line, text in enumerate(task.chunk.texts(), start=task.first_line):
        twins = task.twins.get(line)
        row = recognise(text) if twins is None else None
        if row is None:
            cells = text.split(separator)
            if is_blank(cells):
                continue
            verdict = judge(cells, line, desk.layout, desk.rules, twins)
            done.errors += verdict.errors
            done.warnings += verdict.warnings
            row = verdict.row
        done.rows += 1
        if row is None:
            done.rejected += 1
        else:
            accepted.append((line, row))
    return accepted


def _columns(
    desk: Desk, task: Task, fresh: Sequence[tuple[int, RosterRow, bytes]]
) -> "zip[tuple[bytes | None, ...]]":
    rows = [row for _, row, _ in fresh]
    schools = {code: int8(identity) for code, identity in desk.schools.items()}
    classes = {tuple(place): int8(identity) for place, identity in task.classes.items()}
    years = {year: int2(int(year)) for year in {row.birth_date[:4] for row in rows}}
    with clock.at(desk.now):
        today, now = day(clock.today()), moment(clock.now())
    documents = [id_key(row.id_type, row.id_number) if row.id_number else "" for row in rows]
    columns: list[Iterable[bytes | None]] = [
        (row.education_id.encode() for row in rows),
        (row.name.encode() for row in rows),
        (sort_key(row.name).encode() for row in rows),
        repeat(FALSE, len(rows)),
        (row.sex.encode() for row in rows),
        (years[row.birth_date[:4]] for row in rows),
        (row.status.encode() for row in rows),
        repeat(today, len(rows)),
        (schools[row.school_code] for row in rows),
        (classes[row.school_code, row.stage, row.grade, row.class_name] for row in rows),
        seal_many([personal_fields(row) for row in rows], desk.keys),
        _optional(ID_KIND, documents, desk),
        _optional(PHONE_KIND, [row.guardian_phone for row in rows], desk),
        (digest for _, _, digest in fresh),
        repeat(now, len(rows)),
        repeat(now, len(rows)),
    ]
    if not desk.straight:
        columns.append(int4(line) for line, _, _ in fresh)
        columns.append(TRUE if row.education_id in task.known else FALSE for row in rows)
    return zip(*columns, strict=True)


def _optional(kind: str, values: Sequence[str], desk: Desk) -> list[bytes | None]:
    """The blind index of each value; an empty one has none."""
    indexes = blind_index_many(kind, values, desk.keys)
    return [index if value else None for index, value in zip(indexes, values, strict=True)]


def personal_fields(row: RosterRow) -> bytes:
    """The content of a student's envelope, as `crypto.fields.seal` would write it (five times as fast)."""
    guardian = f'{{"name":{quoted(row.guardian_name)},"phone":{quoted(row.guardian_phone)},"relation":""}}'
    return (
        f'{{"birth_date":{quoted(row.birth_date)},"id_type":{quoted(row.id_type)},'
        f'"id_number":{quoted(row.id_number)},"national_number":{quoted(row.national_number)},'
        f'"address":{quoted(row.address)},'
        f'"guardians":[{guardian if row.guardian_name or row.guardian_phone else ""}]}}'
    ).encode()
