"""How the counterparts of the exchange stand, and the samples of every interface, hour by hour."""

from datetime import datetime, timedelta

from django.db.models import Count, Q

from xueka.contexts.interop.domain.transitions import GONE, LEFT, OPEN
from xueka.contexts.interop.models import Difference, Sample
from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.exchange import queries as exchange
from xueka.platform.exchange.counterparts import Counterpart, codes, counterpart
from xueka.platform.exchange.standing import EXCHANGE, Standing, Telling, standings

SAMPLES_KEPT = timedelta(days=400)


def counterparts_standing(first: datetime) -> Telling:
    """Every counterpart that has a file; one whose file cannot be read is shown as such."""
    yield {}
    known = codes()
    unfinished, moved = exchange.unfinished(known), exchange.moved(known, first)
    lines = exchange.lines(known)
    open_ones = Difference.objects.exclude(state__in=[GONE, LEFT]).values_list("counterpart")
    counted = open_ones.annotate(waits=Count("id", filter=Q(state=OPEN)), all=Count("id"))
    differences = {code: (waits, every - waits) for code, waits, every in counted}
    found = []
    for code in known:
        partner, wrong = _read(code)
        line, now = lines[code], unfinished[code]
        sent, received, failed = moved[code]
        found.append(
            Standing(
                code,
                partner.name if partner else code,
                EXCHANGE,
                usable=partner is not None,
                breaker=line.breaker,
                open_until=line.open_until,
                answered_at=line.answered_at,
                problem=wrong or line.problem,
                waiting=now.waiting,
                failing=now.failing,
                oldest_seconds=now.oldest_seconds,
                dead=now.dead + now.incoming_dead,
                differences=differences.get(code, (0, 0))[0],
                settling=differences.get(code, (0, 0))[1],
                sent=sent,
                received=received,
                failed=failed,
                in_time=partner.limits.in_time if partner else 0,
            )
        )
    return found


def sample_all() -> None:
    """Write the present hour of every interface, and end the one before, in the caller's transaction.

    What moved in an hour is counted anew each time, what waited is the most that was ever seen in it.
    """
    now = clock.now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    before = {each.code: each for each in standings(hour - timedelta(hours=1))}
    for each in standings(hour):
        earlier = before.get(each.code, each)
        Sample.objects.filter(interface=each.code, hour=hour - timedelta(hours=1)).update(
            sent=max(earlier.sent - each.sent, 0),
            received=max(earlier.received - each.received, 0),
            failed=max(earlier.failed - each.failed, 0),
        )
        row, _ = Sample.objects.get_or_create(interface=each.code, hour=hour, defaults={"at": now})
        Sample.objects.filter(id=row.id).update(
            sent=each.sent,
            received=each.received,
            failed=each.failed,
            waiting_most=max(row.waiting_most, each.waiting),
            oldest_most=max(row.oldest_most, each.oldest_seconds),
            at=now,
        )
    Sample.objects.filter(hour__lt=now - SAMPLES_KEPT).delete()


def _read(code: str) -> tuple[Counterpart | None, str]:
    try:
        return counterpart(code), ""
    except XuekaError as error:
        return None, " ".join(filter(None, (error.message, str(error.found or ""))))
