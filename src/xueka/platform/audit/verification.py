"""Reading the whole chain and saying where it was touched."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from xueka.platform.audit import canonical, sealing
from xueka.platform.audit.head import Head
from xueka.platform.audit.models import Unsealed

UNSEALED_SECONDS = 60
NAMED = 100  # so many problems are named; all are counted

_KINDS = {
    "altered": "第 {seq} 环与封存时不符：内容或次序被改动（记录 {entry}）",
    "entry_missing": "第 {seq} 环的记录 {entry} 已被删除",
    "seal_missing": "链环缺失：从第 {seq} 环起，到第 {until} 环止",
    "unsealed": "记录 {entry} 超过 {seconds} 秒仍未封存：封存程序停了，或它是绕过封存插入的",
    "unsealed_missing": "待封存的记录 {entry} 已被删除",
    "truncated": "链尾被截断：库外链头是第 {head} 环，库内最后是第 {seq} 环",
    "head_missing": "库外链头文件缺失，库内最后是第 {seq} 环",
    "head_differs": "第 {head} 环与库外链头的摘要不同：该环或它之前的链被整体重写",
    "head_behind": "库外链头停在第 {head} 环，库内已到第 {seq} 环，相差不止一次封存",
    "head_unreadable": "库外链头文件无法读取",
}


@dataclass(frozen=True, slots=True)
class ChainStatus:
    """What can be told without reading the chain: the last link, what waits, and whether the head agrees."""

    sealed: int
    sealed_at: datetime | None
    waiting: int
    contradiction: str | None


@dataclass(frozen=True, slots=True)
class Problem:
    """`kind` is stable; `seq` the link and `entry` the entry id, where there is one."""

    kind: str
    message: str
    seq: int | None = None
    entry: int | None = None

    def as_dict(self) -> dict[str, object]:
        return {"kind": self.kind, "seq": self.seq, "entry": self.entry, "message": self.message}


@dataclass(slots=True)
class ChainReport:
    """`checked` links and waiting entries were looked at; `violated` problems found, the first ones named."""

    sealed: int = 0
    unsealed: int = 0
    violated: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def checked(self) -> int:
        return self.sealed + self.unsealed

    def as_dict(self) -> dict[str, object]:
        return {
            "checked": self.checked,
            "sealed": self.sealed,
            "unsealed": self.unsealed,
            "violated": self.violated,
            "problems": [problem.as_dict() for problem in self.problems],
        }

    def add(self, kind: str, *, seq: int | None = None, entry: int | None = None, **values: object) -> None:
        self.violated += 1
        if len(self.problems) < NAMED:
            text = _KINDS[kind].format(seq=seq, entry=entry, seconds=UNSEALED_SECONDS, **values)
            self.problems.append(Problem(kind, text, seq, entry))


def status() -> ChainStatus:
    """The chain's state in one line, for a page; `verify` is what proves it."""
    with sealing.quiet():
        found, last = sealing.stored_head(), sealing.last_seal()
        wrong = sealing.contradiction(found, last)
    waiting = Unsealed.objects.count()
    return ChainStatus(last.seq if last else 0, last.at if last else None, waiting, wrong)


def verify() -> ChainReport:
    """Recompute every link. Accepts entries unsealed for a minute at most, a head one act behind at most."""
    report = ChainReport()
    last = _compare_head(report)
    _read_chain(report, last)
    _look_for_unsealed(report)
    return report


def _compare_head(report: ChainReport) -> int:
    """Returns the number up to which the chain is to be read: what is sealed later is not our business."""
    with sealing.quiet():
        found, last = sealing.stored_head(), sealing.last_seal()
        wrong = sealing.contradiction(found, last)
    seq = last.seq if last else 0
    if wrong:
        report.add(wrong, seq=seq, head=found.seq if isinstance(found, Head) else 0)
    return seq


def _read_chain(report: ChainReport, last: int) -> None:
    query = f"""
        SELECT s.seq, s.digest, {canonical.microseconds("s.sealed_at")}, s.entry_id, {canonical.columns("e")}
          FROM audit_seal s LEFT JOIN audit_entry e ON e.id = s.entry_id
         WHERE s.seq <= %s ORDER BY s.seq
    """  # noqa: S608
    previous: bytes | None = canonical.GENESIS
    expected = 1
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(query, [last])
        for seq, stored, sealed_at, entry_id, *entry in _streamed(cursor):
            if seq != expected:
                report.add("seal_missing", seq=expected, until=seq - 1)
                previous = None  # the link after a gap has nothing to be checked against
            if entry[0] is None:
                report.add("entry_missing", seq=seq, entry=entry_id)
            elif previous is not None and canonical.digest(previous, seq, sealed_at, entry) != stored:
                report.add("altered", seq=seq, entry=entry_id)
            previous = stored
            expected = seq + 1
            report.sealed += 1


def _streamed(cursor: CursorWrapper) -> Iterator[tuple[Any, ...]]:
    while rows := cursor.fetchmany(5_000):
        yield from rows


def _look_for_unsealed(report: ChainReport) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT e.id, e.recorded_at < clock_timestamp() - make_interval(secs => %s)
              FROM audit_entry e
             WHERE NOT EXISTS (SELECT FROM audit_seal s WHERE s.entry_id = e.id)
             ORDER BY e.id
            """,
            [UNSEALED_SECONDS],
        )
        for entry_id, overdue in cursor.fetchall():
            report.unsealed += 1
            if overdue:
                report.add("unsealed", entry=entry_id)
        cursor.execute(
            """
            SELECT u.entry_id FROM audit_unsealed u
             WHERE NOT EXISTS (SELECT FROM audit_entry e WHERE e.id = u.entry_id) ORDER BY 1
            """
        )
        for (entry_id,) in cursor.fetchall():
            report.add("unsealed_missing", entry=entry_id)
