"""What the services share: finding a batch under its lock, and moving it."""

from collections.abc import Mapping
from typing import Any

from xueka.contexts.cards import api as cards
from xueka.contexts.production.domain.transitions import BATCH
from xueka.contexts.production.models import Batch
from xueka.kernel.errors import NotFound
from xueka.platform.audit import services as audit
from xueka.platform.history import services as history
from xueka.platform.identity.actor import Actor

#: The two states in which a card is the production line's own, read from the card's table.
PLANNED = cards.CARD.initial
ORDERED = cards.CARD.target("order", PLANNED)


def locked_batch(actor: Actor, batch_id: int) -> Batch:
    """The batch, locked to the end of the transaction. Every write begins here: one batch, one writer."""
    batch = Batch.objects.visible_to(actor.scope).select_for_update(of=["self"]).filter(id=batch_id).first()
    if batch is None:
        raise batch_not_found()
    return batch


def batch_not_found(number: str = "") -> NotFound:
    return NotFound("BATCH_NOT_FOUND", "没有这个制卡批次。", found=number or None, action="请核对批次号。")


def move(
    batch: Batch, event: str, actor: Actor, *, reason: str = "", detail: Mapping[str, Any] | None = None
) -> None:
    """Fire an event of the batch's table; the permission is checked there."""
    history.apply(BATCH, Batch, [batch.id], event, actor, reason=reason, detail=detail)
    batch.state = BATCH.target(event, batch.state)


def record(actor: Actor, action: str, batch: Batch, **detail: object) -> None:
    """One audit entry about a batch."""
    audit.record(actor, f"batch.{action}", "batch", batch.number, detail=detail)
