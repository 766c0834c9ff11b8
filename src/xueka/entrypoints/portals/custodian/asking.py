"""Asking for a change: a new key, a new version, a key block, or a step of a version."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from xueka.contexts.keys import api as keys
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.ui import Action, Fact
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

ASK = "city:key:ask"
_SAID = "已申请，没有改动密钥；请另一位密钥保管人确认。"


Params = Callable[[dict[str, Any]], dict[str, Any]]


@require_POST
@portal_view(ASK)
def ask(request: StaffRequest, label: str, kind: str) -> HttpResponse:
    """A step of a key or of one of its versions, with its reason."""
    params = {"version": request.POST["version"]} if "version" in request.POST else {}
    asked = keys.ask(request.actor, kind, label, request.POST.get("note", ""), params)
    flash(request, _SAID)
    return redirect("custodian:change", asked.number)


class ImportForm(WordedForm):
    block = forms.CharField(label="密钥块", widget=forms.Textarea(attrs={"rows": 4}), max_length=600)
    kcv = forms.CharField(label="校验值", max_length=12, help_text="对方电话里读出的 6 位十六进制数字。")
    under = forms.ChoiceField(label="传输密钥", help_text="密钥块由哪个传输密钥保护。")
    why = forms.CharField(label="原因", max_length=200)


@require_http_methods(["GET", "POST"])
@portal_view(ASK)
def bring(request: StaffRequest, label: str) -> HttpResponse:
    """A key that arrives in a key block, whose check value is compared."""
    key = keys.key(request.actor.scope, label)
    form = ImportForm(request.POST if request.method == "POST" else None)
    under = form.fields["under"]
    assert isinstance(under, forms.ChoiceField)
    under.choices = [
        (each.label, f"{each.title}（{each.label}）") for each in keys.partner_keys(request.actor.scope)
    ]
    sub = f"{key.title}（{label}）：密钥块里的密钥成为一个待启用的新版本。"
    return _asked(request, form, "import", lambda given: label, "导入密钥块", sub)


class DefinitionForm(WordedForm):
    place_of = forms.ChoiceField(
        label="由谁持有",
        choices=[("register", "本系统"), ("foreign", "外部单位，只登记名称")],
        widget=forms.RadioSelect,
        initial="register",
    )
    label = forms.CharField(
        label="密钥名称", max_length=64, help_text="小写英文单词用点分隔，例如 education.adf.internal。"
    )
    title = forms.CharField(label="中文名称", max_length=64)
    kind = forms.ChoiceField(label="类型")
    algorithm = forms.ChoiceField(label="算法")
    usages = forms.MultipleChoiceField(label="用途", widget=forms.CheckboxSelectMultiple)
    application = forms.CharField(label="应用", max_length=32, required=False)
    parent = forms.ChoiceField(label="由谁保护", required=False, help_text="本系统持有的密钥须选。")
    level = forms.ChoiceField(
        label="层级", required=False, help_text="主密钥可属城市、发卡方或应用；其他类型不用选。"
    )
    source = forms.ChoiceField(
        label="由谁分散", required=False, help_text="由上级主密钥分散得到的须选，连同分散因子。"
    )
    factor = forms.CharField(
        label="分散因子",
        max_length=16,
        required=False,
        help_text="发卡方代码或应用标识，取右 16 位，前补零。",
    )
    owner = forms.CharField(label="所有者", max_length=64, required=False, help_text="外部密钥须填。")
    place = forms.CharField(label="存放处", max_length=100, required=False, help_text="外部密钥须填。")
    why = forms.CharField(label="原因", max_length=200)


@require_http_methods(["GET", "POST"])
@portal_view(ASK)
def new(request: StaffRequest) -> HttpResponse:
    """A key that is to be registered; a foreign one is named with owner and place, and never held."""
    form = DefinitionForm(request.POST if request.method == "POST" else None)
    parents = [
        (each.label, f"{each.title}（{each.label}）") for each in keys.wrapping_keys(request.actor.scope)
    ]
    sources = keys.sources(request.actor.scope)
    types = [
        (each.code, each.label) for each in keys.TYPES.values() if each.level not in ("platform", "local")
    ]
    for name, choices in (
        ("kind", types),
        ("algorithm", list(keys.ALGORITHMS.items())[:4]),
        ("usages", [each for each in keys.USAGES.items() if each[0] not in ("seal", "sign")]),
        ("parent", [("", "无"), *parents]),
        ("level", [("", "按类型"), *((code, keys.LEVELS[code]) for code in ("city", "issuer", "master"))]),
        ("source", [("", "无"), *((each.label, f"{each.title}（{each.label}）") for each in sources)]),
    ):
        field = form.fields[name]
        assert isinstance(field, forms.ChoiceField | forms.MultipleChoiceField)
        field.choices = choices
    kind = "register"
    if request.method == "POST":
        kind = request.POST.get("place_of", kind)
    sub = "登记后才能生成版本；名称、类型和用途定下后不能更改。"
    return _asked(request, form, kind, lambda given: given.pop("label"), "登记密钥", sub)


def previewed(
    request: StaffRequest, form: forms.Form, kind: str, label: str, title: str, sub: str,
    params: Params, facts: Callable[[dict[str, Any]], list[Fact]],
) -> HttpResponse:  # fmt: skip
    """A form, then what would happen as a page of its own, then the application for it."""
    problem = None
    if request.method == "POST" and form.is_valid():
        given = params(form.cleaned_data)
        try:
            if "sure" in request.POST:
                asked = keys.ask(request.actor, kind, label, form.cleaned_data["why"], given)
                flash(request, _SAID)
                return redirect("custodian:change", asked.number)
            tidy = keys.would(request.actor, kind, label, given)
        except XuekaError as refusal:
            problem = refusal
        else:
            said = {name: request.POST.getlist(name) for name in form.fields if name in request.POST}
            shown = {
                "title": title,
                "sub": sub,
                "facts": [*facts(tidy), Fact("原因", form.cleaned_data["why"])],
                "warns": keys.CHANGE_KINDS[kind].warns,
                "do": Action(
                    "提交申请", request.path, "post", "send", "primary", params={**said, "sure": "1"}
                ),
                "back": Action("返回", reverse("custodian:key", args=[label])),
            }
            return render(request, "custodian/preview.html", shown)
    drawn = [form[name] for name in form.fields]
    shown = {
        "title": title, "sub": sub, "form": form, "problem": problem, "fields": drawn, "button": "预览",
    }  # fmt: skip
    return render(request, "custodian/form.html", shown, status=400 if problem or form.errors else 200)


def _asked(
    request: StaffRequest, form: forms.Form, kind: str, label_of: Any, title: str, sub: str
) -> HttpResponse:
    problem = None
    if request.method == "POST" and form.is_valid():
        given = dict(form.cleaned_data)
        reason, label = given.pop("why"), label_of(given)
        named = keys.CHANGE_KINDS[kind].params if kind in keys.CHANGE_KINDS else {}
        params = {name: value for name, value in given.items() if name in named}
        try:
            asked = keys.ask(request.actor, kind, label, reason, params)
        except XuekaError as refusal:
            problem = refusal
        else:
            flash(request, _SAID)
            return redirect("custodian:change", asked.number)
    drawn = [form[name] for name in form.fields]
    shown = {"title": title, "sub": sub, "form": form, "problem": problem, "fields": drawn}
    return render(request, "custodian/form.html", shown, status=400 if problem or form.errors else 200)
