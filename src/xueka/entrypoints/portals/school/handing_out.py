"""Handing out: by the class list or by scanning; whoever is absent stays on the list."""

from collections import defaultdict
from collections.abc import Sequence

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.contexts.production import api as production
from xueka.entrypoints.design import formats
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.listing import Bulk, Column, DataList, Selection
from xueka.entrypoints.design.ui import Action, Empty, Link, Preview, Scan, ScanLine, Wont
from xueka.entrypoints.portals.objects import shapes
from xueka.entrypoints.portals.school import places
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_EXAMPLES = 8
_AT_ONCE = 5000


@require_GET
@portal_view("school:card:hand_out")
def classes(request: StaffRequest) -> HttpResponse:
    """Classes whose cards have arrived."""
    rows = [
        (
            Link(production.class_label(*label), reverse("school:hand_out_class", args=[class_id])),
            count,
            formats.short_day(latest),
        )
        for class_id, label, count, latest in cards.cards_by_class(request.actor.scope, "at_school")
    ]
    empty = Empty(
        "没有待发放的卡",
        "卡箱签收后，各班的卡会出现在这里。",
        Action("去收货", reverse("school:receive")),
        "hand-grab",
    )
    return render(request, "school/hand_out.html", {"rows": rows, "empty": empty})


@require_GET
@portal_view("school:card:hand_out")
def school_class(request: StaffRequest, class_id: int) -> HttpResponse:
    """The class list with ticks; those left unticked stay."""
    own = places.own_class(request.actor, class_id)
    listing = DataList(
        request,
        _waiting(request.actor, class_id),
        name="hand_out",
        caption="待发放的卡",
        columns=[
            Column("姓名", "student__name", sort="name"),
            Column("卡号", "number", kind="code"),
            Column("教育ID", "student__education_id", kind="code", minor=True),
            Column("到校", "state_at", kind="number", minor=True),
        ],
        sorts={"name": ("student__sort_key", "id")},
        bulk=[Bulk("发放", reverse("school:hand_out_preview"), "hand-grab", "primary", "a")],
        url=lambda row: reverse("objects:card", args=[row.number]),
        label=lambda row: row.student.name,
        size=100,
        unit="张",
        params={"class": class_id},
        empty=Empty(
            "这个班的卡都发完了",
            "新到的卡签收后会出现在这里。",
            Action("看其他班", reverse("school:hand_out")),
            "checks",
        ),
    )
    shown = {
        "title": shapes.class_of(own),
        "sub": "勾选到场的学生，发放；缺席的留在名单上，下次再发。",
        "list": listing,
        "actions": [Action("改用扫描发放", reverse("school:hand_out_scan", args=[class_id]), icon="barcode")],
        "back": Link("全部班级", reverse("school:hand_out")),
    }
    return render(request, "objects/list.html", shown)


@require_POST
@portal_view("school:card:hand_out")
def preview(request: StaffRequest) -> HttpResponse:
    actor: Actor = request.actor
    class_id = _class_id(request)
    chosen = Selection.of(request)
    rows = _waiting(actor, class_id)
    ids = list(rows.values_list("id", flat=True)[:_AT_ONCE]) if chosen.everything else _numbers(chosen.keys)
    result = logistics.preview_hand_out(actor, ids)
    found = {card.id: card for card in cards.card_rows(actor.scope).filter(id__in=ids)}
    wont: dict[str, list[Link]] = defaultdict(list)
    for id_, _, message in result.refused:
        wont[message].append(_link(found[id_]))
    absent = rows.exclude(id__in=ids).count()
    doing = Action(
        f"发放 {len(result.done)} 张",
        reverse("school:hand_out_do"),
        "post",
        "hand-grab",
        "primary",
        disabled_reason="" if result.done else "所选的一张也不能发放。",
        params={"keys": result.done, "class": class_id},
    )
    shown = Preview(
        "发放",
        len(result.done),
        "卡即时生效，申领办结。学生原来的同种卡同时注销。",
        doing,
        reverse("school:hand_out_class", args=[class_id]),
        wont=[Wont(message, len(links), links[:_EXAMPLES]) for message, links in wont.items()],
        examples=[_link(found[id_]) for id_ in result.done[:_EXAMPLES]],
        unit="张",
        after=f"本班还有 {absent} 张没有勾选，留在名单上。" if absent else "",
    )
    return render(request, "objects/preview.html", {"title": "发放", "preview": shown})


