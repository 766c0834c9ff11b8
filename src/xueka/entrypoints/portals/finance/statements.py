"""Statements: what came of which day, what is missing, taking one by hand, errors by line."""

from datetime import date, timedelta
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from xueka.contexts.payments import api as payments
from xueka.contexts.treasury import api as treasury
from xueka.entrypoints.design import formats
from xueka.entrypoints.design.downloads import attachment
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.ui import Badge, DropZone, Fact, Link
from xueka.entrypoints.portals.finance import looks, weeks
from xueka.entrypoints.portals.finance.home import reconcile_action
from xueka.entrypoints.portals.finance.nav import READ
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound
from xueka.kernel.text import parse_date
from xueka.platform.files import services as files
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

SHOWN = 200
_FIRST = date(2000, 1, 1)
_AHEAD = 7
_HINTS = {
    "wechat": "微信支付商户平台下载的账单，CSV 或 GZIP，解压前后都可以。",
    "alipay": "支付宝商家平台下载的压缩包，或其中的 CSV。",
    "unionpay": "银联商户平台下载的压缩包，或其中的 ZM、ZME 文件。",
    "nontax": "微信非税账单，CSV 或 GZIP。",
}


@require_GET
@portal_view(READ)
def grid(request: StaffRequest) -> HttpResponse:
    """The statements of one week, channel by channel and day by day."""
    week, scope = weeks.of_request(request), request.actor.scope
    accounts = {each.code for each in payments.accounts(scope) if each.is_open}
    rows = treasury.statements(scope).filter(day__range=(week.monday, week.sunday))
    latest: dict[tuple[str, str, date], treasury.Statement] = {}
    for each in rows:
        kept = latest.setdefault((each.channel, each.kind, each.day), each)
        if each.usable and not kept.usable:
            latest[each.channel, each.kind, each.day] = each
    known = [place for place in treasury.FORMS if place[0] in accounts or any(place == k[:2] for k in latest)]
    places = sorted(known, key=lambda place: list(looks.CHANNELS).index(place[0]))
    shown = {
        "week": week,
        "tabs": weeks.tabs(week),
        "days": [formats.short_day(day) for day in week.days],
        "rows": [
            (
                f"{looks.CHANNELS[channel]}{looks.STATEMENT_KINDS[kind]}",
                [
                    (
                        formats.short_day(day),
                        _standing(latest.get((channel, kind, day)), day, needed=channel != "nontax"),
                        _url(channel, kind, day),
                    )
                    for day in week.days
                ],
            )
            for channel, kind in places
        ],
        "actions": [reconcile_action(week)] if request.actor.may("city:reconciliation:run") else [],
        "wrong": [
            (
                Link(
                    f"{looks.CHANNELS[each.channel]} {each.day}",
                    looks.place(each.channel, each.day, each.kind),
                ),
                len(each.errors),
                each.at,
            )
            for each in latest.values()
            if not each.usable
        ],
    }
    return render(request, "finance/statements.html", shown)


