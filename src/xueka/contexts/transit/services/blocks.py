"""Cards that the company itself refuses: kept as it says, worked off by whoever has the card's child."""

from collections.abc import Collection

from xueka.contexts.cards import api as cards
from xueka.contexts.transit.domain import reading
from xueka.contexts.transit.models import Block
from xueka.contexts.transit.services.bindings import MANAGE
from xueka.contexts.transit.services.common import card_told
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound
from xueka.platform.audit.services import record
from xueka.platform.exchange.applying import Message
from xueka.platform.identity.actor import Actor


def hear_block(actor: Actor, message: Message) -> None:
    """`card.blocked`: the company itself refuses this card, or accepts it again."""
    told = reading.members(message.data)
    card = card_told(message, reading.text(told, "card", 32), reading.text(told, "transit_number", 32))
    blocked = reading.yes(told, "blocked")
    reason, as_of = reading.text(told, "reason", 200, empty=not blocked), reading.as_of(told)
    made = {"blocked": blocked, "reason": reason, "as_of": as_of, "heard_at": clock.now()}
    known, new = Block.objects.select_for_update().get_or_create(card=card, defaults=made)
    if new or known.as_of > as_of:
        return
    if (known.blocked, known.reason) != (blocked, reason):
        made |= {"settled_at": None, "settled_by": "", "note": ""}
    Block.objects.filter(pk=known.pk).update(**made)


def settle_blocks(actor: Actor, ids: Collection[int], note: str) -> int:
    """What was done about these blocks; settled ones keep their note. Returns how many were settled now.

    Raises BadInput `NOTE_MISSING`, NotFound `BLOCK_NOT_FOUND`.
    """
    actor.require(MANAGE)
    note = note.strip()[:200]
    if not note:
        raise BadInput("NOTE_MISSING", "请写明怎样处理的。", where="处理", expected="一句话")
    seen = cards.Card.objects.visible_to(actor.scope).values("id")
    rows = Block.objects.filter(id__in=ids, card__in=seen).select_related("card").order_by("id")
    found = list(rows.select_for_update(of=("self",)))
    if not found or len(found) != len(set(ids)):
        raise NotFound("BLOCK_NOT_FOUND", "没有这张停用的卡。", action="请刷新页面后再试。")
    fresh = [each for each in found if each.blocked and each.settled_at is None]
    Block.objects.filter(id__in=[each.id for each in fresh]).update(
        settled_at=clock.now(), settled_by=actor.name, note=note
    )
    for each in fresh[:20]:
        record(actor, "transit.block_settled", "card", each.card.number, detail={"note": note})
    if len(fresh) > 20:
        record(actor, "transit.block_settled", detail={"note": note, "count": len(fresh)})
    return len(fresh)
