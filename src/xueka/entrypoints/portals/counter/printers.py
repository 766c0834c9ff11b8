"""Card printers: what is in them, what they printed, what was thrown away."""

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.personalization import api as personalization
from xueka.contexts.printing import api as printing
from xueka.entrypoints.design import states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.listing import Column, DataList
from xueka.entrypoints.design.ui import Action, Badge, Confirm, Empty, Fact, Gauge, Link, ObjectHead
from xueka.entrypoints.portals.counter import desk
from xueka.kernel.districts import DISTRICTS
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

MAY = "district:printer:manage"
_RECENT = 20


class PrinterForm(WordedForm):
    name = forms.CharField(label="名称", max_length=40, help_text="柜台上怎么叫它，例如：一号柜台。")
    agent = forms.ChoiceField(label="发卡代理")
    device = forms.CharField(label="设备名", max_length=100, help_text="发卡代理启动时给打印机起的名称。")
    district = forms.ChoiceField(label="所在区", required=False)


@require_GET
@portal_view(MAY)
def printers(request: StaffRequest) -> HttpResponse:
    listing = DataList(
        request,
        printing.printers(request.actor.scope),
        name="printers",
        caption="卡打印机",
        columns=[
            Column("名称", "name", sort="name"),
            Column("所在", lambda row: row.district.name if row.district else "市级"),
            Column("发卡代理", "agent", kind="code", minor=True),
            Column("设备名", "device", minor=True),
            Column("状态", lambda row: Badge("使用中", "ok") if row.is_open else Badge("已停用", "ended")),
            Column("打印机说", desk.printer_badge, minor=True),
        ],
        sorts={"name": ("name", "id")},
        url=lambda row: reverse("counter:printer", args=[row.pk]),
        label=lambda row: row.name,
        unit="台",
        empty=Empty(
            "还没有打印机", "登记后才能在柜台打印卡面。",
            Action("登记打印机", reverse("counter:printer_new"), icon="plus", tone="primary"), "printer",
        ),
    )  # fmt: skip
    shown = {
        "title": "卡打印机",
        "sub": "耗材按打印张数自动扣减，快用完时提醒。",
        "list": listing,
        "actions": [Action("登记打印机", reverse("counter:printer_new"), icon="plus", tone="primary")],
    }
    return render(request, "objects/list.html", shown)


@require_http_methods(["GET", "POST"])
@portal_view(MAY)
def new(request: StaffRequest) -> HttpResponse:
    """Make a printer of an enrolled agent known."""
    form = _form(request)
    error = None
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            made = printing.register_printer(
                request.actor,
                given["name"],
                given["agent"],
                given["device"],
                district=given.get("district", ""),
            )
        except XuekaError as refusal:
            error = refusal
        else:
            flash(request, f"已登记 {made.name}。请装入耗材。")
            return redirect(reverse("counter:printer", args=[made.pk]))
    shown = {"form": form, "error": error, "back": Link("卡打印机", reverse("counter:printers"))}
    return render(request, "counter/printer_new.html", shown, status=400 if request.method == "POST" else 200)


@require_GET
@portal_view(MAY)
def printer(request: StaffRequest, printer_id: int) -> HttpResponse:
    """One printer: gauges, what was loaded, the last jobs and spoilt plastic."""
    found = printing.printer(request.actor.scope, printer_id)
    url = reverse("counter:printer_act", args=[printer_id, "close" if found.is_open else "open"])
    ask = Confirm("停用打印机", "停用后不再派打印任务。", "停用") if found.is_open else None
    switch = Action("停用" if found.is_open else "启用", url, "post", "power", confirm=ask)
    supplies = printing.supplies(found)
    shown = {
        "printer": found,
        "head": ObjectHead(
            found.name,
            kind="卡打印机",
            state=Badge("使用中", "ok") if found.is_open else Badge("已停用", "ended"),
            facts=[
                Fact("所在", found.district.name if found.district else "市级柜台"),
                Fact("发卡代理", found.agent),
                Fact("设备名", found.device),
                Fact("打印机说", "没有消息" if found.silent else found.said_message),
            ],
            actions=[switch],
        ),
        "gauges": [
            Gauge(each.label, each.capacity - each.left, each.capacity, each.low) for each in supplies
        ],
        "loads": [_supply_action(printer_id, each) for each in supplies],
        "supplies": supplies,
        "count_url": reverse("counter:printer_act", args=[printer_id, "count"]),
        "entries": printing.supply_entries(found).exclude(note="")[:_RECENT],
        "sorts": printing.supply_sorts(),
        "jobs": [
            (job, states.badge("print_job", job.state), printing.REPRINT_REASONS.get(job.reason, ""))
            for job in printing.jobs(request.actor.scope).filter(printer=found)[:_RECENT]
        ],
        "spoils": [
            (spoil, printing.SPOIL_REASONS[spoil.reason])
            for spoil in printing.spoils(request.actor.scope).filter(printer=found)[:_RECENT]
        ],
        "back": Link("卡打印机", reverse("counter:printers")),
    }
    return render(request, "counter/printer.html", shown)


@require_POST
@portal_view(MAY)
def act(request: StaffRequest, printer_id: int, verb: str) -> HttpResponse:
    """Take out of use or back; load a supply; write down what was counted."""
    if verb in ("open", "close"):
        printing.switch_printer(request.actor, printer_id, verb == "open")
        flash(request, "已启用。" if verb == "open" else "已停用。")
    elif verb == "load":
        printing.load_supply(request.actor, _number(request, "supply"))
        flash(request, "已装入新的一份。")
    elif verb == "count":
        supply, left = _number(request, "supply"), _number(request, "left")
        printing.count_supply(request.actor, supply, left, request.POST.get("note", ""))
        flash(request, "已按盘点的数登记。")
    else:
        raise Http404
    return redirect(reverse("counter:printer", args=[printer_id]))


def _supply_action(printer_id: int, each: printing.SupplyView) -> Action:
    ask = Confirm(f"装入新的{each.label}", f"剩余数改为 {each.capacity}。", "装好了")
    return Action(
        f"换{each.label}",
        reverse("counter:printer_act", args=[printer_id, "load"]),
        "post",
        "refresh",
        confirm=ask,
        params={"supply": each.id},
    )


def _form(request: StaffRequest) -> PrinterForm:
    form = PrinterForm(request.POST if request.method == "POST" else None)
    agents = personalization.working_agents(request.actor.scope)
    form.fields["agent"].choices = [(each.code, each.name) for each in agents]  # type: ignore[attr-defined]
    if request.actor.scope.level == "city":
        form.fields["district"].choices = [("", "市级柜台"), *DISTRICTS.items()]  # type: ignore[attr-defined]
    else:
        del form.fields["district"]
    return form


def _number(request: StaffRequest, name: str) -> int:
    given = request.POST.get(name, "")
    if not given.isdecimal() or len(given) > 12:
        raise Http404
    return int(given)
