"""The validity of the student fare: kept from what the company tells, asked for when somebody wants it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction

from xueka.contexts.cards import api as cards
from xueka.contexts.transit.adapters.asking import ask
from xueka.contexts.transit.domain import validity
from xueka.contexts.transit.models import ANSWERED, OLDER, RESTING, SILENT, LookUp, Validity
from xueka.contexts.transit.services.common import card_told, partner
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.platform import outward
from xueka.platform.audit.services import record
from xueka.platform.exchange.applying import Message
from xueka.platform.identity.actor import Actor

READ = "school:transit:read"
#: An answer this old is as good as a new one; after so many silences within as many seconds nobody asks.
FRESH, SILENCES, REST = timedelta(seconds=60), 3, timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Answer:
    """How the look-up ended, and the last that is known; `known` may be None."""

    outcome: str
    known: Validity | None


def hear_validity(actor: Actor, message: Message) -> None:
    """`validity.changed`. Raises BadInput, Refused `TRANSIT_CARD`."""
    heard = validity.read(message.data)
    card = card_told(message, heard.card, heard.transit_number)
    keep(card, heard)


def keep(card: cards.Card, heard: validity.Heard) -> bool:
    """Note what was said unless something later is known; whether it was noted."""
    made = {
        "fare": heard.fare,
        "valid_until": heard.valid_until,
        "as_of": heard.as_of,
        "heard_at": clock.now(),
    }
    known, new = Validity.objects.select_for_update().get_or_create(card=card, defaults=made)
    if not new and known.as_of > heard.as_of:
        return False
    if not new:
        Validity.objects.filter(pk=known.pk).update(**made)
    return True


def look_up(actor: Actor, number: str) -> Answer:
    """Ask the company now, within the deadline (`XUEKA_TRANSIT_DEADLINE`); opens its own transactions.

    Raises NotFound for a stranger's card, Refused `NO_TRANSIT_NUMBER`, `TRANSIT_NOT_CONNECTED`.
    """
    actor.require(READ)
    card = cards.card(actor.scope, number)
    if not card.transit_number:
        raise Refused("NO_TRANSIT_NUMBER", "这张卡没有一卡通号，不能查公交有效期。", found=card.number)
    company = partner()
    if company is None:
        raise Refused(
            "TRANSIT_NOT_CONNECTED", "还没有与一卡通公司联网，不能查询。", action="请致电一卡通公司查询。"
        )
    known = Validity.objects.filter(card=card).first()
    now = clock.now()
    if known and now - known.heard_at < FRESH:
        return Answer(ANSWERED, known)
    told = LookUp.objects.filter(at__gt=now - FRESH, card=card).exclude(outcome__in=[SILENT, RESTING])
    if (last_told := told.order_by("-id").first()) is not None:
        return Answer(last_told.outcome, known)
    recent = LookUp.objects.filter(at__gt=now - REST).exclude(outcome=RESTING).order_by("-id")
    last = list(recent.values_list("outcome", flat=True)[:SILENCES])
    heard, took = None, 0
    if len(last) == SILENCES and set(last) == {SILENT}:
        outcome = RESTING
    else:
        outcome, heard, took = ask(company, card.number, card.transit_number, settings.TRANSIT_DEADLINE)
    with transaction.atomic():
        if heard is not None and not keep(card, heard):
            outcome = OLDER
        LookUp.objects.create(card=card, at=now, by=actor.username, outcome=outcome, ms=took)
        record(actor, "transit.look_up", "card", card.number, detail={"outcome": outcome})
    return Answer(outcome, Validity.objects.filter(card=card).first())


def look_up_all(actor: Actor, numbers: Sequence[str]) -> list[str]:
    """How the look-ups of these cards ended, in this order, all within the one deadline: a person waits. When
    nobody answers for one of them, the later ones are not asked for.
    """
    outcomes: list[str] = []
    with outward.within(settings.TRANSIT_DEADLINE):
        for number in numbers:
            missed = outcomes and outcomes[-1] in (SILENT, RESTING)
            outcomes.append(outcomes[-1] if missed else look_up(actor, number).outcome)
    return outcomes
