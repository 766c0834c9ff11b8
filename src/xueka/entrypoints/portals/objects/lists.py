"""Lists of students, applications, cards and deliveries: each person sees those of her scope."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.contexts.registry import api as registry
from xueka.entrypoints.design import states
from xueka.entrypoints.design.listing import Bulk, Column, DataList, Filter, Rows
from xueka.entrypoints.design.ui import Action, Empty
from xueka.entrypoints.portals.objects import shapes
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

#: A district has fewer; whoever sees more types the code.
_SCHOOLS = 500


def place_filters(scope: Scope) -> list[Filter]:
    """The narrower places of a scope: a school's classes, a district's schools."""
    if scope.level == "school":
        own = registry.school(scope, scope.school)
        choices = [(str(each.id), shapes.class_of(each)) for each in registry.classes(scope, own.id)]
        return [Filter("class", "班级", lambda rows, code: rows.filter(school_class_id=int(code)), choices)]
    if scope.level == "district":
        choices = [(each.code, each.name) for each in registry.schools(scope, limit=_SCHOOLS).rows]
        return [Filter("school", "学校", lambda rows, code: rows.filter(school__code=code), choices)]
    return [Filter("school", "学校标识码", lambda rows, code: rows.filter(school__code=code), kind="search")]


def place_columns(scope: Scope) -> list[Column]:
    """The class, and the school for whoever sees several."""
    columns = [Column("班级", lambda row: shapes.class_of(row.school_class))]
    if scope.level != "school":
        columns.insert(0, Column("学校", "school__name", minor=True))
    return columns


@require_GET
@portal_view("school:student:read")
def students(request: StaffRequest) -> HttpResponse:
    scope = request.actor.scope
    listing = DataList(
        request,
        registry.student_rows(scope),
        name="students",
        caption="学生",
        columns=[
            Column("姓名", "name", sort="name"),
            Column("教育ID", "education_id", kind="code"),
            Column("性别", "sex", minor=True),
            *place_columns(scope),
            Column("学籍状态", "status", minor=True),
        ],
        sorts={
            "class": ("school_id", "school_class_id", "sort_key", "id"),
            "name": ("sort_key", "id"),
        },
        filters=[
            Filter(
                "q",
                "姓名或教育ID",
                registry.find_students,
                kind="search",
            ),
            *place_filters(scope),
        ],
        url=lambda row: shapes.student_url(row.education_id),
        label=lambda row: row.name,
        unit="人",
        empty=Empty("还没有学生", "市级导入学籍名册后，本单位的学生会出现在这里。", icon="users"),
    )
    return render(request, "objects/list.html", {"title": "学生", "sub": "", "list": listing})


def application_filters(scope: Scope) -> list[Filter]:
    """Shared by the list and by what acts on everything that matches it."""
    return [
        Filter(
            "state",
            "状态",
            lambda rows, code: rows.filter(state=code),
            [(state.code, state.label) for state in cards.APPLICATION.states],
            kind="tabs",
        ),
        Filter("q", "姓名、教育ID或申领号", cards.find_applications, kind="search"),
        *place_filters(scope),
        Filter(
            "doubt",
            "疑问",
            lambda rows, code: rows.exclude(doubts=[]) if code == "yes" else rows.filter(doubts=[]),
            [("no", "没有疑问"), ("yes", "需要看一看")],
        ),
    ]


def bulk_verbs(actor: Actor) -> list[str]:
    """What this person may do to many applications at once."""
    mine = {"school": "school:application:submit", "district": "district:application:review"}
    verbs = ["submit", "withdraw"] if actor.may(mine["school"]) else []
    reviews = ("school:application:review", "district:application:review", "city:application:review")
    return verbs + (["approve", "recall"] if any(actor.may(each) for each in reviews) else [])


_LOOKS = {
    "submit": ("send", "primary"),
    "withdraw": ("arrow-back-up", "default"),
    "approve": ("check", "primary"),
    "recall": ("arrow-back-up", "default"),
}


@require_GET
@portal_view("school:application:read")
def applications(request: StaffRequest) -> HttpResponse:
    actor: Actor = request.actor
    listing = DataList(
        request,
        cards.application_rows(actor.scope),
        name="applications",
        caption="申领",
        columns=[
            Column("姓名", "account__student__name"),
            Column("申领号", "number", kind="code"),
            *place_columns(actor.scope),
            Column("事由", lambda row: cards.REASONS[row.reason], minor=True),
            Column("状态", lambda row: states.badge("application", row.state)),
            Column("疑问或退回理由", lambda row: shapes.reason(row) or shapes.doubts(row), minor=True),
            Column("更新", "updated_at", sort="updated", kind="number", minor=True),
        ],
        sorts={"updated": ("updated_at", "id")},
        default_sort="-updated",
        filters=application_filters(actor.scope),
        bulk=[
            Bulk(cards.APPLICATION.event_label(verb), reverse("objects:bulk", args=[verb]), *_LOOKS[verb])
            for verb in bulk_verbs(actor)
        ],
        url=lambda row: shapes.application_url(row.number),
        label=lambda row: row.account.student.name,
        unit="份",
        empty=Empty("还没有申领", "学校提交的申领会出现在这里，每一步都看得到。", icon="file-check"),
    )
    return render(
        request, "objects/list.html", {"title": "申领记录", "sub": "每一份现在到了哪一步。", "list": listing}
    )


def card_listing(
    request: StaffRequest, rows: Rows, *, empty: Empty, states_shown: tuple[str, ...]
) -> DataList:
    """A list of cards; `states_shown` are the tabs."""
    scope = request.actor.scope
    return DataList(
        request,
        rows,
        name="cards",
        caption="学生卡",
        columns=[
            Column("姓名", "student__name"),
            Column("卡号", "number", kind="code"),
            *place_columns(scope),
            Column("一卡通号", "transit_number", kind="code", minor=True),
            Column("状态", lambda row: states.badge("card", row.state)),
            Column("自何时", "state_at", sort="since", kind="number", minor=True),
        ],
        sorts={"since": ("state_at", "id")},
        default_sort="-since",
        filters=[
            Filter(
                "state",
                "状态",
                lambda rows, code: rows.filter(state=code),
                [(state.code, state.label) for state in cards.CARD.states if state.code in states_shown],
                kind="tabs",
            ),
            Filter(
                "q", "姓名、教育ID、卡号", cards.find_cards, kind="search", placeholder="也可以用扫码枪扫"
            ),
            *place_filters(scope),
        ],
        url=lambda row: reverse("objects:card", args=[row.number]),
        label=lambda row: row.student.name,
        unit="张",
        empty=empty,
    )


@require_GET
@portal_view("school:card:read")
def cards_list(request: StaffRequest) -> HttpResponse:
    listing = card_listing(
        request,
        cards.card_rows(request.actor.scope),
        states_shown=cards.CARD.state_codes,
        empty=Empty("还没有学生卡", "申领受理并投产后，卡会出现在这里。", icon="id"),
    )
    return render(request, "objects/list.html", {"title": "学生卡", "sub": "", "list": listing})


@require_GET
@portal_view("school:delivery:read")
def deliveries(request: StaffRequest) -> HttpResponse:
    scope = request.actor.scope
    listing = DataList(
        request,
        logistics.delivery_rows(scope),
        name="deliveries",
        caption="配送单",
        columns=[
            Column("配送单", "number", kind="code"),
            Column("学校", "school__name"),
            Column("状态", lambda row: states.badge("delivery", row.state)),
            Column("承运", lambda row: f"{row.carrier} {row.waybill}".strip(), minor=True),
            Column("预计到达", "expected_on", kind="number"),
            Column("制单", "created_at", kind="number", sort="made", minor=True),
        ],
        sorts={"made": ("created_at", "id")},
        default_sort="-made",
        filters=[
            Filter(
                "state",
                "状态",
                lambda rows, code: rows.filter(state=code),
                [(state.code, state.label) for state in logistics.DELIVERY.states],
                kind="tabs",
            ),
            Filter(
                "q",
                "配送单号或运单号",
                logistics.find_deliveries,
                kind="search",
            ),
        ],
        url=lambda row: reverse("objects:delivery", args=[row.number]),
        label=lambda row: row.number,
        unit="单",
        empty=Empty(
            "还没有配送",
            "市级发货后，配送单会出现在这里，并写明哪天到。",
            Action("看申领进度", reverse("objects:applications")),
            icon="truck-delivery",
        ),
    )
    return render(request, "objects/list.html", {"title": "配送", "sub": "", "list": listing})
