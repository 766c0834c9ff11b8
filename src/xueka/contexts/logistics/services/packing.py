"""From made cards to boxes on the road."""

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import groupby

from django.db import connection, models

from xueka.contexts.cards import api as cards
from xueka.contexts.logistics.domain.transitions import BOX, CANCELLED, DELIVERY, PACKED, PACKING
from xueka.contexts.logistics.models import Box, BoxCard, Delivery
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor

BOX_CAPACITY = 60
CARRIER_LIMIT, WAYBILL_LIMIT = 32, 64


def prepare_deliveries(
    actor: Actor, *, card_ids: Sequence[int] | None = None, box_capacity: int = BOX_CAPACITY
) -> list[Delivery]:
    """Put made cards that lie in no box into boxes: one delivery a school, a box (or more) a class.

    `card_ids` limits it to some cards; without it everything that is made and unpacked goes. Raises Refused
    `NOTHING_TO_PACK` where there is none.
    """
    actor.require("city:delivery:pack")
    with (
        connection.cursor() as cursor
    ):  # two people pressing the button at once: the second packs what is left
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('logistics.pack'))")
    waiting = cards.lock_to_pack(actor, card_ids)
    if not waiting:
        raise Refused("NOTHING_TO_PACK", "没有待装箱的卡。", action="回盘核对完成后，制成的卡会出现在这里。")
    by_school = [(school, list(found)) for school, found in groupby(waiting, key=lambda card: card.school)]
    deliveries = _make_deliveries(actor, [school for school, _ in by_school])
    plan: list[tuple[Delivery, int, list[cards.Card]]] = []
    for delivery, (_, of_school) in zip(deliveries, by_school, strict=True):
        for class_id, members in groupby(of_school, key=lambda card: card.school_class_id):
            of_class = list(members)
            plan += [
                (delivery, class_id, of_class[start : start + box_capacity])
                for start in range(0, len(of_class), box_capacity)
            ]
    boxes = _make_boxes(actor, plan)
    placed: dict[int, dict[str, object]] = {}
    for box, (_, _, contents) in zip(boxes, plan, strict=True):
        placed.update({card.id: {"box": box.number} for card in contents})
    cards.pack(actor, list(placed), details=placed)
    record(
        actor,
        "delivery.prepare",
        "delivery",
        deliveries[0].number,
        detail={"deliveries": len(deliveries), "boxes": len(boxes), "cards": len(placed)},
    )
    return deliveries


def dispatch(
    actor: Actor, delivery_id: int, *, carrier: str, waybill: str, expected_on: date | None = None
) -> Delivery:
    """Send a delivery off: its boxes and cards are on the road from now."""
    delivery = _locked_delivery(actor, delivery_id)
    boxes = list(delivery.boxes.filter(state=PACKED))
    if not boxes:
        raise Refused(
            "DELIVERY_EMPTY",
            f"配送单 {delivery.number} 里没有已封箱的卡箱。",
            action="请先装箱，或取消这张配送单。",
        )
    carrier, waybill = carrier.strip(), waybill.strip()
    if not carrier or not waybill:
        raise Refused("WAYBILL_MISSING", "请填写承运方和运单号。")
    if len(carrier) > CARRIER_LIMIT or len(waybill) > WAYBILL_LIMIT:
        raise BadInput(
            "WAYBILL_LONG",
            "承运方或运单号过长。",
            found=f"{len(carrier)} 个字，{len(waybill)} 个字",
            expected=f"承运方不超过 {CARRIER_LIMIT} 个字，运单号不超过 {WAYBILL_LIMIT} 个字",
            action="请核对后重新填写；一张配送单一个运单号。",
        )
    delivery.carrier, delivery.waybill = carrier, waybill
    delivery.dispatched_at, delivery.expected_on = clock.now(), expected_on
    delivery.save(update_fields=["carrier", "waybill", "dispatched_at", "expected_on"])
    apply(DELIVERY, Delivery, [delivery.id], "dispatch", actor, detail={"waybill": delivery.waybill})
    apply(BOX, Box, [box.id for box in boxes], "dispatch", actor, detail={"waybill": delivery.waybill})
    on_board = card_ids_in(boxes)
    cards.dispatch(actor, on_board, detail={"delivery": delivery.number, "waybill": delivery.waybill})
    record(
        actor,
        "delivery.dispatch",
        "delivery",
        delivery.number,
        detail={"boxes": len(boxes), "cards": len(on_board)},
    )
    delivery.refresh_from_db()
    return delivery


