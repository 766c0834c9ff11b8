"""Every card of a batch as a list; while the batch is open, applications go in and out."""

from collections import defaultdict
from collections.abc import Sequence

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.cards import api as cards
from xueka.contexts.production import api as production
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.listing import Bulk, Column, DataList, Filter, Selection, narrow
from xueka.entrypoints.design.ui import Action, Badge, Empty, Link, Preview, Wont
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.districts import DISTRICTS
from xueka.kernel.errors import BadInput
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

AT_ONCE = 5000
#: The button «撤销» travels with the message, so it is for what a person may have clicked together.
_UNDO_UP_TO = 300
_EXAMPLES = 8
OUTCOME_TONES = {
    "pending": "progress",
    "matched": "ok",
    "failed": "bad",
    "missing": "bad",
    "altered": "bad",
    "dropped": "ended",
}


@require_GET
@portal_view("city:batch:read")
def contents(request: StaffRequest, number: str) -> HttpResponse:
    actor = request.actor
    batch = production.batch(actor.scope, number).batch
    is_open = batch.state == production.BATCH.initial and actor.may("city:batch:create")
    add = Action("加入申领", reverse("city:batch_candidates", args=[number]), icon="plus", tone="primary")
    listing = DataList(
        request,
        production.item_rows(actor.scope, number),
        name="contents",
        caption="批次内的卡",
        columns=[
            Column("序号", "position", sort="position", kind="number"),
            Column("姓名", _student),
            Column("学校", "application__school__name"),
            Column("班级", lambda row: shapes.class_of(row.application.school_class), minor=True),
            Column("申领号", "application__number", kind="code", minor=True),
            Column("卡号", _card, kind="code"),
            Column("结果", lambda row: outcome(row, batch.state)),
            Column("说明", said, minor=True),
        ],
        sorts={"position": ("position", "id")},
        filters=_item_filters(batch.state),
        bulk=[Bulk("移出批次", reverse("city:batch_remove", args=[number]), "minus")] if is_open else [],
        key=lambda row: row.application_id,
        label=lambda row: row.application.account.student.name,
        unit="张",
        empty=Empty("批次是空的", "加入已受理的申领，锁定后才能制卡。", add if is_open else None, "stack-2"),
    )
    shown = {
        "title": f"批次 {number} 的卡",
        "sub": "批次还没有锁定，可以增减。" if is_open else "",
        "list": listing,
        "actions": [add] if is_open else [],
        "back": Link(f"批次 {number}", reverse("city:batch", args=[number])),
    }
    return render(request, "objects/list.html", shown)


@require_GET
@portal_view("city:batch:create")
def candidates(request: StaffRequest, number: str) -> HttpResponse:
    """Accepted applications of the batch's kind that lie in no batch."""
    batch = production.batch(request.actor.scope, number).batch
    listing = DataList(
        request,
        production.waiting_applications(request.actor.scope, batch.kind_id).order_by(),
        name="candidates",
        caption="等待制卡的申领",
        columns=[
            Column("姓名", "account__student__name"),
            Column("申领号", "number", kind="code"),
            Column("区", "school__district__name", minor=True),
            Column("学校", "school__name"),
            Column("班级", lambda row: shapes.class_of(row.school_class)),
            Column("事由", lambda row: cards.REASONS[row.reason], minor=True),
            Column("受理", "updated_at", sort="since", kind="number", minor=True),
        ],
        sorts={"since": ("updated_at", "id")},
        filters=_candidate_filters(),
        bulk=[Bulk("加入批次", reverse("city:batch_add", args=[number]), "plus", "primary", "a")],
        url=lambda row: shapes.application_url(row.number),
        label=lambda row: row.account.student.name,
        unit="份",
        empty=Empty(
            "没有等待制卡的申领", "市级受理之后、还没有进批次的申领会出现在这里。", icon="file-check"
        ),
    )
    shown = {
        "title": f"加入批次 {number}",
        "sub": f"{batch.kind.name}：已受理、还没有进批次的。",
        "list": listing,
        "back": Link(f"批次 {number} 的卡", reverse("city:batch_contents", args=[number])),
    }
    return render(request, "objects/list.html", shown)


@require_POST
@portal_view("city:batch:create")
def add(request: StaffRequest, number: str) -> HttpResponse:
    """Preview of what goes in."""
    batch = production.batch(request.actor.scope, number).batch
    rows = production.waiting_applications(request.actor.scope, batch.kind_id)
    ids = _chosen(Selection.of(request), rows, _candidate_filters(), "id")
    result = production.preview_add(request.actor, number, ids)
    words = f"批次将有 {batch.card_count + len(result.done):,} 张。锁定前可以移出。"
    return _preview(request, number, "add", "加入批次", result, words, "city:batch_candidates")


@require_POST
@portal_view("city:batch:create")
def remove(request: StaffRequest, number: str) -> HttpResponse:
    """Preview of what comes out."""
    batch = production.batch(request.actor.scope, number).batch
    rows = production.item_rows(request.actor.scope, number)
    ids = _chosen(Selection.of(request), rows, _item_filters(batch.state), "application_id")
    result, planned = production.preview_remove(request.actor, number, ids)
    words = "申领回到待组批，可以编入别的批次。"
    if planned:
        words += f"已为其中 {planned:,} 张分配的号码作废，不再使用。"
    return _preview(request, number, "remove", "移出批次", result, words, "city:batch_contents")


