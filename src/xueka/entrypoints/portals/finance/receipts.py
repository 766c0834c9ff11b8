"""Fiscal e-receipts: the stock of numbers, every receipt, the original and its page."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.receipts import api as receipts
from xueka.entrypoints.design import formats, states
from xueka.entrypoints.design.downloads import attachment
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import Action, Badge, Empty, Fact, Link, ObjectHead, Tile
from xueka.entrypoints.portals.finance import looks
from xueka.entrypoints.portals.finance.nav import READ
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import XuekaError
from xueka.platform.history import queries as history
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_STATES = [("waiting", "未归档"), *((state.code, state.label) for state in receipts.RECEIPT.states)]
_DRAWS = 10


class DrawForm(WordedForm):
    count = forms.IntegerField(
        label="领取多少个票号", min_value=1, max_value=999_999, help_text="商户代收的款项开票时用。"
    )


@require_GET
@portal_view(READ)
def receipt_list(request: StaffRequest) -> HttpResponse:
    scope = request.actor.scope
    stock, waiting = receipts.stock(scope), receipts.waiting(scope).count()
    draw = Action("领取票号", reverse("finance:receipts_draw"), icon="download", tone="primary")
    may = request.actor.may(receipts.MANAGE)
    names = shapes.Names()
    listing = DataList(
        request,
        receipts.rows(scope),
        name="receipts",
        caption="电子票据",
        columns=[
            Column("票号", lambda row: row.number or "待领", kind="code"),
            Column("金额", lambda row: row.amount_fen, kind="money"),
            Column("种类", kind_of),
            Column("状态", lambda row: states.badge("receipt", row.state)),
            Column("订单", lambda row: looks.order_link(row.order.number), kind="code"),
            Column("开具", "issued_at", kind="number"),
            Column("在等", receipts.why_waiting, minor=True),
        ],
        sorts={"latest": ("-id",)},
        filters=[
            Filter("state", "状态", _in_state, _STATES, kind="tabs"),
            Filter("q", "票号或订单", _by_number, kind="search"),
            Filter("kind", "种类", _of_kind, [("blue", "蓝票"), ("red", "红票")]),
        ],
        url=lambda row: reverse("finance:receipt", args=[row.pk]),
        label=lambda row: row.number,
        unit="张",
        empty=Empty(
            "还没有电子票据", "缴费成功后系统自动向财政申请开具；退款时自动开红票。", icon="receipt-2"
        ),
    )
    shown = {
        "actions": [draw] if may else [],
        "tiles": [
            Tile(
                "剩余票号",
                stock.left,
                _stock_words(stock),
                None,
                "bad" if stock.low else "ok",
                "stack-2",
                "个",
            ),
            Tile(
                "未归档的票据",
                waiting,
                "系统会自动重试，缴费不受影响",
                None,
                "wait" if waiting else "ok",
                "clock",
                "张",
            ),
        ],
        "draws": [
            (each.asked_at, names[each.asked_by], each.count, _drawn(each), each.used)
            for each in receipts.draws(scope)[:_DRAWS]
        ],
        "list": listing,
    }
    return render(request, "finance/receipts.html", shown)


@require_GET
@portal_view(READ)
def one(request: StaffRequest, receipt_id: int) -> HttpResponse:
    scope = request.actor.scope
    found = receipts.receipt(scope, receipt_id)
    checked = receipts.verify(scope, receipt_id) if found.state == "kept" else None
    labels = {code: receipts.RECEIPT.event_label(code) for code in receipts.RECEIPT.event_codes}
    shown = {
        "head": ObjectHead(
            formats.yuan(found.amount_fen),
            found.number,
            "红票" if found.refund_id else "电子票据",
            states.badge("receipt", found.state),
            facts=[
                Fact("票据代码", found.code),
                Fact("票据号码", found.number),
                Fact("校验码", found.check_code),
                Fact("缴款码", found.pay_code),
                Fact("开具", found.issued_at),
                Fact("在等", receipts.why_waiting(found)),
                Fact("原件", _verdict(checked)),
            ],
            actions=_actions(request, found),
        ),
        "links": _links(found),
        "events": shapes.steps(history.timeline({"receipt": [found.pk]}), labels | {"create": "应开"}),
    }
    return render(request, "finance/refund.html", shown)


@require_GET
@portal_view(READ)
def take(request: StaffRequest, receipt_id: int, form: str) -> HttpResponse:
    """The original as it came (xml), or a page made from it (pdf)."""
    file = receipts.download(request.actor.scope, receipt_id, form)
    return attachment(file.name, file.content, file.kind)


@require_POST
@portal_view(receipts.MANAGE)
def retry(request: StaffRequest, receipt_id: int) -> HttpResponse:
    receipts.retry(request.actor, receipt_id)
    flash(request, "马上再试一次。")
    return redirect("finance:receipt", receipt_id)


@require_http_methods(["GET", "POST"])
@portal_view(receipts.MANAGE, atomic=False)
def draw(request: StaffRequest) -> HttpResponse:
    """Numbers for receipts, drawn from the finance office now."""
    form, problem = DrawForm(request.POST if request.method == "POST" else None), None
    if request.method == "POST" and form.is_valid():
        try:
            made = receipts.draw_stock(request.actor, form.cleaned_data["count"])
        except XuekaError as refusal:
            problem = refusal
        else:
            if made.refused:
                flash(request, f"财政没有给票号：{made.refused}", "bad")
            elif made.first is None:
                flash(request, "财政还没有回应，系统会接着领。", "wait")
            else:
                flash(request, f"已领取 {made.count} 个票号。")
            return redirect("finance:receipts")
    shown = {
        "title": "领取票号",
        "sub": "向财政非税平台领取电子票据的号码。",
        "form": form,
        "fields": [form["count"]],
        "problem": problem,
        "button": "领取",
        "icon": "download",
        "cancel": reverse("finance:receipts"),
    }
    return render(request, "finance/form.html", shown, status=400 if problem or form.errors else 200)


def kind_of(found: receipts.Receipt) -> Badge:
    return Badge("红票", "stop") if found.refund_id else Badge("蓝票", "neutral")


def _stock_words(stock: receipts.Stock) -> str:
    words = f"共领 {stock.drawn:,}，已用 {stock.used:,}"
    words += f"，另有旧票据代码的 {stock.old:,} 个不能再用" if stock.old else ""
    return f"{words}；快用完了，请领取" if stock.low else words


def _drawn(found: receipts.Draw) -> Badge:
    if found.refused:
        return Badge(found.refused, "bad")
    if found.first is None:
        return Badge("等财政回应", "wait")
    return Badge(f"{found.first:010d} 起", "ok")


def _verdict(checked: receipts.Verified | None) -> Badge | str:
    if checked is None:
        return ""
    return Badge("验签通过", "ok") if checked.good else Badge("；".join(checked.problems), "bad")


def _actions(request: StaffRequest, found: receipts.Receipt) -> list[Action]:
    if found.state == "kept":
        pdf, xml = (reverse("finance:receipt_file", args=[found.pk, form]) for form in ("pdf", "xml"))
        return [
            Action("下载 PDF", pdf, icon="file-type-pdf", tone="primary"),
            Action("下载原件 XML", xml, icon="file-code"),
        ]
    if not request.actor.may(receipts.MANAGE):
        return []
    url = reverse("finance:receipt_retry", args=[found.pk])
    return [Action("马上再试", url, "post", "refresh", "primary")]


def _links(found: receipts.Receipt) -> list[Link]:
    number = found.order.number
    links = [Link(number, looks.order_link(number).url, "订单", "receipt")]
    if found.blue:
        links.append(
            Link(found.blue.number, reverse("finance:receipt", args=[found.blue.pk]), "蓝票", "receipt-2")
        )
    if found.refund:
        url = reverse("finance:refund", args=[found.refund.number])
        links.append(Link(found.refund.number, url, "退款", "receipt-refund"))
    return links


def _in_state(rows: Any, code: str) -> Any:
    return rows.filter(state__in=receipts.WAITING) if code == "waiting" else rows.filter(state=code)


def _of_kind(rows: Any, code: str) -> Any:
    return rows.filter(refund__isnull=code == "blue")


def _by_number(rows: Any, text: str) -> Any:
    return rows.filter(number=text) | rows.filter(order__number=text.upper())
