"""Blanks change hands: written down once, with both people's names, and never changed."""

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet, Sum

from xueka.contexts.numbers.domain.handing_over import (
    FROM_LOT,
    INTO_LOT,
    PURPOSES,
    Slip,
    check,
    check_order,
)
from xueka.contexts.numbers.domain.transitions import INITIALISATION, SHORT, standing
from xueka.contexts.numbers.models import Blank, BlankLot, HandOver, Initialisation
from xueka.contexts.numbers.services.blanks import set_aside
from xueka.contexts.numbers.services.initialisation import locked_order, next_number
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict, NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor


def hand_over(actor: Actor, purpose: str, slip: Slip, *, order: str = "", lot: str = "") -> HandOver:
    """Write a hand-over down. `send` and `receive` move their order, the others count against their lot.

    A `receive` may stand without an order (blanks that were bought initialised) and name the lot it brought.
    Raises BadInput where the slip is incomplete, Refused where the numbers would not add up.
    """
    actor.require("city:range:manage")
    slip = slip.tidy()
    check(purpose, slip)
    if purpose not in ("send", "receive") and not lot:
        raise BadInput("HANDOVER_LOT", "请选择空白卡的批号。")
    if purpose == "send" and not order:
        raise BadInput("HANDOVER_ORDER", "请选择排产单。")
    its_order = locked_order(actor, order) if order else None
    its_lot = locked_lot(lot) if lot else None
    made = _write(actor, purpose, slip, its_order, its_lot)
    if its_order is not None:
        _move(actor, purpose, its_order, made)
    if its_lot is not None:
        check_lot(its_lot)
    _record(actor, "write", made)
    return made


def return_blanks(actor: Actor, lot: str, positions: Sequence[int], reason: str, slip: Slip) -> HandOver:
    """Blanks of the stock go back to whom they came from, by a signed hand-over that names their places."""
    listed = "、".join(str(position) for position in sorted(set(positions)))
    contents = f"序号 {listed}"
    if len(contents) > 200:
        contents = f"{contents[:190]}…等 {len(set(positions))} 张"
    count = set_aside(actor, lot, positions, "returned", reason)
    whole = Slip(
        count,
        slip.given_by,
        slip.received_by,
        slip.document,
        counterparty=slip.counterparty,
        contents=contents,
        note=reason,
    )
    return hand_over(actor, "to_supplier", whole, lot=lot)


def correct(actor: Actor, number: str, slip: Slip, reason: str) -> HandOver:
    """Replace a hand-over that was written down wrongly; both stay on record. Quantity 0: it never happened.

    A return of single blanks to the supplier is not corrected here: its blanks are marked one by one.
    """
    actor.require("city:range:manage")
    if not reason.strip():
        raise BadInput("REASON_MISSING", "请写明更正的理由。")
    old = HandOver.objects.select_related("order", "lot").filter(number=number.strip()).first()
    if old is None:
        raise NotFound("HANDOVER_NOT_FOUND", "没有这份交接记录。", found=number)
    order = locked_order(actor, old.order.number) if old.order else None
    lot = locked_lot(old.lot.number) if old.lot else None
    if HandOver.objects.filter(replaces=old).exists():
        raise _replaced(old)
    if old.purpose == "to_supplier":
        raise Refused("HANDOVER_FIXED", "退回供应方的空白卡已逐张登记，不能更正张数。")
    slip = slip.tidy()
    check(old.purpose, slip, correcting=True)
    try:
        with transaction.atomic():
            made = _write(actor, old.purpose, slip, order, lot, replaces=old, note=reason.strip())
    except IntegrityError:  # one without order and lot is nobody's lock
        raise _replaced(old) from None
    if order is not None:
        _move(actor, "correct", order, made, reason.strip())
    if lot is not None:
        check_lot(lot)
    _record(actor, "correct", made, replaces=old.number, reason=reason)
    return made