@require_http_methods(["GET", "POST"])
@portal_view(READ)
def one(request: StaffRequest, channel: str, kind: str, day: str) -> HttpResponse:
    """Everything that was received for a channel's day, and a place to bring a statement by hand."""
    on = parse_date(day)
    if (channel, kind) not in treasury.FORMS or not _FIRST <= on <= clock.today() + timedelta(days=_AHEAD):
        raise Http404
    if request.method == "POST":
        return _take(request, channel, kind, on)
    scope = request.actor.scope
    received = list(treasury.statements(scope).filter(channel=channel, kind=kind, day=on))
    counts = next((each for each in received if each.usable), None)
    newest = received[0] if received else None
    errors = newest.errors if newest and not newest.usable else []
    names = shapes.Names()
    may = request.actor.may("city:reconciliation:run") and on < clock.today()
    week = weeks.of_day(on)
    shown = {
        "title": f"{looks.CHANNELS[channel]}{looks.STATEMENT_KINDS[kind]} {formats.short_day(on)}",
        "back": Link("渠道账单", f"{reverse('finance:statements')}?week={week.code}"),
        "standing": _standing(counts or newest, on, needed=channel != "nontax"),
        "said": _said(request, channel, kind, on),
        "facts": _facts(counts) if counts else [],
        "received": [
            (
                each.at,
                Badge("参与对账", "ok")
                if each == counts
                else Badge("已被接替", "ended")
                if each.usable
                else Badge("有误，只留底", "bad"),
                each.rows,
                formats.yuan(each.amount_fen),
                formats.yuan(each.refund_fen),
                names[each.by],
                Link("下载原件", reverse("finance:statement_file", args=[each.pk])),
            )
            for each in received
        ],
        "whole": [each for each in errors if not each.get("line")],
        "lines": [each for each in errors if each.get("line")][:SHOWN],
        "more": max(0, sum(bool(each.get("line")) for each in errors) - SHOWN),
        "drop": DropZone(
            _url(channel, kind, on),
            label=f"把 {on.isoformat()} 的账单拖到这里",
            hint=_HINTS[channel],
            button="收下账单",
        )
        if may
        else None,
        "yesterday": _url(channel, kind, on - timedelta(days=1)),
        "tomorrow": _url(channel, kind, on + timedelta(days=1)),
    }
    return render(request, "finance/statement.html", shown)


@require_GET
@portal_view(READ)
def file(request: StaffRequest, statement_id: int) -> HttpResponse:
    """A statement exactly as it came."""
    found = treasury.statements(request.actor.scope).select_related("file").filter(pk=statement_id).first()
    if found is None:
        raise NotFound("STATEMENT_NOT_FOUND", "没有这份账单。")
    return attachment(found.file.name, files.read(found.file), "application/octet-stream")


def _take(request: StaffRequest, channel: str, kind: str, on: date) -> HttpResponse:
    given = request.FILES.get("file")
    if given is None:
        raise BadInput("FILE_MISSING", "没有收到文件。", action="请选择账单文件后再试。")
    raw = given.read()
    if not raw:
        raise BadInput("FILE_EMPTY", "文件是空的。", action="请重新下载账单后再试。")
    kept = treasury.take_statement(request.actor, channel, kind, on, raw, given.name or "")
    if kept.usable:
        flash(request, f"已收下：{kept.rows} 行，收款 {formats.yuan(kept.amount_fen)}。请再对一次账。")
    else:
        flash(request, f"账单有 {len(kept.errors)} 处不对，已留底，不参与对账。", "bad")
    return redirect(_url(channel, kind, on))


def _said(request: StaffRequest, channel: str, kind: str, on: date) -> str:
    """What the channel answered when the system asked for it last, while it has not given it."""
    lacking = treasury.lacking_statements(request.actor.scope, on, on)
    return next((each.said for each in lacking if (each.channel, each.kind) == (channel, kind)), "")


def _url(channel: str, kind: str, on: date) -> str:
    return looks.place(channel, on, kind)


def _standing(found: treasury.Statement | None, day: date, *, needed: bool = True) -> Badge:
    """Of money that reaches the treasury itself the confirmation counts, so its statement may be lacking."""
    if found is None:
        if day >= clock.today():
            return Badge("未到", "neutral")
        return Badge("缺", "wait") if needed else Badge("未送", "neutral")
    if not found.usable:
        return Badge("有误", "bad")
    return Badge(f"{found.rows} 行" if found.rows else "无交易", "ok")


def _facts(found: treasury.Statement) -> list[Fact]:
    facts: list[tuple[str, Any]] = [
        ("行数", found.rows),
        ("收款", formats.yuan(found.amount_fen)),
        ("退款", formats.yuan(found.refund_fen)),
        ("手续费净额", formats.yuan(found.fee_fen)),
        ("摘要（SM3）", found.sm3),
    ]
    return [Fact(label, value) for label, value in facts]