@require_POST
@portal_view("city:batch:create")
def change(request: StaffRequest, number: str, verb: str) -> HttpResponse:
    """Do it; the message offers the opposite."""
    batch = production.batch(request.actor.scope, number).batch
    ids = _numbers(Selection.of(request).keys)
    do = production.add_applications if verb == "add" else production.remove_applications
    after = do(request.actor, batch.id, ids).card_count
    done = f"已加入 {after - batch.card_count:,} 份" if verb == "add" else "已移出"
    if verb == "remove":
        done = f"已移出 {batch.card_count - after:,} 份"
    opposite = "remove" if verb == "add" else "add"
    undo = Action(
        "撤销",
        reverse("city:batch_change", args=[number, opposite]),
        "post",
        "arrow-back-up",
        params={"keys": ids},
    )
    flash(request, f"{done}，批次现有 {after:,} 张。", undo=undo if len(ids) <= _UNDO_UP_TO else None)
    return redirect("city:batch_contents", number)


def _preview(
    request: StaffRequest,
    number: str,
    verb: str,
    label: str,
    result: cards.BulkResult,
    words: str,
    back: str,
) -> HttpResponse:
    wont: dict[str, list[int]] = defaultdict(list)
    for id_, _, message in result.refused:
        wont[message].append(id_)
    shown_ids = [*result.done[:_EXAMPLES], *(id_ for ids in wont.values() for id_ in ids[:_EXAMPLES])]
    found = {each.id: each for each in cards.applications_by_id(request.actor.scope, shown_ids)}
    doing = Action(
        f"{label} {len(result.done):,} 份",
        reverse("city:batch_change", args=[number, verb]),
        "post",
        "check",
        "primary",
        disabled_reason="" if result.done else "所选的一份也不能办理。",
        params={"keys": result.done},
    )
    shown = Preview(
        label,
        len(result.done),
        words,
        doing,
        reverse(back, args=[number]),
        wont=[
            Wont(message, len(ids), [_link(found[id_]) for id_ in ids[:_EXAMPLES]])
            for message, ids in wont.items()
        ],
        examples=[_link(found[id_]) for id_ in result.done[:_EXAMPLES]],
        unit="份",
    )
    return render(request, "objects/preview.html", {"title": f"{label} {number}", "preview": shown})


def _chosen(selection: Selection, rows: QuerySet, filters: Sequence[Filter], field: str) -> list[int]:
    if not selection.everything:
        return _numbers(selection.keys)
    ids = list(narrow(rows, filters, selection.filters).values_list(field, flat=True)[: AT_ONCE + 1])
    if len(ids) > AT_ONCE:
        raise BadInput(
            "SELECTION_TOO_LARGE",
            f"一次最多增减 {AT_ONCE:,} 份。",
            found=f"超过 {AT_ONCE:,} 份",
            action="请先按区或学校筛选，分几次办理；整批新建不受此限。",
        )
    return ids


def _numbers(keys: Sequence[str]) -> list[int]:
    if not keys or not all(key.isdecimal() for key in keys):
        raise BadInput("SELECTION_EMPTY", "没有选中任何一份。", action="请返回列表，勾选后再办理。")
    return [int(key) for key in keys]


def _filters(student: str, number: str, school: str) -> list[Filter]:
    def find(rows: QuerySet, text: str) -> QuerySet:
        named = Q(**{f"{student}__name__startswith": text}) | Q(**{f"{student}__education_id": text})
        return rows.filter(named | Q(**{f"{number}__iexact": text}))

    return [
        Filter("q", "姓名、教育ID或申领号", find, kind="search"),
        Filter(
            "district",
            "区",
            lambda rows, code: rows.filter(**{f"{school}__district": code}),
            list(DISTRICTS.items()),
        ),
        Filter(
            "school", "学校标识码", lambda rows, code: rows.filter(**{f"{school}__code": code}), kind="search"
        ),
    ]


def _candidate_filters() -> list[Filter]:
    return _filters("account__student", "number", "school")


def _item_filters(batch_state: str) -> list[Filter]:
    found = _filters("application__account__student", "application__number", "application__school")
    return [
        Filter(
            "outcome",
            "结果",
            lambda rows, code: rows.filter(outcome=code),
            list(production.outcome_labels(batch_state).items()),
            kind="tabs",
        ),
        *found,
    ]


def _student(item: production.BatchItem) -> Link:
    student = item.application.account.student
    return Link(student.name, shapes.student_url(student.education_id))


def _card(item: production.BatchItem) -> Link | str:
    return Link(item.card.number, reverse("objects:card", args=[item.card.number])) if item.card else ""


def outcome(item: production.BatchItem, batch_state: str) -> Badge:
    """What the return files say of a card; before the batch is locked there is none."""
    if item.card is None:
        return Badge("待锁定", "neutral")
    return Badge(production.outcome_labels(batch_state)[item.outcome], OUTCOME_TONES[item.outcome])


def said(item: production.BatchItem) -> str:
    """Result code and text of the bureau, except for a card that was made."""
    return " ".join(
        part for part in (item.result_code, item.result_text) if part and item.result_code != "00"
    )


def _link(application: cards.Application) -> Link:
    return Link(application.account.student.name, shapes.application_url(application.number))
