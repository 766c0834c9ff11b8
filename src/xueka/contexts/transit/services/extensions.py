"""Another year of the student fare: a school asks for its cards, previews, does; each card is answered."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date

from django.conf import settings

from xueka.contexts.cards import api as cards
from xueka.contexts.transit.domain import reading, validity
from xueka.contexts.transit.domain.transitions import ASKED, BOUND, EXTENSION
from xueka.contexts.transit.models import Binding, Extension, Validity
from xueka.contexts.transit.services.common import CODE, card_told
from xueka.contexts.transit.services.validity import keep
from xueka.kernel import clock
from xueka.kernel.errors import NotFound
from xueka.platform.audit.services import record
from xueka.platform.exchange.applying import Message
from xueka.platform.exchange.services import Letter, post_many
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor

EXTEND = "school:transit:extend"


@dataclass
class Bulk:
    """Ids of the cards that go (or went), and (id, code, words) of those that do not; `until`: asked for."""

    until: date
    done: list[int] = field(default_factory=list)
    refused: list[tuple[int, str, str]] = field(default_factory=list)


def next_end(today: date) -> date:
    """The last day of the school year that is asked for (`XUEKA_TRANSIT_YEAR_ENDS`, MM-DD); a year that ends
    within three months is over: the next one is meant.
    """
    month, day = map(int, settings.TRANSIT_YEAR_ENDS.split("-"))
    end = date(today.year, month, day)
    return end if (end - today).days >= 92 else date(today.year + 1, month, day)


def decide(actor: Actor, card_ids: Collection[int]) -> Bulk:
    """What would be asked for, and for which not and why: the one decision of preview and act."""
    actor.require(EXTEND)
    result = Bulk(next_end(clock.today()))
    seen = cards.Card.objects.visible_to(actor.scope).filter(id__in=card_ids).select_related("student")
    found = {each.id: each for each in seen}
    bound = set(Binding.objects.filter(card__in=found, state=BOUND).values_list("card", flat=True))
    open_ones = set(Extension.objects.filter(card__in=found, state=ASKED).values_list("card", flat=True))
    ends = dict(
        Validity.objects.filter(card__in=found, fare=validity.STUDENT).values_list("card", "valid_until")
    )
    for id_ in sorted(set(card_ids)):
        card = found.get(id_)
        problems = [
            (card is None, "CARD_NOT_FOUND", "没有这张卡。"),
            (card is not None and card.state != "active", "CARD_NOT_ACTIVE", "卡不在用，不能延期。"),
            (
                card is not None and card.student.status not in cards.ENTITLED,
                "NOT_ENROLLED",
                "学生已不在校，不能延期。",
            ),
            (id_ in open_ones, "ALREADY_ASKED", "已经申请，等一卡通公司答复。"),
            (id_ not in bound, "NOT_BOUND", "还没有实名，先完成实名认证。"),
            (
                (ends.get(id_) or date.min) >= result.until,
                "LONG_ENOUGH",
                f"有效期已到 {result.until} 或更晚。",
            ),
        ]
        why = next(((code, words) for holds, code, words in problems if holds), None)
        if why is None:
            result.done.append(id_)
        else:
            result.refused.append((id_, *why))
    return result


def ask(actor: Actor, card_ids: Collection[int]) -> Bulk:
    """Ask for them; those that may not are left out, as the preview said."""
    list(cards.Card.objects.filter(id__in=card_ids).order_by("id").select_for_update().values_list("id"))
    result = decide(actor, card_ids)
    now = clock.now()
    made = Extension.objects.bulk_create(
        Extension(
            card_id=id_,
            until=result.until,
            state=EXTENSION.initial,
            state_at=now,
            asked_at=now,
            asked_by=actor.username,
        )
        for id_ in result.done
    )
    begin(EXTENSION, [each.id for each in made], actor)
    rows = Extension.objects.filter(id__in=[each.id for each in made]).select_related("card__student")
    post_many(CODE, [_letter(each) for each in rows.order_by("id")])
    if made:
        detail = {"count": len(made), "until": result.until.isoformat()}
        record(actor, "transit.extend", "transit_extension", made[0].id, detail=detail)
    return result


def hear_extended(actor: Actor, message: Message) -> None:
    """`extension.answered`: granted with the new end, or not, with the reason."""
    told = reading.members(message.data)
    card = card_told(message, reading.text(told, "card", 32), reading.text(told, "transit_number", 32))
    granted, number = reading.yes(told, "granted"), reading.number(told, "ask", 1)
    code = reading.text(told, "code", 40, empty=granted)
    reason = reading.text(told, "reason", 200, empty=granted)
    found = Extension.objects.select_for_update().filter(id=number, card=card).first()
    if found is None:
        raise NotFound("EXTENSION_NOT_FOUND", "没有申请过这次延期。", found=number)
    if granted:
        heard = validity.read({**told, "fare": validity.STUDENT})
        keep(card, heard)
    if found.state == ASKED:
        Extension.objects.filter(id=found.id).update(
            code="" if granted else code, reason="" if granted else reason
        )
        apply(
            EXTENSION,
            Extension,
            [found.id],
            "grant" if granted else "refuse",
            actor,
            reason="" if granted else reason,
        )


def _letter(found: Extension) -> Letter:
    card = found.card
    content = {
        "card": card.number,
        "transit_number": card.transit_number,
        "ask": found.id,
        "until": found.until.isoformat(),
        "status": card.student.status,
    }
    return Letter(f"card:{card.number}", "extension.asked", content, f"extend:{found.id}")
