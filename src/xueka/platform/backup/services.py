"""Wishes for backups and drills, their record, and what the city's page shows; `keeper` fulfils them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.db import IntegrityError, transaction

from xueka.kernel import clock
from xueka.kernel.errors import Conflict
from xueka.platform.audit import services as audit
from xueka.platform.backup import archive, configuration, container, making
from xueka.platform.backup.models import Run
from xueka.platform.identity.actor import Actor

RECENT = 20


def ask(actor: Actor, kind: str) -> Run:
    """Wish for a backup (`backup`) or a drill (`drill`); the keeper takes it up within seconds."""
    actor.require("city:backup:run")
    try:
        with transaction.atomic():
            run = Run.objects.create(kind=kind, state="asked", asked_by=actor.username, asked_at=clock.now())
    except IntegrityError:
        raise Conflict("BACKUP_ASKED", "已经有一个在等候。", action="请等它完成。") from None
    audit.record(actor, f"{kind}.ask", "backup_run", run.id)
    return run


def begin(actor: Actor, kind: str, *, scheduled: bool = False) -> Run:
    """A run that starts at once."""
    now = clock.now()
    return Run.objects.create(
        kind=kind,
        state="running",
        scheduled=scheduled,
        asked_by=actor.username,
        asked_at=now,
        started_at=now,
    )


def finish(actor: Actor, run: Run, *, error: str = "") -> None:
    """The end of a run, on record and in the audit log."""
    with transaction.atomic():
        run.state, run.error, run.finished_at = "failed" if error else "done", error, clock.now()
        run.save()
        audit.record(
            actor,
            f"{run.kind}.{'fail' if error else 'finish'}",
            "backup_run",
            run.id,
            result="failed" if error else "done",
            detail={"file": run.file_name, "size": run.size, **({"error": error} if error else {})},
        )


def give_up_abandoned(actor: Actor) -> int:
    """Runs that nobody works on any more (killed, or restored from a backup of that moment) have failed."""
    left = list(Run.objects.filter(state="running"))
    for run in left:
        finish(actor, run, error="中途被中断。")
    return len(left)


@dataclass(frozen=True, slots=True)
class Stored:
    """A backup file as its head (which anybody can read) and the disk describe it."""

    path: Path
    size: int
    made_at: datetime
    scheduled: bool
    seal: str
    custodians: tuple[str, ...] = ()
    threshold: int = 0


def stored(folder: Path | None = None) -> list[Stored]:
    """The finished backups of a folder, the newest first; other files are passed over."""
    found = []
    for path in (folder or configuration.folder()).glob(f"*{making.SUFFIX}"):
        try:
            with path.open("rb") as file:
                head, _ = container.read_head(file)
            if head["format"] not in archive.READS:
                continue
            seal = head["seal"]
            found.append(
                Stored(
                    path,
                    path.stat().st_size,
                    datetime.fromisoformat(head["made_at"]),
                    bool(head["scheduled"]),
                    seal["kind"],
                    tuple(seal.get("names", ())),
                    int(seal.get("threshold", 0)),
                )
            )
        except (OSError, ValueError, KeyError, TypeError, container.BadInput):
            continue
    return sorted(found, key=lambda each: each.made_at, reverse=True)


@dataclass(frozen=True, slots=True)
class Overview:
    """What the page 备份 shows. `warnings` are sentences for whoever is responsible."""

    backups: list[Stored]
    runs: list[Run]
    underway: Run | None
    last_drill: Run | None
    warnings: list[str]


def overview() -> Overview:
    """Files, runs, the present one, the last good drill, and what is not as it should be."""
    backups, schedule = stored(), configuration.schedule()
    last_drill = Run.objects.filter(kind="drill", state="done").order_by("-finished_at").first()
    underway = Run.objects.filter(state__in=["asked", "running"]).order_by("-state", "id").first()
    warnings = []
    if configuration.key_lies_beside_the_data():
        warnings.append(
            "备份的口令文件与数据放在同一处：只适合演示。正式使用请设立保管人或另行指定口令文件。"
        )
    if configuration.is_beside_the_data():
        warnings.append("备份与数据在同一目录：磁盘损坏会同时失去两者。请用 XUEKA_BACKUP_DIR 指定另一处。")
    if schedule.hour is None:
        warnings.append("每日自动备份没有开启。")
    elif not backups or clock.now() - backups[0].made_at > timedelta(hours=26):
        warnings.append("最近一天没有成功的备份。")
    drilled = last_drill.finished_at if last_drill else None
    if drilled is None:
        warnings.append("还没有做过恢复演练：没有演练过的备份不能算数。")
    elif clock.now() - drilled > timedelta(days=schedule.drill_days):
        warnings.append(f"距上次恢复演练已超过 {schedule.drill_days} 天。")
    return Overview(backups, list(Run.objects.order_by("-id")[:RECENT]), underway, last_drill, warnings)


def run_of(run_id: int) -> Run | None:
    return Run.objects.filter(id=run_id).first()
