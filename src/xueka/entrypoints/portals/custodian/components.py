"""A key in components: who asks for it, and each custodian with her own."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from xueka.contexts.keys import api as keys
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import UnseenInput, WordedForm
from xueka.entrypoints.design.ui import Fact, Link
from xueka.entrypoints.portals.custodian.asking import ASK, previewed
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

BRINGS = "city:key:confirm"


class ComponentsForm(WordedForm):
    kcv = forms.CharField(
        label="校验值", max_length=12, help_text="整个密钥的校验值，6 位十六进制数字，由对方另行告知。"
    )
    people = forms.MultipleChoiceField(
        label="分量保管人", widget=forms.CheckboxSelectMultiple, help_text="至少两位，每人一个分量。"
    )
    why = forms.CharField(label="原因", max_length=200)


@require_http_methods(["GET", "POST"])
@portal_view(ASK)
def plan(request: StaffRequest, label: str) -> HttpResponse:
    """Ask that a key be made of the components which these people will enter."""
    key = keys.key(request.actor.scope, label)
    form = ComponentsForm(request.POST if request.method == "POST" else None)
    people = form.fields["people"]
    assert isinstance(people, forms.MultipleChoiceField)
    people.choices = [(code, f"{name}（{code}）") for code, name in keys.custodians()]

    def params(given: dict[str, Any]) -> dict[str, Any]:
        return {"kcv": given["kcv"], "people": given["people"]}

    def facts(tidy: dict[str, Any]) -> list[Fact]:
        return [
            Fact("密钥", f"{key.title}（{label}）"),
            Fact("校验值", tidy["kcv"]),
            Fact("分量保管人", "、".join(map(shapes.actor_name, tidy["people"]))),
        ]

    sub = f"{key.title}（{label}）：几位保管人各在自己的账号上录入一个分量，合成一个待启用的新版本。"
    return previewed(request, form, "components", label, "分量导入", sub, params, facts)


class PartForm(WordedForm):
    component = forms.CharField(
        label="分量", max_length=200, widget=UnseenInput, help_text="十六进制数字，可按组输入空格。"
    )
    kcv = forms.CharField(
        label="分量的校验值",
        max_length=12,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="您的分量单上的 6 位数字；不符说明有一处输错。",
    )


@sensitive_variables("form", "given")
@sensitive_post_parameters("component")
@never_cache
@require_http_methods(["GET", "POST"])
@portal_view(BRINGS)
def enter(request: StaffRequest, number: str) -> HttpResponse:
    """The page of one person: it shows nothing that was typed, and no other person's."""
    found = keys.change(request.actor.scope, number)
    mine = [
        part for part, _ in keys.parts(request.actor.scope, found) if part.person == request.actor.username
    ]
    form, problem = PartForm(request.POST if request.method == "POST" else None), None
    if (request.method == "POST" and form.is_valid()) or not mine or found.state != "asked":
        given = getattr(form, "cleaned_data", {})
        try:
            made = keys.enter_part(request.actor, number, given.get("component", ""), given.get("kcv", ""))
        except XuekaError as refusal:
            if refusal.code == "KEY_PART_NOT_FOUND":
                raise
            problem = refusal
        else:
            flash(request, f"分量已收下，校验值 {made.kcv}。")
            return redirect("custodian:change", number)
    key = keys.key(request.actor.scope, found.label)
    shown = {
        "sub": f"{key.title}（{found.label}），{number}",
        "form": form,
        "problem": problem,
        "back": Link(number, reverse("custodian:change", args=[number])),
    }
    return render(request, "custodian/part.html", shown, status=400 if problem or form.errors else 200)


@require_POST
@portal_view(BRINGS)
def take_back(request: StaffRequest, number: str) -> HttpResponse:
    keys.take_part_back(request.actor, number)
    flash(request, "您的分量已收回，没有留下。")
    return redirect("custodian:change", number)
