"""Asking for a parcel to be carried: the intent first; the courier is called by `calling`.

A shipment by hand has its number at once. What is packed and what is posted stays the business of logistics
and replacements: this calls their services.
"""

from datetime import date, timedelta

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Q

from xueka.contexts.cards import api as cards
from xueka.contexts.couriers.domain import kuaidi100, rules
from xueka.contexts.couriers.domain import transitions as t
from xueka.contexts.couriers.models import Shipment, ShipmentCard, Waybill
from xueka.contexts.couriers.ports import Placed
from xueka.contexts.couriers.services.catching import catch_up
from xueka.contexts.couriers.services.common import (
    WORKER,
    change,
    close_problems,
    hold,
    locked,
    move,
    open_problem,
    pause_after,
)
from xueka.contexts.logistics import api as logistics
from xueka.contexts.replacements import api as replacements
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.platform.audit.services import record
from xueka.platform.crypto.fields import seal
from xueka.platform.history.services import begin
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE


def ask_home(actor: Actor, replacement_number: str) -> Shipment:
    """A replaced card that is ready goes home by SF. Needs `district:parcel:send`.

    Raises NotFound; Refused `NOT_POSTED`, `CARD_NOT_READY`, `NOT_TO_POST`, `SHIPMENT_OPEN`.
    """
    actor.require(t.SEND)
    found = replacements.replacement(actor.scope, replacement_number)
    if found.state != replacements.TO_POST:
        raise Refused("NOT_TO_POST", "这张卡现在不在待邮寄。", action="请刷新页面查看进度。")
    where = replacements.posting_address(actor, found.id, "向承运商下单")
    _end_earlier(found)
    made = _home(actor, found, rules.SF, rules.COURIERS[rules.SF], where)
    record(actor, "shipment.ask", "shipment", made.number, detail={"replacement": found.number})
    return made


def ask_school(actor: Actor, delivery_number: str) -> Shipment:
    """The boxes of a packed delivery go to their school by SF, a parcel for each box.

    Needs `city:delivery:dispatch`. Raises NotFound; Refused `DELIVERY_GONE`, `DELIVERY_EMPTY`,
    `ADDRESS_MISSING`, `SHIPMENT_OPEN`.
    """
    actor.require("city:delivery:dispatch")
    delivery = logistics.delivery(actor.scope, delivery_number)
    if delivery.state != "packing":
        raise Refused("DELIVERY_GONE", "这张配送单已经发运或取消。", action="请刷新页面。")
    made = _school(actor, delivery, rules.SF, rules.COURIERS[rules.SF])
    record(actor, "shipment.ask", "shipment", made.number, detail={"delivery": delivery.number})
    return made


def post_by_hand(
    actor: Actor, replacement_number: str, carrier: str, waybill: str, mark: str = ""
) -> Shipment:
    """The counter has given the card to a courier itself and types the number. Raises what `post` raises."""
    found = replacements.replacement(actor.scope, replacement_number)
    ordered = open_for_replacement(found.id)
    if ordered:
        raise _open(ordered)
    _end_earlier(found)  # while the replacement still says that it is back
    posted = replacements.post(actor, found.id, carrier, waybill, mark)
    where = replacements.posting_address(actor, found.id, "登记寄出")
    made = _home(actor, found, rules.HAND, posted.carrier, where)
    _typed(made, posted.carrier, posted.waybill)
    _pick_up(made, actor)
    return made


def dispatch_by_hand(
    actor: Actor, delivery_number: str, carrier: str, waybill: str, expected_on: date | None = None
) -> Shipment:
    """The city has given the boxes to a courier itself. Raises what `logistics.dispatch` raises."""
    delivery = logistics.delivery(actor.scope, delivery_number)
    ordered = open_for_delivery(delivery.id)
    if ordered:
        raise _open(ordered)
    sent = logistics.dispatch(actor, delivery.id, carrier=carrier, waybill=waybill, expected_on=expected_on)
    made = _school(actor, sent, rules.HAND, sent.carrier, expected_on)
    _typed(made, sent.carrier, sent.waybill)
    _pick_up(made, actor)
    return made


def hand_over(actor: Actor, shipment_id: int) -> Shipment:
    """The courier has taken the parcel: the card is posted, the boxes are on the road. Needs
    `district:parcel:send`. Raises NotFound; Refused `NO_WAYBILL`, `ADDRESS_CHANGED`.
    """
    actor.require(t.SEND)
    shipment = locked(actor, shipment_id)
    if shipment.state != t.ORDERED:
        raise Refused(
            "NO_WAYBILL", "还没有运单，或已经交给快递。", found=t.SHIPMENT.state(shipment.state).label
        )
    send_off(shipment, actor, shipment.mark)
    _pick_up(shipment, actor)
    record(actor, "shipment.hand_over", "shipment", shipment.number)
    return shipment


