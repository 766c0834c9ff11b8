"""The town's families have paid last week; two finance people look after the money."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

import pytest
from django.db import transaction

from tests.journeys import town as towns
from tests.journeys.town import SYSTEM, Town, town
from tests.support import statements
from tests.support.fake_channel import BANKS
from tests.unit.payments.conftest import Cashier, in_memory, open_channels
from tests.unit.treasury.conftest import confirm, line, statement
from xueka.contexts.payments import api as payments
from xueka.contexts.payments import jobs
from xueka.contexts.treasury import api as treasury
from xueka.kernel import clock
from xueka.kernel.clock import SHANGHAI
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

__all__ = ["in_memory", "town"]


@dataclass
class Children:
    """Hands out the town's students one by one."""

    town: Town
    taken: int = 0

    def students(self, count: int) -> list[int]:
        found = self.town.students()
        self.taken += count
        return [found[(self.taken - number - 1) % len(found)].pk for number in range(count)]


@dataclass
class Money:
    """Last week's money: `paid` by WeChat on the Tuesday, `by_code` on the Wednesday; one paid twice."""

    town: Town
    monday: date
    paid: list[payments.Payment] = field(default_factory=list)
    by_code: payments.Payment | None = None

    @property
    def tuesday(self) -> date:
        return self.monday + timedelta(days=1)

    @property
    def wednesday(self) -> date:
        return self.monday + timedelta(days=2)

    def rows(self) -> list[statements.Cells]:
        """What a sound statement of the Tuesday holds."""
        return [line(each.out_trade_no, each.channel_id, 2000, self.tuesday) for each in self.paid]

    def others(self) -> None:
        """Sound statements of every other day and of Alipay, where one charge came and went back."""
        [twice] = payments.payment_rows(SYSTEM.scope).filter(channel="alipay")
        [back] = payments.refund_rows(SYSTEM.scope).filter(payment=twice)
        came = alipay_line(twice, "", 2000, self.tuesday)
        went = alipay_line(twice, back.number, -2000, self.tuesday)
        for day in (self.monday + timedelta(days=number) for number in range(7)):
            raw = statements.alipay([came, went]) if day == self.tuesday else b""
            treasury.take_statement(finance("finance"), "alipay", "trade", day, raw)
            if day != self.tuesday:
                treasury.take_statement(finance("finance"), "wechat", "trade", day, b"")

    def statement(self, rows: list[statements.Cells] | None = None) -> bytes:
        return statement(self.rows() if rows is None else rows)


def alipay_line(payment: payments.Payment, refund: str, fen: int, day: date) -> statements.Cells:
    cells = dict.fromkeys(statements.BUSINESS, "")
    return cells | {
        "支付宝交易号": f"{payment.channel_id}\t",
        "商户订单号": f"{payment.out_trade_no}\t",
        "业务类型": "退款\t" if refund else "交易\t",
        "创建时间": f"{day} 10:00:00",
        "完成时间": f"{day} 10:00:00",
        "订单金额（元）": statements.yuan(fen),
        "商家实收（元）": statements.yuan(fen),
        "商家优惠（元）": "0.00",
        "退款批次号/请求号": f"{refund}\t",
        "服务费（元）": "0.00",
    }


def finance(name: str) -> Actor:
    return Actor.in_role(name, name, "finance", Scope("city"))


def moment(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), SHANGHAI)


@pytest.fixture
def money(town: Town, in_memory: None) -> Iterator[Money]:
    """Five families by WeChat (one of them twice), one by payment code, whose money is confirmed."""
    for username, name in (("finance", "许晴"), ("finance2", "何川")):
        town.passwords[username] = towns.add_user(username, name, "finance", town.schools["first"])
    today = clock.today()
    made = Money(town, today - timedelta(days=today.weekday() + 7))
    with transaction.atomic():
        open_channels()
    cashier = Cashier(Children(town))  # type: ignore[arg-type]
    with clock.at(moment(made.tuesday, 10)):
        for _ in range(5):
            cashier.paid()
        twice = cashier.order()
        first, second = cashier.attempt(twice), cashier.attempt(twice, "alipay")
        for each in (first, second):
            BANKS[each.channel].pay(each)
            cashier.notice(each)
        jobs.sweep()
        made.paid = list(payments.payment_rows(SYSTEM.scope).filter(channel="wechat").order_by("id"))
    with clock.at(moment(made.wednesday, 10)):
        made.by_code = cashier.paid(channel="nontax").payments.get()
        confirm(made.by_code.out_trade_no, "B1", 2000, made.by_code.channel_id, made.wednesday)
    yield made
