"""Papers with the transit company: ranges, schedule, hand-overs, the whole hot-list; what differs."""

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.numbers import api as numbers
from xueka.contexts.transit import api as transit
from xueka.entrypoints.design import states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import Action, Confirm, Empty, Fact, Link, ObjectHead
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import XuekaError
from xueka.platform.history import queries as history
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

#: Members of what was told and answered, as the page calls them.
_WORDS = {
    "count": "数量",
    "reason": "用途",
    "state": "状态",
    "quantity": "张数",
    "planned_on": "送出",
    "due_on": "应收回",
    "document": "来文号",
    "direction": "方向",
    "order": "排产单",
    "rejected": "不合格",
    "digest": "摘要",
    "on": "日期",
    "replaces": "更正",
    "accepted": "对方接受",
    "note": "说明",
    "prefix": "前缀",
    "width": "流水位数",
    "first": "起",
    "last": "止",
}


class RangeForm(WordedForm):
    count = forms.IntegerField(label="要多少个号", min_value=1, max_value=100_000_000)
    reason = forms.CharField(label="用途", max_length=200)


@require_GET
@portal_view("city:range:read")
def papers(request: StaffRequest) -> HttpResponse:
    may = request.actor.may(transit.REVIEW)
    listed, unconfirmed = transit.hot_counts()
    actions = [
        Action("申请号段", reverse("city:transit_range"), icon="plus", tone="primary"),
        Action(
            "送黑名单全量",
            reverse("city:transit_hot_list"),
            "post",
            "ban",
            confirm=Confirm("送黑名单全量", f"现有 {listed:,} 张，对方核对张数和摘要。", "送出"),
        ),
    ]
    listing = DataList(
        request,
        transit.paper_rows(request.actor.scope),
        name="papers",
        caption="与一卡通公司的往来",
        columns=[
            Column("编号", "number", kind="code"),
            Column("事项", lambda row: transit.PAPERS[row.kind]),
            Column("状态", lambda row: states.badge("transit_paper", row.state)),
            Column("送出", "sent_at", kind="number", sort="sent"),
            Column("答复", "answered_at", kind="number"),
            Column("处理说明", "note", minor=True),
        ],
        sorts={"sent": ("sent_at", "id")},
        default_sort="-sent",
        filters=[
            Filter(
                "state",
                "状态",
                lambda rows, code: rows.filter(state=code),
                transit.PAPER.choices,
                kind="tabs",
            ),
            Filter("kind", "事项", lambda rows, code: rows.filter(kind=code), list(transit.PAPERS.items())),
        ],
        url=lambda row: reverse("city:transit_paper", args=[row.id]),
        label=lambda row: row.number,
        unit="份",
        empty=Empty("还没有往来", "排产、交接和申请的号段会自动送一卡通公司确认。", icon="arrows-exchange"),
    )
    shown = {
        "title": "一卡通往来",
        "sub": f"黑名单现有 {listed:,} 张，{unconfirmed:,} 张的变动对方闸机还没有确认。",
        "actions": actions if may and transit.connected() else [],
        "list": listing,
    }
    return render(request, "objects/list.html", shown)


@require_http_methods(["GET", "POST"])
@portal_view(transit.REVIEW)
def ask_range(request: StaffRequest) -> HttpResponse:
    form = RangeForm(request.POST or None)
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            made = transit.ask_range(request.actor, **form.cleaned_data)
        except XuekaError as refusal:
            problem = refusal
        else:
            flash(request, f"{made.number} 已送一卡通公司。")
            return redirect("city:transit_paper", made.id)
    shown = {
        "title": "申请号段",
        "words": "一卡通公司批下来后，由您核对登记。",
        "form": form,
        "problem": problem,
        "button": "申请",
        "back": Link("一卡通往来", reverse("city:transit_papers")),
    }
    return render(request, "city/form.html", shown, status=400 if problem or form.errors else 200)


@require_POST
@portal_view(transit.REVIEW)
def hot_list(request: StaffRequest) -> HttpResponse:
    made = transit.send_whole(request.actor)
    flash(request, f"{made.number} 已送出 {made.ours['count']:,} 张，等对方核对。")
    return redirect("city:transit_paper", made.id)


@require_GET
@portal_view("city:range:read")
def paper(request: StaffRequest, paper_id: int) -> HttpResponse:
    found = transit.paper(request.actor.scope, paper_id)
    names = [name for name in _WORDS if name in found.ours or name in found.theirs]
    shown = {
        "title": found.number,
        "head": ObjectHead(
            title=found.number,
            kind=transit.PAPERS[found.kind],
            state=states.badge("transit_paper", found.state),
            facts=[
                Fact("送出", found.sent_at, f"第 {found.turn} 次" if found.turn > 1 else ""),
                Fact("答复", found.answered_at),
                Fact("处理说明", found.note),
            ],
            actions=_actions(request, found),
        ),
        "rows": [(_WORDS[name], _said(name, found.ours), _said(name, found.theirs)) for name in names],
        "events": shapes.steps(
            history.timeline({"transit_paper": [found.id]}),
            {code: transit.PAPER.event_label(code) for code in transit.PAPER.event_codes}
            | {"create": "送出"},
        ),
    }
    return render(request, "city/transit_paper.html", shown)


@require_POST
@portal_view(transit.REVIEW)
def act(request: StaffRequest, paper_id: int, verb: str) -> HttpResponse:
    if verb not in ("take", "leave"):
        raise Http404
    found = transit.paper(request.actor.scope, paper_id)
    if verb == "take":
        transit.take(request.actor, found.id)
        flash(request, f"{found.number} 已采用。")
    else:
        transit.leave(request.actor, found.id, request.POST.get("note", ""))
        flash(request, f"{found.number} 登记为不采用。", "wait")
    return redirect("city:transit_paper", paper_id)


def _said(name: str, told: dict[str, object]) -> object:
    """A member as the page says it."""
    value = told.get(name)
    if name == "state":
        return numbers.INITIALISATION.state(str(value)).label if value else None
    if name == "direction":
        return {"send": "送出", "receive": "收回"}.get(str(value))
    if name == "digest":
        return str(value)[:16] if value else None
    return value if value != "" else None


def _actions(request: StaffRequest, found: transit.Paper) -> list[Action]:
    if found.state != "answered" or not request.actor.may(transit.REVIEW):
        return []
    leave = Action(
        "不采用",
        reverse("city:transit_paper_act", args=[found.id, "leave"]),
        "post",
        "ban",
        confirm=Confirm("不采用", "写明与对方核对的结果。", "登记", "required", reason_label="理由"),
    )
    if found.kind not in ("range", "schedule") or not found.theirs.get("accepted"):
        return [leave]
    words = "登记这个号段" if found.kind == "range" else "按对方的日期改期"
    take = Action(
        words,
        reverse("city:transit_paper_act", args=[found.id, "take"]),
        "post",
        "check",
        "primary",
        confirm=Confirm(words, "请先核对对方给的内容。", words),
    )
    return [take, leave]