def cancel(actor: Actor, shipment_id: int) -> Shipment:
    """Take an order back; the courier is told by `calling`. Needs `district:parcel:send`.

    An order without an answer may still be on its way there: it is waited for, else the courier would say
    that it knows of none, and take it afterwards.
    """
    actor.require(t.SEND)
    shipment = locked(actor, shipment_id)
    unheard = shipment.tries and not shipment.waybills.exists()
    move(shipment, "cancel", actor)
    begins = clock.now() + (rules.ORDER_UNDER_WAY if unheard else timedelta(0))
    change(shipment, tries=0, next_try_at=begins, last_error="")
    record(actor, "shipment.cancel", "shipment", shipment.number)
    return shipment


def placed(shipment_id: int, answer: Placed) -> None:
    """What the courier says of an order."""
    shipment = locked(WORKER, shipment_id)
    if shipment.state == t.CANCELLED and answer.state in ("taken", "waiting"):
        change(shipment, tries=0, next_try_at=clock.now())  # it came there after all: take it off again
    if shipment.state != t.ASKED:
        return
    if answer.state == "waiting":
        put_off(shipment, "承运商人工确认中")
    elif answer.state == "taken" and answer.waybills:
        _number(shipment, answer)
    else:
        why = answer.why or "承运商不收"
        move(shipment, "refuse", reason=why)
        change(shipment, why=why[:200])
        open_problem(shipment, rules.NOT_SENT, why)


def called_off(shipment_id: int, off: bool) -> None:
    """Whether the courier has taken a cancelled order off; if it is too late, the way goes on."""
    shipment = locked(WORKER, shipment_id)
    if shipment.state == t.CANCELLED:
        change(shipment, next_try_at=None, last_error="")
        if not off:
            open_problem(shipment, rules.NOT_SENT, "取消后承运商仍来揽收，请与承运商联系")
    if shipment.state != t.CANCELLING:
        return
    if off:
        move(shipment, "cancelled")
        close_problems(shipment, WORKER.username, "已取消")
    else:
        change(shipment, next_try_at=None, next_ask_at=clock.now(), last_error="已揽收，不能取消")


def put_off(shipment: Shipment, error: str) -> None:
    """The call is made again, later and later."""
    later = clock.now() + pause_after(shipment.tries)
    change(shipment, tries=shipment.tries + 1, next_try_at=later, last_error=error[:200])


def send_off(shipment: Shipment, actor: Actor, mark: str = "") -> None:
    """What a parcel that is on its way means where it came from; nothing where that was done."""
    number = shipment.waybills.get(position=1).number
    if shipment.delivery:
        if logistics.delivery(EVERYWHERE, shipment.delivery.number).state == "packing":
            logistics.dispatch(
                actor,
                shipment.delivery.id,
                carrier=shipment.carrier,
                waybill=number,
                expected_on=shipment.expected_on,
            )
    elif shipment.replacement and shipment.replacement.state == replacements.TO_POST:
        replacements.post(actor, shipment.replacement.id, shipment.carrier, number, mark)


def open_for_replacement(replacement_id: int) -> Shipment | None:
    """The shipment that is under way for a replacement."""
    rows = Shipment.objects.filter(replacement=replacement_id, state__in=t.OPEN)
    back = Q(replacement__state=replacements.TO_POST, handed_over_at__isnull=False, unsent=False)
    rows = rows.exclude(intercept="taken")  # that was lost, and what is in it is void
    return rows.exclude(back).first()  # what is back at the counter is not under way any more


def open_for_delivery(delivery_id: int) -> Shipment | None:
    """The shipment that was made for a delivery and did not come to nothing."""
    rows = Shipment.objects.filter(delivery=delivery_id)
    return rows.exclude(state__in=[t.CANCELLED, t.FAILED, "returned"]).first()


def _end_earlier(found: replacements.Replacement) -> None:
    """A parcel that came back to the counter, as somebody there has said."""
    for earlier in Shipment.objects.filter(replacement=found.id, state__in=t.FOLLOWED):
        catch_up(earlier.id)


