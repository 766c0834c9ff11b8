"""Putting a batch together from accepted applications, and taking it apart again."""

from collections.abc import Sequence

from django.db import IntegrityError, connection, transaction
from django.db.models import Max

from xueka.contexts.cards import api as cards
from xueka.contexts.production.domain import outcomes
from xueka.contexts.production.domain.transitions import APPROVED, BATCH, CLOSED, OPEN, RECONCILING
from xueka.contexts.production.models import Batch, BatchItem
from xueka.contexts.production.services.common import ORDERED, PLANNED, locked_batch, move, record
from xueka.kernel import clock
from xueka.kernel.errors import Conflict, Refused
from xueka.platform.history import services as history
from xueka.platform.identity.actor import Actor

#: With photos a package grows by some 60 KB a card; it must stay far below the format's 4 GiB and our memory.
LIMIT = 100_000
LIMIT_WITH_PHOTOS = 5_000

#: The order in the box is the order of making: school, class, name.
PACKING_ORDER = (
    "school__code",
    "school_class__stage",
    "school_class__grade",
    "school_class__name",
    "account__student__sort_key",
    "id",
)


def create_batch(
    actor: Actor,
    kind_code: str,
    application_ids: Sequence[int],
    title: str = "",
    remake_of: Batch | None = None,
) -> Batch:
    """A new open batch of accepted applications of one kind, in packing order.

    Raises Refused where an application is not accepted, of another kind, or in another open batch already.
    """
    actor.require("city:batch:create")
    batch = Batch.objects.create(
        number=_next_number(),
        kind_id=kind_code,
        state=BATCH.initial,
        state_at=clock.now(),
        title=title.strip()[:100],
        remake_of=remake_of,
        created_by=actor.username,
        created_at=clock.now(),
    )
    history.begin(BATCH, [batch.id], actor)
    _put_in(actor, batch, application_ids)
    record(
        actor,
        "create",
        batch,
        kind=kind_code,
        cards=batch.card_count,
        remake_of=remake_of.number if remake_of else None,
    )
    return batch


def add_applications(actor: Actor, batch_id: int, application_ids: Sequence[int]) -> Batch:
    """Put more accepted applications into an open batch."""
    actor.require("city:batch:create")
    batch = _open_batch(actor, batch_id)
    before = batch.card_count
    _put_in(actor, batch, application_ids)
    record(actor, "add", batch, added=batch.card_count - before, cards=batch.card_count)
    return batch


def remove_applications(actor: Actor, batch_id: int, application_ids: Sequence[int]) -> Batch:
    """Take applications out of an open batch; they wait for another one. A card planned for one is voided."""
    actor.require("city:batch:create")
    batch = _open_batch(actor, batch_id)
    items = batch.items.filter(application_id__in=list(application_ids))
    planned = list(items.filter(card__state=PLANNED).values_list("card_id", flat=True))
    if planned:
        cards.void_cards(actor, planned, "移出制卡批次", remake=True)
    removed, _ = items.delete()
    _count(batch)
    record(actor, "remove", batch, removed=removed, cards=batch.card_count)
    return batch


def dissolve(actor: Actor, batch_id: int, reason: str) -> Batch:
    """Give a batch up that nobody makes: open, refused by the bureau, or one whose file cannot be built.

    Its applications are accepted as before; cards that were planned or ordered for them are void.
    """
    batch = locked_batch(actor, batch_id)
    if not reason.strip():
        raise Refused("REASON_REQUIRED", "请写明解散的理由。", where="理由")
    if batch.state == APPROVED and not batch.build_error:
        raise Refused(
            "BATCH_BEING_BUILT",
            f"批次 {batch.number} 正在生成文件，不能解散。",
            action="请等待文件生成；只有生成失败时才能解散。",
        )
    move(batch, "dissolve", actor, reason=reason)
    waiting = batch.items.filter(card__state__in=[PLANNED, ORDERED])
    given_up = list(waiting.values_list("card_id", flat=True))
    if given_up:
        cards.void_cards(actor, given_up, f"批次 {batch.number} 已解散", remake=True)
    batch.items.update(outcome=outcomes.DROPPED)
    record(actor, "dissolve", batch, reason=reason, cards=len(given_up))
    return batch


