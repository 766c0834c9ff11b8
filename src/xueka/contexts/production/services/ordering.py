"""Locking a batch, a second person's approval, and another attempt after a refusal.

Approval is where the intent is stored: from then on the cards are ordered, with history, and whatever leaves
the house afterwards leaves because of these rows (docs/adr/0061).
"""

from django.db import connection
from django.db.models import Q

from xueka.contexts.cards import api as cards
from xueka.contexts.production.models import Batch
from xueka.contexts.production.services.common import PLANNED, locked_batch, move, record
from xueka.contexts.production.services.composing import PACKING_ORDER
from xueka.contexts.production.services.records import check_records
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import second_person


def lock(actor: Actor, batch_id: int) -> Batch:
    """Fix what the batch contains: every application gets its planned card with its numbers.

    Raises Refused where applications have changed meanwhile, numbers run out, or the records would not be
    accepted by the format; nothing is then changed.
    """
    batch = locked_batch(actor, batch_id)
    move(batch, "lock", actor)
    if not batch.card_count:
        raise Refused("BATCH_EMPTY", f"批次 {batch.number} 里没有申领。", action="请先编入已受理的申领。")
    _number_positions(batch)
    _plan(actor, batch)
    batch.locked_by, batch.locked_at = actor.username, clock.now()
    batch.save(update_fields=["locked_by", "locked_at"])
    check_records(batch)
    record(actor, "lock", batch, cards=batch.card_count)
    return batch


def unlock(actor: Actor, batch_id: int) -> Batch:
    """Open a locked batch again. Its planned cards keep their numbers for the next lock."""
    batch = locked_batch(actor, batch_id)
    move(batch, "unlock", actor)
    batch.locked_by, batch.locked_at = "", None
    batch.save(update_fields=["locked_by", "locked_at"])
    record(actor, "unlock", batch)
    return batch


def approve(actor: Actor, batch_id: int) -> Batch:
    """A second person's word: every card is ordered. Raises Refused `SECOND_PERSON` for who locked it."""
    batch = locked_batch(actor, batch_id)
    second_person(
        actor,
        batch.locked_by,
        f"批次 {batch.number} 由您锁定，须由另一人复核。",
        expected="锁定人以外的复核人",
        action="请通知另一位有复核权限的人员。",
    )
    move(batch, "approve", actor)
    batch.approved_by, batch.approved_at = actor.username, clock.now()
    batch.save(update_fields=["approved_by", "approved_at"])
    planned = list(batch.items.values_list("card_id", flat=True))
    cards.order_cards(actor, planned, detail={"batch": batch.number})
    record(actor, "approve", batch, cards=batch.card_count, locked_by=batch.locked_by)
    return batch


def rebuild(actor: Actor, batch_id: int) -> Batch:
    """After the bureau has refused the file: make the next one from the same, approved cards."""
    batch = locked_batch(actor, batch_id)
    move(batch, "rebuild", actor)
    record(actor, "rebuild", batch)
    return batch


def _plan(actor: Actor, batch: Batch) -> None:
    open_items = batch.items.filter(card=None)
    ready = Q(card=None, application__state=cards.ACCEPTED) | Q(card__state=PLANNED)
    changed = batch.items.exclude(ready).values_list("application__number", flat=True)
    if changed:
        raise Refused(
            "APPLICATION_NOT_READY",
            f"批次 {batch.number} 中有 {len(changed)} 件申领已经变动，不能制卡。",
            found="、".join(changed[:5]),
            expected="已受理",
            action="请把这些申领移出批次后再锁定。",
        )
    waiting = list(open_items.values_list("application_id", flat=True))
    planned = cards.plan_cards(actor, waiting, detail={"batch": batch.number})
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE production_batchitem i SET card_id = p.card FROM unnest(%s::bigint[], %s::bigint[])"
            " AS p(application, card) WHERE i.batch_id = %s AND i.application_id = p.application",
            [[card.application_id for card in planned], [card.id for card in planned], batch.id],
        )


def _number_positions(batch: Batch) -> None:
    """1, 2, 3 … in packing order, without gap: the sequence of the records file."""
    order = [f"application__{field}" for field in PACKING_ORDER]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE production_batchitem i SET position = n.place"
            " FROM unnest(%s::bigint[]) WITH ORDINALITY AS n(id, place) WHERE i.id = n.id",
            [list(batch.items.order_by(*order).values_list("id", flat=True))],
        )
