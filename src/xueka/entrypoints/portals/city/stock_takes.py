"""Counting secure access modules with a scanner, at a unit or in the store."""

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.multiapp import api as multiapp
from xueka.entrypoints.design import states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.ui import Action, Confirm, Fact, Link, ObjectHead, Scan, ScanLine
from xueka.entrypoints.portals.city.units import form_page
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view


class BeginForm(WordedForm):
    unit = forms.ChoiceField(label="在哪里盘点", required=False)


@require_http_methods(["GET", "POST"])
@portal_view("city:sam:manage")
def listing(request: StaffRequest) -> HttpResponse:
    """All counts, and the way to begin one."""
    scope = request.actor.scope
    form = BeginForm(request.POST or None)
    listed = [(each.code, each.name) for each in multiapp.units(scope)]
    form.fields["unit"].choices = [("", "市级库房"), *listed]  # type: ignore[attr-defined]
    if request.method == "POST" and form.is_valid():
        try:
            made = multiapp.begin_stock_take(request.actor, form.cleaned_data["unit"])
        except XuekaError as refusal:
            return form_page(request, "盘点", form, refusal, "开始盘点", reverse("city:stock_takes"), "盘点")
        flash(request, f"{made.number} 已开始，应有 {len(made.expected)} 个。请逐个扫入。")
        return redirect("city:stock_take", made.number)
    names = shapes.Names()
    rows = [
        (
            Link(each.number, reverse("city:stock_take", args=[each.number])),
            each.holder.name if each.holder else "市级库房",
            len(each.expected),
            len(each.missing) if each.state == "signed" else "—",
            len(each.strange) if each.state == "signed" else "—",
            states.badge("stock_take", each.state),
            names[each.begun_by],
            each.begun_at,
        )
        for each in multiapp.stock_takes(scope)[:100]
    ]
    return render(request, "city/stock_takes.html", {"rows": rows, "form": form})


@require_GET
@portal_view("city:unit:read")
def page(request: StaffRequest, number: str) -> HttpResponse:
    found = multiapp.stock_take(request.actor.scope, number)
    shown = {
        "take": found,
        "head": ObjectHead(
            found.holder.name if found.holder else "市级库房",
            found.number,
            "盘点",
            states.badge("stock_take", found.state),
            facts=[
                Fact("盘点", shapes.actor_name(found.begun_by)),
                Fact("签认", shapes.actor_name(found.signed_by) or "—"),
                Fact("应有", f"{len(found.expected)} 个"),
            ],
            actions=_actions(request, found),
        ),
        "scan": _scan(found) if found.state == "open" and request.actor.may("city:sam:manage") else None,
        "missing": [Link(each, reverse("city:sam", args=[each])) for each in found.missing],
        "strange": found.strange,
    }
    return render(request, "city/stock_take.html", shown)


@require_POST
@portal_view("city:sam:manage")
def scan(request: StaffRequest, number: str) -> HttpResponse:
    """One module that was read."""
    try:
        serial, expected = multiapp.see(request.actor, number, request.POST.get("code", ""))
    except XuekaError as refusal:
        said, tone = refusal.message, "bad"
    else:
        said, tone = (f"{serial} 在", "ok") if expected else (f"{serial} 不该在这里", "wait")
    if request.headers.get("HX-Request") == "true":
        found = multiapp.stock_take(request.actor.scope, number)
        return render(request, "city/scan_lines.html", {"scan": _scan(found, said, tone)})
    flash(request, said, "ok" if tone == "ok" else "wait")
    return redirect("city:stock_take", number)


@require_POST
@portal_view("city:sam:manage")
def end(request: StaffRequest, number: str, verb: str) -> HttpResponse:
    if verb == "sign":
        found = multiapp.sign_stock_take(request.actor, number)
        flash(
            request, f"已签认：缺 {len(found.missing)} 个，多 {len(found.strange)} 个。缺的请逐个登记丢失。"
        )
    else:
        multiapp.cancel_stock_take(request.actor, number, request.POST.get("note", ""))
        flash(request, "盘点已取消。")
    return redirect("city:stock_take", number)


def _scan(found: multiapp.StockTake, said: str = "", tone: str = "neutral") -> Scan:
    seen = [each.serial for each in found.seen.order_by("-id")]
    known = set(found.expected)
    return Scan(
        reverse("city:stock_take_scan", args=[found.number]),
        [ScanLine(each, state="found" if each in seen else "expected") for each in found.expected],
        [
            ScanLine(each, "" if each in known else "不该在这里", "found" if each in known else "extra")
            for each in seen
        ],
        label="扫描模块上的条码，或键入编号后按回车",
        unit="个",
        said=said,
        said_tone=tone,
    )


def _actions(request: StaffRequest, found: multiapp.StockTake) -> list[Action]:
    if found.state != "open" or not request.actor.may("city:sam:manage"):
        return []
    blocked = "请由盘点人以外的运营签认。" if found.begun_by == request.actor.username else ""
    sure = Confirm("签认盘点", "签认后不能再扫。", "签认")
    why = Confirm("取消盘点", found.number, "取消盘点", "required", reason_label="理由")
    return [
        Action(
            "签认",
            reverse("city:stock_take_end", args=[found.number, "sign"]),
            "post",
            "checks",
            "primary",
            blocked,
            sure,
        ),
        Action(
            "取消盘点",
            reverse("city:stock_take_end", args=[found.number, "cancel"]),
            "post",
            "x",
            confirm=why,
        ),
    ]
