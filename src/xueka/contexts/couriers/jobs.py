"""The sweeps of couriers: judge pushes that were left, order, ask, subscribe, watch. Each may be killed or
run twice at any point.
"""

from collections.abc import Callable, Iterable
from typing import Any

import structlog
from django.db import transaction

from xueka.contexts.couriers import calling
from xueka.contexts.couriers.adapters import partner
from xueka.contexts.couriers.ports import AT_ONCE
from xueka.contexts.couriers.services import catching, following, inbox
from xueka.platform.database import home
from xueka.platform.jobs.sweeps import every

log = structlog.get_logger("xueka.couriers")


@every(2, "couriers.pushes")
def judge_pushes() -> None:
    """Pushes whose receiver was killed before it could judge them."""
    _each(inbox.waiting(), calling.judge_push, "push")


@every(2, "couriers.call")
def call_couriers() -> None:
    """Orders, cancellations, interceptions that wait for an answer."""
    _each(calling.due_calls(), calling.call, "shipment")


@every(3, "couriers.ask")
def ask_couriers() -> None:
    """The way of what is under way; what a push hinted at, at once."""
    due = calling.due_routes()
    _each([due[at : at + AT_ONCE] for at in range(0, len(due), AT_ONCE)], calling.ask_routes, "routes")


@every(5, "couriers.subscribe")
def subscribe() -> None:
    if calling.has_account("kuaidi100"):
        _each(calling.due_subscriptions(), calling.subscribe, "waybill")


@every(5, "couriers.catch_up")
def catch_up() -> None:
    """What the family, the school or the counter said before the courier did."""

    def one(shipment_id: int) -> None:
        with transaction.atomic():
            catching.catch_up(shipment_id)

    _each(catching.overtaken(), one, "shipment")


@every(59, "couriers.watch")
def watch() -> None:
    with transaction.atomic():
        following.watch()
        following.forget()


@every(7, "couriers.introduce")
def meet_simulators() -> None:
    """In a demo the couriers have to know where we listen."""
    address = home.serving_at()
    if address:
        partner.introduce_demo(address)


def sweep() -> None:
    """One round of everything, for whoever runs without a worker."""
    for work in (judge_pushes, call_couriers, ask_couriers, subscribe, catch_up):
        work()


def _each(things: Iterable[Any], work: Callable[[Any], object], what: str) -> None:
    """One that cannot be worked on must not keep those behind it waiting."""
    for each in things:
        try:
            work(each)
        except Exception:
            log.exception("couriers.sweep_broken", what=what, id=each)