def _home(
    actor: Actor,
    found: replacements.Replacement,
    courier: str,
    carrier: str,
    where: replacements.Address,
) -> Shipment:
    rows = cards.card_rows(EVERYWHERE).filter(application=found.application_id, state=cards.READY)
    card = rows.first() if found.application_id else None
    if card is None:
        raise Refused("CARD_NOT_READY", "卡还没有在柜台制成。", action="请先在柜台制好这张卡，再寄出。")
    made = _make(
        actor,
        kind=rules.HOME,
        courier=courier,
        carrier=carrier[:32],
        school_id=found.student.school_id,
        replacement=found,
        address=seal({"name": where.name, "phone": where.phone, "address": where.address}),
        mark=replacements.address_mark(found),
        expected_on=rules.expected_on(clock.today(), settings.COURIER_DAYS, found.promised_on),
    )
    ShipmentCard.objects.create(shipment=made, card=card)
    return made


def _school(
    actor: Actor, delivery: logistics.Delivery, courier: str, carrier: str, on: date | None = None
) -> Shipment:
    boxes = [box for box in logistics.boxes_of(delivery) if box.state in ("packed", "in_transit")]
    if not boxes:
        raise Refused("DELIVERY_EMPTY", "配送单里没有卡箱。", action="请先装箱。")
    if courier == rules.SF and not (delivery.address and delivery.consignee and delivery.consignee_phone):
        raise Refused(
            "ADDRESS_MISSING",
            f"{delivery.school.name}的收货地址、收货人或电话不全。",
            action="请在学校信息里补全，取消这张配送单后重新装箱。",
        )
    where = {
        "name": delivery.consignee,
        "phone": delivery.consignee_phone,
        "address": delivery.address,
    }
    made = _make(
        actor,
        kind=rules.SCHOOL,
        courier=courier,
        carrier=carrier[:32],
        school_id=delivery.school_id,
        delivery=delivery,
        address=seal(where),
        pieces=len(boxes) if courier == rules.SF else 1,
        expected_on=on or rules.expected_on(clock.today(), settings.COURIER_DAYS),
    )
    ShipmentCard.objects.bulk_create(
        (
            ShipmentCard(shipment=made, card_id=place.card_id, box=box)
            for box in boxes
            for place in logistics.contents(box)
            if place.is_here
        ),
        batch_size=2000,
    )
    return made


def _make(actor: Actor, **values: object) -> Shipment:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('couriers_shipment', 'id'))")
        (made_id,) = cursor.fetchone()
    now = clock.now()
    made = Shipment(
        id=made_id,
        number=f"YJ{clock.today():%y}{made_id:08d}",
        state=t.ASKED,
        state_at=now,
        created_at=now,
        created_by=actor.username,
        next_try_at=now if values["courier"] == rules.SF else None,
        **values,
    )
    try:
        with transaction.atomic():
            made.save(force_insert=True)
    except IntegrityError:
        raise _open(None) from None
    begin(t.SHIPMENT, [made.id], actor)
    return made


def _open(found: Shipment | None) -> Refused:
    return Refused(
        "SHIPMENT_OPEN",
        "已经有一个运件在途。",
        found=found.number if found else None,
        action="请刷新页面；要换承运商，先取消原来的运件。",
    )


def _number(shipment: Shipment, answer: Placed) -> None:
    """The waybills of an order, mother first, each for one box."""
    boxes = list(
        shipment.contents.exclude(box=None).order_by("box_id").values_list("box_id", flat=True).distinct()
    )
    Waybill.objects.bulk_create(
        Waybill(
            shipment=shipment,
            number=number[:40],
            position=place,
            box_id=boxes[place - 1] if place <= len(boxes) else None,
        )
        for place, number in enumerate(answer.waybills, 1)
    )
    move(shipment, "accept", detail={"waybill": answer.waybills[0]})
    change(
        shipment,
        route_label=answer.route_label[:40],
        tries=0,
        next_try_at=None,
        last_error="",
        next_ask_at=clock.now() + rules.ASK_EVERY,
    )


def _typed(shipment: Shipment, carrier: str, number: str) -> None:
    company = kuaidi100.company_of(carrier)
    Waybill.objects.create(
        shipment=shipment,
        number=number[:40],
        position=1,
        follows=rules.WANTED if company else "",
        next_try_at=clock.now() if company else None,
    )
    change(shipment, carrier=carrier)
    move(shipment, "accept", detail={"waybill": number})


def _pick_up(shipment: Shipment, actor: Actor) -> None:
    """We have seen it leave; the courier's own word for it may come later or never."""
    now = clock.now()
    move(shipment, "track", WORKER, to="on_the_way")
    hold(shipment, now, actor)
    change(shipment, handed_over_at=now)
    if shipment.courier == rules.SF:
        change(shipment, next_ask_at=now)
