"""Real-name binding: sent when a card is in its student's hands, released when it is not; answers, refusals.

`settle` looks at a card as it is and does what is missing, so looking twice changes nothing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from django.db.models import F

from xueka.contexts.cards import api as cards
from xueka.contexts.registry import api as registry
from xueka.contexts.transit.domain import reading
from xueka.contexts.transit.domain.transitions import (
    BINDING,
    BOUND,
    REFUSED,
    RELEASING,
    SENT,
    UNBOUND,
    WANTED,
)
from xueka.contexts.transit.models import Binding
from xueka.contexts.transit.services.common import CODE, card_told
from xueka.kernel import clock
from xueka.kernel.errors import NotFound
from xueka.platform.audit.services import record
from xueka.platform.exchange.applying import Message
from xueka.platform.exchange.services import Letter, post_many
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor

MANAGE = "school:transit:manage"
ACTIVE = "active"
#: What is lacking → why it was not sent: at first it goes by itself later, a refused one is a person's work.
DOCUMENT, CONSENT = "DOCUMENT_MISSING", "CONSENT_WITHDRAWN"
_LACKING = {
    ("send", DOCUMENT): "学籍里没有证件号码，补上后会自动送出。",
    ("send", CONSENT): "监护人撤回了同意，重新同意后会自动送出。",
    ("again", DOCUMENT): "学籍里没有证件号码，补上后请再送。",
    ("again", CONSENT): "监护人撤回了同意，重新同意后请再送。",
}


def settle(actor: Actor, found: Sequence[cards.Card]) -> int:
    """Bring the bindings of these cards to what their states ask for; returns how many moved."""
    known = {each.card_id: each for each in _locked([each.id for each in found])}
    fresh = [each for each in found if each.state == ACTIVE and each.transit_number and each.id not in known]
    now = clock.now()
    made = Binding.objects.bulk_create(
        Binding(card_id=each.id, state=BINDING.initial, state_at=now) for each in fresh
    )
    begin(BINDING, [each.id for each in made], actor)
    by_id = {each.id: each for each in found}
    alive = [each for each in known.values() if by_id[each.card_id].state == ACTIVE]
    dead = [each for each in known.values() if by_id[each.card_id].state != ACTIVE]
    back = [each for each in alive if each.state in (RELEASING, UNBOUND)]
    apply(BINDING, Binding, [each.id for each in back], "want", actor)
    dropped = [each.id for each in dead if each.state in (WANTED, REFUSED)]
    apply(BINDING, Binding, dropped, "drop", actor)
    releasing = [each for each in dead if each.state in (SENT, BOUND)]
    _release(actor, releasing, by_id)
    waiting = [*made, *back, *(each for each in alive if each.state == WANTED)]
    sent = _send(actor, waiting, by_id, "send")
    return len(made) + len(back) + len(dropped) + len(releasing) + sent


def send_waiting(actor: Actor, most: int = 500) -> int:
    """Those that lacked something: perhaps it is there now. Any of them, so that some which lack it for years
    keep no other waiting.
    """
    ids = list(Binding.objects.filter(state=WANTED).order_by("?")[:most].values_list("card", flat=True))
    found = _cards(ids)
    return _send(actor, _locked(ids), {each.id: each for each in found}, "send")


def send_again(actor: Actor, ids: Collection[int]) -> int:
    """Refused ones, once their reason is mended; whatever is not refused (any more) is passed over."""
    actor.require(MANAGE)
    rows = _visible(actor, ids)
    refused = [each for each in rows if each.state == REFUSED]
    count = _send(actor, refused, {each.id: each for each in _cards([r.card_id for r in refused])}, "again")
    for each in refused[:20]:
        record(actor, "transit.bind_again", "card", each.card.number)
    return count


def hear_answer(actor: Actor, message: Message) -> None:
    """`binding.answered`: accepted, or refused with a reason. One to an older question is passed over."""
    told = reading.members(message.data)
    binding = _of(message, told)
    accepted, ask = reading.yes(told, "accepted"), reading.number(told, "ask", 1)
    code = reading.text(told, "code", 40, empty=accepted)
    reason = reading.text(told, "reason", 200, empty=accepted)
    if binding.ask != ask or binding.state != SENT:
        return
    Binding.objects.filter(pk=binding.pk).update(
        code="" if accepted else code, reason="" if accepted else reason
    )
    event = "accept" if accepted else "refuse"
    apply(BINDING, Binding, [binding.pk], event, actor, reason="" if accepted else reason)


def hear_released(actor: Actor, message: Message) -> None:
    """`binding.released`."""
    told = reading.members(message.data)
    binding = _of(message, told)
    if binding.ask == reading.number(told, "ask", 1) and binding.state == RELEASING:
        apply(BINDING, Binding, [binding.pk], "released", actor)


def letters(bindings: Iterable[Binding]) -> list[Letter]:
    """What the company is told of these as they stand, for sending again."""
    found = []
    for each in bindings:
        asked = each.state in (SENT, BOUND)
        content = _content(each.card, each.ask) if asked else _release_content(each.card, each.ask)
        kind = "binding.asked" if asked else "binding.release"
        found.append(Letter(f"card:{each.card.number}", kind, content))
    return found


def _of(message: Message, told: Mapping[str, object]) -> Binding:
    card = card_told(message, reading.text(told, "card", 32), reading.text(told, "transit_number", 32))
    found = Binding.objects.select_for_update().filter(card=card).first()
    if found is None:
        raise NotFound("BINDING_NOT_FOUND", "没有为这张卡申请过实名。", found=card.number)
    return found


def _send(actor: Actor, rows: Sequence[Binding], by_id: dict[int, cards.Card], event: str) -> int:
    ready: list[Binding] = []
    lacking: dict[str, list[int]] = {DOCUMENT: [], CONSENT: []}
    against = registry.withdrawn([by_id[each.card_id].student_id for each in rows])
    for each in rows:
        card = by_id[each.card_id]
        _, document = registry.document_of(card.student)
        if not document:
            lacking[DOCUMENT].append(each.id)
        elif card.student_id in against:
            lacking[CONSENT].append(each.id)
        else:
            ready.append(each)
    for code, found in lacking.items():
        reason = _LACKING[event, code]
        Binding.objects.filter(id__in=found).exclude(reason=reason).update(code=code, reason=reason)
    if not ready:
        return 0
    ids = [each.id for each in ready]
    Binding.objects.filter(id__in=ids).update(ask=F("ask") + 1)
    apply(BINDING, Binding, ids, event, actor)
    Binding.objects.filter(id__in=ids).update(code="", reason="")
    post_many(
        CODE,
        [
            Letter(
                f"card:{by_id[each.card_id].number}",
                "binding.asked",
                _content(by_id[each.card_id], each.ask + 1),
                f"bind:{each.ask + 1}",
            )
            for each in ready
        ],
    )
    return len(ready)


def _release(actor: Actor, rows: Sequence[Binding], by_id: dict[int, cards.Card]) -> None:
    ids = [each.id for each in rows]
    Binding.objects.filter(id__in=ids).update(ask=F("ask") + 1)
    apply(BINDING, Binding, ids, "release", actor)
    post_many(
        CODE,
        [
            Letter(
                f"card:{by_id[each.card_id].number}",
                "binding.release",
                _release_content(by_id[each.card_id], each.ask + 1),
                f"bind:{each.ask + 1}",
            )
            for each in rows
        ],
    )


def _content(card: cards.Card, ask: int) -> dict[str, object]:
    """Only what a binding needs: the name and the document."""
    kind, document = registry.document_of(card.student)
    return {
        "card": card.number,
        "transit_number": card.transit_number,
        "ask": ask,
        "name": card.student.name,
        "id_type": kind,
        "id_number": document,
    }


def _release_content(card: cards.Card, ask: int) -> dict[str, object]:
    return {"card": card.number, "transit_number": card.transit_number, "ask": ask, "reason": card.state}


def _cards(ids: Collection[int]) -> list[cards.Card]:
    return list(cards.Card.objects.filter(id__in=ids).select_related("student"))


def _locked(card_ids: Collection[int]) -> list[Binding]:
    return list(Binding.objects.select_for_update().filter(card__in=card_ids).order_by("id"))


def _visible(actor: Actor, ids: Collection[int]) -> list[Binding]:
    seen = cards.Card.objects.visible_to(actor.scope).values("id")
    rows = Binding.objects.filter(id__in=ids, card__in=seen).order_by("id")
    found = list(rows.select_for_update(of=("self",)).select_related("card__student"))
    if len(found) != len(set(ids)) or not found:
        raise NotFound("BINDING_NOT_FOUND", "没有这项实名认证。", action="请刷新页面后再试。")
    return found
