"""Partners: campus-card vendors and application units, their contract, contacts, what they have of ours."""

from typing import Any

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.multiapp import api as multiapp
from xueka.entrypoints.design import states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import Action, Confirm, Empty, Fact, Link, ObjectHead
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import XuekaError
from xueka.platform.history import queries as history
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

DAY = {"type": "date"}


class ContractForm(WordedForm):
    contract = forms.CharField(label="合同编号", max_length=64)
    contract_from = forms.DateField(label="合同起日", widget=forms.DateInput(DAY, "%Y-%m-%d"))
    contract_until = forms.DateField(label="合同止日", widget=forms.DateInput(DAY, "%Y-%m-%d"))


class ContactForm(WordedForm):
    contact_name = forms.CharField(label="联系人", max_length=32)
    contact_duty = forms.CharField(label="职务", max_length=32, required=False)
    contact_phone = forms.CharField(label="联系电话", max_length=32)
    contact_email = forms.EmailField(label="电子邮箱", max_length=100, required=False)

    @property
    def contact(self) -> dict[str, str]:
        return {name: self.cleaned_data[f"contact_{name}"] for name in ("name", "duty", "phone", "email")}


class SecondContactForm(ContactForm):
    second_name = forms.CharField(label="第二联系人", max_length=32, required=False)
    second_duty = forms.CharField(label="第二联系人的职务", max_length=32, required=False)
    second_phone = forms.CharField(label="第二联系人的电话", max_length=32, required=False)
    second_email = forms.EmailField(label="第二联系人的邮箱", max_length=100, required=False)

    @property
    def contacts(self) -> list[dict[str, str]]:
        second = {name: self.cleaned_data[f"second_{name}"] for name in ("name", "duty", "phone", "email")}
        return [self.contact, second] if any(second.values()) else [self.contact]


def school_codes(text: str) -> list[str]:
    return text.replace("，", " ").replace(",", " ").split()


class SchoolsForm(WordedForm):
    schools = forms.CharField(
        label="学校标识码", widget=forms.Textarea(attrs={"rows": 4}), help_text="每行一个。"
    )

    def clean_schools(self) -> list[str]:
        return school_codes(self.cleaned_data["schools"])


class UnitForm(ContractForm, ContactForm):
    name = forms.CharField(label="单位名称", max_length=64)
    kind = forms.ChoiceField(label="类别", choices=list(multiapp.UNIT_KINDS.items()))
    purpose = forms.CharField(label="用途", max_length=100, help_text="例如：食堂消费、门禁；社会实践签到。")
    whole_city = forms.BooleanField(
        label="面向全市", required=False, help_text="仅限应用单位；否则请列学校。"
    )
    schools = forms.CharField(
        label="服务的学校",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="每行一个学校标识码。",
    )

    field_order = [
        "name",
        "kind",
        "purpose",
        "whole_city",
        "schools",
        "contract",
        "contract_from",
        "contract_until",
    ]

    def clean_schools(self) -> list[str]:
        return school_codes(self.cleaned_data["schools"])


@require_GET
@portal_view("city:unit:read")
def listing(request: StaffRequest) -> HttpResponse:
    may = request.actor.may("city:unit:manage")
    new = Action("登记单位", reverse("city:unit_new"), icon="plus", tone="primary")
    rows = DataList(
        request,
        multiapp.units(request.actor.scope),
        name="units",
        caption="应用单位",
        columns=[
            Column("单位", "name"),
            Column("编号", "code", kind="code"),
            Column("类别", lambda row: multiapp.UNIT_KINDS[row.kind]),
            Column("用途", "purpose", minor=True),
            Column("合同到期", "contract_until", sort="ends", kind="number"),
            Column("状态", lambda row: states.badge("unit", row.state)),
        ],
        sorts={"code": ("code",), "ends": ("contract_until", "id")},
        filters=[
            Filter(
                "kind",
                "类别",
                lambda found, kind: found.filter(kind=kind),
                list(multiapp.UNIT_KINDS.items()),
                kind="tabs",
            ),
            Filter("q", "单位名称", lambda found, text: found.filter(name__icontains=text), kind="search"),
        ],
        url=lambda row: reverse("city:unit", args=[row.code]),
        label=lambda row: row.name,
        unit="家",
        empty=Empty(
            "还没有登记应用单位",
            "校园一卡通厂商、社会实践场馆等要用学生卡的单位，先在这里登记合同和联系人。",
            new if may else None,
            "building-community",
        ),
    )
    shown = {
        "title": "应用单位",
        "sub": "谁在卡上有空间和密钥、谁持有安全模块、谁可以联网查询。",
        "actions": [new] if may else [],
        "list": rows,
    }
    return render(request, "objects/list.html", shown)


