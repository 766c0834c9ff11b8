"""Orders: the list, and one with every fen from the order to the treasury."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from xueka.contexts.payments import api as payments
from xueka.contexts.replacements import api as replacements
from xueka.contexts.treasury import api as treasury
from xueka.entrypoints.design import formats, states
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import Action, Empty, Fact, Link, ObjectHead
from xueka.entrypoints.portals.finance import looks, stories
from xueka.entrypoints.portals.finance.nav import READ
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import XuekaError
from xueka.kernel.text import parse_date
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_STATES = [(state.code, state.label) for state in payments.ORDER.states]


@require_GET
@portal_view(READ)
def order_list(request: StaffRequest) -> HttpResponse:
    listing = DataList(
        request,
        payments.order_rows(request.actor.scope),
        name="orders",
        caption="缴费订单",
        columns=[
            Column("订单号", "number", kind="code"),
            Column("金额", lambda row: row.amount_fen, kind="money"),
            Column("状态", lambda row: states.badge("order", row.state)),
            Column("事项", "title"),
            Column("学生", lambda row: row.student.name),
            Column("学校", lambda row: row.student.school.name, minor=True),
            Column("开立", "created_at", kind="number", minor=True),
            Column("缴费", "success_at", kind="number"),
        ],
        sorts={"latest": ("-id",)},
        filters=[
            Filter("state", "状态", lambda rows, code: rows.filter(state=code), _STATES, kind="tabs"),
            Filter("q", "订单号", lambda rows, text: rows.filter(number=text.upper()), kind="search"),
            Filter("day", "缴费日期", _paid_on, kind="date"),
            Filter(
                "channel",
                "渠道",
                lambda rows, code: rows.filter(payments__channel=code, payments__credited=True),
                list(looks.CHANNELS.items()),
            ),
            Filter("doubt", "支付", _in_doubt, [("1", "待核实"), ("2", "有订单外收款")]),
        ],
        url=lambda row: reverse("finance:order", args=[row.number]),
        label=lambda row: row.number,
        unit="张",
        empty=Empty("还没有缴费订单", "家长补卡换卡要缴费的，每次一张订单。", icon="receipt"),
    )
    shown = {"title": "缴费订单", "sub": "订单、支付、退款各有各的状态，都不会删除。", "list": listing}
    return render(request, "finance/list.html", shown)


@require_GET
@portal_view(READ)
def one(request: StaffRequest, number: str) -> HttpResponse:
    story = treasury.story_of_order(request.actor.scope, number)
    order = story.order
    assert order is not None  # else NotFound was raised
    given = looks.receipts_of(request.actor.scope, story)
    received = sum(each.received_fen or 0 for each in story.attempts)
    back = sum(each.amount_fen for each in story.refunds if each.state == "succeeded")
    shown = {
        "head": ObjectHead(
            order.title,
            order.number,
            "缴费订单",
            states.badge("order", order.state),
            facts=[
                Fact("应缴", formats.yuan(order.amount_fen)),
                Fact("实收", formats.yuan(received)),
                Fact("已退", formats.yuan(back)),
                Fact("收费标准", order.tariff),
                Fact("缴费期限", order.expires_at),
                Fact("缴费时间", order.success_at),
            ],
            actions=_actions(request, order),
        ),
        "steps": stories.steps(story, given),
        "story": stories.panels(story, given),
        "links": _links(request, order),
        "events": stories.events(story),
    }
    return render(request, "finance/order.html", shown)


def _actions(request: StaffRequest, order: payments.Order) -> list[Action]:
    if not request.actor.may("city:refund:ask") or order.state not in ("paid", "refunding"):
        return []
    left = payments.refundable_fen(order)
    why = "" if left else "已全部退款或正在退"
    url = reverse("finance:refund_ask", args=[order.number])
    return [Action("退款", url, icon="receipt-refund", disabled_reason=why)]


def _links(request: StaffRequest, order: payments.Order) -> list[Link]:
    links = [shapes.student_link(order.student)]
    kind, _, key = order.subject.partition(":")
    if kind == "replacement" and key.isdecimal() and request.actor.may(replacements.READ):
        for each in replacements.rows(request.actor.scope).filter(pk=int(key)):
            url = reverse("objects:replacement", args=[each.number])
            links.append(Link(each.number, url, "补卡换卡", "refresh"))
    return links


def _paid_on(rows: Any, text: str) -> Any:
    try:
        day = parse_date(text)
    except XuekaError:
        return rows.none()
    return rows.filter(success_at__date=day)


def _in_doubt(rows: Any, code: str) -> Any:
    if code == "1":
        return rows.filter(payments__state="unknown").distinct()
    return rows.filter(payments__stray_fen__gt=0).distinct()
