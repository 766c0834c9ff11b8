"""What was fetched by REST, as a package: frames in the columns of the CSV binding, one line a record.

The same sourcedId may come twice, for lists move while they are read: the later record counts.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from xueka.contexts.registry.domain import oneroster as o
from xueka.contexts.registry.domain.oneroster_rest import KINDS, UNSAID, Drift, Shaped
from xueka.contexts.registry.domain.report import shown
from xueka.contexts.registry.oneroster.frames import FIRST_LINE, LINE
from xueka.contexts.registry.oneroster.package import Package
from xueka.kernel.errors import LineProblem

#: Warnings of one kind of drift; the rest are counted.
_NAMED = 5


@dataclass(slots=True)
class _Kind:
    """Records of one kind by sourcedId, each with its roles."""

    kept: dict[str, Shaped] = field(default_factory=dict)
    drifts: dict[str, list[tuple[str, Drift]]] = field(default_factory=dict)
    problems: list[LineProblem] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)


def package_of(pages: Iterable[tuple[str, bytes]], *, full: bool) -> Package:
    """`pages` gives kind and JSON list of records, in the order in which they came."""
    kinds = {kind: _Kind() for kind in KINDS}
    size = 0
    for kind, content in pages:
        size += len(content)
        for record in json.loads(content):
            _take(kind, kinds[kind], record)
    mode = o.BULK if full else o.DELTA
    frames = {kind: _frame(list(found.kept.values())) for kind, found in kinds.items()}
    frames["roles"] = _roles(kinds["users"])
    return Package(
        files={},
        modes=dict.fromkeys(o.READ, mode),
        frames=frames,
        named={kind: list(found.kept) for kind, found in kinds.items()},
        problems=tuple(each for found in kinds.values() for each in found.problems),
        warnings=tuple(each for kind, found in kinds.items() for each in _warnings(kind, found)),
        lost=frozenset(kinds["users"].lost - kinds["users"].kept.keys()),
        fetched_size=size,
    )


def _take(kind: str, found: _Kind, record: Any) -> None:
    if not isinstance(record, dict):
        record = {}
    shaped = Shaped(kind, record)
    identity = shaped.cells.get("sourcedId", "")
    for drift in shaped.drifts:
        if not drift.refused:
            found.drifts.setdefault(drift.field, []).append((identity, drift))
    if not shaped.usable or not identity:
        if identity:
            found.lost.add(identity)
        found.problems += [_refused(kind, identity, each) for each in shaped.drifts if each.refused]
        return
    before = found.kept.get(identity)
    if before and before.cells["dateLastModified"] > shaped.cells["dateLastModified"]:
        return
    found.kept[identity] = shaped


def _refused(kind: str, identity: str, drift: Drift) -> LineProblem:
    text = (
        f"{kind} 记录 {shown(identity) or '（没有 sourcedId）'}「{drift.field}」：接口的形状不对。"
        f"读到{drift.found}，应为{drift.expected}。这条记录没有导入，其余各条不受影响。"
    )
    return LineProblem(0, drift.field, "ONEROSTER_SHAPE", drift.found, text, kind)


def _warnings(kind: str, found: _Kind) -> list[LineProblem]:
    """Drift that was read all the same: named for the first few records, counted for the rest."""
    said = []
    for name, each in sorted(found.drifts.items()):
        who = "、".join(shown(identity) for identity, _ in each[:_NAMED])
        more = f" 等 {len(each)} 条" if len(each) > _NAMED else ""
        first = each[0][1]
        text = (
            f"{kind} 记录 {who}{more}「{shown(name)}」：接口的形状变了，照样读取。"
            f"读到{first.found}，应为{first.expected}。请登记方核对。"
        )
        said.append(LineProblem(0, shown(name), "ONEROSTER_DRIFT", first.found, text, kind))
    return said


def _frame(records: Sequence[Shaped]) -> pl.DataFrame:
    names = dict.fromkeys(name for record in records for name in record.cells)
    names = dict.fromkeys([*("sourcedId", "status", "dateLastModified"), *names])
    columns = {
        name: pl.Series(name, [record.cells.get(name) for record in records], dtype=pl.String)
        for name in names
    }
    frame = pl.DataFrame(
        {LINE: pl.Series(LINE, range(FIRST_LINE, FIRST_LINE + len(records)), dtype=pl.Int64)}
    )
    frame = frame.with_columns(*columns.values())
    empty = [name for name in names if not name.startswith("metadata.") and name not in UNSAID]
    return frame.with_columns(pl.col(empty).fill_null(""))


def _roles(users: _Kind) -> pl.DataFrame:
    rows = [
        (identity, role, shaped.cells.get("status") or "", shaped.cells.get("dateLastModified") or "")
        for identity, shaped in users.kept.items()
        for role in shaped.roles
    ]
    schema = dict.fromkeys(["userSourcedId", "role", "status", "dateLastModified"], pl.String)
    frame = pl.DataFrame(rows, schema=schema, orient="row").with_row_index(LINE, FIRST_LINE)
    identity = pl.concat_str("userSourcedId", pl.lit("/"), "role").alias("sourcedId")
    return frame.with_columns(pl.col(LINE).cast(pl.Int64), identity)
