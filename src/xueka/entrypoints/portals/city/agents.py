"""Issuing agents: which counter PC may write cards, how it does, and what was written on it."""

from collections.abc import Mapping

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.personalization import api as personalization
from xueka.entrypoints.design import formats, states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import Action, Confirm, Empty, Event, Fact, Link, ObjectHead
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.districts import DISTRICTS
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

READ, MANAGE = "city:personalization:read", "city:agent:manage"
_VERBS = {
    "block": personalization.block,
    "unblock": personalization.unblock,
    "resume": personalization.resume,
}
_WORDS = {"block": "禁用", "unblock": "解除禁用", "resume": "恢复"}


@require_GET
@portal_view(READ, MANAGE)
def listing(request: StaffRequest) -> HttpResponse:
    found = DataList(
        request,
        personalization.agents(request.actor.scope),
        name="agents",
        caption="发卡代理",
        columns=[
            Column("名称", "name", sort="name"),
            Column("代号", "code", kind="code", minor=True),
            Column("所在", lambda row: _place(row.district)),
            Column("状态", lambda row: states.badge("issuing_agent", row.state)),
            Column("最近联系", lambda row: row.last_seen_at),
            Column("版本", "version", minor=True),
            Column("一天写成", "made", kind="number"),
            Column("一天作废", "spoiled", kind="number"),
        ],
        sorts={"name": ("name", "id")},
        filters=[Filter("q", "名称", lambda rows, text: rows.filter(name__icontains=text), kind="search")],
        url=lambda row: reverse("city:agent", args=[row.pk]),
        label=lambda row: row.name,
        unit="台",
        empty=Empty(
            "还没有发卡代理",
            "给柜台电脑发一个注册码，在那台电脑上注册后，它会出现在这里。",
            icon="device-desktop",
        ),
    )
    places = list(DISTRICTS.items()) if request.actor.may(MANAGE) else []
    shown = {"list": found, "districts": places, "docs": reverse("agent_docs")}
    return render(request, "city/agents.html", shown)


@require_POST
@portal_view(MANAGE)
def make_code(request: StaffRequest) -> HttpResponse:
    """The code is shown once, on this page; a page that is loaded again has none."""
    code, until = personalization.make_code(request.actor, request.POST.get("district", ""))
    place = _place(request.POST.get("district", ""))
    address = request.build_absolute_uri("/").rstrip("/")
    shown = {"code": code, "until": until, "place": place, "back": Link("发卡代理", reverse("city:agents"))}
    return render(request, "city/agent_code.html", {**shown, "address": address})


@require_GET
@portal_view(READ, MANAGE)
def page(request: StaffRequest, agent_id: int) -> HttpResponse:
    agent = personalization.agent(request.actor.scope, agent_id)
    found = DataList(
        request,
        personalization.sessions(request.actor.scope).filter(agent=agent),
        name="agent_sessions",
        caption="写卡记录",
        columns=session_columns(),
        sorts={"id": ("-id",)},
        url=lambda row: reverse("city:session", args=[row.pk]),
        label=lambda row: str(row.pk),
        unit="次",
        empty=Empty("还没有写过卡", "柜台写卡后，记录会出现在这里。", icon="id"),
    )
    head = ObjectHead(
        title=agent.name,
        number=agent.code,
        kind="发卡代理",
        state=states.badge("issuing_agent", agent.state),
        facts=[
            Fact("所在", _place(agent.district)),
            Fact("版本", agent.version),
            Fact("注册", formats.moment(agent.enrolled_at), shapes.actor_name(agent.enrolled_by)),
            Fact("最近联系", agent.last_seen_at, agent.address),
            *(Fact(f"读卡器 {each.name}", _reader(each)) for each in personalization.readers(agent.pk)),
            *(
                Fact(f"打印机 {each['name']}", each.get("message") or each["state"])
                for each in agent.printers
            ),
        ],
        actions=_actions(request, agent),
    )
    return render(request, "city/headed_list.html", {"title": agent.name, "head": head, "list": found})


@require_POST
@portal_view(MANAGE, "district:card:issue")
def act(request: StaffRequest, agent_id: int, verb: str) -> HttpResponse:
    agent = personalization.agent(request.actor.scope, agent_id)
    if verb in _VERBS:
        _VERBS[verb](request.actor, agent.pk, request.POST.get("note", ""))
        flash(request, f"{agent.name}：已{_WORDS[verb]}。")
    return redirect("city:agent", agent.pk)


def session_columns() -> list[Column]:
    """What lists of sessions show."""
    return [
        Column("序号", "pk", kind="code"),
        Column("学生卡", lambda row: row.card.number if row.card else None, kind="code"),
        Column("芯片", "chip_uid", kind="code", minor=True),
        Column("状态", lambda row: states.badge("personalization", row.state)),
        Column("说明", "message", minor=True),
        Column("时间", lambda row: row.state_at),
    ]


def _actions(request: StaffRequest, agent: personalization.Agent) -> list[Action]:
    actions = []
    for verb, icon, tone, may in (
        ("resume", "player-play", "primary", request.actor.may("district:card:issue")),
        ("unblock", "lock-open", "primary", request.actor.may(MANAGE)),
        ("block", "lock", "danger", request.actor.may(MANAGE)),
    ):
        if may and personalization.AGENT.allows(verb, agent.state):
            ask = Confirm(f"{_WORDS[verb]}{agent.name}", "", _WORDS[verb], "required", reason_label="理由")
            url = reverse("city:agent_act", args=[agent.pk, verb])
            actions.append(Action(_WORDS[verb], url, "post", icon, tone, confirm=ask))
    return actions


def _reader(reader: personalization.ReaderView) -> str:
    return "代理没有联系" if reader.away else reader.label


def _printer(printer: Mapping[str, str]) -> str:
    words = {"idle": "空闲", "processing": "打印中", "stopped": "停止", "gone": "未连接"}
    return "，".join(filter(None, (words.get(printer["state"], ""), printer.get("message", ""))))


def _place(district: str) -> str:
    return DISTRICTS.get(district, district) or "市级"


def journal(session: personalization.Session) -> list[Event]:
    """A session as a timeline: every run with what came of it."""
    events = []
    for run in personalization.runs(session.pk):
        titles = list(dict.fromkeys(title for title in run.titles if title != "取随机数"))
        words = f"{len(run.words)}/{len(run.titles)} 条，{run.milliseconds} 毫秒" if run.words else "没有应答"
        tone = "ok" if run.outcome == "done" else "bad" if run.outcome else "progress"
        events.append(Event("、".join(titles) or "取随机数", run.handed_out_at, "", words, tone))
    return events[::-1]
