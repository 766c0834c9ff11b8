"""Receiving: scan the box card by card, name what is missing or foreign, sign."""

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.logistics import api as logistics
from xueka.entrypoints.design import formats
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.ui import Action, Confirm, Empty, Link, Scan, ScanLine
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import BadInput, NotFound
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view


class BoxForm(WordedForm):
    box = forms.CharField(label="箱号", max_length=20, help_text="扫箱签上的条码，或键入以 XH 开头的箱号。")


class CardForm(WordedForm):
    code = forms.CharField(
        label="破损的卡", max_length=32, help_text="扫这张卡的卡号。破损的卡签收后交市级重制。"
    )


@require_GET
@portal_view("school:delivery:receive")
def boxes(request: StaffRequest) -> HttpResponse:
    """Boxes on the way; scanning a box label leads straight to its contents."""
    scope = request.actor.scope
    form = BoxForm(request.GET) if "box" in request.GET else BoxForm()
    if form.is_bound and form.is_valid():
        try:
            found = logistics.box(scope, form.cleaned_data["box"].upper())
        except NotFound as refusal:
            form.add_error("box", f"{refusal.message}{refusal.action}")
        else:
            name = "school:receive_box" if found.state == "in_transit" else "objects:box"
            return redirect(reverse(name, args=[found.number]))
    rows = [
        (
            Link(box.number, reverse("school:receive_box", args=[box.number])),
            shapes.class_of(box.school_class),
            box.card_count,
            formats.short_day(box.delivery.expected_on),
            f"{box.delivery.carrier} {box.delivery.waybill}",
        )
        for box in logistics.boxes(scope, states=("in_transit",))
    ]
    empty = Empty(
        "没有箱子在路上",
        "市级发货后，箱子会出现在这里，并写明哪天到。",
        Action("看申领进度", reverse("objects:applications")),
        "package",
    )
    return render(request, "school/receive.html", {"form": form, "rows": rows, "empty": empty})


@require_GET
@portal_view("school:delivery:receive")
def box(request: StaffRequest, number: str) -> HttpResponse:
    """Expected and scanned side by side. What was scanned stays, whatever happens to this browser."""
    found = logistics.box(request.actor.scope, number)
    if found.state != "in_transit":
        return redirect(reverse("objects:box", args=[number]))
    return _page(request, found, CardForm(auto_id="damaged_%s"))


def _page(request: StaffRequest, found: logistics.Box, form: forms.Form, status: int = 200) -> HttpResponse:
    shown = {
        "box": found,
        "name": shapes.class_of(found.school_class),
        "scan": _scan(request.actor, found),
        "form": form,
        "back": Link("全部卡箱", reverse("school:receive")),
    }
    return render(request, "school/receive_box.html", shown, status=status)


@require_POST
@portal_view("school:delivery:receive")
def scan(request: StaffRequest, number: str) -> HttpResponse:
    """One scan, kept at once; answers with the two lists and what became of it."""
    found = logistics.box(request.actor.scope, number)
    code = request.POST.get("code", "").strip()
    try:
        new = logistics.scan(request.actor, number, code)
    except BadInput as refusal:
        return _lines(request, found, f"{refusal.message}{refusal.action}", "bad")
    if code == found.number:
        logistics.unscan(request.actor, number, code)
        return _lines(request, found, "这是箱签，请扫箱内的卡。", "wait")
    receipt = logistics.compare_scans(request.actor, number)
    here = len(receipt.received) + len(receipt.damaged)
    if code in receipt.foreign:
        return _lines(request, found, f"{code} 不在本箱，请放到一边", "bad")
    if not new:
        return _lines(request, found, f"{code} 已经扫过", "wait")
    return _lines(request, found, f"{here} / {len(receipt.expected)} {_names(found)[code]}", "ok")


def _lines(request: StaffRequest, found: logistics.Box, said: str, tone: str) -> HttpResponse:
    if request.headers.get("HX-Request") != "true":  # without script: the whole page again
        flash(request, said, "ok" if tone == "ok" else "wait")
        return redirect(reverse("school:receive_box", args=[found.number]))
    return render(request, "school/scan_lines.html", {"scan": _scan(request.actor, found, said, tone)})


