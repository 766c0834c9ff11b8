"""School lists and rosters: tried first, then imported, with every doubtful row named."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.registry import api as registry
from xueka.contexts.schoolyear import api as year
from xueka.entrypoints.design import downloads
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.ui import Action, Badge, Confirm, DropZone, Fact, Link, Preview, Wont
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import BadInput, NotFound
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_KINDS = {"roster": "学籍名册", "schools": "学校名单", "oneroster": "OneRoster 数据包"}
_COLUMNS = {"roster": registry.ROSTER_COLUMNS, "schools": registry.SCHOOL_COLUMNS}
_IMPORTS = {
    "roster": registry.import_roster,
    "schools": registry.import_schools,
    "oneroster": registry.import_oneroster,
}
_FORMS = {"roster": "XLSX 或 CSV", "schools": "XLSX 或 CSV", "oneroster": "zip"}
_PACKAGE = "OneRoster 1.2 的 zip 包，全量或增量，里面要有 manifest.csv；各文件和北京扩展列见接口文档。"
_LISTS = {
    "orgs": "学校",
    "classes": "班级",
    "users": "用户",
    "enrollments": "在读",
    "demographics": "人口信息",
}
_CHANGED = {
    "new": "新学生",
    "name": "姓名",
    "sex": "性别",
    "school": "学校",
    "class": "班级",
    "status": "学籍状态",
    "deleted": "登记方删除，记为缺失",
    "left_out": "全量中没有，记为缺失",
    "no_class": "没有在读班级，记为缺失",
}
SHOWN = 500


@require_http_methods(["GET", "POST"])
@portal_view("city:registry:import")
def page(request: StaffRequest) -> HttpResponse:
    if request.method == "POST":
        return _take(request)
    url = reverse("city:imports")
    runs = registry.import_runs(request.actor.scope, limit=30)
    names = shapes.Names()
    fetches = registry.fetches(request.actor, limit=1)
    shown = {
        "actions": _fetch_actions(fetches),
        "fetch": _fetch_facts(fetches[0]) if fetches else [],
        "zones": [
            (
                label,
                reverse("city:import_form", args=[kind]) if kind in _COLUMNS else "",
                shapes.columns_in_words(_COLUMNS[kind]) if kind in _COLUMNS else _PACKAGE,
                DropZone(
                    url,
                    label=f"把{label}（{_FORMS[kind]}）拖到这里",
                    hint="先试算，不改数据；看过结果再正式导入。",
                    accept=".zip" if kind == "oneroster" else ".xlsx,.csv",
                    button="试算",
                    params={"kind": kind, "dry_run": "1"},
                ),
                DropZone(
                    url,
                    label=f"把{label}（{_FORMS[kind]}）拖到这里",
                    hint="有错的行不影响其他行；同一份文件再导一次不会有改动。",
                    accept=".zip" if kind == "oneroster" else ".xlsx,.csv",
                    button="正式导入",
                    params={"kind": kind},
                ),
            )
            for kind, label in _KINDS.items()
        ],
        "runs": [
            (
                run.at,
                Link(run.file_name, reverse("city:import_run", args=[run.id])),
                _KINDS.get(run.kind, run.kind),
                Badge("试算", "neutral") if run.dry_run else Badge("已导入", "ok"),
                run.rows,
                run.created,
                run.updated,
                run.rejected,
                names[run.actor],
            )
            for run in runs
        ],
    }
    return render(request, "city/imports.html", shown)


def _fetch_facts(found: registry.OneRosterFetch) -> list[Fact]:
    """The latest fetch from the student registry: how far it is, its differences, what became of it."""
    counts = "，".join(f"{_LISTS.get(kind, kind)} {count}" for kind, count in found.counts.items())
    if found.run:
        end: object = Link("已导入", reverse("city:import_run", args=[found.run_id]))
    elif found.waits:
        end = "等人决定"
    else:
        end = "没有导入" if found.ended_at else "正在获取"
    facts = [
        Fact("第几次", found.id, "全量" if found.full else "增量"),
        Fact("开始", found.started_at),
        Fact("取到", counts or "还没有"),
        Fact("结果", end, found.problem),
    ]
    if found.check_run_id:
        facts.append(Fact("差异", Link("看差异", reverse("city:import_run", args=[found.check_run_id]))))
    return facts


def _fetch_actions(fetches: list[registry.OneRosterFetch]) -> list[Action]:
    """Fetch now, or decide what waits; none where the student registry has handed nothing over."""
    if not registry.has_registry() and not fetches:
        return []
    last = fetches[0] if fetches else None
    if last and not last.ended_at:
        drop = Confirm("放弃获取", "取到的不导入；下次再取。", "放弃")
        apply = Confirm("应用差异", "按看过的差异导入，30 天内可以撤回。", "应用")
        found = [Action("放弃获取", reverse("city:fetch_drop", args=[last.id]), "post", "ban", confirm=drop)]
        if last.waits:
            url = reverse("city:fetch_apply", args=[last.id])
            found.insert(0, Action("应用差异", url, "post", "check", "primary", confirm=apply))
        return found
    url = reverse("city:fetch")
    return [
        Action("获取变化", url, "post", "refresh", "primary"),
        Action("获取全部", url, "post", "file-import", params={"full": "1"}),
    ]


@require_POST
@portal_view("city:registry:import")
def fetch(request: StaffRequest) -> HttpResponse:
    """Have the worker fetch from the student registry now; whoever asks sees the differences first."""
    made = registry.ask_fetch(request.actor, full=request.POST.get("full") == "1", check_only=True)
    flash(request, f"第 {made.id} 次获取已开始；取齐后先看差异，再应用。")
    return redirect("city:imports")


@require_POST
@portal_view("city:registry:import")
def fetch_apply(request: StaffRequest, number: int) -> HttpResponse:
    """Bring in what was looked at, and go where its consequences are."""
    report = registry.apply_fetch(request.actor, number)
    flash(request, f"已应用：新建 {report.created}，更新 {report.updated}，拒收 {report.rejected}。")
    return redirect("city:import_run", registry.fetches(request.actor, limit=1)[0].run_id)


@require_POST
@portal_view("city:registry:import")
def fetch_drop(request: StaffRequest, number: int) -> HttpResponse:
    registry.drop_fetch(request.actor, number)
    flash(request, f"第 {number} 次获取已放弃。")
    return redirect("city:imports")


@require_GET
@portal_view("city:registry:import")
def form(request: StaffRequest, kind: str) -> HttpResponse:
    """An empty list with the headings that are read."""
    if kind not in _COLUMNS:
        raise NotFound("IMPORT_KIND_UNKNOWN", "没有这种名单。")
    return downloads.blank_list(_KINDS[kind], [(each.header, each.required) for each in _COLUMNS[kind]])


@require_GET
@portal_view("city:registry:import")
def result(request: StaffRequest, run_id: int) -> HttpResponse:
    """A result that can be kept: figures and every line that was refused or is doubtful."""
    run = registry.import_run(request.actor.scope, run_id)
    errors, warnings = run.report.get("errors", []), run.report.get("warnings", [])
    shown = {
        "run": run,
        "facts": [
            Fact("文件", run.file_name),
            Fact("方式", "试算，没有改动数据" if run.dry_run else "已导入"),
            Fact("行数", run.rows),
            Fact("新建", run.created),
            Fact("更新", run.updated),
            Fact("未变", run.unchanged),
            Fact("拒收", run.rejected),
            *([Fact("撤回", run.reverted_at, shapes.actor_name(run.reverted_by))] if run.reverted_at else []),
        ],
        "missing": _missing(run),
        "changed": _changed(request, run),
        "actions": _actions(request, run),
        "errors": errors[:SHOWN],
        "more_errors": max(0, len(errors) - SHOWN),
        "warnings": warnings[:SHOWN],
    }
    return render(request, "city/import_run.html", shown)


def _changed(request: StaffRequest, run: registry.ImportRun) -> list[tuple[object, str, str]]:
    """Of whom a package says what: the student, which values, and from which school to which."""
    said = run.report.get("changed", [])
    moves = {each["education_id"]: each for each in run.report["differences"]} if said else {}
    ids = [each["education_id"] for each in said]
    links = {
        each.education_id: shapes.student_link(each)
        for each in registry.student_rows(request.actor.scope).filter(education_id__in=ids)
    }
    names = registry.school_names(
        {each[side] for each in moves.values() for side in ("from_school", "to_school")}
    )
    return [
        (
            links.get(one, one),
            "、".join(_CHANGED[each] for each in row["columns"]) or ("转学" if one in moves else "其他信息"),
            _way(moves.get(one), names),
        )
        for row in said
        for one in [row["education_id"]]
    ]


def _way(move: dict[str, str] | None, names: dict[str, str]) -> str:
    if move is None:
        return ""
    there, here = (names.get(move[side], move[side]) for side in ("to_school", "from_school"))
    return f"{here} → {there}{'（跨区，待双方确认）' if move['pending'] else ''}"


def _missing(run: registry.ImportRun) -> list[Fact]:
    """Who is missing by a package, and who is back."""
    if run.kind != "oneroster":
        return []
    said = run.report
    return [
        Fact("登记方删除", said["deleted"]),
        Fact("全量中没有", said["left_out"]),
        Fact("没有在读班级", said.get("unenrolled", 0)),
        Fact("又出现", said["returned"]),
        Fact("怎么办", "人数超限，须由人逐一确认" if said["held"] else "核实后办理离校"),
        Fact("不是学生", said["others"]),
    ]


def _actions(request: StaffRequest, run: registry.ImportRun) -> list[Action]:
    """What follows from a package: exchanges for what cards show, leavers, the way back."""
    if run.kind != "oneroster" or run.reverted_at:
        return []
    if run.dry_run:
        waiting = [each for each in registry.fetches(request.actor, limit=1) if each.check_run_id == run.id]
        return _fetch_actions(waiting) if waiting and waiting[0].waits else []
    changed = registry.printed_changes(run.id).count()
    ask = Confirm("准备换卡", f"{changed} 名学生的卡面信息变了。先看预览，另一人确认后才办。", "开始预览")
    none = "" if changed else "这次导入没有改动卡面上的信息。"
    back = registry.why_not_reverted(run)
    found = [
        Action(
            "准备换卡",
            reverse("city:import_exchange", args=[run.id]),
            "post",
            "arrows-exchange",
            confirm=ask,
            disabled_reason=none,
        ),
        Action(
            "撤回导入",
            reverse("city:import_revert", args=[run.id]),
            "post",
            "arrow-back-up",
            disabled_reason=back.message if back else "",
        ),
    ]
    if any(run.report.get(cause) for cause in ("deleted", "left_out", "unenrolled")):
        found.insert(
            0, Action("核实缺失的学生", reverse("city:absences"), icon="user-question", tone="primary")
        )
    return found if request.actor.may("city:year:manage") else found[-1:]


@require_POST
@portal_view("city:year:manage")
def exchange(request: StaffRequest, run_id: int) -> HttpResponse:
    """Begin the preview of exchanges for cards that show what the run has changed."""
    told = {"reason": "data_change", "of_run": run_id}
    return redirect("objects:year_job", year.create_job(request.actor, "exchange", "city", "", told).number)


@require_POST
@portal_view("city:registry:import")
def revert_preview(request: StaffRequest, run_id: int) -> HttpResponse:
    """What taking the run back would do, and what it cannot."""
    found = year.revert_run(request.actor, run_id, preview=True)
    sure = Confirm("撤回导入", "学生恢复成导入前的样子；恢复不了的不动。", "撤回")
    done = f"收回转学 {found.transfers} 笔，收回缺失 {found.absences} 条。"
    shown = {
        "preview": Preview(
            "撤回导入",
            found.restored,
            f"恢复成导入前的样子；{done}",
            Action(
                "撤回导入",
                reverse("city:import_revert_do", args=[run_id]),
                "post",
                "arrow-back-up",
                "primary",
                confirm=sure,
            ),
            reverse("city:import_run", args=[run_id]),
            wont=[
                *(
                    Wont(
                        registry.REVERT_NOTES[code],
                        count,
                        [Link(each, shapes.student_url(each)) for each in found.examples[code]],
                    )
                    for code, count in found.kept.items()
                ),
                *([Wont("新建的学生不会删除", found.created)] if found.created else []),
            ],
        )
    }
    return render(request, "city/preview.html", shown)


@require_POST
@portal_view("city:registry:import")
def revert(request: StaffRequest, run_id: int) -> HttpResponse:
    done = year.revert_run(request.actor, run_id)
    flash(request, f"已撤回：恢复 {done.restored} 人，未动 {done.kept.total()} 人。")
    return redirect("city:import_run", run_id)


def _take(request: StaffRequest) -> HttpResponse:
    file, kind = request.FILES.get("file"), request.POST.get("kind", "")
    if file is None or kind not in _KINDS:
        raise BadInput("FILE_MISSING", "没有收到文件。", action="请选择 XLSX、CSV 或 zip 文件后再试。")
    dry_run, content = request.POST.get("dry_run") == "1", file.read()
    if kind == "roster" and registry.is_package(content):
        kind = "oneroster"
    report = _IMPORTS[kind](request.actor, content, file.name or "", dry_run=dry_run)
    word = "试算完成，没有改动数据" if dry_run else "导入完成"
    flash(
        request,
        f"{word}：共 {report.rows} 行，新建 {report.created}，"
        f"更新 {report.updated}，拒收 {report.rejected}。",
        "wait" if report.rejected else "ok",
    )
    latest = registry.import_runs(request.actor.scope, limit=1)
    return redirect("city:import_run", latest[0].id) if latest else redirect("city:imports")
