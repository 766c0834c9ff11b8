"""The initialisation schedule with the transit company: planned, sent out, received back."""

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.numbers import api as numbers
from xueka.entrypoints.design import states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import Action, Badge, Confirm, Empty, Fact, Link, ObjectHead, Part, SumStrip
from xueka.entrypoints.portals.city.hand_overs import HandOverForm, ReceiveForm, direction
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import XuekaError
from xueka.platform.history import queries as history
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view


def _day() -> forms.DateInput:
    return forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})


class DaysForm(WordedForm):
    planned_on = forms.DateField(label="送出日期", widget=_day())
    due_on = forms.DateField(label="应收回日期", widget=_day())


class PlanForm(DaysForm):
    company = forms.CharField(label="初始化单位", max_length=64, initial="市政交通一卡通公司")
    quantity = forms.IntegerField(label="张数", min_value=1, max_value=10_000_000)
    document = forms.CharField(
        label="来文号", max_length=100, required=False, help_text="排产通知或函的编号。"
    )
    note = forms.CharField(label="备注", max_length=200, required=False)

    field_order = ["company", "quantity", "planned_on", "due_on", "document", "note"]


class MoveForm(DaysForm):
    reason = forms.CharField(label="改期的理由", max_length=200)


@require_GET
@portal_view("city:range:read")
def listing(request: StaffRequest) -> HttpResponse:
    may = request.actor.may("city:range:manage")
    new = Action("新排产", reverse("city:schedule_new"), icon="plus", tone="primary")
    papers = Action("交接记录", reverse("city:hand_overs"), icon="arrows-exchange")
    rows = DataList(
        request,
        numbers.order_rows(request.actor.scope),
        name="schedule",
        caption="排产单",
        columns=[
            Column("排产单", "number", kind="code"),
            Column("初始化单位", "company"),
            Column("张数", "quantity", kind="number"),
            Column("送出", "planned_on", kind="number"),
            Column("应收回", "due_on", kind="number", sort="due"),
            Column("状态", _badge),
            Column("来文号", "document", minor=True),
        ],
        sorts={"made": ("id",), "due": ("due_on", "id")},
        default_sort="-made",
        filters=[
            Filter(
                "state",
                "状态",
                lambda found, code: found.filter(state=code),
                numbers.INITIALISATION.choices,
                kind="tabs",
            ),
            Filter("q", "排产单号", lambda found, text: found.filter(number__iexact=text), kind="search"),
        ],
        url=lambda row: reverse("city:schedule_order", args=[row.number]),
        label=lambda row: row.number,
        unit="单",
        empty=Empty(
            "还没有排产",
            "与一卡通公司约好哪天送多少张卡去初始化、哪天收回，登记在这里。",
            new if may else None,
            "calendar-event",
        ),
    )
    shown = {
        "title": "排产与交接",
        "sub": "空白卡送一卡通公司初始化的日程，和每次出入库的签字交接。",
        "actions": [new, papers] if may else [papers],
        "list": rows,
    }
    return render(request, "objects/list.html", shown)


@require_http_methods(["GET", "POST"])
@portal_view("city:range:manage")
def new(request: StaffRequest) -> HttpResponse:
    form = PlanForm(request.POST or None)
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            made = numbers.plan(request.actor, **form.cleaned_data)
        except XuekaError as refusal:
            problem = refusal
        else:
            flash(request, f"排产单 {made.number} 已登记。")
            return redirect("city:schedule_order", made.number)
    shown = {
        "title": "新排产",
        "words": "与初始化单位约定的日期和张数。",
        "form": form,
        "problem": problem,
        "button": "登记排产",
        "back": Link("排产与交接", reverse("city:schedule")),
    }
    return render(request, "city/form.html", shown, status=400 if problem or form.errors else 200)


@require_GET
@portal_view("city:range:read")
def order(request: StaffRequest, number: str) -> HttpResponse:
    actor: Actor = request.actor
    view = numbers.order(actor.scope, number)
    found = view.order
    owed = Part("还没有收回", view.owed, "bad" if view.late else "progress")
    shown = {
        "head": ObjectHead(
            title=number,
            kind=f"排产单　{found.company}",
            state=_badge(found),
            facts=[
                Fact("张数", found.quantity),
                Fact("送出", found.planned_on),
                Fact("应收回", found.due_on, f"已逾期 {view.late} 天" if view.late else ""),
                Fact("来文号", found.document),
                Fact("备注", found.note),
                Fact("登记", found.created_at, shapes.actor_name(found.created_by)),
            ],
            actions=_actions(actor, found),
        ),
        "title": f"排产单 {number}",
        "sum": SumStrip(
            "送出",
            view.sent,
            [Part("收回合格", view.good, "ok"), Part("收回不合格", view.rejected, "bad"), owed],
        ),
        "records": [
            (
                Link(each.number, reverse("city:hand_over", args=[each.number])),
                direction(each),
                each.quantity,
                each.rejected,
                each.given_by,
                each.received_by,
                each.document,
                each.at,
            )
            for each in view.hand_overs
        ],
        "events": shapes.steps(
            history.timeline({"initialisation": [found.id]}),
            {code: numbers.INITIALISATION.event_label(code) for code in numbers.INITIALISATION.event_codes}
            | {"create": "排产"},
        ),
    }
    return render(request, "city/schedule_order.html", shown)


