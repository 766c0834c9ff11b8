"""Reading the interfaces: status for the command, differences for the queue, measures over time."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet

from xueka.contexts.cards import api as cards
from xueka.contexts.interop.adapters.records import STUDENT_REGISTRY
from xueka.contexts.interop.domain.transitions import GONE, LEFT, OPEN
from xueka.contexts.interop.models import (
    Comparison,
    Correction,
    Difference,
    NumberRequest,
    Quality,
    Sample,
    SchoolRound,
    TongApplication,
)
from xueka.contexts.registry import api as registry
from xueka.contexts.transit import api as transit
from xueka.kernel import clock
from xueka.kernel.errors import NotFound
from xueka.kernel.text import normalise
from xueka.platform.crypto.fields import unseal
from xueka.platform.exchange import queries as exchange
from xueka.platform.exchange import standing, tracing
from xueka.platform.exchange.counterparts import codes, counterparts
from xueka.platform.exchange.quality import MEASURES
from xueka.platform.identity.actor import Actor

READ = "city:interop:read"
TRACED = 20  # keys of one question


def status(actor: Actor) -> list[dict[str, Any]]:
    """Every interface: its messages, its breaker and its latest measures; those of the exchange first."""
    actor.require(READ)
    names = {each.code: each.name for each in counterparts()}
    found = []
    for each in exchange.health(codes()):
        open_ones = Difference.objects.filter(counterpart=each.counterpart).exclude(state=GONE)
        found.append(
            {
                "code": each.counterpart,
                "kind": standing.EXCHANGE,
                "name": names.get(each.counterpart, ""),
                "usable": each.counterpart in names,
                "breaker": each.breaker,
                "open_until": each.open_until,
                "problem": each.problem,
                "queued": each.queued,
                "delivered": each.delivered,
                "failed": each.failed,
                "dead": each.dead,
                "held": each.held,
                "oldest_seconds": each.oldest_seconds,
                "received": each.received,
                "waiting": each.waiting,
                "gaps": each.gaps,
                "incoming_dead": each.incoming_dead,
                "differences": open_ones.count(),
                "quality": latest_quality(each.counterpart),
            }
        )
    return found + [_as_status(each) for each in standings(actor) if each.kind != standing.EXCHANGE]


def _as_status(each: standing.Standing) -> dict[str, Any]:
    return {
        "code": each.code,
        "kind": each.kind,
        "name": each.name,
        "usable": each.usable,
        "breaker": each.breaker,
        "open_until": each.open_until,
        "problem": each.problem,
        "queued": each.waiting,
        "delivered": each.sent,
        "failed": each.failing,
        "dead": each.dead,
        "held": 0,
        "oldest_seconds": each.oldest_seconds,
        "received": each.received,
        "waiting": 0,
        "gaps": 0,
        "incoming_dead": 0,
        "differences": each.differences,
        "quality": each.quality,
    }


def latest_quality(counterpart: str) -> dict[str, float | None]:
    """The newest share of each measure, 0 to 1; None where nothing was measured in the last week."""
    return latest_qualities([counterpart])[counterpart]


def latest_qualities(codes: Sequence[str]) -> dict[str, dict[str, float | None]]:
    """The same of these counterparts, by code."""
    since = clock.today() - timedelta(days=7)
    rows = Quality.objects.filter(counterpart__in=codes, day__gte=since).order_by("day")
    newest = {(each.counterpart, each.measure): round(each.good / each.total, 6) for each in rows}
    return {code: {measure: newest.get((code, measure)) for measure in MEASURES} for code in codes}


def quality(actor: Actor, counterpart: str, first: date, last: date) -> QuerySet[Quality]:
    actor.require(READ)
    return Quality.objects.filter(counterpart=counterpart, day__range=(first, last)).order_by(
        "day", "measure"
    )


def comparisons(actor: Actor, counterpart: str = "") -> QuerySet[Comparison]:
    """Newest first."""
    actor.require(READ)
    rows = Comparison.objects.order_by("-id")
    return rows.filter(counterpart=counterpart) if counterpart else rows


def differences(actor: Actor, counterpart: str = "", states: Iterable[str] = ()) -> QuerySet[Difference]:
    """Oldest first; without states, those that are not gone."""
    actor.require(READ)
    rows = Difference.objects.defer("envelope").order_by("id")
    rows = rows.filter(state__in=list(states)) if states else rows.exclude(state=GONE)
    return rows.filter(counterpart=counterpart) if counterpart else rows


def difference(actor: Actor, difference_id: int) -> tuple[Difference, str, str]:
    """One with what we hold and what they hold. Raises NotFound."""
    actor.require(READ)
    found = Difference.objects.filter(id=difference_id).first()
    if found is None:
        raise NotFound("DIFFERENCE_NOT_FOUND", "没有这项差异。")
    pair = unseal(bytes(found.envelope))
    return found, pair["ours"], pair["theirs"]


def standings(actor: Actor) -> list[standing.Standing]:
    """Every interface that exists as it stands now, with its newest measures; what moved is counted since
    midnight in Beijing.
    """
    actor.require(READ)
    found = standing.standings(_start(clock.today()))
    measured = latest_qualities([each.code for each in found])
    found = [replace(each, quality=measured[each.code]) for each in found]
    if not any(each.code == STUDENT_REGISTRY for each in found):
        return found
    unsettled = Difference.objects.filter(counterpart=STUDENT_REGISTRY).exclude(state__in=[GONE, LEFT])
    many = unsettled.aggregate(open=Count("id", filter=Q(state=OPEN)), all=Count("id"))
    told = {"differences": many["open"], "settling": many["all"] - many["open"]}
    return [replace(each, **told) if each.code == STUDENT_REGISTRY else each for each in found]


def school_round(actor: Actor) -> SchoolRound | None:
    """The newest comparison with the student registry, under way or done."""
    actor.require(READ)
    return SchoolRound.objects.select_related("comparison").order_by("-id").first()


def standing_of(actor: Actor, code: str) -> standing.Standing:
    """One of them. Raises NotFound `INTERFACE_NOT_FOUND`."""
    found = next((each for each in standings(actor) if each.code == code), None)
    if found is None:
        raise NotFound("INTERFACE_NOT_FOUND", "没有这个接口。", action="请从接口总览进入。")
    return found


@dataclass(frozen=True, slots=True)
class Span:
    """An hour or a day of an interface. `oldest`: seconds; None where nobody looked."""

    begins: datetime
    sent: int
    received: int
    failed: int
    waiting: int | None
    oldest: int | None


def hours(actor: Actor, code: str, count: int = 24) -> list[Span]:
    """The last hours with the present one, oldest first; hours without a sample stand as gaps."""
    last = clock.now().replace(minute=0, second=0, microsecond=0)
    steps = [last - timedelta(hours=each) for each in range(count)][::-1]
    return _spans(actor, code, steps, lambda each: each)


def ages(actor: Actor, count: int = 24) -> dict[str, list[tuple[datetime, int | None]]]:
    """How long the oldest waited in each of the last hours, in seconds, of every interface by code."""
    actor.require(READ)
    last = clock.now().replace(minute=0, second=0, microsecond=0)
    steps = [last - timedelta(hours=each) for each in range(count)][::-1]
    known: dict[str, dict[datetime, int]] = {}
    for each in Sample.objects.filter(hour__gte=steps[0]):
        known.setdefault(each.interface, {})[each.hour] = each.oldest_most
    return {code: [(step, found.get(step)) for step in steps] for code, found in known.items()}


def days(actor: Actor, code: str, count: int = 30) -> list[Span]:
    """The last days with today, oldest first: sums of what moved, the most of what waited."""
    steps = [_start(clock.today() - timedelta(days=each)) for each in range(count)][::-1]
    return _spans(actor, code, steps, lambda each: _start(clock.local(each).date()))


def _start(day: date) -> datetime:
    return datetime.combine(day, time(), clock.SHANGHAI)


def _spans(
    actor: Actor, code: str, steps: list[datetime], place: Callable[[datetime], datetime]
) -> list[Span]:
    actor.require(READ)
    by_step: dict[datetime, list[Sample]] = {each: [] for each in steps}
    for each in Sample.objects.filter(interface=code, hour__gte=steps[0]):
        by_step.setdefault(place(each.hour), []).append(each)
    return [
        Span(
            step,
            sum(each.sent for each in found),
            sum(each.received for each in found),
            sum(each.failed for each in found),
            max((each.waiting_most for each in found), default=None),
            max((each.oldest_most for each in found), default=None),
        )
        for step in steps
        for found in [by_step[step]]
    ]


def keys_meant(actor: Actor, text: str) -> list[str]:
    """The keys that a person means: by the id of a message or a key, or by any number of a card (its own, of
    the transit company, of Beijing-Tong, of the chip) or the education ID of its holder.

    A card has its key also where nothing was ever said of it, so has a student without a card; the whole
    hot-lists that had the card come last. Empty: nothing bears this number.
    """
    actor.require(READ)
    text = normalise(text)
    keys = tracing.keys_of(text)
    typed = text.removeprefix("card:").removeprefix("student:")
    is_number = typed.isascii() and any(each.isdigit() for each in typed)  # names are not looked for
    if (keys and typed == text) or not is_number:
        return keys[:TRACED]
    for number in dict.fromkeys((typed, typed.upper())):
        found = list(cards.find_cards(cards.card_rows(actor.scope), number).order_by("id")[:TRACED])
        meant = [f"card:{each.number}" for each in found]
        holder = f"student:{number}"
        exists = registry.student_rows(actor.scope).filter(education_id=number).exists()
        if exists and (not found or tracing.known_keys([holder])):
            meant.append(holder)
        if meant:
            return [*meant, *transit.keys_of_hot_lists(found)][:TRACED]
    return keys


def keys_traced(actor: Actor, text: str) -> list[str]:
    """The same, for whoever cannot go on with nothing. Raises NotFound `NOTHING_TO_TRACE`."""
    if found := keys_meant(actor, text):
        return found
    raise NotFound(
        "NOTHING_TO_TRACE",
        "没有这个号码的卡、学生或消息。",
        found=text[:40],
        expected="卡号、一卡通号、北京通号、芯片号、教育ID或消息编号",
    )


def number_requests(actor: Actor) -> QuerySet[NumberRequest]:
    """Newest first, with the range that was granted."""
    actor.require("city:range:read")
    return NumberRequest.objects.select_related("range").order_by("-id")


def corrections(actor: Actor) -> QuerySet[Correction]:
    """Newest first, with the card, the repair and the exchange."""
    actor.require(READ)
    return Correction.objects.select_related("card", "repair", "exchange").order_by("-id")


def tong_application(card_id: int) -> TongApplication | None:
    """What Beijing-Tong last said of its application on a card that the caller may see; None: nothing, so it
    works.
    """
    return TongApplication.objects.select_related("exchange").filter(card_id=card_id).first()
