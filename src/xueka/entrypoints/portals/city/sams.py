"""Secure access modules: the store, what is in each, who has it, the lost ones and what they give away."""

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
from xueka.entrypoints.design.ui import Action, Badge, Confirm, Empty, Event, Fact, Link, ObjectHead
from xueka.entrypoints.portals.city.units import form_page
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_LINES = {"rows": 4, "spellcheck": "false"}
_HANDED = {
    "receive": "入库",
    "issue": "发出",
    "hand_over": "转交",
    "give_back": "退回",
    "find": "找回",
    "destroy": "销毁",
}


class SlipForm(WordedForm):
    given_by = forms.CharField(label="交出人", max_length=64)
    received_by = forms.CharField(label="接收人", max_length=64)
    document = forms.CharField(label="交接单编号", max_length=100, help_text="双方签字的纸质交接单。")
    witness = forms.CharField(label="见证人", max_length=64, required=False)

    @property
    def slip(self) -> multiapp.Slip:
        told = self.cleaned_data
        return multiapp.Slip(told["given_by"], told["received_by"], told["document"], told["witness"])


class ReceiveForm(SlipForm):
    serials = forms.CharField(
        label="编号", widget=forms.Textarea(attrs=_LINES), help_text="印在模块上的编号，每行一个，可以扫入。"
    )
    model = forms.CharField(label="型号", max_length=32, initial="PSAM")

    field_order = ["serials", "model"]


class LoadForm(WordedForm):
    unit = forms.ChoiceField(label="装给哪家单位")
    keys = forms.CharField(
        label="装入的密钥",
        widget=forms.Textarea(attrs=_LINES),
        help_text="每行一个：密钥名称 版本 校验值，照装载机上的填，例如 education.adf.external 1 8baf47。",
    )


class HandForm(SlipForm):
    unit = forms.ChoiceField(label="交给")
    device = forms.CharField(label="装在哪台机具", max_length=64, required=False)

    field_order = ["unit", "device"]


class FindForm(SlipForm):
    reason = forms.CharField(label="在哪里、怎样找回", max_length=200)

    field_order = ["reason"]


class DestroyForm(WordedForm):
    done_by = forms.CharField(label="销毁人", max_length=64)
    witness_1 = forms.CharField(label="监销人一", max_length=64, help_text="须与另外两人不同。")
    witness_2 = forms.CharField(label="监销人二", max_length=64)
    document = forms.CharField(label="记录编号", max_length=100)


@require_GET
@portal_view("city:unit:read")
def listing(request: StaffRequest) -> HttpResponse:
    may = request.actor.may("city:sam:manage")
    receive_ = Action("入库", reverse("city:sam_receive"), icon="plus", tone="primary")
    count = Action("盘点", reverse("city:stock_takes"), icon="clipboard-check")
    rows = DataList(
        request,
        multiapp.sams(request.actor.scope),
        name="sams",
        caption="安全模块",
        columns=[
            Column("编号", "serial", kind="code"),
            Column("型号", "model", minor=True),
            Column("状态", lambda row: states.badge("sam", row.state)),
            Column("单位", lambda row: row.unit.name if row.unit else "市级库房"),
            Column("机具", "device", minor=True),
            Column("自何时", "state_at", sort="since", kind="number"),
        ],
        sorts={"serial": ("serial",), "since": ("state_at", "id")},
        filters=[
            Filter("state", "状态", lambda found, code: found.filter(state=code), multiapp.SAM.choices),
            Filter("q", "编号", lambda found, text: found.filter(serial__iexact=text), kind="search"),
        ],
        url=lambda row: reverse("city:sam", args=[row.serial]),
        label=lambda row: row.serial,
        unit="个",
        empty=Empty(
            "还没有安全模块", "买来的模块先入库，装密钥后凭交接单发给单位。", receive_ if may else None, "cpu"
        ),
    )
    shown = {
        "title": "安全模块",
        "actions": [receive_, count] if may else [],
        "risks": [
            (
                Link(each.number, reverse("city:sam_risk", args=[each.number])),
                each.sam.serial,
                _leaks(each),
                each.opened_at,
                states.badge("sam_risk", each.state),
            )
            for each in multiapp.risks(request.actor.scope).filter(state="open")[:50]
        ],
        "list": rows,
    }
    return render(request, "city/sams.html", shown)


