"""The hot-list: cards that the company must not accept, told one by one and whole."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from xueka.contexts.cards import api as cards
from xueka.contexts.transit.domain import hot, reading
from xueka.contexts.transit.models import HOT_LIST, HotCard, Paper
from xueka.contexts.transit.services import papers
from xueka.contexts.transit.services.common import CODE, card_told
from xueka.kernel import clock
from xueka.platform.audit.services import record
from xueka.platform.exchange.applying import Message
from xueka.platform.exchange.services import Letter, post_many
from xueka.platform.identity.actor import Actor

#: So long a change may have been under way, unseen, when the whole was written.
_BEING_WRITTEN = timedelta(minutes=10)


def settle(actor: Actor, found: Sequence[cards.Card]) -> int:
    """Tell the company what has changed of these cards since it was last told; returns how many."""
    known = {
        each.card_id: each
        for each in HotCard.objects.select_for_update().filter(card__in=[c.id for c in found]).order_by("id")
    }
    now, letters = clock.now(), []
    for card in sorted(found, key=lambda each: each.id):
        reason, row = hot.reason_of(card.state), known.get(card.id)
        if not card.transit_number or reason == (row.reason if row else ""):
            continue
        if row is None:
            row = HotCard.objects.create(card=card, reason=reason, at=now)
        else:
            row.reason, row.version, row.at = reason, row.version + 1, now
            row.save(update_fields=["reason", "version", "at"])
        letters.append(letter(row, card))
    return post_many(CODE, letters)


def letter(row: HotCard, card: cards.Card, *, again: bool = False) -> Letter:
    content = {
        "card": card.number,
        "transit_number": card.transit_number,
        "listed": bool(row.reason),
        "reason": row.reason,
        "version": row.version,
    }
    return Letter(f"card:{card.number}", "hotlist.changed", content, "" if again else f"hot:{row.version}")


def hear_confirmed(actor: Actor, message: Message) -> None:
    """`hotlist.confirmed`: their gates have this version."""
    told = reading.members(message.data)
    card = card_told(message, reading.text(told, "card", 32), reading.text(told, "transit_number", 32))
    version = reading.number(told, "version", 1)
    at = reading.moment(told, "in_force_at")
    rows = HotCard.objects.filter(card=card, version__gte=version, confirmed__lt=version)
    rows.update(confirmed=version, confirmed_at=at)


def hear_whole(actor: Actor, message: Message) -> None:
    """`hotlist.received`. The whole travels beside the changes of single cards and may have undone one that
    came before it: what has changed since it was written is told once more. Received again says nothing new.
    """
    if not papers.hear(actor, message):
        return
    paper = Paper.objects.get(kind=HOT_LIST, number=message.data["number"])
    changed = HotCard.objects.filter(at__gte=paper.sent_at - _BEING_WRITTEN).select_related("card")
    letters = [
        replace(letter(each, each.card), once=f"whole:{paper.number}:{each.version}")
        for each in changed.order_by("id")
    ]
    post_many(CODE, letters)


def send_whole(actor: Actor) -> Paper:
    """The whole list as it is now, with its count and digest, which they confirm (`hotlist.received`)."""
    actor.require(papers.REVIEW)
    rows = HotCard.objects.exclude(reason="").select_related("card").order_by("card__number")
    entries = [hot.record_of(each.card.number, each.card.transit_number, each.reason) for each in rows]
    ours = {"count": len(entries), "digest": hot.digest_of(entries)}
    number = papers.next_number("HM")
    made = papers.tell(actor, HOT_LIST, number, ours, extra={"entries": entries})
    record(actor, "transit.hot_list", "transit_paper", number, detail={"count": len(entries)})
    return made
