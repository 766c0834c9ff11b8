"""The partner interface as the city sees it: credentials, what each partner does, the hot-list's state."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.multiapp import api as multiapp
from xueka.entrypoints.design import formats, states
from xueka.entrypoints.design.downloads import attachment
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.ui import Action, Badge, Confirm, Empty, Fact, Link, ObjectHead, Tile
from xueka.entrypoints.portals.city.units import form_page
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import XuekaError
from xueka.platform.history import queries as history
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

PEM = "hot-list-sign.pub.pem"


class CredentialForm(WordedForm):
    scopes = forms.MultipleChoiceField(
        label="可以做什么",
        choices=list(multiapp.SCOPES.items()),
        widget=forms.CheckboxSelectMultiple,
        initial=list(multiapp.SCOPES),
    )
    per_minute = forms.IntegerField(
        label="每分钟最多次数", min_value=1, max_value=60_000, initial=multiapp.PER_MINUTE
    )


class RotateForm(WordedForm):
    overlap_days = forms.IntegerField(
        label="新旧并用的天数",
        min_value=0,
        max_value=90,
        initial=multiapp.OVERLAP_DAYS,
        help_text="到日旧凭证自动失效；已泄露的填 0，或直接吊销。",
    )


@require_http_methods(["GET", "POST"])
@portal_view("city:credential:manage")
def make(request: StaffRequest, code: str) -> HttpResponse:
    """A credential for a unit; its secret is shown on the page that answers, and never again."""
    unit = multiapp.unit(request.actor.scope, code)
    form = CredentialForm(request.POST or None)
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            fresh = multiapp.make_credential(request.actor, code, **form.cleaned_data)
        except XuekaError as refusal:
            problem = refusal
        else:
            return _shown_once(request, fresh)
    words = "凭证号和密码只显示一次，请当面或用加密方式交给对方。"
    back = reverse("city:unit", args=[unit.code])
    return form_page(request, f"{unit.name}的接口凭证", form, problem, "开通", back, unit.name, words)


@require_http_methods(["GET", "POST"])
@portal_view("city:credential:manage")
def rotate(request: StaffRequest, key_id: str) -> HttpResponse:
    found = multiapp.credential(request.actor.scope, key_id)
    form = RotateForm(request.POST or None)
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            fresh = multiapp.rotate_credential(request.actor, found.key_id, **form.cleaned_data)
        except XuekaError as refusal:
            problem = refusal
        else:
            return _shown_once(request, fresh)
    back = reverse("city:credential", args=[found.key_id])
    return form_page(request, f"换发 {found.key_id}", form, problem, "换发", back, found.key_id)


@require_GET
@portal_view("city:unit:read")
def page(request: StaffRequest, key_id: str) -> HttpResponse:
    found = multiapp.credential(request.actor.scope, key_id)
    labels = {event: multiapp.CREDENTIAL.event_label(event) for event in multiapp.CREDENTIAL.event_codes}
    shown = {
        "credential": found,
        "head": ObjectHead(
            found.unit.name,
            found.key_id,
            "接口凭证",
            states.badge("credential", found.state),
            facts=[
                Fact("可以做什么", "、".join(multiapp.SCOPES[each] for each in found.scopes)),
                Fact("每分钟最多", f"{found.per_minute:,} 次"),
                Fact("有效到", found.expires_at),
                Fact("开通", shapes.actor_name(found.made_by)),
            ],
            actions=_actions(request, found),
        ),
        "days": multiapp.calls_by_day(request.actor.scope, found.unit),
        "unit": Link(found.unit.name, reverse("city:unit", args=[found.unit.code])),
        "events": shapes.steps(history.timeline({"credential": [found.id]}), labels | {"create": "开通"}),
    }
    return render(request, "city/credential.html", shown)


@require_POST
@portal_view("city:credential:manage")
def revoke(request: StaffRequest, key_id: str) -> HttpResponse:
    multiapp.revoke_credential(request.actor, key_id, request.POST.get("note", ""))
    flash(request, "已吊销，即时失效。")
    return redirect("city:credential", key_id)


@require_GET
@portal_view("city:unit:read")
def hot_list(request: StaffRequest) -> HttpResponse:
    """Where the list stands, who works with which version, and the key that partners verify with."""
    scope = request.actor.scope
    head, figures = multiapp.head(), multiapp.list_figures(scope)
    reports = multiapp.last_reports(scope)
    shown = {
        "tiles": [
            Tile("现在的版本", head.version, f"{formats.moment(head.at)} 更新", icon="list-numbers"),
            Tile("在册的卡", figures.total, "不应接受的卡", icon="ban", unit="张"),
            *(
                Tile(words, figures.by_reason.get(code, 0), "", unit="张")
                for code, words in multiapp.REASONS.items()
            ),
        ],
        "partners": [_partner(each, reports.get(each.id), head.version) for each in multiapp.units(scope)],
        "nobody": Empty("还没有合作单位", "登记单位、授权并开通接口后，这里能看到各家用的是哪一版。"),
        "fingerprint": multiapp.public_key().fingerprint,
        "docs": reverse("partner_docs"),
    }
    return render(request, "city/hot_list.html", shown)


@require_GET
@portal_view("city:unit:read")
def public_key(request: StaffRequest) -> HttpResponse:
    return attachment(PEM, multiapp.public_key().to_pem(), "application/x-pem-file")


def _shown_once(request: StaffRequest, fresh: multiapp.FreshCredential) -> HttpResponse:
    answer = render(request, "city/credential_shown.html", {"fresh": fresh, "found": fresh.credential})
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _partner(unit: multiapp.Unit, told: multiapp.Report | None, version: int) -> tuple[Any, ...]:
    link = Link(unit.name, reverse("city:unit", args=[unit.code]))
    if told is None:
        return link, "—", "—", "—", Badge("没有回报", "neutral")
    late = version - told.version
    if late > 0:
        badge = Badge(f"落后 {late} 版", "wait")
    else:
        badge = Badge(f"{told.behind} 台未更新", "wait") if told.behind else Badge("最新", "ok")
    return link, told.version, f"{told.devices - told.behind} / {told.devices}", told.at, badge


def _actions(request: StaffRequest, found: multiapp.Credential) -> list[Action]:
    if not request.actor.may("city:credential:manage") or found.state not in ("active", "ending"):
        return []
    revoke_ = Action(
        "吊销",
        reverse("city:credential_revoke", args=[found.key_id]),
        "post",
        "x",
        "danger",
        confirm=Confirm("吊销", "即时失效，对方的请求立刻被拒。", "吊销", "required", reason_label="理由"),
    )
    change = Action("换发", reverse("city:credential_rotate", args=[found.key_id]), icon="refresh")
    return [change, revoke_] if found.state == "active" else [revoke_]
