"""The key delivery plan: which version goes to whom by when, whether it arrived."""

from typing import Any

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.keys import api as keys
from xueka.entrypoints.design import formats, states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import Action, Badge, Confirm, Empty, Fact, Link, ObjectHead
from xueka.entrypoints.portals.custodian.asking import ASK, previewed
from xueka.entrypoints.portals.custodian.nav import READ
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel import clock
from xueka.platform.history import queries as history
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_STATES = [(state.code, state.label) for state in keys.KEY_DELIVERY.states]


class DeliveryForm(WordedForm):
    receiver_kind = forms.ChoiceField(
        label="接收方类别", choices=list(keys.RECEIVERS.items()), widget=forms.RadioSelect, initial="bureau"
    )
    receivers = forms.CharField(
        label="接收方",
        widget=forms.Textarea(attrs={"rows": 4}),
        max_length=4000,
        help_text="一行一个，例如 东城区柜台、样例卡厂 密钥室、PSAM-0017。",
    )
    way = forms.ChoiceField(label="方式", choices=list(keys.WAYS.items()))
    due_on = forms.DateField(label="最迟到达日", widget=forms.DateInput(attrs={"type": "date"}))
    why = forms.CharField(label="原因", max_length=200)


@require_http_methods(["GET", "POST"])
@portal_view(ASK)
def plan(request: StaffRequest, label: str, number: int) -> HttpResponse:
    version = keys.version(request.actor.scope, label, number)
    form = DeliveryForm(request.POST if request.method == "POST" else None)

    def params(given: dict[str, Any]) -> dict[str, Any]:
        named = {name: given[name] for name in ("receiver_kind", "receivers", "way")}
        return {"version": number, "due_on": given["due_on"].isoformat(), **named}

    def facts(tidy: dict[str, Any]) -> list[Fact]:
        return [
            Fact("密钥", f"{version.key.title} 第 {number} 版（{label}）"),
            Fact("校验值", version.kcv),
            Fact("接收方", f"{keys.RECEIVERS[tidy['receiver_kind']]}，{len(tidy['receivers'])} 个"),
            Fact("名称", "、".join(tidy["receivers"])),
            Fact("方式", keys.WAYS[tidy["way"]]),
            Fact("最迟到达日", formats.short_day(form.cleaned_data["due_on"])),
        ]

    sub = f"{version.key.title} 第 {number} 版：排入交付计划；交出和到达另行登记。"
    return previewed(request, form, "deliver", label, "安排交付", sub, params, facts)


@require_GET
@portal_view(READ)
def delivery_list(request: StaffRequest) -> HttpResponse:
    listing = DataList(
        request,
        keys.deliveries(request.actor.scope),
        name="key_deliveries",
        columns=[
            Column("编号", "number", kind="code"),
            Column("密钥", lambda row: str(row.version), kind="code"),
            Column("接收方", "receiver"),
            Column("类别", lambda row: keys.RECEIVERS[row.receiver_kind], minor=True),
            Column("方式", lambda row: keys.WAYS[row.way], minor=True),
            Column("状态", lambda row: states.badge("key_delivery", row.state)),
            Column("最迟到达", _due),
        ],
        sorts={"due": ("due_on", "id"), "id": ("id",)},
        default_sort="-id",
        filters=[
            Filter("state", "状态", _in_state, [("late", "逾期"), *_STATES], kind="tabs"),
            Filter("q", "接收方", lambda rows, text: rows.filter(receiver__contains=text), kind="search"),
            Filter(
                "kind",
                "类别",
                lambda rows, code: rows.filter(receiver_kind=code),
                list(keys.RECEIVERS.items()),
            ),
        ],
        url=lambda row: reverse("custodian:delivery", args=[row.number]),
        label=lambda row: row.number,
        unit="项",
        empty=Empty(
            "还没有交付计划",
            "在密钥版本的页面点“安排交付”：哪个版本、给谁、怎么给、最迟哪天到。",
            Action("密钥台账", reverse("custodian:keys")),
            icon="truck-delivery",
        ),
    )
    shown = {"title": "交付计划", "sub": "哪个密钥版本给谁，最迟哪天到，到了没有。", "list": listing}
    return render(request, "custodian/list.html", shown)


