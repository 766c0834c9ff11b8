"""A job of the school year: its preview with reasons, its progress, its result, and the way back."""

from collections.abc import Callable

from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.production import api as production
from xueka.contexts.registry import api as registry
from xueka.contexts.schoolyear import api as year
from xueka.entrypoints.design import formats, states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import (
    Action,
    Badge,
    Confirm,
    Empty,
    Fact,
    Link,
    LongWork,
    ObjectHead,
    Part,
    Preview,
    SumStrip,
    Wont,
)
from xueka.entrypoints.portals.objects import shapes
from xueka.platform.history import queries as history
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE, Scope
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_SHOWN = 100
_UNITS = {"new_classes": "班", "rename": "所", "close": "所", "exchange": "张"}
#: What a piece also touches: word of the plan → words of the preview.
_ALSO = {
    "close": "份申领将关闭，撤回作业时不恢复",
    "keep": "张卡不变",
    "limit": "张卡将缩短有效期",
    "cancel": "张卡将在期满之日注销",
    "cancel_now": "张卡将注销，注销以后不能恢复",
    "going_on": "人升入本校下一学段",
    "exchange": "份升学段换卡将备好草稿",
    "applications": "份在办申领随学生走",
    "underway": "张卡正在制作或配送",
    "officers": "位卡管人员的权限随之调整",
}
_PIECES = {
    "waiting": ("待算", "neutral"),
    "planned": ("待办", "wait"),
    "idle": ("无需办理", "ended"),
    "blocked": ("先处理别的", "stop"),
    "done": ("已办", "ok"),
    "failed": ("没有办成", "bad"),
    "undone": ("已撤回", "ended"),
}
_OUTCOMES = {
    "planned": ("待办", "neutral"),
    "done": ("已办", "ok"),
    "skipped": ("没有办", "wait"),
    "undone": ("已恢复", "ended"),
    "kept": ("没有恢复", "bad"),
}


def listing(request: StaffRequest) -> DataList:
    """The jobs that concern the reader, newest first."""
    return DataList(
        request,
        year.job_rows(request.actor.scope),
        name="year-jobs",
        caption="学年作业",
        columns=[
            Column("编号", "number", kind="code"),
            Column("办什么", lambda row: year.KINDS[row.kind]),
            Column("范围", reach),
            Column("状态", lambda row: states.badge("year_job", row.state)),
            Column("建立", "created_at", kind="number", sort="made", minor=True),
        ],
        sorts={"made": ("created_at", "id")},
        default_sort="-made",
        filters=[
            Filter(
                "state",
                "状态",
                lambda rows, code: rows.filter(state=code),
                [(state.code, state.label) for state in year.YEAR_JOB.states],
                kind="tabs",
            )
        ],
        url=lambda row: reverse("objects:year_job", args=[row.number]),
        label=lambda row: row.number,
        unit="项",
        empty=Empty("还没有作业", "升级、毕业、合并学校等办过之后，都留在这里。", icon="calendar-event"),
    )


def reach(job: year.Job) -> str:
    """Where a job works, in words."""
    if job.school:
        return job.school.name
    return job.district.name if job.district else "全市"


@require_GET
@portal_view("school:year:manage")
def job(request: StaffRequest, number: str) -> HttpResponse:
    actor: Actor = request.actor
    found = year.job(actor.scope, number)
    numbers = year.figures(actor.scope, found)
    unit = _UNITS.get(found.kind, "人")
    pieces = year.piece_rows(actor.scope, number)
    troubled = pieces.filter(state__in=["blocked", "failed"]).order_by("school__code")
    shown = {
        "job": found,
        "head": _head(actor, found, numbers, unit),
        "work": _work(found, numbers),
        "preview": _preview(actor, found, numbers, unit),
        "sum": _sum(found, numbers, unit),
        "also": [f"{formats.count(count)} {_ALSO[word]}" for word, count in numbers.also.items()],
        "troubled": [_piece(each) for each in troubled[:_SHOWN]],
        "broken": [_piece(each) for each in pieces.exclude(error="").filter(state="done")[:_SHOWN]],
        "schools": [_piece(each) for each in pieces.filter(planned__gt=0).order_by("school__code")[:_SHOWN]],
        "moves": [_move(each) for each in year.moves(actor.scope, number, limit=_SHOWN)],
        "shown": _SHOWN,
        "events": shapes.steps(
            history.timeline({"year_job": [found.id]}),
            {code: year.YEAR_JOB.event_label(code) for code in year.YEAR_JOB.event_codes}
            | {"create": "建立"},
        ),
        "back": Link("学年", home_of(actor.scope)),
    }
    return render(request, "objects/year_job.html", shown)


