"""A lot of blanks: each one's state; broken ones set aside by list or scanner, others returned on paper."""

from collections.abc import Sequence

from django import forms
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.cards import api as cards
from xueka.contexts.numbers import api as numbers
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.listing import Bulk, Column, DataList, Filter, Selection, narrow
from xueka.entrypoints.design.ui import Action, Badge, Empty, Fact, Link, ObjectHead, Scan, ScanLine
from xueka.entrypoints.portals.city.hand_overs import SlipForm
from xueka.kernel.errors import BadInput, XuekaError
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

AT_ONCE = 5000
_UNDO_UP_TO = 300
_EXAMPLES = 20
_TONES = {"in_stock": "ok", "bound": "progress", "used": "ok", "spoiled": "bad", "returned": "ended"}


class SpoiledForm(WordedForm):
    reason = forms.CharField(label="报废的原因", max_length=100, help_text="例如：芯片不读、划伤、运输受潮。")


class ReturnForm(SlipForm):
    reason = forms.CharField(label="退回的原因", max_length=100)


@require_GET
@portal_view("city:range:read")
def page(request: StaffRequest, number: str) -> HttpResponse:
    actor: Actor = request.actor
    lot = numbers.lot(actor.scope, number)
    may = actor.may("city:range:manage")
    on_cards: dict[int, str] = {}
    listing = DataList(
        request,
        numbers.blank_rows(actor.scope, number),
        name="blanks",
        caption="空白卡",
        columns=[
            Column("序号", "position", sort="position", kind="number"),
            Column("芯片UID", "uid", kind="code"),
            Column("一卡通号", "transit_number", kind="code"),
            Column("状态", lambda blank: Badge(numbers.BLANK_LABELS[blank.state], _TONES[blank.state])),
            Column("学生卡", lambda blank: _card(on_cards.get(blank.card_id or 0, "")), kind="code"),
            Column("时间", "at", kind="number", minor=True),
            Column("原因", "reason", minor=True),
        ],
        sorts={"position": ("position", "id")},
        filters=_filters(),
        bulk=[
            Bulk("登记报废", reverse("city:lot_spoil", args=[number]), "trash"),
            Bulk("退回供应方", reverse("city:lot_return", args=[number]), "truck-return"),
            Bulk("恢复入库", reverse("city:lot_restock", args=[number]), "arrow-back-up"),
        ]
        if may
        else [],
        key=lambda blank: blank.position,
        label=lambda blank: f"第 {blank.position} 张",
        unit="张",
        empty=Empty("这批没有空白卡", "交接清单里没有卡。", icon="credit-card-off"),
    )
    on_cards.update(
        cards.card_rows(actor.scope)
        .filter(id__in=[blank.card_id for blank in listing.page.rows if blank.card_id])
        .values_list("id", "number")
    )
    stock = next(each for each in numbers.stock(actor.scope) if each.number == number)
    scan = Action("扫描登记报废", reverse("city:lot_scan", args=[number]), icon="barcode")
    hand = Action("出入库交接", f"{reverse('city:hand_over_new')}?lot={number}", icon="arrows-exchange")
    shown = {
        "head": ObjectHead(
            title=number,
            kind="空白卡批",
            facts=[
                Fact("供应", lot.supplier),
                Fact("到货", lot.received_at, lot.received_by),
                Fact("交付人", lot.handed_over_by),
                Fact("共", stock.quantity),
                Fact("在库", stock.in_stock),
                Fact("已绑定", stock.bound),
                Fact("已用", stock.used),
                Fact("报废", stock.spoiled),
                Fact("退回", stock.returned),
                Fact("已出库（按交接）", numbers.out_of_house(actor.scope, number)),
            ],
            actions=[scan, hand] if may else [],
        ),
        "list": listing,
        "title": f"空白卡 {number}",
    }
    return render(request, "city/headed_list.html", shown)


@require_POST
@portal_view("city:range:manage")
def spoil(request: StaffRequest, number: str) -> HttpResponse:
    """First which and why, then do it."""
    positions = _chosen(request, number)
    form = SpoiledForm(request.POST if "reason" in request.POST else None)
    problem = None
    if form.is_bound and form.is_valid():
        try:
            count = numbers.set_aside(
                request.actor, number, positions, "spoiled", form.cleaned_data["reason"]
            )
        except XuekaError as refusal:
            problem = refusal
        else:
            undo = Action(
                "撤销",
                reverse("city:lot_restock", args=[number]),
                "post",
                "arrow-back-up",
                params={"keys": positions},
            )
            flash(request, f"已报废 {count} 张。", undo=undo if count <= _UNDO_UP_TO else None)
            return redirect("city:lot", number)
    return _ask(request, number, positions, form, problem, "登记报废", "报废的空白卡不再使用，号码作废。")


@require_POST
@portal_view("city:range:manage")
def give_back(request: StaffRequest, number: str) -> HttpResponse:
    """Blanks go back to whom they came from: both sign, and the paper is kept."""
    positions = _chosen(request, number)
    lot = numbers.lot(request.actor.scope, number)
    form = ReturnForm(
        request.POST if "given_by" in request.POST else None, initial={"counterparty": lot.supplier}
    )
    problem = None
    if form.is_bound and form.is_valid():
        try:
            made = numbers.return_blanks(
                request.actor, number, positions, form.cleaned_data["reason"], form.slip(len(positions))
            )
        except XuekaError as refusal:
            problem = refusal
        else:
            flash(request, f"已退回 {made.quantity} 张，交接记录 {made.number}。请打印交接单，双方签字。")
            return redirect("city:hand_over", made.number)
    return _ask(request, number, positions, form, problem, "退回供应方", "退回后不能撤销，只能再入库。")


