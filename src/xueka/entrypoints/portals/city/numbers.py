"""Number ranges as gauges, a new range, and the stock of blanks."""

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from xueka.contexts.interop import api as interop
from xueka.contexts.numbers import api as numbers
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.ui import Action, Link
from xueka.entrypoints.portals.city.home import gauges
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, XuekaError
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_REQUESTS = 12  # the newest ones on the page


class NewRange(WordedForm):
    sort = forms.ChoiceField(label="号码种类", choices=numbers.Sort.choices)
    issuer = forms.CharField(label="发放单位", max_length=64, help_text="例如：一卡通公司")
    prefix = forms.CharField(  # type: ignore[assignment]
        label="前缀", required=False, max_length=16, help_text="号码开头不变的部分；学生卡号填两位年份。"
    )
    width = forms.IntegerField(label="序号位数", min_value=1, max_value=18, initial=9)
    first = forms.IntegerField(label="起始序号", min_value=0)
    last = forms.IntegerField(label="终止序号", min_value=0)
    low_water = forms.IntegerField(
        label="预警数量", min_value=0, initial=1000, help_text="剩余不多于此数时提醒。"
    )
    document = forms.CharField(label="来文号", required=False, max_length=100)


class AskNumbers(WordedForm):
    quantity = forms.IntegerField(label="数量", min_value=1, initial=50_000)
    needed_on = forms.DateField(
        label="哪天以前要",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        initial=clock.today,
    )
    reason = forms.CharField(label="用途", max_length=200, help_text="例如：秋季新生")


@require_http_methods(["GET", "POST"])
@portal_view("city:range:read")
def page(request: StaffRequest) -> HttpResponse:
    actor = request.actor
    form = NewRange(request.POST or None)
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            numbers.add_range(actor, **form.cleaned_data)
        except XuekaError as refusal:
            problem = refusal
        else:
            flash(request, "号段已登记。")
            return redirect("city:numbers")
    shown = {
        "form": form if actor.may("city:range:manage") else None,
        "problem": problem,
        "actions": [Action("查号码去向", reverse("city:fate"), icon="search"), *_asking(actor)],
        "gauges": gauges(actor.scope),
        "ranges": numbers.ranges(actor.scope),
        "lots": numbers.stock(actor.scope),
        "requests": interop.number_requests(actor)[:_REQUESTS],
    }
    return render(request, "city/numbers.html", shown, status=400 if problem or form.errors else 200)


def _asking(actor: Actor) -> list[Action]:
    if not actor.may("city:range:manage"):
        return []
    return [Action("向北京通申请号码", reverse("city:ask_numbers"), icon="send")]


@require_http_methods(["GET", "POST"])
@portal_view("city:range:manage")
def ask(request: StaffRequest) -> HttpResponse:
    """Ask Beijing-Tong for numbers; the granted range registers itself."""
    form = AskNumbers(request.POST or None)
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            made = interop.ask_numbers(request.actor, **form.cleaned_data)
        except XuekaError as refusal:
            problem = refusal
        else:
            flash(request, f"申请 {made.number} 已发出；北京通拨给的号段自动登记。")
            return redirect("city:numbers")
    shown = {
        "form": form,
        "problem": problem,
        "title": "向北京通申请号码",
        "words": "对方的答复自动办理：拨给的号段随即登记并按顺序使用，不拨给的写明理由。",
        "button": "发出申请",
        "back": Link("号段与空白卡", reverse("city:numbers")),
    }
    return render(request, "city/form.html", shown, status=400 if problem or form.errors else 200)


@require_POST
@portal_view("city:range:manage")
def take_lot(request: StaffRequest) -> HttpResponse:
    """A hand-over file of blanks: all lines or none."""
    file = request.FILES.get("file")
    if file is None:
        raise BadInput("FILE_MISSING", "没有收到文件。", action="请选择交接清单（CSV）后再交一次。")
    report = numbers.import_blank_lot(
        request.actor,
        file.read(),
        request.POST.get("number", ""),
        request.POST.get("supplier", ""),
        request.POST.get("handed_over_by", ""),
    )
    if report.errors:
        shown = {"problems": report.errors, "title": "交接清单没有入库", "back": "city:numbers"}
        return render(request, "city/line_problems.html", shown, status=400)
    flash(request, f"空白卡已入库 {report.rows} 张。")
    return redirect("city:numbers")