@require_POST
@portal_view("school:delivery:receive")
def damaged(request: StaffRequest, number: str) -> HttpResponse:
    """Mark a card as damaged; that counts as scanned."""
    found = logistics.box(request.actor.scope, number)
    form = CardForm(request.POST, auto_id="damaged_%s")
    code = form.cleaned_data["code"].strip() if form.is_valid() else ""
    if code and code not in _names(found):
        form.add_error("code", f"{code} 不在本箱，不能登记为本箱的破损卡。")
    if not form.is_valid():
        return _page(request, found, form, status=400)
    logistics.scan(request.actor, number, code, damaged=True)
    flash(request, f"{_names(found)[code]}的卡 {code} 已登记为破损。", "wait")
    return redirect(reverse("school:receive_box", args=[number]))


@require_POST
@portal_view("school:delivery:receive")
def undo(request: StaffRequest, number: str) -> HttpResponse:
    """A scan made by mistake is taken back."""
    code = request.POST.get("code", "")
    logistics.unscan(request.actor, number, code)
    flash(request, f"{code} 的扫描已取消。")
    return redirect(reverse("school:receive_box", args=[number]))


@require_POST
@portal_view("school:delivery:receive")
def sign(request: StaffRequest, number: str) -> HttpResponse:
    receipt = logistics.sign(request.actor, number)
    if receipt.complete:
        flash(request, f"卡箱 {number} 已签收，{len(receipt.received)} 张都在。")
    else:
        flash(
            request,
            f"卡箱 {number} 已签收 {len(receipt.received)} 张；{_differences(receipt)}，已登记，由市级处理。",
            "wait",
        )
    return redirect(reverse("objects:box", args=[number]))


def _differences(receipt: logistics.Receipt) -> str:
    parts = [("缺", receipt.missing), ("破损", receipt.damaged), ("不属本箱", receipt.foreign)]
    return "，".join(f"{word} {len(codes)} 张" for word, codes in parts if codes)


def _names(found: logistics.Box) -> dict[str, str]:
    """Card number → whose it is, for the cards that belong into the box."""
    return {
        place.card.number: place.card.student.name for place in logistics.contents(found) if place.is_here
    }


def _scan(actor: Actor, found: logistics.Box, said: str = "", tone: str = "neutral") -> Scan:
    receipt = logistics.compare_scans(actor, found.number)
    names = _names(found)
    looks = dict.fromkeys(receipt.received, "found") | dict.fromkeys(receipt.damaged, "damaged")
    return Scan(
        reverse("school:receive_scan", args=[found.number]),
        expected=[ScanLine(code, name, looks.get(code, "expected")) for code, name in names.items()],
        scanned=[
            ScanLine(
                each.code,
                names.get(each.code, ""),
                looks.get(each.code, "extra"),
                _note(looks.get(each.code)),
                undo=_undo(found, each.code, looks.get(each.code)),
            )
            for each in reversed(logistics.scans(found))
        ],
        said=said,
        said_tone=tone,
        finish=_finish(found, receipt),
    )


def _note(look: str | None) -> str:
    return {None: "不在本箱，请放到一边", "damaged": "破损"}.get(look, "")


def _undo(found: logistics.Box, code: str, look: str | None) -> Action | None:
    """A slip of the scanner or a wrong mark can be taken back at once."""
    if look == "found":
        return None
    label = "取消破损登记" if look == "damaged" else "扫错了，取消"
    url = reverse("school:receive_undo", args=[found.number])
    return Action(label, url, "post", "arrow-back-up", params={"code": code})


def _finish(found: logistics.Box, receipt: logistics.Receipt) -> Action:
    if len(receipt.missing) == len(receipt.expected):
        return Action("签收", icon="signature", disabled_reason="还没有扫到本箱的卡。")
    count = len(receipt.received)
    body = f"{count} 张都在。"
    if not receipt.complete:
        body = f"签收 {count} 张；{_differences(receipt)}，将登记为差异，由市级处理。"
    return Action(
        f"签收 {count} 张",
        reverse("school:receive_sign", args=[found.number]),
        "post",
        "signature",
        "primary",
        confirm=Confirm(f"签收卡箱 {found.number}", body, "签收"),
    )
