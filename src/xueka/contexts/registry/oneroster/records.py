"""What was fetched by REST, as a package: frames in the columns of the CSV binding, one line a record.

The same sourcedId may come twice, for lists move while they are read: the later record counts.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from xueka.contexts.registry.domain import oneroster as o
from xueka.contexts.registry.domain.oneroster_rest import KINDS, UNSAID, Drift, Shaped, plain
from xueka.contexts.registry.domain.report import shown
from xueka.contexts.registry.oneroster.frames import FIRST_LINE, LINE
from xueka.contexts.registry.oneroster.package import Package
from xueka.contexts.registry.tables.source import SEPARATOR
from xueka.kernel.errors import LineProblem

_ALWAYS = ("sourcedId", "status", "dateLastModified")
_ROLES = "roles of a user"
#: Warnings of one kind of drift; the rest are counted.
_NAMED = 5


@dataclass(slots=True)
class _Kind:
    """What came of one kind: a frame for each page, the roles of users in one more column."""

    pages: list[pl.DataFrame] = field(default_factory=list)
    drifts: dict[str, list[tuple[str, Drift]]] = field(default_factory=dict)
    problems: list[LineProblem] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)


def package_of(pages: Iterable[tuple[str, bytes]], *, full: bool) -> Package:
    """`pages` gives kind and JSON list of records, in the order in which they came."""
    kinds = {kind: _Kind() for kind in KINDS}
    for kind, content in pages:
        kinds[kind].pages.append(_page(kind, kinds[kind], json.loads(content)))
    mode = o.BULK if full else o.DELTA
    kinds["users"].pages.append(_page("users", kinds["users"], []))  # there is a column of roles in any case
    frames = {kind: _together(found.pages) for kind, found in kinds.items()}
    frames["roles"] = _roles(frames["users"])
    frames["users"] = frames["users"].drop(_ROLES)
    users = kinds["users"]
    return Package(
        files={},
        modes=dict.fromkeys(o.READ, mode),
        frames=frames,
        named={kind: frames[kind]["sourcedId"] for kind in KINDS},
        problems=tuple(each for found in kinds.values() for each in found.problems),
        warnings=tuple(each for kind, found in kinds.items() for each in _warnings(kind, found)),
        lost=frozenset(users.lost.difference(frames["users"]["sourcedId"]) if users.lost else ()),
    )


def _page(kind: str, found: _Kind, records: Sequence[Any]) -> pl.DataFrame:
    """The usable records of a page. Columns, not objects: a city's records would not fit into memory."""
    kept: list[dict[str, str]] = []
    roles: list[list[str]] = []
    for record in records:
        said = plain(kind, record) or _closely(kind, found, record)
        if said:
            kept.append(said[0])
            roles.append(said[1])
    names = dict.fromkeys([*_ALWAYS, *(name for names in dict.fromkeys(map(tuple, kept)) for name in names)])
    columns = [pl.Series(name, [cells.get(name) for cells in kept], dtype=pl.String) for name in names]
    if kind == "users":
        columns.append(pl.Series(_ROLES, [SEPARATOR.join(each) for each in roles], dtype=pl.String))
    return pl.DataFrame(columns)


def _closely(kind: str, found: _Kind, record: Any) -> tuple[dict[str, str], list[str]] | None:
    shaped = Shaped(kind, record if isinstance(record, dict) else {})
    identity = shaped.cells.get("sourcedId", "")
    for drift in shaped.drifts:
        if not drift.refused:
            found.drifts.setdefault(drift.field, []).append((identity, drift))
    if shaped.usable:
        return shaped.cells, shaped.roles
    if identity:
        found.lost.add(identity)
    found.problems += [_refused(kind, identity, each) for each in shaped.drifts if each.refused]
    return None


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


def _together(pages: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """All pages of a kind, each sourcedId once: of two records the one that changed later, or came later."""
    empty = pl.DataFrame(schema=dict.fromkeys(_ALWAYS, pl.String))
    frame = pl.concat([empty, *pages], how="diagonal")
    if frame["sourcedId"].is_duplicated().any():
        ordered = frame.with_row_index("at").sort("dateLastModified", maintain_order=True)
        frame = ordered.unique("sourcedId", keep="last").sort("at").drop("at")
    unsaid = [name for name in frame.columns if name.startswith("metadata.") or name in UNSAID]
    texts = pl.exclude(LINE, _ROLES, *unsaid)
    frame = frame.with_columns(texts.fill_null("")).with_row_index(LINE, FIRST_LINE)
    return frame.with_columns(pl.col(LINE).cast(pl.Int64))


def _roles(users: pl.DataFrame) -> pl.DataFrame:
    rows = users.select(
        pl.col("sourcedId").alias("userSourcedId"),
        pl.col(_ROLES).str.split(SEPARATOR).alias("role"),
        "status",
        "dateLastModified",
    )
    rows = rows.explode("role").filter(pl.col("role") != "").with_row_index(LINE, FIRST_LINE)
    identity = pl.concat_str("userSourcedId", pl.lit("/"), "role").alias("sourcedId")
    return rows.with_columns(pl.col(LINE).cast(pl.Int64), identity)
