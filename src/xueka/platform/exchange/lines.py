"""How much may go to a counterpart just now: its rate, and the breaker that spares one that does not answer.

Both stand in the row of the line, so that any number of senders on any number of machines keep to them, and
so that a page can show them.
"""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction

from xueka.kernel import clock
from xueka.platform.exchange.counterparts import Counterpart, Limits
from xueka.platform.exchange.models import CLOSED, OPEN, TRYING, Line


@dataclass(frozen=True, slots=True)
class Way:
    """The way to somebody who has no file of the exchange: a courier, a gateway, a mail server."""

    code: str
    limits: Limits = field(default_factory=lambda: Limits(breaker_after=5, breaker_most=60.0))


@dataclass(frozen=True, slots=True)
class Leave:
    """How many messages may be taken now. `trial`: one, to find out."""

    count: int
    trial: bool = False


def take_leave(partner: Counterpart | Way, wanted: int) -> Leave:
    """Ask for leave to send, in the caller's transaction; what is not used goes back by `give_back`."""
    line = _line(partner.code)
    now = clock.now()
    limits = partner.limits
    if line.breaker != CLOSED:
        if line.open_until is not None and now < line.open_until:
            return Leave(0)
        # One finds out; if it is killed, another may after its time.
        line.breaker, line.open_until = TRYING, now + timedelta(seconds=2 * limits.timeout + 5)
        line.save(update_fields=["breaker", "open_until"])
        return Leave(1, trial=True)
    burst = max(limits.per_second, 1.0)
    gone = (now - line.tokens_at).total_seconds() if line.tokens_at else burst
    tokens = min(burst, line.tokens + max(gone, 0.0) * limits.per_second)
    count = min(wanted, int(tokens))
    line.tokens, line.tokens_at = tokens - count, now
    line.save(update_fields=["tokens", "tokens_at"])
    return Leave(count)


def give_back(partner: Counterpart | Way, count: int, *, trial: bool) -> None:
    """Leave that found nothing to send."""
    line = _line(partner.code)
    if trial and line.breaker == TRYING:
        line.breaker, line.open_until = OPEN, clock.now()
        line.save(update_fields=["breaker", "open_until"])
    elif count and not trial:
        line.tokens += count
        line.save(update_fields=["tokens"])


def hear(partner: Counterpart | Way, accepted: int, failed: int, problem: str, slow_down: float) -> None:
    """What a round of calls showed of the way, in the caller's transaction.

    One acceptance closes the breaker. `failed` counts those whose fault is the way's; `slow_down`: seconds
    that the counterpart asked us to wait, which is no fault.
    """
    line = _line(partner.code)
    now, limits = clock.now(), partner.limits
    if accepted:
        line.breaker, line.open_until, line.failures, line.trips = CLOSED, None, 0, 0
        line.answered_at = now
    elif failed:
        line.failures += failed
        if line.breaker == TRYING or line.failures >= limits.breaker_after:
            line.breaker, line.open_until = OPEN, now + _pause(limits, line.trips)
            line.trips += 1
    elif line.breaker == TRYING:  # it answers, if only with a refusal of the content
        line.breaker, line.open_until, line.failures, line.trips = CLOSED, None, 0, 0
    if failed:
        line.failed_at, line.problem = now, problem[:200]
    if slow_down:
        line.breaker, line.open_until = OPEN, now + timedelta(seconds=min(slow_down, limits.breaker_most))
    line.save()


def may_call(way: Way) -> bool:
    """Whether to speak with it now: not while its breaker is open, and then one finds out. For an edge; ask
    only with something to say, and tell by `heard` what became of it.
    """
    with transaction.atomic():
        return take_leave(way, 1).count > 0


def heard(way: Way, answered: bool, silent: str) -> None:
    """After some calls: whether one was answered, and why one was not."""
    if answered or silent:
        with transaction.atomic():
            hear(way, int(answered), int(bool(silent)), silent, 0)


def retry_at(limits: Limits, attempts: int, now: datetime) -> datetime:
    """When the head of a key is tried again after so many tries: doubled each time, with jitter."""
    wait = min(limits.retry_most, limits.retry_base * 2 ** min(max(attempts - 1, 0), 20))
    return now + timedelta(seconds=wait * _jitter())


def _pause(limits: Limits, trips: int) -> timedelta:
    return timedelta(seconds=min(limits.breaker_most, limits.breaker_base * 2 ** min(trips, 20)) * _jitter())


def _jitter() -> float:
    return random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, keeps no secret


def _line(code: str) -> Line:
    found = Line.objects.select_for_update().filter(counterpart=code).first()
    if found is None:
        Line.objects.bulk_create([Line(counterpart=code)], ignore_conflicts=True)
        found = Line.objects.select_for_update().get(counterpart=code)
    return found
