"""The days of a term and the cards that the city means to hand out in each week."""

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from xueka.contexts.reporting import api as reporting
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.kernel.errors import BadInput, XuekaError
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view


class Days(WordedForm):
    begins = forms.DateField(label="学期开始", widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    ends = forms.DateField(label="学期结束", widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))


@require_http_methods(["GET", "POST"])
@portal_view("city:plan:manage")
def page(request: StaffRequest) -> HttpResponse:
    term = reporting.term(request.GET.get("term", ""))
    days = Days(
        request.POST if "begins" in request.POST else None, initial={"begins": term.begins, "ends": term.ends}
    )
    problem = None
    if request.method == "POST":
        try:
            if "begins" not in request.POST:
                reporting.set_plan(request.actor, term.code, _weeks(request, term))
            elif days.is_valid():
                reporting.set_term(request.actor, term.code, **days.cleaned_data)
        except XuekaError as refusal:
            problem = refusal
        if not problem and not days.errors:
            flash(request, "已保存。")
            return redirect(f"{reverse('city:plan')}?term={term.code}")
    plan = reporting.term_plan(request.actor.scope, term.code)
    following = reporting.following_term(reporting.term())
    shown = {
        "term": term,
        "terms": [(each, each.code == term.code) for each in (following, *reporting.terms())],
        "days": days,
        "plan": plan,
        "problem": problem,
    }
    return render(request, "city/plan.html", shown, status=400 if problem or days.errors else 200)


def _weeks(request: StaffRequest, term: reporting.Term) -> dict[int, int]:
    weeks = {}
    for week in term.weeks:
        text = request.POST.get(f"week{week.number}", "").strip()
        if text and not text.isdecimal():
            raise BadInput(
                "PLAN_CARDS",
                f"第 {week.number} 周的计划数不是整数。",
                where=f"第 {week.number} 周",
                found=text[:20],
                expected="不小于 0 的整数；不填表示没有计划",
                action="请改正后再保存。",
            )
        if text:
            weeks[week.number] = int(text)
    return weeks