def sums(order: Initialisation) -> tuple[int, int, int]:
    """Of an order: how many were sent, came back good, came back rejected."""
    valid = in_force(HandOver.objects.filter(order=order))
    found = valid.aggregate(
        sent=Sum("quantity", filter=Q(purpose="send")),
        good=Sum("quantity", filter=Q(purpose="receive")),
        rejected=Sum("rejected"),
    )
    return found["sent"] or 0, found["good"] or 0, found["rejected"] or 0


def in_force(found: QuerySet[HandOver]) -> QuerySet[HandOver]:
    """Those that no later record replaces."""
    return found.filter(replaced_by=None)


def _write(
    actor: Actor,
    purpose: str,
    slip: Slip,
    order: Initialisation | None,
    lot: BlankLot | None,
    *,
    replaces: HandOver | None = None,
    note: str = "",
) -> HandOver:
    return HandOver.objects.create(
        number=next_number(HandOver, "JJ"),
        purpose=purpose,
        direction=PURPOSES[purpose][0],
        order=order,
        lot=lot,
        quantity=slip.quantity,
        rejected=slip.rejected,
        counterparty=slip.counterparty,
        given_by=slip.given_by,
        received_by=slip.received_by,
        document=slip.document,
        contents=slip.contents,
        note=note or slip.note,
        at=clock.now(),
        recorded_by=actor.username,
        replaces=replaces,
    )


def _move(actor: Actor, event: str, order: Initialisation, made: HandOver, reason: str = "") -> None:
    sent, good, rejected = sums(order)
    back = good + rejected
    check_order(order.quantity, sent, back)
    to = standing(sent, back)
    if event == "send":
        to = INITIALISATION.target("send", order.state)
    elif event == "receive" and order.state == SHORT and to != "received":
        to = SHORT
    detail: dict[str, Any] = {"hand_over": made.number, "quantity": made.quantity, "rejected": made.rejected}
    apply(INITIALISATION, Initialisation, [order.id], event, actor, to=to, reason=reason, detail=detail)


def check_lot(lot: BlankLot) -> None:
    """No more of a lot is out than it has. Raises Refused `HANDOVER_OVER_OUT`, `HANDOVER_OVER_STOCK`."""
    valid = in_force(HandOver.objects.filter(lot=lot))
    found = valid.aggregate(
        out=Sum("quantity", filter=Q(purpose__in=FROM_LOT)),
        back=Sum("quantity", filter=Q(purpose__in=INTO_LOT)),
    )
    out = (found["out"] or 0) - (found["back"] or 0)
    if out < 0:
        raise Refused(
            "HANDOVER_OVER_OUT", "退回的张数超过发出的张数。", where=f"批号 {lot.number}", found=-out
        )
    gone = Q(state="spoiled", card_id=None) | ~Q(counter="")  # or at a counter
    here = lot.quantity - Blank.objects.filter(gone, lot=lot).count()
    if out > here:
        raise Refused(
            "HANDOVER_OVER_STOCK",
            "出库的张数超过这批空白卡的数量。",
            where=f"批号 {lot.number}",
            found=out,
            expected=f"不超过 {here}",
            action="请核对批号和张数。",
        )


def _replaced(old: HandOver) -> Conflict:
    return Conflict("HANDOVER_REPLACED", f"{old.number} 已经更正过。", action="请更正最新的一份。")


def locked_lot(number: str) -> BlankLot:
    """The lot, locked. Raises NotFound `LOT_NOT_FOUND`."""
    found = BlankLot.objects.select_for_update().filter(number=number.strip()).first()
    if found is None:
        raise NotFound("LOT_NOT_FOUND", "没有这批空白卡。", found=number)
    return found


def _record(actor: Actor, action: str, made: HandOver, **detail: object) -> None:
    record(
        actor,
        f"hand_over.{action}",
        "hand_over",
        made.number,
        detail={
            "purpose": made.purpose,
            "quantity": made.quantity,
            "rejected": made.rejected,
            "given_by": made.given_by,
            "received_by": made.received_by,
            **detail,
        },
    )
