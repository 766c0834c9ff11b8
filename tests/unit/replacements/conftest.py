"""Families that replace cards in the small city of the cards' tests, and pay at channels in memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import pytest
from django.db import transaction

from tests.support import fake_channel
from tests.support.fake_channel import BANKS
from tests.support.families import with_guardian
from tests.unit.cards.conftest import NOW, City, build
from tests.unit.payments.conftest import in_memory, open_channels
from xueka.contexts.cards import api as cards
from xueka.contexts.payments import api as payments
from xueka.contexts.registry import api as registry
from xueka.contexts.replacements import api as replacements
from xueka.contexts.replacements import jobs
from xueka.kernel import clock
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import GUARDIAN, Scope

__all__ = ["in_memory"]


@dataclass
class Families:
    """A guardian acts for one child that has a card; the rest of the city does its part in single steps."""

    city: City
    time: clock.SimulatedClock

    def __post_init__(self) -> None:
        self._phones = count(13_800_000_001)

    def child(self, school: int = 0, born: str = "2010-01-01") -> registry.Student:
        """With a living card; old enough that nobody has to consent, unless `born` says otherwise."""
        [student_id] = self.city.students(school=school)
        self.city.active([student_id])
        return with_guardian(student_id, str(next(self._phones)), born=born)

    def parent(self, *children: registry.Student) -> Actor:
        scope = Scope(GUARDIAN, children=frozenset(each.id for each in children))
        return Actor.in_role("guardian:1", "家长", GUARDIAN, scope)

    def card(self, child: registry.Student) -> cards.Card:
        [found] = cards.card_rows(self.city.system.scope).filter(student=child, state__in=cards.LIVE)
        return found

    @transaction.atomic
    def lost(self, child: registry.Student) -> None:
        cards.report_lost(self.parent(child), self.card(child).id)

    @transaction.atomic
    def begun(self, child: registry.Student, reason: str = "data_change") -> replacements.Replacement:
        if reason == "lost":
            self.lost(child)
        return replacements.begin(self.parent(child), self.card(child).number, reason)

    @transaction.atomic
    def handed_in(
        self, child: registry.Student, reason: str = "data_change", delivery: str = "school"
    ) -> replacements.Replacement:
        parent, made = self.parent(child), self.begun(child, reason)
        where = replacements.address("王建国", "13800000001", "东城区某街道某小区 1 号楼 2 单元 301")
        replacements.choose_delivery(parent, made.id, delivery, where if delivery == "home" else None)
        return replacements.submit(parent, made.id)

    def pays(self, made: replacements.Replacement, channel: str = "wechat") -> payments.Order:
        order = payments.orders(self.city.system.scope, [made.order_id or 0])[made.order_id or 0]
        started = payments.pay(self.city.system, order.id, channel, openid="o1")
        payment = payments.Payment.objects.get(id=started.payment_id)
        BANKS[channel].pay(payment)
        told = BANKS[channel].paid[payment.out_trade_no]
        headers, raw = fake_channel.payment_notice(f"N{payment.out_trade_no}", payment.out_trade_no, told)
        payments.take_notice(channel, headers, raw)
        order.refresh_from_db()
        return order

    def sweep(self, made: replacements.Replacement) -> str:
        """The sweep has run; returns the state."""
        jobs.follow()
        made.refresh_from_db()
        return made.state

    @transaction.atomic
    def accepted(self, made: replacements.Replacement) -> None:
        for _ in range(2):
            assert not cards.approve(Actor.system("reviewer"), [made.application_id or 0]).refused

    @transaction.atomic
    def made(self, made: replacements.Replacement) -> int:
        """The card comes from the bureau; returns its id."""
        self.accepted(made)
        [planned] = cards.plan_cards(self.city.operator, [made.application_id or 0])
        cards.order_cards(self.city.system, [planned.id])
        cards.confirm_made(self.city.system, [(planned.id, f"{planned.id:08X}")])
        return planned.id


@pytest.fixture
def family(db: None, in_memory: None) -> Iterator[Families]:
    with clock.at(NOW) as time:
        made = Families(build(), time)
        open_channels()
        yield made
