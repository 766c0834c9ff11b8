"""Reads on statements, confirmations, runs and breaks. They are the city's affair."""

from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.db.models import Q, QuerySet

from xueka.contexts.payments import api as payments
from xueka.contexts.treasury.domain.transitions import GONE
from xueka.contexts.treasury.models import BreakRow, Confirmation, Fetch, Run, Statement, ToPost
from xueka.contexts.treasury.services.fetching import CONFIRM, KINDS
from xueka.contexts.treasury.services.posting import BREAK_KIND, TO_POST_KIND
from xueka.kernel import clock
from xueka.platform.identity.scope import Scope

UNPOSTED = 200


def statements(scope: Scope) -> QuerySet[Statement]:
    """All that were received, newest first."""
    return Statement.objects.visible_to(scope)


class Lacking(NamedTuple):
    """A day of a channel without a usable statement. `state`: `missing`, or `wrong` where one came that
    contradicts itself; `said` is what the channel answered last. `kind` `confirm`: the finance office was not
    asked yet what it has confirmed."""

    channel: str
    kind: str
    day: date
    state: str
    said: str


def lacking_statements(scope: Scope, first: date, last: date) -> list[Lacking]:
    """What is missing of these days, as far as they are over, of every channel where we have an account."""
    last = min(last, clock.today() - timedelta(days=1))
    within = {"day__gte": first, "day__lte": last}
    have: dict[tuple[str, str, date], bool] = {}
    for channel, kind, day, usable in (
        statements(scope).filter(**within).values_list("channel", "kind", "day", "usable")
    ):
        have[channel, kind, day] = have.get((channel, kind, day), False) or usable
    told = {}
    for row in Fetch.objects.visible_to(scope).filter(**within):
        told[row.channel, row.kind, row.day] = row.last_error
        if row.kind == CONFIRM and row.done_at:
            have[row.channel, row.kind, row.day] = True
    places = [
        (channel, kind, first + timedelta(days=n))
        for channel, kind in KINDS
        if payments.account_of(channel) is not None
        for n in range((last - first).days + 1)
    ]
    return [
        Lacking(*place, "wrong" if place in have else "missing", told.get(place, ""))
        for place in places
        if not have.get(place)
    ]


class Unposted(NamedTuple):
    """What could not be posted. `kind` and `id` name it; `about` is the confirmation, statement or break."""

    kind: str
    id: int
    about: Confirmation | Statement | BreakRow
    day: date
    fen: int
    tries: int
    next_at: datetime | None
    problem: str


def unposted(scope: Scope) -> list[Unposted]:
    """The oldest first, as many as a page bears."""
    found = [
        Unposted(
            TO_POST_KIND,
            each.id,
            about := _told(each),
            about.day,
            about.amount_fen - (about.refund_fen if isinstance(about, Statement) else 0),
            each.post_tries,
            each.post_after,
            each.post_problem,
        )
        for each in _to_post(scope).select_related("confirmation", "statement").order_by("id")[:UNPOSTED]
    ]
    found += [
        Unposted(
            BREAK_KIND,
            each.id,
            each,
            each.day,
            each.fen,
            each.post_tries,
            each.post_after,
            each.post_problem,
        )
        for each in breaks(scope).filter(post_tries__gt=0).order_by("id")[:UNPOSTED]
    ]
    return sorted(found, key=lambda each: (each.day, each.kind, each.id))


def _told(row: ToPost) -> Confirmation | Statement:
    found = row.confirmation or row.statement
    assert found is not None  # a constraint of its table
    return found


def unposted_count(scope: Scope) -> int:
    return _to_post(scope).count() + breaks(scope).filter(post_tries__gt=0).count()


def _to_post(scope: Scope) -> QuerySet[ToPost]:
    of = Q(confirmation__in=confirmations(scope)) | Q(statement__in=statements(scope))
    return ToPost.objects.filter(of, post_tries__gt=0)


def confirmations(scope: Scope) -> QuerySet[Confirmation]:
    return Confirmation.objects.visible_to(scope)


def runs(scope: Scope) -> QuerySet[Run]:
    """Reconciliations, newest first."""
    return Run.objects.visible_to(scope)


def breaks(scope: Scope) -> QuerySet[BreakRow]:
    """All breaks, those that are gone too; the oldest first."""
    return BreakRow.objects.visible_to(scope)


def open_breaks(scope: Scope) -> QuerySet[BreakRow]:
    """Those that are still there, signed ones included; the oldest first."""
    return breaks(scope).exclude(state=GONE)
