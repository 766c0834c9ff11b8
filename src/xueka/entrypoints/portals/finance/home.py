"""The week's money in four columns, its differences, and today's."""

from datetime import timedelta

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.closing import api as closing
from xueka.contexts.payments import api as payments
from xueka.contexts.treasury import api as treasury
from xueka.entrypoints.design import formats
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.ui import Action, Tile
from xueka.entrypoints.portals.finance import looks, weeks
from xueka.entrypoints.portals.finance.nav import READ
from xueka.entrypoints.portals.finance.weeks import Week
from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

DAYS = 14


@require_GET
@portal_view(READ)
def home(request: StaffRequest) -> HttpResponse:
    actor, week = request.actor, weeks.of_request(request)
    scope = actor.scope
    until = (week.past_days or week.days)[-1]  # of today no statement is here yet
    found = treasury.sides(scope, week.monday, until)
    last = treasury.runs(scope).filter(first__lte=week.sunday, last__gte=week.monday).first()
    shown = {
        "week": week,
        "tabs": weeks.tabs(week),
        "until": until if week.is_present else None,
        "actions": _actions(actor, week),
        "tiles": _tiles(actor),
        "sides": [(looks.CHANNELS[each.channel], each, *_differences(each)) for each in found],
        "total": _total(found),
        "refunds": [
            (
                looks.CHANNELS[each.channel],
                each,
                looks.difference(each.refunded_fen - each.refund_stated_fen),
                looks.difference(each.refunded_fen - each.refund_booked_fen),
            )
            for each in found
            if each.refunded_fen or each.refund_stated_fen or each.refund_booked_fen
        ],
        "steps": treasury.waterfall(scope, week.monday, until, found),
        "moved": any(each.received_fen or each.outside_fen or each.booked_fen for each in found),
        "last": last,
        "channels": [looks.CHANNELS[each.channel] for each in found],
        "days": _days(actor, [each.channel for each in found]),
    }
    return render(request, "finance/home.html", shown)


@require_POST
@portal_view("city:reconciliation:run")
def reconcile(request: StaffRequest) -> HttpResponse:
    """Reconcile the days of a week that are over."""
    week = weeks.of_request(request)
    days = week.past_days
    if not days:
        flash(request, "这一周还没有过完一天，没有可对的账。", "wait")
    else:
        result = treasury.reconcile(request.actor, days[0], days[-1])
        words = f"已对 {result.orders} 笔，相符 {result.matched}，差错 {len(result.breaks)} 项。"
        flash(request, words, "wait" if result.breaks else "ok")
    back = request.POST.get("back", "")
    if back == "breaks":
        return redirect("finance:breaks")
    if back == "close":
        return redirect("finance:close", week.code)
    return redirect(f"{reverse('finance:home')}?week={week.code}")


def reconcile_action(week: Week, back: str = "", tone: str = "default") -> Action:
    url = f"{reverse('finance:reconcile')}?week={week.code}"
    why = "" if week.past_days else "这一周还没有过完一天"
    return Action("对账", url, "post", "scale", tone, disabled_reason=why, params={"back": back})


def _actions(actor: Actor, week: Week) -> list[Action]:
    export = Action("导出 XLSX", f"{reverse('finance:week_file')}?week={week.code}", icon="file-download")
    if not actor.may("city:reconciliation:run"):
        return [export]
    return [reconcile_action(week, tone="primary"), export]


def _differences(each: treasury.ChannelSides) -> list[object]:
    """What the other side says against us, and the books against us."""
    return [looks.difference(each.difference_fen), looks.difference(each.booked_fen - each.received_fen)]


def _total(found: list[treasury.ChannelSides]) -> treasury.ChannelSides:
    names = ("payments", "received_fen", "stray_fen", "booked_fen", "refunds", "refunded_fen")
    total = treasury.ChannelSides("")
    for name in names:
        setattr(total, name, sum(getattr(each, name) for each in found))
    stated = [each.stated_fen for each in found if each.stated_fen is not None]
    confirmed = [each.confirmed_fen for each in found if each.confirmed_fen is not None]
    total.stated_fen = sum(stated) if stated else None
    total.confirmed_fen = sum(confirmed) if confirmed else None
    return total


