"""The queue of breaks: who looks after which, why it is there, and the second person's word."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.treasury import api as treasury
from xueka.entrypoints.design import formats, states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.listing import Bulk, Column, DataList, Filter, Selection, narrow
from xueka.entrypoints.design.ui import Action, Confirm, Empty, Fact, Link, ObjectHead, Preview, Wont
from xueka.entrypoints.portals.finance import looks, stories, weeks
from xueka.entrypoints.portals.finance.home import reconcile_action
from xueka.entrypoints.portals.finance.nav import READ
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Refused, XuekaError
from xueka.platform.history import queries as history
from xueka.platform.identity import accounts
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_EXPLAIN, _SIGN = "city:reconciliation:explain", "city:reconciliation:sign"
_STATES = [(state.code, state.label) for state in treasury.BREAK.states]
_AGES = {"1": "超过 1 天", "3": "超过 3 天", "7": "超过 7 天"}
_MOST = 500


def _filters(me: str) -> list[Filter]:
    return [
        Filter("state", "状态", lambda rows, code: rows.filter(state=code), _STATES, kind="tabs"),
        Filter("q", "单号", _by_number, kind="search", placeholder="订单号、渠道单号"),
        Filter("kind", "差错", lambda rows, code: rows.filter(kind=code), list(treasury.BREAK_KINDS.items())),
        Filter("channel", "渠道", lambda rows, code: rows.filter(channel=code), list(looks.CHANNELS.items())),
        Filter("week", "周", _in_week, [(each.code, each.label) for each in weeks.last(12)]),
        Filter("age", "已有", _older, list(_AGES.items())),
        Filter(
            "owner",
            "负责人",
            lambda rows, code: rows.filter(owner=me if code == "me" else ""),
            [("me", "我"), ("none", "还没有")],
        ),
        Filter("sign", "长短", _signed, [("over", "长款"), ("short", "短款")]),
    ]


@require_GET
@portal_view(READ)
def queue(request: StaffRequest) -> HttpResponse:
    actor, names = request.actor, shapes.Names()
    url = reverse("finance:breaks_preview", args=["sign"])
    bulk = [
        Bulk("说明", reverse("finance:breaks_preview", args=["explain"]), icon="message-2"),
        Bulk("签认", url, icon="user-check", tone="primary"),
    ]
    listing = DataList(
        request,
        _rows(actor),
        name="breaks",
        caption="对账差错",
        columns=[
            Column("差错", lambda row: treasury.BREAK_KINDS[row.kind]),
            Column("金额", lambda row: row.fen, sort="fen", kind="money"),
            Column("状态", lambda row: states.badge("break", row.state)),
            Column("渠道", lambda row: looks.CHANNELS[row.channel]),
            Column("日期", "day", kind="number"),
            Column("单号", looks.break_about, kind="code", minor=True),
            Column("已有", lambda row: formats.age(row.since), sort="since", kind="number"),
            Column("负责人", lambda row: names[row.owner] if row.owner else "", minor=True),
        ],
        sorts={"since": ("since", "id"), "fen": ("fen", "id")},
        filters=_filters(actor.username),
        bulk=bulk if actor.may(_EXPLAIN) else [],
        url=lambda row: reverse("finance:break", args=[row.pk]),
        label=lambda row: treasury.BREAK_KINDS[row.kind],
        unit="项",
        empty=Empty(
            "没有差错",
            "对账时，订单、渠道账单、财政确认、账簿有一处不同，就会列在这里；再次对账已相符的会自己消除。",
            icon="checks",
        ),
    )
    shown = {
        "title": "对账差错",
        "sub": "先由一人说明原因，再由另一人签认。",
        "list": listing,
        "actions": [reconcile_action(weeks.of_day(clock.today() - timedelta(days=1)), "breaks")],
        "ages": _ageing(actor),
    }
    return render(request, "finance/breaks.html", shown)


@require_GET
@portal_view(READ)
def one(request: StaffRequest, break_id: int) -> HttpResponse:
    row = treasury.break_row(request.actor.scope, break_id)
    story = treasury.story_of_break(request.actor.scope, row)
    given = looks.receipts_of(request.actor.scope, story)
    labels = {code: treasury.BREAK.event_label(code) for code in treasury.BREAK.event_codes}
    names = shapes.Names()
    shown = {
        "head": ObjectHead(
            treasury.BREAK_KINDS[row.kind],
            formats.yuan(row.fen),
            "长款" if row.fen > 0 else "短款" if row.fen < 0 else "对账差错",
            states.badge("break", row.state),
            facts=[
                Fact("渠道", looks.CHANNELS[row.channel]),
                Fact("日期", row.day),
                Fact("单号", looks.break_about(row)),
                Fact("渠道单号", row.channel_id),
                Fact("详情", row.detail),
                Fact("已有", formats.age(row.since), f"{formats.compact(row.since)} 首次发现"),
                Fact("负责人", names[row.owner] if row.owner else ""),
                Fact("说明", row.explanation, names[row.explained_by] if row.explained_by else ""),
                Fact("签认", names[row.signed_by] if row.signed_by else ""),
            ],
            actions=_actions(request.actor, row),
        ),
        "story": stories.panels(story, given),
        "steps": stories.steps(story, given),
        "links": _links(row, story),
        "events": shapes.steps(history.timeline({"break": [row.pk]}), labels | {"create": "对账发现"}),
    }
    return render(request, "finance/break.html", shown)


@require_POST
@portal_view(_EXPLAIN, _SIGN)
def act(request: StaffRequest, break_id: int, verb: str) -> HttpResponse:
    actor, note = request.actor, request.POST.get("note", "")
    if verb == "explain":
        treasury.explain(actor, break_id, note)
        flash(request, "已说明，等另一位财务人员签认。")
    elif verb == "sign":
        treasury.sign_off(actor, break_id, request.POST.get("seen", ""))
        flash(request, "已签认。")
    elif verb == "take":
        treasury.assign(actor, break_id, actor.username)
        flash(request, "由您负责。")
    elif verb == "assign":
        owner = request.POST.get("reason", "")
        if owner not in _people():
            raise BadInput("OWNER_UNKNOWN", "请选择负责人。", expected="、".join(_people().values()))
        treasury.assign(actor, break_id, owner)
        flash(request, f"由{_people()[owner]}负责。")
    else:
        raise Http404
    return redirect("finance:break", break_id)


@require_POST
@portal_view(_EXPLAIN, _SIGN)
def preview(request: StaffRequest, verb: str) -> HttpResponse:
    """What a bulk action would do and leave alone."""
    selection = Selection.of(request)
    will, wont, more = _sorted(request, verb, selection)
    seen = {"seen": [f"{row.pk}:{row.mark}" for row in will]}  # what is shown here is done, nothing else
    do = reverse("finance:breaks_do", args=[verb])
    total = formats.yuan(sum(row.fen for row in will))
    if verb == "explain":
        sure = Confirm(
            f"说明 {len(will)} 项差错", "同一句话写到每一项上。", "说明", "required", reason_label="原因"
        )
        action = Action("写说明", do, "post", "message-2", "primary", confirm=sure, params=seen)
        words = f"共 {total}，写上同一个原因"
    else:
        action = Action("签认", do, "post", "user-check", "primary", params=seen)
        words = f"共 {total}，说明人都不是您"
    shown = {
        "preview": Preview(
            "批量说明" if verb == "explain" else "批量签认",
            len(will),
            words,
            action,
            reverse("finance:breaks"),
            [
                *(
                    Wont(reason, len(rows), [_named(row) for row in rows[:5]])
                    for reason, rows in wont.items()
                ),
                *([Wont(f"一次最多 {_MOST} 项，请分次办理", more)] if more else []),
            ],
            [_named(row) for row in will[:8]],
            unit="项",
        )
    }
    return render(request, "finance/preview.html", shown)


@require_POST
@portal_view(_EXPLAIN, _SIGN)
def do(request: StaffRequest, verb: str) -> HttpResponse:
    """What the preview has shown, whole; nothing where it is another by now."""
    seen = dict(each.split(":", 1) for each in request.POST.getlist("seen") if ":" in each)
    will, _, _ = _sorted(request, verb, Selection(list(seen)))
    if {str(row.pk): row.mark for row in will} != seen:
        raise Refused(
            "BREAK_CHANGED",
            "预览以后，有的差错或它的说明又改过，一项也没有办理。",
            action="请重新选择、预览。",
        )
    for row in will:
        if verb == "explain":
            treasury.explain(request.actor, row.pk, request.POST.get("note", ""))
        else:
            treasury.sign_off(request.actor, row.pk, seen[str(row.pk)])
    flash(request, f"已{'说明' if verb == 'explain' else '签认'} {len(will)} 项。")
    return redirect("finance:breaks")


def _sorted(
    request: StaffRequest, verb: str, selection: Selection
) -> tuple[list[treasury.BreakRow], Mapping[str, list[treasury.BreakRow]], int]:
    """What the act is for, what it is not for and why, and how many are left for later."""
    if verb not in ("explain", "sign"):
        raise Http404
    me = request.actor.username
    rows = _rows(request.actor)
    if selection.everything:
        rows = narrow(rows, _filters(me), selection.filters)
    else:
        rows = rows.filter(pk__in=[key for key in selection.keys if key.isdecimal()])
    will: list[treasury.BreakRow] = []
    wont: dict[str, list[treasury.BreakRow]] = {}
    for row in rows[:_MOST]:
        why = _why_not(row, verb, me)
        if why:
            wont.setdefault(why, []).append(row)
        else:
            will.append(row)
    return will, wont, max(0, rows.count() - _MOST)


def _why_not(row: treasury.BreakRow, verb: str, me: str) -> str:
    try:
        treasury.BREAK.target(verb, row.state)
    except XuekaError:
        return f"状态是“{treasury.BREAK.state(row.state).label}”"
    return "您自己说明的，须由另一人签认" if verb == "sign" and row.explained_by == me else ""


def _named(row: treasury.BreakRow) -> Link:
    words = f"{treasury.BREAK_KINDS[row.kind]} {formats.yuan(row.fen)}"
    return Link(words, reverse("finance:break", args=[row.pk]))


def _rows(actor: Actor) -> QuerySet[treasury.BreakRow]:
    return treasury.breaks(actor.scope)


def _in_week(rows: Any, code: str) -> Any:
    week = next(each for each in weeks.last(12) if each.code == code)
    return rows.filter(day__range=(week.monday, week.sunday))


def _older(rows: Any, days: str) -> Any:
    return rows.filter(since__lt=clock.now() - timedelta(days=int(days)))


def _signed(rows: Any, code: str) -> Any:
    return rows.filter(fen__gt=0) if code == "over" else rows.filter(fen__lt=0)


def _by_number(rows: Any, text: str) -> Any:
    return rows.filter(number=text) | rows.filter(key=text) | rows.filter(channel_id=text)


def _ageing(actor: Actor) -> list[tuple[str, list[int]]]:
    """Open breaks by age: to explain, to sign. Empty where none is open."""
    now = clock.now()
    bands = [("1 天内", 0, 1), ("1–3 天", 1, 3), ("3–7 天", 3, 7), ("7 天以上", 7, 36500)]
    rows = list(_rows(actor).filter(state__in=["open", "explained"]).values_list("state", "since"))
    if not rows:
        return []
    return [
        (
            label,
            [
                sum(state == wanted and low <= (now - since).days < high for state, since in rows)
                for wanted in ("open", "explained")
            ],
        )
        for label, low, high in bands
    ]


def _people() -> dict[str, str]:
    """Who may look after a break, by user name; as many as can be chosen by one key."""
    rows = accounts.in_state(accounts.holding(accounts.user_rows(), "finance"), "active")
    return {user.username: user.name for user in rows.order_by("username")[:9]}


def _links(row: treasury.BreakRow, story: treasury.Story) -> list[Link]:
    links = []
    if story.order:
        number = story.order.number
        links.append(Link(number, reverse("finance:order", args=[number]), "订单", "receipt"))
        links.append(shapes.student_link(story.order.student))
    if (row.channel, "trade") in treasury.FORMS:
        url = looks.place(row.channel, row.day)
        links.append(Link(f"{looks.CHANNELS[row.channel]} {row.day}", url, "账单", "file-invoice"))
    return links


def _actions(actor: Actor, row: treasury.BreakRow) -> list[Action]:
    def post(verb: str, label: str, icon: str, tone: str = "default", **more: Any) -> Action:
        return Action(label, reverse("finance:break_act", args=[row.pk, verb]), "post", icon, tone, **more)

    if row.state in ("gone", "signed") or not actor.may(_EXPLAIN):
        return []
    body = f"{looks.CHANNELS[row.channel]} {row.day} {formats.yuan(row.fen)}"
    why = Confirm("为什么有这项差错", body, "说明", "required", reason_label="原因")
    people = list(_people().items())
    hand = Confirm("由谁负责", body, "指定", reasons=people, reason_label="负责人")
    actions = []
    if row.state == "explained":
        mine = row.explained_by == actor.username
        reason = "您自己说明的，请另一位财务人员签认" if mine else ""
        sure = Confirm("签认这项差错", f"{body}：{row.explanation}", "签认")
        seen = {"seen": row.mark}
        actions.append(
            post("sign", "签认", "user-check", "primary", disabled_reason=reason, confirm=sure, params=seen)
        )
    again = row.state == "explained"
    tone = "default" if again else "primary"
    actions.append(post("explain", "改写说明" if again else "说明", "message-2", tone, confirm=why))
    if row.owner != actor.username:
        actions.append(post("take", "我来负责", "hand-stop"))
    actions.append(post("assign", "指定负责人", "user-share", confirm=hand))
    return actions