@require_POST
@portal_view("school:card:hand_out")
def do(request: StaffRequest) -> HttpResponse:
    class_id = _class_id(request)
    result = logistics.hand_out(request.actor, _numbers(Selection.of(request).keys))
    rest = f"；{len(result.refused)} 张没有发：{result.refused[0][2]}" if result.refused else ""
    left = _waiting(request.actor, class_id).count()
    stay = f"。还有 {left} 张留在名单上" if left else ""
    flash(request, f"已发放 {len(result.done)} 张{rest}{stay}。", "wait" if result.refused else "ok")
    return redirect(reverse("school:hand_out_class", args=[class_id]))


@require_http_methods(["GET", "POST"])
@portal_view("school:card:hand_out")
def scanning(request: StaffRequest, class_id: int) -> HttpResponse:
    """Each scanned card is handed out at once."""
    own = places.own_class(request.actor, class_id)
    if request.method != "POST":
        shown = {
            "title": f"扫描发放：{shapes.class_of(own)}",
            "scan": _scan(request.actor, class_id),
            "back": Link("改用名单发放", reverse("school:hand_out_class", args=[class_id])),
        }
        return render(request, "school/hand_out_scan.html", shown)
    said, tone = _hand_out_one(request.actor, request.POST.get("code", "").strip())
    if request.headers.get("HX-Request") != "true":
        flash(request, said, "ok" if tone == "ok" else "wait")
        return redirect(reverse("school:hand_out_scan", args=[class_id]))
    return render(request, "school/scan_lines.html", {"scan": _scan(request.actor, class_id, said, tone)})


def _hand_out_one(actor: Actor, code: str) -> tuple[str, str]:
    try:
        card = cards.card(actor.scope, code)
    except NotFound:
        return f"{code or '（空）'} 不是本校的卡，请放到一边", "bad"
    if card.state == "active":
        return f"{card.student.name}的卡已经发过", "wait"
    result = logistics.hand_out(actor, [card.id])
    if result.refused:
        return f"{card.student.name}：{result.refused[0][2]}", "bad"
    return f"{card.student.name} 已发放", "ok"


def _scan(actor: Actor, class_id: int, said: str = "", tone: str = "neutral") -> Scan:
    waiting = list(_waiting(actor, class_id).order_by("student__sort_key", "id"))
    active = cards.card_rows(actor.scope).filter(school_class_id=class_id, state="active")
    since = clock.local(clock.now()).replace(hour=0, minute=0, second=0, microsecond=0)
    handed = list(active.filter(state_at__gte=since).order_by("-state_at", "-id"))
    return Scan(
        reverse("school:hand_out_scan", args=[class_id]),
        expected=[
            *(ScanLine(card.number, card.student.name) for card in waiting),
            *(ScanLine(card.number, card.student.name, "found") for card in handed),
        ],
        scanned=[ScanLine(card.number, card.student.name, "found") for card in handed],
        said=said,
        said_tone=tone,
        finish=Action("发完了", reverse("school:hand_out"), icon="checks"),
    )


def _waiting(actor: Actor, class_id: int) -> QuerySet[cards.Card]:
    return cards.card_rows(actor.scope).filter(school_class_id=class_id, state="at_school")


def _class_id(request: StaffRequest) -> int:
    value = request.POST.get("class", "")
    if not value.isdecimal():
        raise BadInput("CLASS_MISSING", "没有指明班级。", action="请返回班级名单再办理。")
    return int(value)


def _numbers(keys: Sequence[str]) -> list[int]:
    if not keys or not all(key.isdecimal() for key in keys):
        raise BadInput("SELECTION_EMPTY", "没有选中任何一张卡。", action="请返回名单，勾选到场的学生。")
    return [int(key) for key in keys]


def _link(card: cards.Card) -> Link:
    return Link(card.student.name, reverse("objects:card", args=[card.number]))
