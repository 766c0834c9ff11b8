"""Backups: what there is, how old it is, whether it was ever tried, and starting one."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.entrypoints.design import formats
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.ui import Action, Badge, Confirm, LongWork, Tile
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import NotFound
from xueka.platform.backup import configuration, services
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_KINDS = {"backup": "备份", "drill": "恢复演练"}
_STATES = {
    "asked": Badge("等候", "wait"),
    "running": Badge("进行中", "progress"),
    "done": Badge("完成", "ok"),
    "failed": Badge("失败", "bad"),
}
_SEALS = {"passphrase": "口令", "custodians": "保管人"}


@require_GET
@portal_view("city:backup:read")
def page(request: StaffRequest) -> HttpResponse:
    found = services.overview()
    names = shapes.Names()
    shown = {
        "found": found,
        "tiles": _tiles(found),
        "actions": _actions() if request.actor.may("city:backup:run") and not found.underway else [],
        "work": _work(found),
        "runs": [(run, _KINDS[run.kind], _STATES[run.state], names[run.asked_by]) for run in found.runs],
        "backups": [(each, _sealed_to(each)) for each in found.backups],
        "schedule": configuration.schedule(),
        "folder": configuration.folder(),
    }
    return render(request, "city/backups.html", shown)


@require_POST
@portal_view("city:backup:run")
def start(request: StaffRequest, kind: str) -> HttpResponse:
    if kind not in _KINDS:
        raise NotFound("BACKUP_KIND", "没有这项操作。")
    services.ask(request.actor, kind)
    flash(request, f"{_KINDS[kind]}已安排，几秒内开始；可以离开本页。")
    return redirect("city:backups")


@require_GET
@portal_view("city:backup:read")
def progress(request: StaffRequest) -> HttpResponse:
    """The part of the page that is asked for again while something is under way."""
    return render(request, "city/backup_work.html", {"work": _work(services.overview())})


def _tiles(found: services.Overview) -> list[Tile]:
    last = found.backups[0] if found.backups else None
    drill = found.last_drill
    proved = (
        f"{drill.done:,} 行相符，{drill.detail['invariants']} 项核对无违反" if drill else "还没有做过恢复演练"
    )
    whole = sum(each.size for each in found.backups)
    return [
        Tile(
            "最近的备份",
            formats.age(last.made_at) if last else "没有",
            f"{formats.moment(last.made_at)}，{formats.size(last.size)}" if last else "还没有备份",
            tone="ok" if last else "bad",
            icon="database",
        ),
        Tile(
            "最近的演练",
            formats.age(drill.finished_at) if drill and drill.finished_at else "没有",
            proved,
            tone="ok" if drill else "bad",
            icon="shield-check",
        ),
        Tile("留存", len(found.backups), f"共 {formats.size(whole)}", icon="archive", unit="份"),
    ]


def _actions() -> list[Action]:
    return [
        Action("立即备份", reverse("city:backup_start", args=["backup"]), "post", "database", "primary"),
        Action(
            "恢复演练",
            reverse("city:backup_start", args=["drill"]),
            "post",
            "shield-check",
            confirm=Confirm(
                "用最新的备份做恢复演练？",
                "在临时目录里恢复、核对、比较行数，然后清除；不影响正在使用的数据。",
                "开始演练",
            ),
        ),
    ]


def _work(found: services.Overview) -> LongWork | None:
    run = found.underway
    if run is None:
        return None
    label = f"{_KINDS[run.kind]}{'进行中' if run.state == 'running' else '等候中'}"
    return LongWork(label, run.done, run.total, reverse("city:backup_progress"), unit="行")


def _sealed_to(each: services.Stored) -> str:
    if each.seal != "custodians":
        return _SEALS.get(each.seal, each.seal)
    return f"保管人（{len(each.custodians)} 位中的 {each.threshold} 位）"