def make_followup(actor: Actor, batch_id: int) -> Batch | None:
    """An open batch of all cards of this one that have to be made again; None where there are none."""
    actor.require("city:batch:create")
    batch = locked_batch(actor, batch_id)
    waiting = to_remake(batch) if batch.state in (RECONCILING, CLOSED) else []
    if not waiting:
        return None
    return create_batch(actor, batch.kind_id, waiting, title=f"{batch.number} 重制", remake_of=batch)


def to_remake(batch: Batch) -> list[int]:
    """Applications of this batch whose card failed or was voided and that wait for a new card."""
    taken = BatchItem.objects.filter(outcome__in=outcomes.OPEN).values("application_id")
    return list(
        batch.items.filter(outcome__in=[outcomes.FAILED, outcomes.DROPPED], application__state=cards.ACCEPTED)
        .exclude(application_id__in=taken)
        .values_list("application_id", flat=True)
    )


def _put_in(actor: Actor, batch: Batch, application_ids: Sequence[int]) -> None:
    wanted = list(dict.fromkeys(application_ids))
    if not wanted:
        raise Refused("BATCH_EMPTY", "批次里没有申领。", action="请先选择已受理的申领。")
    found = (
        cards.Application.objects.visible_to(actor.scope)
        .filter(id__in=wanted)
        .order_by(*PACKING_ORDER)
        .values_list("id", "number", "state", "kind_id")
    )
    unfit = [number for _, number, state, kind in found if state != cards.ACCEPTED or kind != batch.kind_id]
    if unfit or len(found) != len(wanted):
        raise Refused(
            "APPLICATION_NOT_READY",
            "只有已受理、且卡种相同的申领才能编入批次。",
            found="、".join(unfit[:5]) or f"{len(wanted) - len(found)} 件不存在",
            expected="已受理",
            action="请刷新待制卡的申领后重新选择。",
        )
    last = batch.items.aggregate(last=Max("position"))["last"] or 0
    limit = LIMIT_WITH_PHOTOS if batch.kind.photo_printed else LIMIT
    if batch.card_count + len(wanted) > limit:
        raise Refused(
            "BATCH_TOO_LARGE",
            f"一个批次最多 {limit} 张卡。",
            found=batch.card_count + len(wanted),
            expected=limit,
            action="请分成几个批次。",
        )
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO production_batchitem (batch_id, position, application_id, outcome, result_code,"
                " result_text, reported) SELECT %s, %s + place, id, 'pending', '', '', ''"
                " FROM unnest(%s::bigint[]) WITH ORDINALITY AS wanted(id, place)",
                [batch.id, last, [row[0] for row in found]],
            )
    except IntegrityError as error:
        raise Conflict(
            "APPLICATION_IN_BATCH",
            "有申领已经编入其他批次。",
            action="请刷新待制卡的申领后重新选择。",
        ) from error
    _count(batch)


def _count(batch: Batch) -> None:
    batch.card_count = batch.items.count()
    batch.save(update_fields=["card_count"])


def _open_batch(actor: Actor, batch_id: int) -> Batch:
    batch = locked_batch(actor, batch_id)
    if batch.state != OPEN:
        raise Refused(
            "BATCH_NOT_OPEN",
            f"批次 {batch.number} 已锁定，不能增减申领。",
            found=BATCH.state(batch.state).label,
            expected=BATCH.state(OPEN).label,
            action="请先解锁。",
        )
    return batch


def _next_number() -> str:
    """B, the year, a serial of the year: B26-00001. Without gap, because a lock guards the next one."""
    head = f"B{clock.today():%y}-"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('production.batch_number'))")
    last = Batch.objects.filter(number__startswith=head).aggregate(last=Max("number"))["last"]
    return f"{head}{int(last[len(head) :]) + 1 if last else 1:05d}"
