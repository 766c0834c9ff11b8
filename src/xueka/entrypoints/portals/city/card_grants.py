"""Space and keys on the card, granted to units: the chip as bars, a new grant, its decision, its changes."""

from typing import Any

from django import forms
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.multiapp import api as multiapp
from xueka.entrypoints.design import states
from xueka.entrypoints.design.downloads import attachment
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import (
    Action,
    Confirm,
    Empty,
    Fact,
    ObjectHead,
    Part,
    ProgressRow,
)
from xueka.entrypoints.portals.city.units import DAY, form_page
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import XuekaError
from xueka.platform.history import queries as history
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_LINES = {"rows": 4, "spellcheck": "false"}


class GrantForm(WordedForm):
    unit = forms.ChoiceField(label="单位")
    area = forms.ChoiceField(label="卡上目录", help_text="卡结构中留给外单位的空目录。")
    size = forms.IntegerField(label="字节", min_value=1, max_value=65535)
    content = forms.CharField(
        label="文件",
        widget=forms.Textarea(attrs=_LINES),
        help_text="每行一个：文件号 名称 类型 字节 读条件 写条件，例如 0001 消费记录 循环记录 200 free"
        " key:education.adf.external。条件有 free、never、key:密钥名称。",
    )
    keys = forms.MultipleChoiceField(
        label="密钥",
        widget=forms.CheckboxSelectMultiple,
        help_text="装进该单位安全模块的密钥；文件的条件里也写这里的密钥名称。",
    )
    schools = forms.CharField(
        label="学校",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="每行一个学校标识码；留空就是该单位服务的全部范围。",
    )
    valid_from = forms.DateField(label="起日", widget=forms.DateInput(DAY, "%Y-%m-%d"))
    valid_until = forms.DateField(label="止日", widget=forms.DateInput(DAY, "%Y-%m-%d"))

    def __init__(self, *args: Any, choices: dict[str, list[tuple[str, str]]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if choices.get("schools"):
            self.fields["schools"] = forms.MultipleChoiceField(
                label="学校", required=False, widget=forms.CheckboxSelectMultiple,
                help_text="不选就是该单位服务的全部学校。",
            )  # fmt: skip
        for name, listed in choices.items():
            if listed:
                self.fields[name].choices = listed  # type: ignore[attr-defined]


class RenewForm(WordedForm):
    until = forms.DateField(label="续到", widget=forms.DateInput(DAY, "%Y-%m-%d"))
    reason = forms.CharField(label="理由", max_length=200)


@require_GET
@portal_view("city:unit:read")
def listing(request: StaffRequest) -> HttpResponse:
    """The chips as bars, then all grants."""
    scope = request.actor.scope
    may = request.actor.may("city:card_grant:propose")
    new_ = Action("新授权", reverse("city:card_grant_new"), icon="plus", tone="primary")
    rows = DataList(
        request,
        multiapp.grants(scope),
        name="card_grants",
        caption="授权",
        columns=[
            Column("授权", "number", kind="code"),
            Column("单位", "unit__name"),
            Column("卡种", "area__kind__name", minor=True),
            Column("目录", "area__title"),
            Column("字节", "size", kind="number"),
            Column("止日", "valid_until", sort="ends", kind="number"),
            Column("状态", _badge),
        ],
        sorts={"made": ("id",), "ends": ("valid_until", "id")},
        default_sort="-made",
        filters=[
            Filter(
                "state",
                "状态",
                lambda found, code: found.filter(state=code),
                multiapp.CARD_GRANT.choices,
            ),
            Filter(
                "q", "单位名称", lambda found, text: found.filter(unit__name__icontains=text), kind="search"
            ),
        ],
        url=lambda row: reverse("city:card_grant", args=[row.number]),
        label=lambda row: row.number,
        unit="项",
        empty=Empty(
            "还没有授权",
            "一家单位要在卡上存文件、用密钥，由一人提出、另一人批准。",
            new_ if may else None,
            "device-sd-card",
        ),
    )
    adopt = Action("采用新的卡结构", reverse("city:areas_adopt"), "post", "refresh")
    waits = may and multiapp.profiles_waiting(request.actor)
    shown = {
        "actions": ([new_] if may else []) + ([adopt] if waits else []),
        "chips": [(name, bars(multiapp.rooms(scope, code))) for code, name in _kinds(scope)],
        "list": rows,
    }
    return render(request, "city/card_grants.html", shown)


@require_POST
@portal_view("city:unit:manage")
def adopt(request: StaffRequest) -> HttpResponse:
    """The directories of the profiles in force; the worker does the same within a minute."""
    count = multiapp.adopt_profiles(request.actor)
    flash(request, f"已采用现行卡结构，{count} 个目录有变动。")
    return redirect("city:card_grants")


@require_http_methods(["GET", "POST"])
@portal_view("city:card_grant:propose")
def new(request: StaffRequest) -> HttpResponse:
    scope = request.actor.scope
    choices = {
        "unit": [(each.code, each.name) for each in multiapp.units(scope).filter(state="in_use")],
        "area": [
            (f"{each.kind_id}/{each.code}", f"{each.kind.name} · {each.title}（{each.size} 字节）")
            for each in multiapp.shells(scope)
        ],
    }
    start = {"unit": request.GET.get("unit", "")}
    choices["keys"] = [
        (f"{label} {usage}", f"{title}（{label}）· {multiapp.KEY_USAGES[usage]}")
        for label, title, usage in multiapp.grantable_keys(scope)
    ]
    choices["schools"] = [(each.code, each.name) for each in multiapp.schools_of(scope, start["unit"])]
    form = GrantForm(request.POST or None, choices=choices, initial=start)
    problem = None
    if request.method == "POST" and form.is_valid():
        told = dict(form.cleaned_data)
        kind, _, area = told.pop("area").partition("/")
        schools = told.pop("schools")
        if isinstance(schools, str):
            schools = schools.replace("，", " ").replace(",", " ").split()
        try:
            wanted = multiapp.read_keys("\n".join(told.pop("keys")))
            made = multiapp.propose_grant(
                request.actor,
                told.pop("unit"),
                kind,
                area,
                files=told.pop("content"),
                wanted=wanted,
                schools=schools,
                **told,
            )
        except XuekaError as refusal:
            problem = refusal
        else:
            flash(request, f"{made.number} 已提出，请另一位运营批准。")
            return redirect("city:card_grant", made.number)
    words = "批准后按期生效；一张卡上，一个目录只归一家单位。"
    back = reverse("city:card_grants")
    return form_page(request, "新授权", form, problem, "提出授权", back, "卡上授权", words)


@require_GET
@portal_view("city:unit:read")
def page(request: StaffRequest, number: str) -> HttpResponse:
    scope = request.actor.scope
    found = multiapp.grant(scope, number)
    labels = {event: multiapp.CARD_GRANT.event_label(event) for event in multiapp.CARD_GRANT.event_codes}
    schools = [place.school for place in found.places.select_related("school") if place.school]
    room = next(each for each in multiapp.rooms(scope, found.area.kind_id) if each.area.id == found.area_id)
    shown = {
        "grant": found,
        "head": ObjectHead(
            found.unit.name,
            found.number,
            "卡上授权",
            _badge(found),
            facts=[
                Fact("期限", f"{found.valid_from} 至 {found.valid_until}"),
                Fact("合同", found.contract),
                Fact("提出", shapes.actor_name(found.proposed_by)),
                Fact("批准", shapes.actor_name(found.approved_by) or "—"),
            ],
            actions=_actions(request, found),
        ),
        "asked": multiapp.ASKED_FOR.get(found.asked, ""),
        "asked_by": shapes.actor_name(found.asked_by) if found.asked_by else "",
        "facts": [
            Fact("卡种", found.area.kind.name),
            Fact("目录", found.area.title),
            Fact("应用标识", found.aid),
            Fact("文件号", found.fid),
            Fact("条件", multiapp.conditions_words(found.conditions) or "由卡结构规定"),
            Fact("范围", "、".join(school.name for school in schools) or "全市"),
        ],
        "bars": bars([room]),
        "files": [
            (
                each["id"],
                each["title"],
                multiapp.FILE_TYPES[each["type"]],
                each["size"],
                multiapp.condition_word(each["read"]),
                multiapp.condition_word(each["write"]),
            )
            for each in found.files
        ],
        "keys": [(each.label, multiapp.KEY_USAGES[each.usage]) for each in found.keys.all()],
        "packs": [
            (each.version, reverse("city:pack", args=[found.number, each.version]), each.digest, each.made_at)
            for each in multiapp.packs(scope, found)
        ],
        "may_pack": request.actor.may("city:unit:manage") and found.state in ("agreed", "in_force"),
        "events": shapes.steps(history.timeline({"card_grant": [found.id]}), labels | {"create": "提出"}),
    }
    return render(request, "city/card_grant.html", shown)


@require_POST
@portal_view("city:card_grant:propose")
def act(request: StaffRequest, number: str, verb: str) -> HttpResponse:
    actor, note = request.actor, request.POST.get("note", "")
    if verb == "approve":
        multiapp.approve_grant(actor, number)
        said = "已批准。"
    elif verb == "refuse":
        multiapp.refuse_grant(actor, number, note)
        said = "不予批准。"
    elif verb == "withdraw":
        multiapp.withdraw_grant(actor, number)
        said = "已撤回。"
    elif verb == "suspend":
        multiapp.suspend_grant(actor, number, note)
        said = "已暂停：接口和新的安全模块即时停用。"
    elif verb in ("resume", "revoke", "release"):
        multiapp.ask_change(actor, number, verb, note)
        said = f"已提出{multiapp.ASKED_FOR[verb]}，请另一位运营批准。"
    elif verb == "agree":
        multiapp.approve_change(actor, number)
        said = "变更已批准。"
    elif verb == "decline":
        multiapp.decline_change(actor, number)
        said = "不作变更。"
    else:
        raise Http404
    flash(request, said)
    return redirect("city:card_grant", number)


@require_http_methods(["GET", "POST"])
@portal_view("city:card_grant:propose")
def renew(request: StaffRequest, number: str) -> HttpResponse:
    found = multiapp.grant(request.actor.scope, number)
    form = RenewForm(request.POST or None)
    problem = None
    if request.method == "POST" and form.is_valid():
        told = form.cleaned_data
        try:
            multiapp.ask_change(request.actor, number, "renew", told["reason"], told["until"])
        except XuekaError as refusal:
            problem = refusal
        else:
            flash(request, "已提出续期，请另一位运营批准。")
            return redirect("city:card_grant", number)
    back = reverse("city:card_grant", args=[found.number])
    words = f"现在到 {found.valid_until}，合同到 {found.unit.contract_until}。"
    return form_page(request, f"{found.number} 续期", form, problem, "提出续期", back, found.number, words)


@require_POST
@portal_view("city:unit:manage")
def make_pack(request: StaffRequest, number: str) -> HttpResponse:
    made = multiapp.make_pack(request.actor, number)
    flash(request, f"接入资料第 {made.version} 版已生成，下载后交给对方。")
    return redirect("city:card_grant", number)


@require_GET
@portal_view("city:unit:manage")
def pack(request: StaffRequest, number: str, version: int) -> HttpResponse:
    with transaction.atomic():  # it is on record
        name, content = multiapp.download_pack(request.actor, number, version)
    return attachment(name, content, "application/zip")


def bars(rooms: list[multiapp.Room]) -> list[ProgressRow]:
    """Each directory of a chip as a bar in bytes: what is granted or asked for; those of others whole."""
    return [
        ProgressRow(
            each.area.title,
            [
                Part("已用", each.used if each.area.is_shell else each.area.size, "ok"),
                Part("待批准", each.asked, "wait"),
            ],
            each.area.size,
            note="、".join(_holder(grant) for grant in each.grants) or each.area.owner or "未授权",
        )
        for each in rooms
    ]


def _holder(grant: multiapp.CardGrant) -> str:
    return grant.unit.name + ("（待批准）" if grant.state == "proposed" else "")


def _kinds(scope: Any) -> list[tuple[str, str]]:
    return sorted({(area.kind_id, area.kind.name) for area in multiapp.shells(scope)})


def _badge(found: multiapp.CardGrant) -> Any:
    return states.badge("card_grant", found.state)


def _actions(request: StaffRequest, found: multiapp.CardGrant) -> list[Action]:
    if not request.actor.may("city:card_grant:propose"):
        return []

    def post(verb: str, label: str, icon: str, tone: str = "default", **more: Any) -> Action:
        return Action(
            label, reverse("city:card_grant_act", args=[found.number, verb]), "post", icon, tone, **more
        )

    def why(title: str) -> Confirm:
        return Confirm(title, found.number, title, "required", reason_label="理由")

    me = request.actor.username
    if found.state == "proposed":
        own = found.proposed_by == me
        blocked = "请由提出人以外的运营批准。" if own else ""
        sure = Confirm("批准授权", f"{found.unit.name} · {found.area.title} {found.size} 字节", "批准")
        other = (
            post("withdraw", "撤回", "x") if own else post("refuse", "不予批准", "x", confirm=why("不予批准"))
        )
        return [post("approve", "批准", "checks", "primary", disabled_reason=blocked, confirm=sure), other]
    if found.asked:
        blocked = "请由提出人以外的运营批准。" if found.asked_by == me else ""
        title = f"批准{multiapp.ASKED_FOR[found.asked]}"
        sure = Confirm(title, found.asked_reason, title)
        return [
            post("agree", title, "checks", "primary", disabled_reason=blocked, confirm=sure),
            post("decline", "不作变更", "x"),
        ]
    found_actions = []
    if found.state == "in_force":
        found_actions.append(post("suspend", "暂停", "player-pause", confirm=why("暂停")))
    if found.state == "suspended":
        found_actions.append(post("resume", "申请恢复", "player-play", confirm=why("申请恢复")))
    if found.state in ("agreed", "in_force", "suspended", "expired"):
        url = reverse("city:card_grant_renew", args=[found.number])
        found_actions.append(Action("续期", url, icon="calendar-plus"))
    if found.state in ("agreed", "in_force", "suspended"):
        found_actions.append(post("revoke", "申请收回", "arrow-back-up", confirm=why("申请收回")))
    if found.state in ("expired", "revoked"):
        found_actions.append(post("release", "申请腾出空间", "eraser", confirm=why("申请腾出空间")))
    return found_actions