@require_GET
@portal_view(READ)
def one(request: StaffRequest, number: str) -> HttpResponse:
    found = keys.delivery(request.actor.scope, number)
    version = found.version
    labels = {code: keys.KEY_DELIVERY.event_label(code) for code in keys.KEY_DELIVERY.event_codes}
    version_url = reverse("custodian:version", args=[version.key.label, version.number])
    shown = {
        "head": ObjectHead(
            f"{version.key.title} → {found.receiver}",
            found.number,
            "密钥交付",
            states.badge("key_delivery", found.state),
            facts=[
                Fact("密钥版本", Link(f"{version.key.label} 第 {version.number} 版", version_url)),
                Fact("校验值", version.kcv),
                Fact("接收方", f"{found.receiver}（{keys.RECEIVERS[found.receiver_kind]}）"),
                Fact("方式", keys.WAYS[found.way]),
                Fact("最迟到达", _due(found)),
                Fact("随什么交出", found.reference or "—"),
                Fact("交出", shapes.actor_name(found.sent_by) or "—"),
                Fact("确认到达", shapes.actor_name(found.arrived_by) or "—"),
                Fact(
                    "计划", Link(found.change.number, reverse("custodian:change", args=[found.change.number]))
                ),
            ],
            actions=_actions(request, found),
        ),
        "lost": found.state == "lost",
        "key": Link("去轮换这个密钥", reverse("custodian:key", args=[version.key.label])),
        "events": shapes.steps(
            history.timeline({"key_delivery": [found.pk]}), labels | {"create": "排入计划"}
        ),
    }
    return render(request, "custodian/delivery.html", shown)


_DO = {
    "send": (keys.send_delivery, "已登记交出。"),
    "arrive": (keys.delivery_arrives, "已确认到达。"),
    "recall": (keys.recall_delivery, "已撤回，回到待交付。"),
    "lose": (keys.lose_delivery, "已记为未到达；请考虑轮换这个密钥。"),
    "cancel": (keys.cancel_delivery, "已取消。"),
}


@require_POST
@portal_view("city:key:ask", "city:key:confirm")
def act(request: StaffRequest, number: str, verb: str) -> HttpResponse:
    if verb not in _DO:
        raise Http404
    do, said = _DO[verb]
    do(request.actor, number, request.POST.get("note", ""))
    flash(request, said)
    return redirect("custodian:delivery", number)


def _in_state(rows: Any, code: str) -> Any:
    return keys.late_deliveries(rows) if code == "late" else rows.filter(state=code)


def _due(found: keys.KeyDelivery) -> Badge | str:
    day = formats.short_day(found.due_on)
    late = found.state in ("planned", "sent") and found.due_on < clock.today()
    return Badge(f"{day} 已逾期", "bad") if late else day


def _actions(request: StaffRequest, found: keys.KeyDelivery) -> list[Action]:
    def post(verb: str, icon: str, tone: str, label: str, body: str = "", why: str = "") -> Action:
        name = keys.KEY_DELIVERY.event_label(verb)
        url = reverse("custodian:delivery_act", args=[found.number, verb])
        sure = Confirm(name, body or found.number, name, "required", reason_label=label)
        return Action(name, url, "post", icon, tone, confirm=sure, disabled_reason=why)

    me = request.actor
    if not me.may(ASK):
        return []
    if found.state == "planned":
        return [
            post("send", "truck-delivery", "primary", "随什么交出", "导出的变更编号、运单号或模块编号。"),
            post("cancel", "x", "default", "理由"),
        ]
    if found.state != "sent":
        return []
    why = "请由交出人以外的密钥保管人办理。"
    why = "" if me.may("city:key:confirm") and found.sent_by != me.username else why
    body = f"请对方读出收到的密钥的校验值，应与台账一致。{found.receiver}。"
    return [
        post("arrive", "checks", "primary", "对方读出的校验值", body, why),
        post("recall", "arrow-back-up", "default", "理由"),
        post("lose", "alert-triangle", "default", "理由", "没有收到，或拆封、缺损。", why),
    ]