def home_of(scope: Scope) -> str:
    """The page of the school year of whoever looks."""
    return reverse(f"{scope.level if scope.level != 'system' else 'city'}:year")


@require_GET
@portal_view("school:year:manage")
def report(request: StaffRequest, number: str) -> HttpResponse:
    """The result as a file to keep."""
    found = year.job(request.actor.scope, number)
    answer = JsonResponse(
        year.report(request.actor.scope, found), json_dumps_params={"ensure_ascii": False, "indent": 1}
    )
    answer.headers["Content-Disposition"] = f'attachment; filename="{number}.json"'
    return answer


@require_POST
@portal_view("school:year:manage")
def create(request: StaffRequest, kind: str) -> HttpResponse:
    """A job of the reader's own reach, or of the place named: its preview begins at once."""
    scope: Scope = request.actor.scope
    level = request.POST.get("level", scope.level)
    place = request.POST.get("place", {"district": scope.district, "school": scope.school}.get(level, ""))
    parameters = {"count": request.POST["count"]} if "count" in request.POST else {}
    made = year.create_job(request.actor, kind, level, place, parameters)
    return redirect("objects:year_job", made.number)


_VERBS: dict[str, tuple[Callable[[Actor, str, str], year.Job], str]] = {
    "confirm": (lambda actor, number, note: year.confirm_job(actor, number), "已确认，系统正在逐校办理。"),
    "replan": (lambda actor, number, note: year.replan_job(actor, number), "已重新预览。"),
    "cancel": (lambda actor, number, note: year.cancel_job(actor, number), "已取消，没有任何改动。"),
    "resume": (lambda actor, number, note: year.resume_job(actor, number), "正在重办没有办成的学校。"),
    "undo": (year.take_back_job, "正在撤回，逐人恢复。"),
}


@require_POST
@portal_view("school:year:manage")
def act(request: StaffRequest, number: str, verb: str) -> HttpResponse:
    if verb not in _VERBS:
        raise Http404
    do, said = _VERBS[verb]
    do(request.actor, number, request.POST.get("note", ""))
    flash(request, said)
    return redirect("objects:year_job", number)


def _head(actor: Actor, found: year.Job, numbers: year.Figures, unit: str) -> ObjectHead:
    facts = [
        Fact("学年", year.school_year_label(found.school_year)),
        Fact("范围", reach(found), f"{formats.count(numbers.total)} 所学校"),
        Fact("建立", found.created_at, shapes.actor_name(found.created_by)),
        Fact("确认", found.confirmed_at, shapes.actor_name(found.confirmed_by)),
        Fact("办完", found.finished_at),
        Fact("可撤回到", found.undo_until),
    ]
    facts += [Fact(label, value) for label, value in _told(found)]
    return ObjectHead(
        title=f"{year.KINDS[found.kind]}　{reach(found)}",
        number=found.number,
        kind="学年作业",
        state=states.badge("year_job", found.state),
        facts=facts,
        actions=_actions(actor, found, numbers),
    )


def _told(found: year.Job) -> list[tuple[str, str]]:
    """The parameters of a job in words."""
    told = found.parameters
    pairs = [
        ("并出", _names(told.get("from", []))),
        ("并入", _names([told["into"]] if "into" in told else [])),
        ("学校", _names([*told.get("schools", []), *([told["school"]] if "school" in told else [])])),
        ("新名称", told.get("name", "")),
        ("班数", str(told.get("count", ""))),
        ("依据", told.get("of_job") or (f"导入 {told['of_run']}" if told.get("of_run") else "")),
        ("说明", found.reason),
    ]
    return [(label, value) for label, value in pairs if value]


def _names(codes: list[str]) -> str:
    """Schools by name: who looks at a job may read which schools it is about."""
    return "、".join(registry.school(EVERYWHERE, code).name for code in codes)


