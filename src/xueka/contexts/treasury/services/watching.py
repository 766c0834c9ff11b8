"""Reconciliation by itself: each week as far as it has gone, whenever there is something new."""

from datetime import date, datetime, time, timedelta

import structlog
from django.db import transaction
from django.db.models import Max

from xueka.contexts.payments import api as payments
from xueka.contexts.treasury.domain import breaks as b
from xueka.contexts.treasury.domain.breaks import Break
from xueka.contexts.treasury.models import Confirmation, ConfirmationWord, Run, Statement, StatementLine
from xueka.contexts.treasury.services.posting import WORKER
from xueka.contexts.treasury.services.reconciling import reconcile
from xueka.kernel import clock
from xueka.kernel.errors import XuekaError

log = structlog.get_logger("xueka.treasury")

_WEEKS = 8
"""Older weeks are reconciled by hand."""
_SURE = 2
"""This week and the one before are compared every day, also where nothing new has come."""
_DAILY = time(10, 30)


def reconcile_due() -> list[tuple[date, date]]:
    """Reconcile what is due: weeks (Monday to Sunday, the present one up to yesterday) of which a statement
    or a confirmation has come since, and the last two once a day. Returns the days that were compared.
    """
    done = []
    for first, last, always in _weeks(clock.today()):
        if _is_due(first, last, always=always):
            with transaction.atomic():
                found = reconcile(WORKER, first, last)
            for each in found.breaks:
                _look_into(each)
            done.append((first, last))
    return done


def _look_into(found: Break) -> None:
    """Money of which a statement speaks is asked for at the channel: perhaps its notice was lost."""
    try:
        if found.kind in (b.ONLY_CHANNEL, b.CHARGED_TWICE):
            line = StatementLine.objects.filter(channel=found.channel, key=found.key).order_by("-id").first()
            payments.look_into(found.channel, line.number if line else found.number, found.key)
        elif found.kind in (b.NOT_CREDITED, b.AFTER_CLOSE):
            payments.look_into(found.channel, found.key, found.channel_id)
        elif found.kind == b.REFUND_NOT_BOOKED:
            payments.look_into_refund(found.key)
    except XuekaError as error:  # it is asked again with the next run
        log.warning("treasury.not_looked_into", kind=found.kind, key=found.key, code=error.code)


def _weeks(today: date) -> list[tuple[date, date, bool]]:
    """The days of each week up to yesterday, the oldest first; the present week has none on a Monday."""
    monday = today - timedelta(days=today.weekday())
    found = []
    for back in range(_WEEKS, -1, -1):
        first = monday - timedelta(weeks=back)
        last = min(first + timedelta(days=6), today - timedelta(days=1))
        if first <= last:
            found.append((first, last, back < _SURE))
    return found


def _is_due(first: date, last: date, *, always: bool) -> bool:
    ran = Run.objects.filter(first__lte=first, last__gte=last).aggregate(last=Max("at"))["last"]
    days = {"day__gte": first, "day__lte": last}
    come = [
        Statement.objects.filter(**days).aggregate(last=Max("at"))["last"],
        Confirmation.objects.filter(**days).aggregate(last=Max("received_at"))["last"],
        ConfirmationWord.objects.filter(**days).aggregate(last=Max("received_at"))["last"],
    ]
    if always:
        mark = datetime.combine(clock.today(), _DAILY, clock.SHANGHAI)
        come.append(mark if mark <= clock.now() else mark - timedelta(days=1))
    newest = max((at for at in come if at), default=None)
    return newest is not None and (ran is None or ran < newest)