@require_http_methods(["GET", "POST"])
@portal_view("city:unit:manage")
def new(request: StaffRequest) -> HttpResponse:
    form = UnitForm(request.POST or None)
    problem = None
    if request.method == "POST" and form.is_valid():
        told = {name: each for name, each in form.cleaned_data.items() if not name.startswith("contact_")}
        try:
            made = multiapp.add_unit(request.actor, contacts=[form.contact], **told)
        except XuekaError as refusal:
            problem = refusal
        else:
            flash(request, f"{made.name} 已登记，编号 {made.code}。下一步：授权卡上空间。")
            return redirect("city:unit", made.code)
    return form_page(request, "登记应用单位", form, problem, "登记", reverse("city:units"), "应用单位")


@require_GET
@portal_view("city:unit:read")
def page(request: StaffRequest, code: str) -> HttpResponse:
    actor = request.actor
    found = multiapp.unit(actor.scope, code)
    places = [place.school for place in found.places.select_related("school").order_by("school__code")]
    labels = {event: multiapp.UNIT.event_label(event) for event in multiapp.UNIT.event_codes}
    reveal = reverse("city:unit_contacts", args=[code]) if actor.may("city:unit:manage") else ""
    shown = {
        "unit": found,
        "head": ObjectHead(
            found.name,
            found.code,
            multiapp.UNIT_KINDS[found.kind],
            states.badge("unit", found.state),
            facts=[
                Fact("用途", found.purpose),
                Fact("合同", found.contract),
                Fact("合同期限", f"{found.contract_from} 至 {found.contract_until}"),
                Fact("范围", "全市" if found.whole_city else f"{len(places)} 所学校"),
            ],
            actions=_actions(request, found),
        ),
        "schools": places,
        "may_change": actor.may("city:unit:manage") and found.state == "in_use",
        "contacts": [
            (each["duty"] or "联系人", f"{each['name']}　{each['phone']}　{each['email']}", reveal)
            for each in multiapp.contacts_of(found)
        ],
        "grants": [
            (
                Link(each.number, reverse("city:card_grant", args=[each.number])),
                f"{each.area.kind.name} · {each.area.title}",
                each.size,
                f"{each.valid_from} 至 {each.valid_until}",
                states.badge("card_grant", each.state),
            )
            for each in multiapp.grants(actor.scope).filter(unit=found)
        ],
        "credentials": [
            (
                Link(each.key_id, reverse("city:credential", args=[each.key_id])),
                "、".join(multiapp.SCOPES[scope] for scope in each.scopes),
                each.expires_at,
                states.badge("credential", each.state),
            )
            for each in multiapp.credentials(actor.scope).filter(unit=found)
        ],
        "sams": [
            (
                Link(each.serial, reverse("city:sam", args=[each.serial])),
                each.device or "—",
                states.badge("sam", each.state),
            )
            for each in multiapp.sams(actor.scope).filter(unit=found)
        ],
        "calls": multiapp.calls_by_day(actor.scope, found),
        "events": shapes.steps(history.timeline({"unit": [found.id]}), labels | {"create": "登记"}),
    }
    return render(request, "city/unit.html", shown)


@require_http_methods(["GET", "POST"])
@portal_view("city:unit:manage")
def contract(request: StaffRequest, code: str) -> HttpResponse:
    """A new contract, or a longer one."""
    found = multiapp.unit(request.actor.scope, code)
    start = {name: getattr(found, name) for name in ContractForm.base_fields}
    form = ContractForm(request.POST or None, initial=start)
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            multiapp.change_contract(request.actor, code, **form.cleaned_data)
        except XuekaError as refusal:
            problem = refusal
        else:
            flash(request, "合同已更新。授权的期限不随之改变，要延长请续期。")
            return redirect("city:unit", code)
    back = reverse("city:unit", args=[code])
    return form_page(request, f"{found.name}的合同", form, problem, "保存", back, found.name)


