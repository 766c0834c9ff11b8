"""The sweeps of payments: judge notices that were left, ask channels, end orders, send refunds, number what
others wait for. Each may be killed or run twice at any point.
"""

from collections.abc import Callable, Iterable

import structlog
from django.db import connection, transaction

from xueka.contexts.payments import calling
from xueka.contexts.payments.domain.transitions import OPEN
from xueka.contexts.payments.models import Order
from xueka.contexts.payments.services import inbox, introducing, orders
from xueka.contexts.payments.services.common import WORKER
from xueka.kernel import clock
from xueka.platform.database import home
from xueka.platform.jobs.sweeps import every

log = structlog.get_logger("xueka.payments")


@every(2, "payments.notices")
def judge_notices() -> None:
    """Notices whose receiver was killed before it could judge them."""
    _each(inbox.waiting(), calling.judge_notice, "notice")


@every(3, "payments.ask")
def ask_channels() -> None:
    """The janitor: whatever is undecided is asked for until it has an end."""
    _each(calling.due_payments(), calling.ask, "payment")


@every(4, "payments.unknown")
def ask_unknowns() -> None:
    """Money under numbers that we never gave: booked when the channel says so too."""
    _each(calling.due_unknowns(), calling.ask_unknown, "unknown")


@every(5, "payments.expire")
def expire_orders() -> None:
    rows = Order.objects.filter(state=OPEN, expires_at__lte=clock.now())
    _each(list(rows.order_by("expires_at").values_list("id", flat=True)[:500]), _expire, "order")


@every(3, "payments.refund")
def send_refunds() -> None:
    _each(calling.due_refunds(), calling.send_refund, "refund")


@every(1, "payments.number")
def number_settled() -> None:
    """The only place that gives numbers, one run at a time: below a number that is seen, none comes later."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE payments_settled SET seq = last.seq + waiting.place
              FROM (SELECT id, row_number() OVER (ORDER BY id) AS place
                      FROM payments_settled WHERE seq IS NULL) waiting,
                   (SELECT coalesce(max(seq), 0) AS seq FROM payments_settled) last
             WHERE payments_settled.id = waiting.id
            """
        )


@every(7, "payments.introduce")
def meet_simulators() -> None:
    """In a demo the channels listen on another port after each start, and so may we."""
    address = home.serving_at()
    if address:
        with transaction.atomic():
            introducing.introduce_demo(WORKER, address)


def sweep() -> None:
    """One round of everything, for whoever runs without a worker."""
    for work in (judge_notices, ask_channels, ask_unknowns, expire_orders, send_refunds, number_settled):
        work()


def _expire(order_id: int) -> None:
    with transaction.atomic():
        orders.expire_order(order_id)


def _each(ids: Iterable[int], work: Callable[[int], object], what: str) -> None:
    """One that cannot be worked on must not keep those behind it waiting."""
    for each in ids:
        try:
            work(each)
        except Exception:
            log.exception("payments.sweep_broken", what=what, id=each)
