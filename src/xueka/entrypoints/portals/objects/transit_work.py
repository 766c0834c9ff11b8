"""Work with the transit company: bindings it refused, cards it stopped, another year of the fare."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.cards import api as cards
from xueka.contexts.transit import api as transit
from xueka.entrypoints.design import formats, states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.listing import Bulk, Column, DataList, Filter, Rows, Selection, narrow
from xueka.entrypoints.design.ui import Action, Badge, Confirm, Empty, Link, Preview, Wont
from xueka.entrypoints.portals.objects import shapes
from xueka.entrypoints.portals.objects.transit import standing_badge
from xueka.kernel import clock
from xueka.kernel.errors import BadInput
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

AT_ONCE, _EXAMPLES = 5_000, 8
_LATE = [("late", "超期没有答复")]
_SETTLED = [
    ("told", "已告知家长"),
    ("asked", "已请一卡通公司恢复"),
    ("exchange", "已办理换卡"),
    ("other", "其他"),
]


def _card_columns(actor: Actor, card: Callable[[object], cards.Card]) -> list[Column]:
    """The child, its school for whoever sees several, its class, its card."""
    found = [
        Column("学生", lambda row: card(row).student.name),
        Column("班级", lambda row: shapes.class_of(card(row).school_class), minor=True),
        Column("卡号", lambda row: card(row).number, kind="code"),
    ]
    if actor.scope.level != "school":
        found.insert(1, Column("学校", lambda row: card(row).student.school.name, minor=True))
    return found


@require_GET
@portal_view(transit.MANAGE)
def bindings(request: StaffRequest) -> HttpResponse:
    listing = DataList(
        request,
        transit.binding_rows(request.actor.scope),
        name="bindings",
        caption="实名认证",
        columns=[
            *_card_columns(request.actor, lambda row: row.card),  # type: ignore[attr-defined]
            Column("状态", _binding_state),
            Column("原因", "reason"),
            Column("时间", "state_at", kind="number", sort="at"),
        ],
        sorts={"at": ("state_at", "id")},
        default_sort="-at",
        filters=_binding_filters(),
        bulk=[Bulk("再送实名", reverse("objects:bindings_again"), icon="send", tone="primary")],
        url=lambda row: reverse("objects:card", args=[row.card.number]),
        label=lambda row: f"{row.card.student.name} {row.card.number}",
        unit="张",
        empty=Empty("没有实名认证", "卡发到学生手里后，会自动送一卡通公司实名。", icon="id-badge-2"),
    )
    shown = {
        "title": "公交实名",
        "sub": "卡发放后自动送一卡通公司实名，挂失、注销后自动解绑。未通过的，核对学籍后再送。",
        "list": listing,
    }
    return render(request, "objects/list.html", shown)


@require_POST
@portal_view(transit.MANAGE)
def again(request: StaffRequest) -> HttpResponse:
    """Preview, then do: the refused ones among the chosen are sent once more."""
    rows = transit.binding_rows(request.actor.scope)
    chosen = list(_chosen(request, rows, _binding_filters()).order_by("id"))
    refused = [each for each in chosen if each.state == "refused"]
    if "do" in request.POST and refused:
        count = transit.send_again(request.actor, [each.id for each in refused])
        flash(request, f"已再送 {count} 张，等一卡通公司答复。")
        return redirect("objects:bindings")
    others = [each for each in chosen if each.state != "refused"]
    wont = [Wont("不是“未通过”的，不用再送。", len(others), [_link(e.card) for e in others[:_EXAMPLES]])]
    shown = Preview(
        "再送实名",
        len(refused),
        "按现在学籍里的姓名和证件号码，再送一次。",
        _doing("再送", "objects:bindings_again", [each.id for each in refused]),
        reverse("objects:bindings"),
        wont=wont if others else [],
        examples=[_link(each.card) for each in refused[:_EXAMPLES]],
        unit="张",
    )
    return render(request, "objects/preview.html", {"title": "再送实名", "preview": shown})


@require_GET
@portal_view(transit.MANAGE)
def blocks(request: StaffRequest) -> HttpResponse:
    """Cards in use that the company itself refuses: what was done about each."""
    listing = DataList(
        request,
        transit.block_rows(request.actor.scope),
        name="blocks",
        caption="公交停用",
        columns=[
            *_card_columns(request.actor, lambda row: row.card),  # type: ignore[attr-defined]
            Column("处理", _block_state),
            Column("一卡通公司的原因", "reason"),
            Column("停用时间", "as_of", kind="number", sort="at"),
        ],
        sorts={"at": ("as_of", "id")},
        default_sort="-at",
        filters=_block_filters(),
        bulk=[Bulk("登记处理", reverse("objects:transit_blocks_settle"), icon="check", tone="primary")],
        url=lambda row: reverse("objects:card", args=[row.card.number]),
        label=lambda row: f"{row.card.student.name} {row.card.number}",
        unit="张",
        empty=Empty("没有停用的卡", "一卡通公司停用在用的卡时，会列在这里。", icon="ban"),
    )
    shown = {
        "title": "公交停用",
        "sub": "一卡通公司停用的卡乘车刷不了，在校仍可用。告知家长，需要的请对方恢复或换卡，再登记。",
        "list": listing,
    }
    return render(request, "objects/list.html", shown)


@require_POST
@portal_view(transit.MANAGE)
def blocks_settle(request: StaffRequest) -> HttpResponse:
    """Preview, then note what was done about those of the chosen that nobody has settled."""
    rows = transit.block_rows(request.actor.scope)
    chosen = list(_chosen(request, rows, _block_filters()).order_by("id"))
    open_ones = [each for each in chosen if each.settled_at is None]
    if "do" in request.POST and open_ones:
        said = [dict(_SETTLED).get(request.POST.get("reason", ""), ""), request.POST.get("note", "").strip()]
        note = "：".join(each for each in said if each)
        count = transit.settle_blocks(request.actor, [each.id for each in open_ones], note)
        flash(request, f"已登记 {count} 张。")
        return redirect("objects:transit_blocks")
    others = [each for each in chosen if each.settled_at is not None]
    wont = [Wont("已经登记过处理。", len(others), [_link(each.card) for each in others[:_EXAMPLES]])]
    do = _doing("登记", "objects:transit_blocks_settle", [each.id for each in open_ones])
    shown = Preview(
        "登记公交停用的处理",
        len(open_ones),
        "记下怎样处理的；一卡通公司恢复这张卡，它就从这里消失。",
        replace(
            do, confirm=Confirm("怎样处理的？", reason="required", reasons=_SETTLED, reason_label="处理")
        ),
        reverse("objects:transit_blocks"),
        wont=wont if others else [],
        examples=[_link(each.card) for each in open_ones[:_EXAMPLES]],
        unit="张",
    )
    return render(request, "objects/preview.html", {"title": "登记公交停用的处理", "preview": shown})


@require_GET
@portal_view(transit.EXTEND)
def extend(request: StaffRequest) -> HttpResponse:
    """The cards of those still here, with how long their fare lasts: chosen, previewed, asked for."""
    listing = DataList(
        request,
        transit.extendable_rows(request.actor.scope),
        name="extend",
        caption="公交延期",
        columns=[
            *_card_columns(request.actor, lambda row: row),  # type: ignore[arg-type, return-value]
            Column("学籍", lambda row: row.student.status, minor=True),
            Column("有效期至", _until),
            Column("实名", _bound),
        ],
        sorts={"name": ("student__sort_key", "id")},
        filters=_card_filters(),
        bulk=[Bulk("申请延期", reverse("objects:transit_extend_do"), icon="calendar-plus", tone="primary")],
        url=lambda row: reverse("objects:card", args=[row.number]),
        label=lambda row: f"{row.student.name} {row.number}",
        unit="张",
        empty=Empty("没有在用的卡", "发到学生手里、有一卡通号的卡会列在这里。", icon="bus"),
    )
    shown = {
        "title": "公交延期",
        "sub": "为仍在校的学生向一卡通公司申请下一学年的学生优惠：勾选，预览，申请。",
        "actions": [Action("申请记录", reverse("objects:transit_extensions"), icon="list-check")],
        "list": listing,
    }
    return render(request, "objects/list.html", shown)


@require_POST
@portal_view(transit.EXTEND)
def extend_do(request: StaffRequest) -> HttpResponse:
    rows = transit.extendable_rows(request.actor.scope)
    found = {each.id: each for each in _chosen(request, rows, _card_filters()).order_by("id")}
    if "do" in request.POST:
        done = transit.ask(request.actor, list(found))
        rest = f"；{len(done.refused)} 张没有申请：{done.refused[0][2]}" if done.refused else ""
        tone = "wait" if done.refused else "ok"
        flash(request, f"已申请 {len(done.done)} 张，延到 {formats.day(done.until)}{rest}", tone)
        return redirect("objects:transit_extensions")
    result = transit.decide(request.actor, list(found))
    wont: dict[str, list[cards.Card]] = defaultdict(list)
    for id_, _, words in result.refused:
        wont[words].append(found[id_])
    shown = Preview(
        "申请公交延期",
        len(result.done),
        f"向一卡通公司申请延到 {formats.day(result.until)}；一卡通公司逐张答复。",
        _doing("申请", "objects:transit_extend_do", result.done),
        reverse("objects:transit_extend"),
        wont=[Wont(words, len(each), [_link(e) for e in each[:_EXAMPLES]]) for words, each in wont.items()],
        examples=[_link(found[id_]) for id_ in result.done[:_EXAMPLES]],
        unit="张",
    )
    return render(request, "objects/preview.html", {"title": "申请公交延期", "preview": shown})


@require_GET
@portal_view(transit.EXTEND)
def extensions(request: StaffRequest) -> HttpResponse:
    late = transit.extensions_late_before()
    listing = DataList(
        request,
        transit.extension_rows(request.actor.scope),
        name="extensions",
        caption="延期申请",
        columns=[
            *_card_columns(request.actor, lambda row: row.card),  # type: ignore[attr-defined]
            Column("延到", "until", kind="number"),
            Column(
                "状态",
                lambda row: _awaited(
                    states.badge("transit_extension", row.state),
                    row.state == transit.EXTENSION.initial and row.asked_at < late,
                ),
            ),
            Column("原因", "reason"),
            Column("申请", "asked_at", kind="number", sort="at"),
        ],
        sorts={"at": ("asked_at", "id")},
        default_sort="-at",
        filters=[
            Filter(
                "state",
                "状态",
                lambda rows, code: rows.filter(state=code),
                transit.EXTENSION.choices,
                kind="tabs",
            ),
            Filter("late", "答复", lambda rows, _: transit.late_extensions(rows), _LATE),
        ],
        url=lambda row: reverse("objects:card", args=[row.card.number]),
        label=lambda row: f"{row.card.student.name} {row.card.number}",
        unit="张",
        empty=Empty("还没有申请过延期", "在“公交延期”里勾选学生，申请后在这里看答复。", icon="calendar-plus"),
    )
    back = Action("公交延期", reverse("objects:transit_extend"), icon="calendar-plus")
    return render(
        request, "objects/list.html", {"title": "延期申请", "sub": "", "actions": [back], "list": listing}
    )


def _binding_filters() -> list[Filter]:
    return [
        Filter(
            "state", "状态", lambda rows, code: rows.filter(state=code), transit.BINDING.choices, kind="tabs"
        ),
        Filter("q", "卡号", lambda rows, text: rows.filter(card__number=text.strip()), kind="search"),
        Filter("late", "答复", lambda rows, _: transit.late_bindings(rows), _LATE),
    ]


def _block_filters() -> list[Filter]:
    return [
        Filter(
            "settled",
            "处理",
            lambda rows, code: rows.filter(settled_at__isnull=code == "open"),
            [("open", "待处理"), ("done", "已处理")],
            kind="tabs",
        ),
        Filter("q", "卡号", lambda rows, text: rows.filter(card__number=text.strip()), kind="search"),
    ]


def _block_state(row: transit.Block) -> object:
    return row.note if row.settled_at else Badge("待处理", "bad")


def _binding_state(row: transit.Binding) -> Badge:
    late = row.state in transit.AWAITED and row.state_at < transit.bindings_late_before()
    return _awaited(states.badge("transit_binding", row.state), late)


def _awaited(shown: Badge, late: bool) -> Badge:
    """A state; `late`: the company has not answered in its time."""
    return Badge(f"{shown.text}，超期", "bad") if late else shown


def _card_filters() -> list[Filter]:
    return [
        Filter("q", "姓名、教育ID或卡号", cards.find_cards, kind="search"),
        Filter("ends", "学生优惠", _by_end, [("soon", "到期和快到期"), ("unknown", "还没有数据")]),
    ]


def _by_end(rows: Rows, code: str) -> Rows:
    if code == "unknown":
        return rows.filter(transit_validity__isnull=True)  # type: ignore[union-attr]
    last = clock.today() + transit.SOON
    over = Q(transit_validity__valid_until__lt=last) | Q(transit_validity__fare="ordinary")
    return rows.filter(over)  # type: ignore[union-attr]


def _until(row: cards.Card) -> object:
    found = getattr(row, "transit_validity", None)
    return formats.compact(found.valid_until) if found else standing_badge(None)


def _bound(row: cards.Card) -> Badge:
    found = getattr(row, "transit_binding", None)
    return states.badge("transit_binding", found.state) if found else Badge("未送", "neutral")


def _chosen(request: StaffRequest, rows: Rows, filters: list[Filter]) -> Rows:
    """The chosen rows, whichever way; only those of the scope."""
    selection = Selection.of(request)
    if not selection.everything:
        keys = [int(key) for key in selection.keys if key.isdecimal()]
        if not keys:
            raise BadInput("SELECTION_EMPTY", "没有选中任何一张。", action="请返回列表，勾选后再办理。")
        return rows.filter(id__in=keys)  # type: ignore[union-attr]
    found = narrow(rows, filters, selection.filters)
    if found.count() > AT_ONCE:  # type: ignore[union-attr, call-arg]
        raise BadInput(
            "SELECTION_TOO_LARGE",
            f"一次最多办理 {AT_ONCE:,} 张。",
            action="请先按学校或状态筛选，分几次办理。",
        )
    return found


def _doing(label: str, name: str, ids: list[int]) -> Action:
    return Action(
        f"{label} {len(ids)} 张",
        reverse(name),
        "post",
        "check",
        "primary",
        disabled_reason="" if ids else "所选的一张也不能办理。",
        params={"keys": ids, "do": "1"},
    )


def _link(card: cards.Card) -> Link:
    return Link(card.student.name, reverse("objects:card", args=[card.number]), note=card.number)