def _days(actor: Actor, channels: list[str]) -> list[tuple[str, list[str]]]:
    today = clock.today()
    first = today - timedelta(days=DAYS - 1)
    taken = treasury.takings(actor.scope, first, today)
    days = [first + timedelta(days=number) for number in range(DAYS)]
    return [
        (
            formats.short_day(day).split(" ")[0],
            [formats.yuan(taken.get(day, {}).get(channel, (0, 0))[1]) for channel in channels],
        )
        for day in days
    ]


def _tiles(actor: Actor) -> list[Tile]:
    scope, today = actor.scope, clock.today()
    taken = treasury.takings(scope, today, today).get(today, {})
    rows = treasury.breaks(scope)
    unexplained = rows.filter(state="open").count()
    to_sign = rows.filter(state="explained").exclude(explained_by=actor.username).count()
    waiting = payments.refund_rows(scope).filter(state__in=["asked", "pending", "abnormal", "failed"])
    stuck = waiting.filter(state__in=["abnormal", "failed"]).count()
    unknown = payments.payment_rows(scope).filter(state="unknown").count()
    breaks, refunds = reverse("finance:breaks"), reverse("finance:refunds")
    return [
        Tile(
            "今天收款",
            formats.yuan(sum(fen for _, fen in taken.values())),
            f"{sum(count for count, _ in taken.values())} 笔，按渠道的成功时间",
            Action("看订单", f"{reverse('finance:orders')}?state=paid"),
            "ok" if taken else "neutral",
            "cash",
        ),
        _open_weeks(actor),
        Tile(
            "待说明的差错",
            unexplained,
            "对账发现、还没有人说明原因",
            Action("去说明", f"{breaks}?state=open") if unexplained else None,
            "bad" if unexplained else "ok",
            "alert-triangle",
            "项",
        ),
        Tile(
            "待您签认",
            to_sign,
            "别人已说明，等第二人签认",
            Action("去签认", f"{breaks}?state=explained") if to_sign else None,
            "wait" if to_sign else "ok",
            "user-check",
            "项",
        ),
        Tile(
            "在途的退款",
            waiting.count(),
            f"其中 {stuck} 笔异常或未成" if stuck else "渠道或国库正在办理",
            Action("去看", f"{refunds}?state={'stuck' if stuck else 'waiting'}"),
            "bad" if stuck else "progress",
            "receipt-refund",
            "笔",
        ),
        *_doubts(unknown),
    ]


def _open_weeks(actor: Actor) -> Tile:
    """The week that comes next, and what is to be done with it. A calendar that lacks a year is said on this
    tile, and does not take the page away.
    """
    title, icon = "待签署的周", "calendar-check"
    try:
        found = [each for each in closing.weeks(actor.scope) if each.is_open]
    except XuekaError as error:
        go = Action("去周结", reverse("finance:closes"))
        return Tile(title, "—", error.message, go, "bad", icon)
    closes = closing.closes(actor.scope).order_by("monday")
    to_sign = closes.filter(state="prepared").exclude(prepared_by=actor.username).first()
    to_remit = closes.filter(state="signed").first()
    tone = "bad" if any(each.is_overdue for each in found) else "wait"
    if to_sign:
        words, go = f"{to_sign.number} 等您签署", _to_week("去签署", closing.name_of(to_sign.monday))
    elif found:
        words, go = f"最早的过了 {found[-1].days_open} 天", _to_week("去周结", found[-1].name)
    elif to_remit:
        words = f"{to_remit.number} 已签署，等上缴国库"
        go, tone = _to_week("去上缴", closing.name_of(to_remit.monday)), "wait"
    else:
        words, go, tone = "过完的周都签署、上缴了", Action("去周结", reverse("finance:closes")), "ok"
    return Tile(title, len(found), words, go, tone, icon, "周")


def _to_week(label: str, name: str) -> Action:
    return Action(label, reverse("finance:close", args=[name]))


def _doubts(count: int) -> list[Tile]:
    """Shown while there are any: the system asks by itself."""
    if not count:
        return []
    go = Action("去看", f"{reverse('finance:orders')}?doubt=1")
    words = "渠道没有回应，系统每隔几分钟再问"
    return [Tile("待核实的支付", count, words, go, "wait", "help-circle", "笔")]