@require_http_methods(["GET", "POST"])
@portal_view("city:sam:manage")
def receive(request: StaffRequest) -> HttpResponse:
    form = ReceiveForm(request.POST or None)
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            serials = form.cleaned_data["serials"].split()
            made = multiapp.receive_sams(request.actor, serials, form.cleaned_data["model"], form.slip)
        except XuekaError as refusal:
            problem = refusal
        else:
            flash(request, f"{len(made)} 个安全模块已入库。")
            return redirect("city:sams")
    return form_page(request, "安全模块入库", form, problem, "入库", reverse("city:sams"), "安全模块")


@require_GET
@portal_view("city:unit:read")
def page(request: StaffRequest, serial: str) -> HttpResponse:
    found = multiapp.sam(request.actor.scope, serial)
    names = shapes.Names()
    place = found.unit.name if found.state == "issued" and found.unit else "市级库房"
    shown = {
        "head": ObjectHead(
            found.serial,
            found.model,
            "安全模块",
            states.badge("sam", found.state),
            facts=[
                Fact("现在何处", "不明" if found.state == "lost" else place),
                Fact("为哪家单位", found.unit.name if found.unit else "—"),
                Fact("机具", found.device or "—"),
            ],
            actions=_actions(request, found),
        ),
        "keys": [
            (
                each.label,
                each.version.number,
                each.version.kcv,
                multiapp.KEY_USAGES[each.usage],
                Badge("在模块中", "ok") if each.until is None else Badge("已清除", "ended"),
            )
            for each in found.keys.all()
        ],
        "chain": [
            Event(
                _link(each),
                each.at,
                names[each.recorded_by],
                f"{each.given_by} 交，{each.received_by} 收；交接单 {each.document}"
                + (f"；见证 {each.witness}" if each.witness else ""),
            )
            for each in reversed(found.custody.all())
        ],
        "risks": [
            Link(each.number, reverse("city:sam_risk", args=[each.number]), "泄露风险", "alert-triangle")
            for each in found.risks.all()
        ],
    }
    return render(request, "city/sam.html", shown)


_FORMS: dict[str, tuple[type[WordedForm], str, str]] = {
    "load": (LoadForm, "装入密钥", "装载在安全机房的装载机上做，这里登记装了什么；校验值不符的不能发出。"),
    "issue": (HandForm, "发出", "凭双方签字的交接单。"),
    "hand_over": (HandForm, "转交", "换单位或换机具，双方签字。"),
    "give_back": (SlipForm, "退回", "退到市级库房。"),
    "find": (FindForm, "登记找回", "找回后放在库房，泄露风险仍须由另一人处置。"),
    "destroy": (DestroyForm, "登记销毁", "销毁人和两位监销人是三个人，签字后存档。"),
}


@require_http_methods(["GET", "POST"])
@portal_view("city:sam:manage")
def step(request: StaffRequest, serial: str, verb: str) -> HttpResponse:
    """The steps that need a form."""
    found = multiapp.sam(request.actor.scope, serial)
    if verb not in _FORMS:
        raise Http404
    kind, title, words = _FORMS[verb]
    form = kind(request.POST or None)
    if "unit" in form.fields:
        listed = multiapp.units(request.actor.scope).filter(state="in_use")
        form.fields["unit"].choices = [(each.code, each.name) for each in listed]  # type: ignore[attr-defined]
        form.fields["unit"].initial = found.unit.code if found.unit else None
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            _do(request, found.serial, verb, form)
        except XuekaError as refusal:
            problem = refusal
        else:
            flash(request, f"{found.serial}：{title}，已登记。")
            return redirect("city:sam", found.serial)
    back = reverse("city:sam", args=[found.serial])
    return form_page(request, f"{found.serial} {title}", form, problem, "登记", back, found.serial, words)


@require_POST
@portal_view("city:sam:manage")
def act(request: StaffRequest, serial: str, verb: str) -> HttpResponse:
    """The steps that need a reason at most."""
    actor, note = request.actor, request.POST.get("note", "")
    if verb == "lose":
        risk = multiapp.lose_sam(actor, serial, note)
        said = f"已登记丢失，泄露风险 {risk.number}。" if risk else "已登记丢失；模块中没有密钥。"
    elif verb == "wipe":
        multiapp.wipe_sam(actor, serial, note)
        said = "密钥已清除。"
    elif verb == "restock":
        multiapp.restock_sam(actor, serial)
        said = "已退库，可以再发。"
    else:
        raise Http404
    flash(request, said)
    return redirect("city:sam", serial)


