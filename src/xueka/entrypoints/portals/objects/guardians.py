"""What the school does for a family: a second guardian, another phone, a phone that no longer stands."""

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from xueka.contexts.families import api as families
from xueka.contexts.registry import api as registry
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.ui import Link
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_TEL = forms.TextInput({"inputmode": "tel", "autocomplete": "off"})
_WHY = "例如：家长持身份证到校更改。会记入审计日志。"


class AddForm(WordedForm):
    name = forms.CharField(label="监护人姓名", max_length=50)
    phone = forms.CharField(label="手机号", max_length=20, widget=_TEL)
    relation = forms.ChoiceField(label="与孩子的关系", choices=[(each, each) for each in families.RELATIONS])
    reason = forms.CharField(label="登记依据", max_length=200, help_text=_WHY)


class ChangeForm(WordedForm):
    key = forms.CharField(widget=forms.HiddenInput)
    phone = forms.CharField(label="新手机号", max_length=20, widget=_TEL)
    reason = forms.CharField(label="更改依据", max_length=200, help_text=_WHY)


class EndForm(WordedForm):
    key = forms.CharField(widget=forms.HiddenInput)
    reason = forms.CharField(label="停用原因", max_length=200)


_FORMS: dict[str, type[WordedForm]] = {"add": AddForm, "change": ChangeForm, "end": EndForm}
_SAID = {
    "add": "已登记。家长现在可以用这个手机号登录。",
    "change": "已换手机号。旧号码不能再查看，两个号码都会收到短信。",
    "end": "已停用这个手机号。",
}


@require_http_methods(["GET", "POST"])
@portal_view("school:family:manage")
def guardians(request: StaffRequest, education_id: str) -> HttpResponse:
    """Who may sign in for this child, and one form for each thing that may be done."""
    actor: Actor = request.actor
    student = registry.student(actor.scope, education_id)
    verb = request.POST.get("verb", "")
    bound = _FORMS[verb](request.POST, prefix=verb) if verb in _FORMS else None
    if request.method == "POST" and bound is None:
        raise Http404
    problem: XuekaError | None = None
    if bound is not None and bound.is_valid():
        try:
            _do(actor, student.id, verb, bound.cleaned_data)
        except XuekaError as error:
            problem = error
        else:
            flash(request, _SAID[verb])
            return redirect("objects:guardians", education_id)
    shown = families.guardians(actor.scope, education_id)
    page = {
        "student": student,
        "back": Link(student.name, shapes.student_url(education_id)),
        "rows": [(each, _forms(each, verb, bound)) for each in shown],
        "add": bound if verb == "add" else AddForm(prefix="add"),
        "problem": problem,
        "parents": request.build_absolute_uri(reverse("parent:home")),
    }
    wrong = problem is not None or (bound is not None and bound.errors)
    return render(request, "objects/guardians.html", page, status=400 if wrong else 200)


def _forms(each: families.Guardian, verb: str, bound: WordedForm | None) -> list[tuple[str, str, WordedForm]]:
    """(verb, button, form) of what may be done with one guardian; the refused form with what was typed."""
    if each.replaced:
        return []
    offered = [("change", "换手机号")] + ([("end", "停用")] if each.by_school else [])
    return [
        (
            code,
            label,
            bound
            if bound is not None and verb == code and bound.data.get(f"{code}-key") == each.key
            else _FORMS[code](prefix=code, initial={"key": each.key}, auto_id=f"id_{each.key}_%s"),
        )
        for code, label in offered
    ]


def _do(actor: Actor, student_id: int, verb: str, given: dict[str, str]) -> None:
    if verb == "add":
        families.add_guardian(actor, student_id, **given)
    elif verb == "change":
        families.change_phone(actor, student_id, **given)
    else:
        families.end_guardian(actor, student_id, **given)