def cancel_delivery(actor: Actor, delivery_id: int, reason: str) -> None:
    """Take a delivery apart that has not left yet; its cards wait for packing again."""
    delivery = _locked_delivery(actor, delivery_id)
    if not reason.strip():
        raise Refused("REASON_MISSING", "请写明取消的理由。")
    apply(DELIVERY, Delivery, [delivery.id], "cancel", actor, reason=reason)
    boxes = list(delivery.boxes.exclude(state=CANCELLED))
    apply(BOX, Box, [box.id for box in boxes], "unpack", actor, reason=reason)
    inside = card_ids_in(boxes)
    cards.unpack(actor, inside, detail={"delivery": delivery.number})
    BoxCard.objects.filter(box__in=boxes, is_here=True).update(is_here=False)
    record(
        actor, "delivery.cancel", "delivery", delivery.number, detail={"reason": reason, "cards": len(inside)}
    )


def card_ids_in(boxes: Iterable[Box]) -> list[int]:
    """The cards that lie in these boxes now."""
    return list(
        BoxCard.objects.filter(box__in=list(boxes), is_here=True)
        .order_by("box_id", "position")
        .values_list("card_id", flat=True)
    )


def _locked_delivery(actor: Actor, delivery_id: int) -> Delivery:
    found = (
        Delivery.objects.visible_to(actor.scope)
        .select_for_update(of=("self",))
        .filter(id=delivery_id)
        .first()
    )
    if found is None:
        raise NotFound("DELIVERY_NOT_FOUND", "没有这张配送单。")
    return found


def _make_deliveries(actor: Actor, schools: Sequence[registry.School]) -> list[Delivery]:
    ids = _reserve_ids(Delivery, len(schools))
    now = clock.now()
    made = Delivery.objects.bulk_create(
        Delivery(
            id=delivery_id,
            number=f"PS{clock.today():%y}{delivery_id:07d}",
            school=school,
            state=PACKING,
            address=school.address,
            consignee=school.consignee,
            consignee_phone=school.consignee_phone,
            receiving_hours=school.receiving_hours,
            created_by=actor.username,
            created_at=now,
        )
        for delivery_id, school in zip(ids, schools, strict=True)
    )
    begin(DELIVERY, ids, actor)
    return made


def _make_boxes(actor: Actor, plan: Sequence[tuple[Delivery, int, list[cards.Card]]]) -> list[Box]:
    ids = _reserve_ids(Box, len(plan))
    now = clock.now()
    boxes = Box.objects.bulk_create(
        Box(
            id=box_id,
            number=f"XH{clock.today():%y}{box_id:07d}",
            delivery=delivery,
            school_id=delivery.school_id,
            school_class_id=class_id,
            state=PACKED,
            card_count=len(members),
            created_at=now,
        )
        for box_id, (delivery, class_id, members) in zip(ids, plan, strict=True)
    )
    BoxCard.objects.bulk_create(
        (
            BoxCard(box=box, card_id=card.id, position=position)
            for box, (_, _, members) in zip(boxes, plan, strict=True)
            for position, card in enumerate(members, 1)
        ),
        batch_size=5000,
    )
    begin(BOX, ids, actor)
    return boxes


def _reserve_ids(model: type[models.Model], count: int) -> list[int]:
    # Numbers carry the id, so it is drawn before the row is written.
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [model._meta.db_table, count],
        )
        return [row[0] for row in cursor.fetchall()]