@require_http_methods(["GET", "POST"])
@portal_view("city:unit:read")
def risk(request: StaffRequest, number: str) -> HttpResponse:
    """What a lost module gives away, and what was done about it."""
    found = multiapp.risk(request.actor.scope, number)
    if request.method == "POST":
        multiapp.settle_risk(request.actor, number, request.POST.get("note", ""))
        flash(request, "已处置。")
        return redirect("city:sam_risk", number)
    may = request.actor.may("city:sam:manage") and found.state == "open"
    blocked = "请由登记人以外的运营处置。" if found.opened_by == request.actor.username else ""
    settle = Action(
        "处置",
        reverse("city:sam_risk", args=[number]),
        "post",
        "checks",
        "primary",
        disabled_reason=blocked,
        confirm=Confirm(
            "处置", "换密钥版本、换卡，或承担风险：写明办法。", "处置", "required", reason_label="办法"
        ),
    )
    made = multiapp.cards_at_risk(found)
    shown = {
        "head": ObjectHead(
            f"{found.sam.serial} 丢失",
            found.number,
            "泄露风险",
            states.badge("sam_risk", found.state),
            facts=[
                Fact("经过", found.reason),
                Fact("登记", shapes.actor_name(found.opened_by)),
                Fact("处置", found.measure or "—"),
                Fact("处置人", shapes.actor_name(found.settled_by) or "—"),
            ],
            actions=[settle] if may else [],
        ),
        "keys": [
            (
                each["label"],
                each["version"],
                each["kcv"],
                multiapp.KEY_USAGES[each["usage"]],
                made[f"{each['label']} {each['version']}"],
            )
            for each in found.keys
        ],
        "sam": Link(found.sam.serial, reverse("city:sam", args=[found.sam.serial]), "安全模块", "cpu"),
    }
    return render(request, "city/sam_risk.html", shown)


def _do(request: StaffRequest, serial: str, verb: str, form: Any) -> None:
    actor, told = request.actor, form.cleaned_data
    if verb == "load":
        multiapp.load_sam(actor, serial, told["unit"], multiapp.read_loadings(told["keys"]))
    elif verb == "issue":
        multiapp.issue_sam(actor, serial, told["unit"], form.slip, told["device"])
    elif verb == "hand_over":
        multiapp.hand_over_sam(actor, serial, told["unit"], form.slip, told["device"])
    elif verb == "give_back":
        multiapp.give_back_sam(actor, serial, form.slip)
    elif verb == "find":
        multiapp.find_sam(actor, serial, told["reason"], form.slip)
    else:
        multiapp.destroy_sam(actor, serial, **told)


def _actions(request: StaffRequest, found: multiapp.Sam) -> list[Action]:
    if not request.actor.may("city:sam:manage"):
        return []

    def go(verb: str, label: str, icon: str, tone: str = "default") -> Action:
        return Action(label, reverse("city:sam_step", args=[found.serial, verb]), icon=icon, tone=tone)

    def post(verb: str, label: str, icon: str, *, why: bool = True, tone: str = "default") -> Action:
        sure = Confirm(label, found.serial, label, "required", reason_label="理由") if why else None
        return Action(label, reverse("city:sam_act", args=[found.serial, verb]), "post", icon, tone, "", sure)

    lose = post("lose", "登记丢失", "alert-triangle", tone="danger")
    destroy = go("destroy", "登记销毁", "trash")
    return {
        "in_stock": [go("load", "装入密钥", "key", "primary"), lose, destroy],
        "loaded": [go("issue", "发出", "send", "primary"), post("wipe", "清除密钥", "eraser"), lose, destroy],
        "issued": [
            go("give_back", "退回", "arrow-back-up"),
            go("hand_over", "转交", "arrows-exchange"),
            lose,
        ],
        "returned": [
            post("restock", "退库", "refresh", why=False, tone="primary"),
            post("wipe", "清除密钥", "eraser"),
            lose,
            destroy,
        ],
        "lost": [go("find", "登记找回", "search")],
    }.get(found.state, [])


def _leaks(risk_: multiapp.Risk) -> str:
    return "、".join(f"{each['label']} 第 {each['version']} 版" for each in risk_.keys)


def _place(unit: multiapp.Unit | None) -> str:
    return unit.name if unit else "市级库房"


def _link(each: Any) -> str:
    """发出：市级库房 → 晨光一卡通公司, or 入库 where it stays in the store."""
    if each.from_unit_id == each.to_unit_id:
        return _HANDED[each.what]
    return f"{_HANDED[each.what]}：{_place(each.from_unit)} → {_place(each.to_unit)}"