@require_http_methods(["GET", "POST"])
@portal_view("city:unit:manage")
def schools(request: StaffRequest, code: str) -> HttpResponse:
    """More schools; what is granted does not grow with them."""
    found = multiapp.unit(request.actor.scope, code)
    form = SchoolsForm(request.POST or None)
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            fresh = multiapp.add_schools(request.actor, found.code, form.cleaned_data["schools"])
        except XuekaError as refusal:
            problem = refusal
        else:
            flash(request, _added(fresh))
            return redirect("city:unit", found.code)
    back = reverse("city:unit", args=[found.code])
    words = "已批准的授权不随之扩大；新学校的卡上要用空间，请另提授权。"
    return form_page(request, f"{found.name}加学校", form, problem, "加上", back, found.name, words)


def _added(fresh: list[Any]) -> str:
    if not fresh:
        return "这些学校原来就在服务范围内，没有改动。"
    names = "、".join(school.name for school in fresh[:3]) + ("等" if len(fresh) > 3 else "")
    return f"已加上 {len(fresh)} 所学校：{names}。要在这些学校的卡上用空间，请另提授权。"


@require_http_methods(["GET", "POST"])
@portal_view("city:unit:manage")
def new_contacts(request: StaffRequest, code: str) -> HttpResponse:
    """Other people to talk to. Those of before are not shown: to see them is another deed, with a reason."""
    found = multiapp.unit(request.actor.scope, code)
    form = SecondContactForm(request.POST or None)
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            multiapp.change_contacts(request.actor, found.code, form.contacts)
        except XuekaError as refusal:
            problem = refusal
        else:
            flash(request, "联系人已更换。")
            return redirect("city:unit", found.code)
    back = reverse("city:unit", args=[found.code])
    words = "填写后，原来的联系人全部由新填的替换。"
    return form_page(request, f"{found.name}的联系人", form, problem, "更换", back, found.name, words)


@require_POST
@portal_view("city:unit:manage")
def contacts(request: StaffRequest, code: str) -> HttpResponse:
    """The contacts in clear, for a reason that is kept."""
    found = multiapp.unmask_contacts(request.actor, code, request.POST.get("reason", ""))
    text = "；".join("　".join(filter(None, (each["name"], each["phone"], each["email"]))) for each in found)
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


@require_POST
@portal_view("city:unit:manage")
def act(request: StaffRequest, code: str, verb: str) -> HttpResponse:
    if verb == "close":
        multiapp.close_unit(request.actor, code, request.POST.get("note", ""))
        said = "已终止合作。"
    elif verb == "block":
        done = multiapp.block_unit(request.actor, code, request.POST.get("note", ""))
        said = f"已停用：吊销 {len(done.credentials)} 个凭证，暂停 {len(done.grants)} 项授权。"
    elif verb == "reopen":
        multiapp.reopen_unit(request.actor, code)
        said = "已恢复合作。"
    else:
        raise Http404
    flash(request, said)
    return redirect("city:unit", code)


def _actions(request: StaffRequest, found: multiapp.Unit) -> list[Action]:
    if not request.actor.may("city:unit:manage"):
        return []
    if found.state != "in_use":
        return [Action("恢复合作", reverse("city:unit_act", args=[found.code, "reopen"]), "post", "refresh")]
    grant = Action(
        "授权卡上空间",
        f"{reverse('city:card_grant_new')}?unit={found.code}",
        icon="device-sd-card",
        tone="primary",
    )
    access = Action("开通接口", f"{reverse('city:credential_make', args=[found.code])}", icon="api")
    contract_ = Action("变更合同", reverse("city:unit_contract", args=[found.code]), icon="file-certificate")
    block = Action(
        "立即停用",
        reverse("city:unit_act", args=[found.code, "block"]),
        "post",
        "player-pause",
        confirm=Confirm(
            "立即停用",
            f"{found.name}的接口凭证全部吊销，有效的授权全部暂停。",
            "立即停用",
            "required",
            reason_label="理由",
        ),
    )
    end = Action(
        "终止合作",
        reverse("city:unit_act", args=[found.code, "close"]),
        "post",
        "x",
        confirm=Confirm("终止合作", found.name, "终止合作", "required", reason_label="理由"),
    )
    active = multiapp.credentials(request.actor.scope).filter(unit=found, state="active").exists()
    return [grant, *([] if active else [access]), contract_, block, end]


def form_page(
    request: StaffRequest,
    title: str,
    form: forms.Form,
    problem: XuekaError | None,
    button: str,
    back: str,
    back_name: str,
    words: str = "",
) -> HttpResponse:
    shown: dict[str, Any] = {
        "title": title,
        "words": words,
        "form": form,
        "problem": problem,
        "button": button,
        "back": Link(back_name, back),
    }
    return render(request, "city/form.html", shown, status=400 if problem or form.errors else 200)
