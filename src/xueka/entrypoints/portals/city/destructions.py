"""Destroying dead cards: a list that is filled by scanner or by choice, then signed before two witnesses."""

from collections import defaultdict
from collections.abc import Sequence

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.cards import api as cards
from xueka.entrypoints.design import states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.listing import Bulk, Column, DataList, Filter, Selection, narrow
from xueka.entrypoints.design.ui import (
    Action,
    Confirm,
    Empty,
    Fact,
    Link,
    ObjectHead,
    Preview,
    Scan,
    ScanLine,
    Wont,
)
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, XuekaError
from xueka.platform.history import queries as history
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

AT_ONCE = 5000
_EXAMPLES = 8
_UNDO_UP_TO = 300


class SignForm(WordedForm):
    destroyed_on = forms.DateField(label="销毁日期", widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    place = forms.CharField(label="地点", max_length=64)
    method = forms.CharField(label="方式", max_length=64, initial="粉碎")
    done_by = forms.CharField(label="销毁人", max_length=64)
    witness_1 = forms.CharField(label="监销人一", max_length=64, help_text="须与另外两人不同。")
    witness_2 = forms.CharField(label="监销人二", max_length=64)
    document = forms.CharField(label="记录编号", max_length=100, help_text="三人签字的纸质记录的编号。")


@require_GET
@portal_view("city:card:destroy")
def listing(request: StaffRequest) -> HttpResponse:
    scope = request.actor.scope
    waiting = cards.to_destroy(scope).count()
    new = Action("新销毁单", reverse("city:destruction_new"), "post", "plus", "primary")
    rows = DataList(
        request,
        cards.destruction_rows(scope),
        name="destructions",
        caption="销毁单",
        columns=[
            Column("销毁单", "number", kind="code"),
            Column("状态", lambda row: states.badge("destruction", row.state)),
            Column("张数", "card_count", kind="number"),
            Column("销毁日期", "destroyed_on", kind="number"),
            Column("地点", "place", minor=True),
            Column("监销人", lambda row: "、".join(filter(None, [row.witness_1, row.witness_2])), minor=True),
            Column("建立", "created_at", sort="made", kind="number", minor=True),
        ],
        sorts={"made": ("created_at", "id")},
        default_sort="-made",
        filters=[
            Filter(
                "state",
                "状态",
                lambda found, code: found.filter(state=code),
                cards.DESTRUCTION.choices,
                kind="tabs",
            ),
            Filter("q", "销毁单号", lambda found, text: found.filter(number__iexact=text), kind="search"),
        ],
        url=lambda row: reverse("city:destruction", args=[row.number]),
        label=lambda row: row.number,
        unit="单",
        empty=Empty("还没有销毁单", "制卡失败、作废、注销后收回的卡，扫进销毁单，监销后签字。", new, "trash"),
    )
    shown = {
        "title": "销毁",
        "sub": f"有 {waiting:,} 张失败、作废或注销的卡不在任何销毁单上；收到实物的才扫进来。",
        "actions": [new],
        "list": rows,
    }
    return render(request, "objects/list.html", shown)


@require_POST
@portal_view("city:card:destroy")
def new(request: StaffRequest) -> HttpResponse:
    made = cards.open_destruction(request.actor)
    flash(request, f"销毁单 {made.number} 已建立。请逐张扫入要销毁的卡。")
    return redirect("city:destruction", made.number)


@require_GET
@portal_view("city:card:destroy")
def page(request: StaffRequest, number: str) -> HttpResponse:
    """The list while it is filled; afterwards the record, to be printed."""
    return _page(request, cards.destruction(request.actor.scope, number), SignForm(initial=_today()))


@require_http_methods(["GET", "POST"])
@portal_view("city:card:destroy")
def scan(request: StaffRequest, number: str) -> HttpResponse:
    """Each card that is scanned lies on the list at once."""
    if request.method != "POST":
        return redirect("city:destruction", number)
    try:
        card = cards.collect_scanned(request.actor, number, request.POST.get("code", ""))
    except XuekaError as refusal:
        said, tone = refusal.message, "wait" if refusal.code == "CARD_ON_LIST" else "bad"
    else:
        said, tone = f"{card.number} {card.student.name} 已放入", "ok"
    if request.headers.get("HX-Request") == "true":
        return render(request, "city/scan_lines.html", {"scan": _scan(request.actor, number, said, tone)})
    flash(request, said, "ok" if tone == "ok" else "wait")
    return redirect("city:destruction", number)


@require_GET
@portal_view("city:card:destroy")
def candidates(request: StaffRequest, number: str) -> HttpResponse:
    """Dead cards that are on no list, to be chosen together (a crate of failed ones from the bureau)."""
    rows = DataList(
        request,
        cards.to_destroy(request.actor.scope),
        name="to_destroy",
        caption="可销毁的卡",
        columns=[
            Column("卡号", "number", kind="code"),
            Column("姓名", "student__name"),
            Column("学校", "school__name", minor=True),
            Column("状态", lambda row: states.badge("card", row.state)),
            Column("自何时", "state_at", sort="since", kind="number"),
        ],
        sorts={"since": ("state_at", "id")},
        filters=_filters(),
        bulk=[Bulk("放入销毁单", reverse("city:destruction_add", args=[number]), "plus", "primary", "a")],
        url=lambda row: reverse("objects:card", args=[row.number]),
        label=lambda row: row.number,
        unit="张",
        empty=Empty("没有可销毁的卡", "失败、作废、注销的卡会出现在这里。", icon="checks"),
    )
    shown = {
        "title": f"放入销毁单 {number}",
        "sub": "只选手里有实物的卡。",
        "list": rows,
        "back": Link(f"销毁单 {number}", reverse("city:destruction", args=[number])),
    }
    return render(request, "objects/list.html", shown)


@require_POST
@portal_view("city:card:destroy")
def add(request: StaffRequest, number: str) -> HttpResponse:
    """Preview of what goes onto the list."""
    actor: Actor = request.actor
    ids = _chosen(actor, Selection.of(request))
    result = cards.preview_collect(actor, ids)
    wont: dict[str, int] = defaultdict(int)
    for _, _, message in result.refused:
        wont[message] += 1
    found = cards.card_rows(actor.scope).filter(id__in=result.done[:_EXAMPLES])
    doing = Action(
        f"放入 {len(result.done):,} 张",
        reverse("city:destruction_collect", args=[number]),
        "post",
        "check",
        "primary",
        disabled_reason="" if result.done else "所选的一张也不能放入。",
        params={"keys": result.done},
    )
    shown = Preview(
        f"放入销毁单 {number}",
        len(result.done),
        "签字之前都可以取出。",
        doing,
        reverse("city:destruction_candidates", args=[number]),
        wont=[Wont(message, count) for message, count in list(wont.items())[:_EXAMPLES]],
        examples=[Link(card.number, reverse("objects:card", args=[card.number])) for card in found],
        unit="张",
    )
    return render(request, "objects/preview.html", {"title": "放入销毁单", "preview": shown})


@require_POST
@portal_view("city:card:destroy")
def collect(request: StaffRequest, number: str) -> HttpResponse:
    result = cards.collect(request.actor, number, _numbers(request.POST.getlist("keys")))
    undo = Action(
        "撤销",
        reverse("city:destruction_take_out", args=[number]),
        "post",
        "arrow-back-up",
        params={"keys": result.done},
    )
    small = 0 < len(result.done) <= _UNDO_UP_TO
    rest = f"；{len(result.refused)} 张没有放入：{result.refused[0][2]}" if result.refused else ""
    flash(request, f"已放入 {len(result.done)} 张{rest}。", undo=undo if small else None)
    return redirect("city:destruction", number)


@require_POST
@portal_view("city:card:destroy")
def take_out(request: StaffRequest, number: str) -> HttpResponse:
    gone = cards.take_out(request.actor, number, _numbers(request.POST.getlist("keys")))
    flash(request, f"已取出 {gone} 张。")
    return redirect("city:destruction", number)


@require_POST
@portal_view("city:card:destroy")
def take_out_number(request: StaffRequest, number: str) -> HttpResponse:
    """One card, by the number that was scanned."""
    card = cards.card(request.actor.scope, request.POST.get("code", ""))
    cards.take_out(request.actor, number, [card.id])
    flash(request, f"{card.number} 已取出。")
    return redirect("city:destruction", number)


@require_POST
@portal_view("city:card:destroy")
def sign(request: StaffRequest, number: str) -> HttpResponse:
    form = SignForm(request.POST)
    found = cards.destruction(request.actor.scope, number)
    if not form.is_valid():
        return _page(request, found, form, status=400)
    try:
        signed = cards.sign(request.actor, number, **form.cleaned_data)
    except XuekaError as refusal:
        return _page(request, cards.destruction(request.actor.scope, number), form, refusal, 400)
    flash(request, f"销毁单 {number} 已签字，{signed.card_count:,} 张卡已销毁。请打印存档。")
    return redirect("city:destruction", number)


@require_POST
@portal_view("city:card:destroy")
def cancel(request: StaffRequest, number: str) -> HttpResponse:
    cards.cancel_destruction(request.actor, number, request.POST.get("note", ""))
    flash(request, f"销毁单 {number} 已取消，单上的卡可以放进别的销毁单。")
    return redirect("city:destruction", number)


def _page(
    request: StaffRequest,
    found: cards.Destruction,
    form: forms.Form,
    problem: XuekaError | None = None,
    status: int = 200,
) -> HttpResponse:
    actor: Actor = request.actor
    places = cards.destruction_places(actor.scope, found.number)
    collecting = found.state == cards.DESTRUCTION.initial
    count = places.count()
    shown = {
        "record": found,
        "collecting": collecting,
        "count": count,
        "head": ObjectHead(
            title=found.number,
            kind="销毁单",
            state=states.badge("destruction", found.state),
            facts=_facts(found, count),
            actions=_actions(found) if collecting else [],
        ),
        "scan": _scan(actor, found.number) if collecting else None,
        "form": form,
        "problem": problem,
        "places": list(places) if found.state == "signed" else [],
        "people": [
            ("销毁人", found.done_by),
            ("监销人", found.witness_1),
            ("监销人", found.witness_2),
        ],
        "events": shapes.steps(
            history.timeline({"destruction": [found.id]}),
            {code: cards.DESTRUCTION.event_label(code) for code in cards.DESTRUCTION.event_codes}
            | {"create": "建立"},
        ),
    }
    return render(request, "city/destruction.html", shown, status=status)


def _facts(found: cards.Destruction, count: int) -> list[Fact]:
    facts = [Fact("张数", count), Fact("建立", found.created_at, shapes.actor_name(found.created_by))]
    if found.signed_at:
        facts += [
            Fact("销毁日期", found.destroyed_on),
            Fact("地点", found.place),
            Fact("方式", found.method),
            Fact("记录编号", found.document),
            Fact("登记", found.signed_at, shapes.actor_name(found.signed_by)),
        ]
    return facts


def _actions(found: cards.Destruction) -> list[Action]:
    return [
        Action("从列表选", reverse("city:destruction_candidates", args=[found.number]), icon="list-check"),
        Action(
            "取消",
            reverse("city:destruction_cancel", args=[found.number]),
            "post",
            "trash",
            confirm=Confirm(
                "取消销毁单", "单上的卡都取出，状态不变。", "取消销毁单", "required", reason_label="理由"
            ),
        ),
    ]


def _scan(actor: Actor, number: str, said: str = "", tone: str = "neutral") -> Scan:
    lines = [
        ScanLine(
            place.card.number,
            place.card.student.name,
            "found",
            url=reverse("objects:card", args=[place.card.number]),
        )
        for place in cards.destruction_places(actor.scope, number)[:200]
    ]
    return Scan(
        reverse("city:destruction_scan", args=[number]),
        expected=lines,
        scanned=lines,
        label="扫描卡号、一卡通号或芯片号，扫一张放入一张",
        said=said,
        said_tone=tone,
    )


def _today() -> dict[str, object]:
    return {"destroyed_on": clock.today()}


def _chosen(actor: Actor, selection: Selection) -> list[int]:
    if not selection.everything:
        return _numbers(selection.keys)
    rows = narrow(cards.to_destroy(actor.scope), _filters(), selection.filters)
    ids = list(rows.order_by("id").values_list("id", flat=True)[: AT_ONCE + 1])
    if len(ids) > AT_ONCE:
        raise BadInput(
            "SELECTION_TOO_LARGE", f"一次最多放入 {AT_ONCE:,} 张。", action="请先筛选，分几次办理。"
        )
    return ids


def _filters() -> list[Filter]:
    dead = cards.CARD.sources("destroy")
    return [
        Filter(
            "state",
            "状态",
            lambda rows, code: rows.filter(state=code),
            [(state.code, state.label) for state in cards.CARD.states if state.code in dead],
            kind="tabs",
        ),
        Filter("q", "姓名、教育ID、卡号", cards.find_cards, kind="search", placeholder="也可以用扫码枪扫"),
    ]


def _numbers(keys: Sequence[str]) -> list[int]:
    if not keys or not all(key.isdecimal() for key in keys):
        raise BadInput("SELECTION_EMPTY", "没有选中任何一张。", action="请返回列表，勾选后再办理。")
    return [int(key) for key in keys]