@require_http_methods(["GET", "POST"])
@portal_view("city:range:manage")
def hand_over(request: StaffRequest, number: str, purpose: str) -> HttpResponse:
    """Blanks of this order leave for the company, or come back."""
    view = numbers.order(request.actor.scope, number)
    sending = purpose == "send"
    left = view.order.quantity - view.sent if sending else view.owed
    kind = HandOverForm if sending else ReceiveForm
    form = kind(request.POST or None, initial={"counterparty": view.order.company, "quantity": left or None})
    problem = None
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            made = numbers.hand_over(
                request.actor,
                purpose,
                form.slip(said["quantity"], said.get("rejected", 0), said["note"]),
                order=number,
            )
        except XuekaError as refusal:
            problem = refusal
        else:
            flash(request, f"交接记录 {made.number} 已登记。请打印交接单，双方签字。")
            return redirect("city:hand_over", made.number)
    words = (
        f"本单 {view.order.quantity:,} 张，已送出 {view.sent:,} 张。"
        if sending
        else f"已送出 {view.sent:,} 张，还有 {view.owed:,} 张没有收回。"
    )
    shown = {
        "title": f"{'送出' if sending else '收回'}：{number}",
        "words": words,
        "form": form,
        "problem": problem,
        "button": "登记送出" if sending else "登记收回",
        "back": Link(f"排产单 {number}", reverse("city:schedule_order", args=[number])),
    }
    return render(request, "city/form.html", shown, status=400 if problem or form.errors else 200)


@require_http_methods(["GET", "POST"])
@portal_view("city:range:manage")
def move(request: StaffRequest, number: str) -> HttpResponse:
    """The company has moved the day."""
    found = numbers.order(request.actor.scope, number).order
    form = MoveForm(request.POST or None, initial={"planned_on": found.planned_on, "due_on": found.due_on})
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            numbers.reschedule(request.actor, number, **form.cleaned_data)
        except XuekaError as refusal:
            problem = refusal
        else:
            flash(request, f"{number} 已改期。")
            return redirect("city:schedule_order", number)
    shown = {
        "title": f"改期：{number}",
        "words": "还没有送出的排产单可以改期。",
        "form": form,
        "problem": problem,
        "button": "改期",
        "back": Link(f"排产单 {number}", reverse("city:schedule_order", args=[number])),
    }
    return render(request, "city/form.html", shown, status=400 if problem or form.errors else 200)


@require_POST
@portal_view("city:range:manage")
def end(request: StaffRequest, number: str, verb: str) -> HttpResponse:
    """Give the order up, or settle it with a shortage."""
    reason = request.POST.get("note", "").strip()
    if verb == "cancel":
        numbers.cancel_order(request.actor, number, reason)
        flash(request, f"{number} 已取消。")
    else:
        numbers.settle_short(request.actor, number, reason)
        flash(request, f"{number} 已短少结单；以后收到的仍可登记收回。", "wait")
    return redirect("city:schedule_order", number)


def _badge(found: numbers.Initialisation) -> Badge:
    late = numbers.late_days(found)
    return Badge(f"逾期 {late} 天", "bad") if late else states.badge("initialisation", found.state)


def _actions(actor: Actor, found: numbers.Initialisation) -> list[Action]:
    if not actor.may("city:range:manage"):
        return []
    number = found.number
    first = "primary" if found.state == "planned" else "default"
    drawn = {
        "send": Action(
            "送出", reverse("city:schedule_hand", args=[number, "send"]), icon="arrow-up-right", tone=first
        ),
        "receive": Action(
            "收回",
            reverse("city:schedule_hand", args=[number, "receive"]),
            icon="arrow-down-left",
            tone="primary",
        ),
        "reschedule": Action("改期", reverse("city:schedule_move", args=[number]), icon="calendar-event"),
        "settle": Action(
            "短少结单",
            reverse("city:schedule_end", args=[number, "settle"]),
            "post",
            "flag",
            confirm=Confirm(
                "短少结单", "对方不再补交。以后收到的仍可登记。", "短少结单", "required", reason_label="理由"
            ),
        ),
        "cancel": Action(
            "取消",
            reverse("city:schedule_end", args=[number, "cancel"]),
            "post",
            "trash",
            "danger",
            confirm=Confirm(
                "取消排产", "还没有送出，可以取消。", "取消排产", "required", reason_label="理由"
            ),
        ),
    }
    return [action for verb, action in drawn.items() if numbers.INITIALISATION.allows(verb, found.state)]
