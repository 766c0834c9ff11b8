"""Card kinds in force: what they ask for, changed as versions; the data file is taken over on purpose."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.cards import api as cards
from xueka.contexts.production import api as production
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.ui import Action, Badge, Event, Fact, Link, ObjectHead
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_TEXT = "；"


class KindForm(WordedForm):
    """One field for each that may be changed; effects of a loss are lines of «system，when，note»."""

    name = forms.CharField(label="名称", max_length=64)
    is_open = forms.BooleanField(
        label="开放申领", required=False, help_text="关闭后不能再新开或提交申领，立即生效。"
    )
    review_levels = forms.MultipleChoiceField(
        label="审核级",
        choices=list(cards.LEVEL_LABELS.items()),
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text="按学校、区、市的顺序；一级都不选则提交即受理。",
    )
    photo_required = forms.BooleanField(label="要照片", required=False)
    photo_printed = forms.BooleanField(label="照片印在卡面上", required=False)
    consent_required = forms.BooleanField(
        label="没有监护人同意不能提交",
        required=False,
        help_text="不勾选时，缺同意书的只列名单，不拦申领。",
    )
    validity_years = forms.IntegerField(label="有效学年数", min_value=1, max_value=20)
    transit_source = forms.ChoiceField(label="一卡通号来源", choices=list(cards.SOURCES.items()))
    transit_pattern = forms.CharField(label="一卡通号格式", max_length=64, help_text="正则表达式。")
    beijing_tong_source = forms.ChoiceField(
        label="北京通号来源",
        choices=[(code, words) for code, words in cards.SOURCES.items() if code != "bind"],
    )
    beijing_tong_pattern = forms.CharField(label="北京通号格式", max_length=64, help_text="正则表达式。")
    face_template = forms.ChoiceField(label="卡面模板")
    coupled_with = forms.ChoiceField(
        label="成对使用的卡种", required=False, help_text="只能与它一起使用的另一半；没有则不选。"
    )
    lost_effects = forms.CharField(
        label="挂失何时生效",
        required=False,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text="每行一个系统，用逗号分开：系统，何时生效，说明。留空则同随附配置。",
    )

    def __init__(self, *args: object, kind: cards.CardKind, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        faces = dict.fromkeys([*(face.template for face in production.faces()), kind.face_template])
        self.fields["face_template"].choices = [(code, code) for code in faces]  # type: ignore[attr-defined]
        others = [each for each in cards.kinds(include_closed=True) if each.code != kind.code]
        self.fields["coupled_with"].choices = [  # type: ignore[attr-defined]
            ("", "没有"),
            *((each.code, each.name) for each in others),
        ]

    def clean_coupled_with(self) -> str | None:
        return self.cleaned_data["coupled_with"] or None

    def clean_lost_effects(self) -> list[dict[str, str]] | None:
        lines = [line for line in self.cleaned_data["lost_effects"].splitlines() if line.strip()]
        effects = []
        for place, line in enumerate(lines, 1):
            parts = [part.strip() for part in line.replace(",", "，").split("，", 2)]
            if len(parts) < 2 or not all(parts[:2]):
                raise forms.ValidationError(f"第 {place} 行要写系统和何时生效，用逗号分开：{line}")
            effects.append(dict(zip(("system", "when", "note"), parts, strict=False)))
        return effects or None


@require_GET
@portal_view("city:kind:manage")
def listing(request: StaffRequest) -> HttpResponse:
    rows = [
        (
            Link(found.name, reverse("city:kind", args=[found.code])),
            found.code,
            _open(found),
            cards.kind_words("review_levels", found.review_levels),
            _photo(found),
            found.version,
            len(cards.file_difference(found.code)),
        )
        for found in cards.kinds(include_closed=True)
    ]
    return render(request, "city/kinds.html", {"rows": rows})


@require_GET
@portal_view("city:kind:manage")
def page(request: StaffRequest, code: str) -> HttpResponse:
    found = cards.kind(code)
    fields = cards.fields_of(found)
    change_it = Action("变更", reverse("city:kind_change", args=[code]), icon="edit", tone="primary")
    shown = {
        "kind": found,
        "head": ObjectHead(
            title=found.name,
            number=code,
            kind=f"卡种　第 {found.version} 版",
            state=_open(found),
            facts=[
                Fact(label, cards.kind_words(field, fields[field]))
                for field, label in cards.KIND_LABELS.items()
                if field not in ("name", "is_open", "lost_effects")
            ],
            actions=[change_it],
        ),
        "effects": shapes.lost_effects(found).split(_TEXT),
        "difference": cards.file_difference(code),
        "events": [
            Event(
                f"第 {each.version} 版",
                each.at,
                shapes.actor_name(each.by),
                _said(each),
                "ok" if each.version == found.version else "ended",
            )
            for each in cards.versions(code)
        ],
        "back": Link("卡种", reverse("city:kinds")),
    }
    return render(request, "city/kind.html", shown)


@require_http_methods(["GET", "POST"])
@portal_view("city:kind:manage")
def change(request: StaffRequest, code: str) -> HttpResponse:
    """The form; what it would change is shown before it is done."""
    found = cards.kind(code)
    form = KindForm(request.POST or None, kind=found, initial=_initial(cards.fields_of(found)))
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            difference = cards.preview_change(request.actor, code, form.cleaned_data)
        except XuekaError as refusal:
            problem = refusal
        else:
            if difference:
                return _preview(request, found, difference, request.POST)
            form.add_error(None, "没有任何变更。请改动至少一项。")
    shown = {"kind": found, "form": form, "problem": problem, "back": _back(found)}
    return render(request, "city/kind_change.html", shown, status=400 if problem or form.errors else 200)


@require_POST
@portal_view("city:kind:manage")
def from_file(request: StaffRequest, code: str) -> HttpResponse:
    """What taking over the data file would change."""
    found = cards.kind(code)
    given = cards.file_fields(code)
    difference = cards.file_difference(code)
    if given is None or not difference:
        flash(request, f"{found.name}与随附配置一致。")
        return redirect("city:kind", code)
    return _preview(request, found, difference, {"file": "1"})


@require_POST
@portal_view("city:kind:manage")
def do(request: StaffRequest, code: str) -> HttpResponse:
    """Change it; only what the person saw, and only if nobody has changed it since."""
    found = cards.kind(code)
    if request.POST.get("file") == "1":
        changes = cards.file_fields(code) or {}
    else:
        form = KindForm(request.POST, kind=found)
        if not form.is_valid():
            shown = {"kind": found, "form": form, "problem": None, "back": _back(found)}
            return render(request, "city/kind_change.html", shown, status=400)
        changes = form.cleaned_data
    seen = request.POST.get("version", "")
    changed = cards.change_kind(
        request.actor,
        code,
        changes,
        request.POST.get("reason", ""),
        version=int(seen) if seen.isdecimal() else 0,
    )
    flash(request, f"{found.name}已变更 {len(changed)} 项，只对以后新开的申领生效。")
    return redirect("city:kind", code)


def _preview(
    request: StaffRequest, found: cards.CardKind, difference: list[cards.Change], posted: Mapping[str, Any]
) -> HttpResponse:
    hidden = [
        (name, value)
        for name in posted
        if name not in ("csrfmiddlewaretoken", "version", "reason")
        for value in (posted.getlist(name) if hasattr(posted, "getlist") else [posted[name]])
    ]
    shown = {"kind": found, "difference": difference, "hidden": hidden, "back": _back(found)}
    return render(request, "city/kind_preview.html", shown)


def _initial(fields: Mapping[str, Any]) -> dict[str, Any]:
    effects = "\n".join("，".join(each.values()) for each in fields["lost_effects"] or [])
    return {**fields, "lost_effects": effects, "coupled_with": fields["coupled_with"] or ""}


def _said(version: cards.KindVersion) -> str:
    changes = [f"{each['label']}：{each['before']} → {each['after']}" for each in version.difference]
    return _TEXT.join([version.reason, *changes])


def _open(found: cards.CardKind) -> Badge:
    return Badge("开放申领", "ok") if found.is_open else Badge("已停止申领", "ended")


def _photo(found: cards.CardKind) -> str:
    if not found.photo_required:
        return "不要"
    return "要，印在卡面" if found.photo_printed else "要，不印"


def _back(found: cards.CardKind) -> Link:
    return Link(found.name, reverse("city:kind", args=[found.code]))
