"""The city's school year: what is done in which district, the jobs, and how one begins."""

from collections import defaultdict
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from xueka.contexts.registry import api as registry
from xueka.contexts.schoolyear import api as year
from xueka.entrypoints.design import formats
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.ui import Action, Confirm, Link, Tile
from xueka.entrypoints.portals.objects import year_jobs, year_turn
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_REASONS = [
    ("stage_change", "升学段：卡面还是上一学段"),
    ("transfer", "转学：卡面还是原学校"),
    ("data_change", "学校合并或更名之后"),
]


class NewForm(WordedForm):
    """A job about single schools. Which fields are needed the kind says."""

    kind = forms.ChoiceField(
        label="办什么",
        choices=[(code, year.KINDS[code]) for code in ("merge", "rename", "close", "exchange")],
        widget=forms.RadioSelect,
    )
    school = forms.CharField(
        label="学校标识码",
        required=False,
        max_length=200,
        help_text="合并：并出的学校，几所用空格隔开。更名、撤销：要办的学校。",
    )
    into = forms.CharField(label="并入的学校标识码", required=False, max_length=10)
    name = forms.CharField(label="新的学校名称", required=False, max_length=100)
    exchange = forms.ChoiceField(label="换卡的原因", choices=_REASONS, required=False)
    of_job = forms.CharField(
        label="依据的作业", required=False, max_length=20, help_text="合并或更名作业的编号；其他情形不填。"
    )
    reason = forms.CharField(label="说明", required=False, max_length=200)


class SchoolingForm(WordedForm):
    school = forms.CharField(label="学校标识码", max_length=10)
    schooling = forms.ChoiceField(
        label="学制",
        choices=[(code, label) for code, (label, _) in registry.SCHOOLINGS.items()],
        widget=forms.RadioSelect,
    )


@require_GET
@portal_view("city:year:manage")
def page(request: StaffRequest) -> HttpResponse:
    turns = year.turns(request.actor.scope)
    done = sum(each.promotion == "done" for each in turns)
    blocked = sum("blocked" in (each.graduation, each.promotion) for each in turns)
    shown = {
        "label": year.school_year_label(year.this_year()),
        "tiles": [
            Tile("已升级", done, f"共 {formats.count(len(turns))} 所学校", None, "ok", "stairs-up", "所"),
            Tile(
                "已办毕业",
                sum(each.graduation == "done" for each in turns),
                "毕业年级离校或升入下一学段",
                None,
                "ok",
                "school",
                "所",
            ),
            Tile(
                "受阻",
                blocked,
                "原因写在作业里",
                None,
                "bad" if blocked else "ok",
                "alert-triangle",
                "所",
            ),
        ],
        "districts": _districts(turns),
        "list": year_jobs.listing(request),
        "actions": [
            _start("graduation", "全市毕业", "先看预览，另一人确认后才办。", "school"),
            _start("promotion", "全市升级", "先看预览，另一人确认后才办。", "stairs-up", "primary"),
            Action("合并、更名、撤销、换卡", reverse("city:year_new"), icon="plus"),
            Action("改学制", reverse("city:year_schooling"), icon="stairs"),
        ],
    }
    return render(request, "city/year.html", shown)


def _start(kind: str, label: str, words: str, icon: str, tone: str = "default") -> Action:
    ask = Confirm(label, words, "开始预览")
    return Action(label, reverse("objects:year_create", args=[kind]), "post", icon, tone, confirm=ask)


def _districts(turns: list[year.Turn]) -> list[dict[str, object]]:
    found: dict[tuple[str, str], list[year.Turn]] = defaultdict(list)
    for each in turns:
        found[each.school.district_id, each.school.district.name].append(each)
    return [
        {
            "name": Link(name, reverse("city:year_district", args=[code])),
            "schools": len(schools),
            "lists": f"{sum(each.lists for each in schools)} / {sum(each.classes for each in schools)}",
            "graduated": sum(each.graduation == "done" for each in schools),
            "promoted": sum(each.promotion == "done" for each in schools),
        }
        for (code, name), schools in sorted(found.items())
    ]


@require_GET
@portal_view("city:year:manage")
def district(request: StaffRequest, code: str) -> HttpResponse:
    """The schools of one district, each with what is done."""
    scope: Scope = request.actor.scope
    turns = year.turns(scope, district=code)
    name = turns[0].school.district.name if turns else code
    shown = {
        "title": f"{name}　{year.school_year_label(year.this_year())}",
        "rows": year_turn.rows(turns),
        "back": Link("学年", reverse("city:year")),
        "actions": [
            year_turn.start("graduation", "district", code),
            year_turn.start("promotion", "district", code),
        ],
    }
    return render(request, "objects/year_turn.html", shown)


@require_http_methods(["GET", "POST"])
@portal_view("city:year:manage")
def new(request: StaffRequest) -> HttpResponse:
    form = NewForm(request.POST or None, initial={"kind": "merge"})
    status = 200
    if request.method == "POST":
        if form.is_valid():
            try:
                return redirect("objects:year_job", _create(request.actor, form.cleaned_data).number)
            except XuekaError as error:
                form.add_error(None, f"{error.message}{error.action or ''}")
        status = 400
    return render(request, "city/year_new.html", {"form": form}, status=status)


@require_http_methods(["GET", "POST"])
@portal_view("city:registry:import")
def schooling(request: StaffRequest) -> HttpResponse:
    """六三 or 五四: how many grades each stage of a school has, and so who graduates."""
    form = SchoolingForm(request.POST or None)
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            told = form.cleaned_data
            school = registry.set_schooling(request.actor, told["school"].strip(), told["schooling"])
        except XuekaError as error:
            problem = error
        else:
            flash(request, f"{school.name}改为{registry.SCHOOLINGS[school.schooling][0]}。")
            return redirect("city:year")
    shown = {
        "title": "改学制",
        "words": "六三学制小学六年、初中三年，五四学制小学五年、初中四年。升级和毕业照此办理。",
        "form": form,
        "problem": problem,
        "button": "保存",
        "back": Link("学年", reverse("city:year")),
    }
    return render(request, "city/form.html", shown, status=400 if problem or form.errors else 200)


def _create(actor: Actor, told: dict[str, str]) -> year.Job:
    codes = told["school"].split()
    by_kind: dict[str, dict[str, Any]] = {
        "merge": {"from": codes, "into": told["into"]},
        "close": {"schools": codes},
        "rename": {"school": " ".join(codes), "name": told["name"]},
        "exchange": {"reason": told["exchange"], "of_job": told["of_job"].strip()},
    }
    return year.create_job(actor, told["kind"], "city", "", by_kind[told["kind"]], told["reason"])