@require_POST
@portal_view("city:range:manage")
def restock(request: StaffRequest, number: str) -> HttpResponse:
    positions = _chosen(request, number)
    count = numbers.restock(request.actor, number, positions, "误登记，恢复入库")
    flash(request, f"{count} 张空白卡恢复入库。")
    return redirect("city:lot", number)


@require_http_methods(["GET", "POST"])
@portal_view("city:range:manage")
def scanning(request: StaffRequest, number: str) -> HttpResponse:
    """Each blank that is scanned is set aside at once, for the reason chosen before."""
    numbers.lot(request.actor.scope, number)
    reason = request.GET.get("reason", "").strip()[:100]
    if request.method == "POST":
        said, tone = _set_aside_one(request.actor, number, request.POST.get("code", ""), reason)
        if request.headers.get("HX-Request") == "true":
            lines = _scan(request.actor, number, reason, said, tone)
            return render(request, "city/scan_lines.html", {"scan": lines})
        flash(request, said, "ok" if tone == "ok" else "wait")
        return redirect(f"{reverse('city:lot_scan', args=[number])}?reason={reason}")
    shown = {
        "number": number,
        "reason": reason,
        "form": SpoiledForm(initial={"reason": reason}),
        "scan": _scan(request.actor, number, reason) if reason else None,
        "back": Link(f"空白卡 {number}", reverse("city:lot", args=[number])),
    }
    return render(request, "city/lot_scan.html", shown)


def _set_aside_one(actor: Actor, number: str, code: str, reason: str) -> tuple[str, str]:
    if not reason:
        raise BadInput("REASON_MISSING", "请先写明报废的原因。")
    found = numbers.find_blank(actor.scope, number, code)
    if found is None:
        return f"{code.strip() or '（空）'} 不是这批的空白卡，请放到一边", "bad"
    if found.state != "in_stock":
        return f"第 {found.position} 张{numbers.BLANK_LABELS[found.state]}，没有改动", "wait"
    numbers.set_aside(actor, number, [found.position], "spoiled", reason)
    return f"第 {found.position} 张已报废", "ok"


def _scan(actor: Actor, number: str, reason: str, said: str = "", tone: str = "neutral") -> Scan:
    rows = numbers.blank_rows(actor.scope, number).filter(state="spoiled", card_id=None)
    lines = [
        ScanLine(f"第 {each.position} 张", each.transit_number or each.uid, "found", each.reason)
        for each in rows.order_by("-at", "-id")[:100]
    ]
    return Scan(
        f"{reverse('city:lot_scan', args=[number])}?reason={reason}",
        expected=lines,
        scanned=lines,
        label="扫描芯片号或一卡通号，或键入序号后按回车",
        said=said,
        said_tone=tone,
        finish=Action("扫完了", reverse("city:lot", args=[number]), icon="checks"),
    )


def _ask(
    request: StaffRequest,
    number: str,
    positions: list[int],
    form: forms.Form,
    problem: XuekaError | None,
    title: str,
    words: str,
) -> HttpResponse:
    rows = numbers.blank_rows(request.actor.scope, number).filter(position__in=positions)
    wrong = rows.exclude(state="in_stock").count()
    shown = {
        "title": f"{title}：{number}",
        "words": f"选中 {len(positions):,} 张。{words}"
        + (f"其中 {wrong:,} 张不在库，须先去掉。" if wrong else ""),
        "positions": positions,
        "listed": "、".join(str(position) for position in positions[:_EXAMPLES]),
        "more": max(len(positions) - _EXAMPLES, 0),
        "form": form,
        "problem": problem,
        "button": f"{title} {len(positions):,} 张",
        "back": Link(f"空白卡 {number}", reverse("city:lot", args=[number])),
    }
    return render(request, "city/lot_ask.html", shown, status=400 if problem or form.errors else 200)


def _chosen(request: StaffRequest, number: str) -> list[int]:
    selection = Selection.of(request)
    if not selection.everything:
        return _positions(selection.keys)
    rows = narrow(numbers.blank_rows(request.actor.scope, number), _filters(), selection.filters)
    found = list(rows.order_by("position").values_list("position", flat=True)[: AT_ONCE + 1])
    if len(found) > AT_ONCE:
        raise BadInput(
            "SELECTION_TOO_LARGE",
            f"一次最多登记 {AT_ONCE:,} 张。",
            action="请先按状态或序号筛选，分几次办理。",
        )
    return found


def _positions(keys: Sequence[str]) -> list[int]:
    if not keys or not all(key.isdecimal() and len(key) < 9 for key in keys):
        raise BadInput("SELECTION_EMPTY", "没有选中任何一张。", action="请返回列表，勾选后再办理。")
    return [int(key) for key in keys]


def _filters() -> list[Filter]:
    return [
        Filter(
            "state",
            "状态",
            lambda rows, code: rows.filter(state=code),
            list(numbers.BLANK_LABELS.items()),
            kind="tabs",
        ),
        Filter(
            "q",
            "芯片UID或一卡通号",
            lambda rows, text: rows.filter(Q(uid=text.upper()) | Q(transit_number=text)),
            kind="search",
            placeholder="也可以用扫码枪扫",
        ),
    ]


def _card(number: str) -> Link | str:
    return Link(number, reverse("objects:card", args=[number])) if number else ""