def _actions(actor: Actor, found: year.Job, numbers: year.Figures) -> list[Action]:
    keep = Action("下载结果", reverse("objects:year_report", args=[found.number]), icon="download")
    if not year.may_manage(actor, found):
        return [keep]

    def post(verb: str, label: str, icon: str, ask: Confirm | None = None, reason: str = "") -> Action:
        url = reverse("objects:year_act", args=[found.number, verb])
        return Action(label, url, "post", icon, confirm=ask, disabled_reason=reason)

    back = Confirm("撤回作业", "办过的逐人恢复；之后又有变动的不动，并写明原因。", "撤回", "required")
    drawn = {
        "replan": post("replan", "重新预览", "refresh"),
        "undo": post("undo", "撤回", "arrow-back-up", back, year.why_not_taken_back(found)),
        "cancel": post("cancel", "取消作业", "trash"),
    }
    may = [action for verb, action in drawn.items() if year.YEAR_JOB.allows(verb, found.state)]
    if found.state == "done" and numbers.schools.get("failed"):
        may.insert(0, post("resume", "重办没有办成的学校", "repeat"))
    return [*may, keep]


def _work(found: year.Job, numbers: year.Figures) -> LongWork | None:
    labels = {"draft": "正在预览", "confirmed": "等待执行", "running": "正在办理", "taking_back": "正在撤回"}
    if found.state not in labels:
        return None
    left = {"draft": "waiting", "confirmed": "planned", "running": "planned", "taking_back": "done"}
    done = numbers.total - numbers.schools.get(left[found.state], 0)
    here = reverse("objects:year_job", args=[found.number])
    return LongWork(labels[found.state], done, numbers.total, here, numbers.seconds_left, unit="所学校")


def _preview(actor: Actor, found: year.Job, numbers: year.Figures, unit: str) -> Preview | None:
    if found.state != "previewed":
        return None
    blocked = numbers.schools.get("blocked", 0)
    why = ""
    if not year.may_manage(actor, found):
        why = "这项作业不由您这一级确认。"
    elif found.created_by == actor.username and year.needs_another(found):
        why = "由您建立，须由另一个人确认。"
    elif not numbers.planned:
        why = "没有可以办的内容。"
    days = year.rules().undo_days
    doing = Action(
        f"确认{year.KINDS[found.kind]}",
        reverse("objects:year_act", args=[found.number, "confirm"]),
        "post",
        "check",
        "primary",
        disabled_reason=why,
    )
    examples = [
        Link(f"{each.student.name} {_label(each)}") for each in year.moves(actor.scope, found.number, limit=5)
    ]
    return Preview(
        f"{year.KINDS[found.kind]}预览",
        numbers.planned,
        f"在 {formats.count(numbers.schools.get('planned', 0))} 所学校"
        + (f"；另有 {formats.count(blocked)} 所要先处理别的" if blocked else "")
        + "。",
        doing,
        home_of(actor.scope),
        wont=[
            Wont(
                year.WONT.get(code, code), count, [Link(each, shapes.student_url(each)) for each in examples]
            )
            for code, (count, examples) in numbers.wont.items()
        ],
        examples=examples,
        unit=unit,
        after=f"办完后 {days} 天内可以撤回。",
    )


def _sum(found: year.Job, numbers: year.Figures, unit: str) -> SumStrip | None:
    if found.state not in ("running", "done", "taking_back", "taken_back"):
        return None
    rest = numbers.planned - numbers.done - numbers.skipped - numbers.undone - numbers.kept
    return SumStrip(
        f"预览（{unit}）",
        numbers.planned,
        [
            Part("已办", numbers.done, "ok"),
            Part("有变动没有办", numbers.skipped, "wait"),
            Part("已恢复", numbers.undone, "ended"),
            Part("不能恢复", numbers.kept, "bad"),
            Part("还没有办", rest, "neutral"),
        ],
    )


def _piece(piece: year.Piece) -> dict[str, object]:
    label, tone = _PIECES[piece.state]
    return {
        "school": piece.school.name,
        "district": piece.school.district.name,
        "state": Badge(label, tone),
        "planned": piece.planned,
        "done": piece.done + piece.undone,
        "said": piece.error or "；".join(piece.blockers),
    }


def _move(each: year.Move) -> dict[str, object]:
    label, tone = _OUTCOMES[each.outcome]
    before = shapes.class_of(each.before_class)
    return {
        "student": Link(each.student.name, shapes.student_url(each.student.education_id)),
        "before": before,
        "after": _label(each),
        "outcome": Badge(label, tone),
        "note": year.WONT.get(each.note, ""),
    }


def _label(each: year.Move) -> str:
    """Where a student goes: the class, and what changes besides."""
    place = production.class_label(each.after_stage, each.after_grade, each.after_name)
    if each.ended_by == "merged":
        return f"{each.after_school.name} {place}"
    if each.after_status != each.before_status:
        return each.after_status
    return f"→ {place}"
