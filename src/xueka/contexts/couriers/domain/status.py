"""One vocabulary for what any courier says of a parcel, and what a list of it comes to.

The words are those of the WeChat logistics statuses (docs/interfaces/couriers.md §4), so that each courier's
own codes have one place to go.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

ASSIGNED, PICKUP_FAILED, PICKED_UP = "assigned", "pickup_failed", "picked_up"
IN_TRANSIT, FORWARDED, DELIVERING, ATTEMPT_FAILED = "in_transit", "forwarded", "delivering", "attempt_failed"
IN_LOCKER, OUT_OF_LOCKER, SIGNED, REFUSED = "in_locker", "out_of_locker", "signed", "refused"
RETURNING, RETURNED, PROBLEM = "returning", "returned", "problem"
CANCELLED, NOTED = "cancelled", "noted"

#: Code → what a page says.
STATUSES = {
    ASSIGNED: "已派快递员",
    PICKUP_FAILED: "揽收失败",
    PICKED_UP: "已揽收",
    IN_TRANSIT: "运输中",
    FORWARDED: "转寄",
    DELIVERING: "派送中",
    ATTEMPT_FAILED: "派送未成",
    IN_LOCKER: "已入柜",
    OUT_OF_LOCKER: "已从柜中取走",
    SIGNED: "已签收",
    REFUSED: "拒收",
    RETURNING: "退回中",
    RETURNED: "已退回",
    PROBLEM: "异常",
    CANCELLED: "已取消",
    NOTED: "记录",
}

#: The places a parcel can be in, in the order of its way; `transitions.py` has the same codes.
AT_SENDER, ON_THE_WAY, OUT, LOCKER = "ordered", "on_the_way", "delivering", "in_locker"
DELIVERED, GOING_BACK, BACK, OFF = "delivered", "returning", "returned", "cancelled"
_ORDER = (AT_SENDER, ON_THE_WAY, OUT, LOCKER, DELIVERED)
#: What only the courier's own confirmed word leads to.
CLOSING = (DELIVERED, BACK, OFF)

_PLACE = {
    ASSIGNED: AT_SENDER,
    PICKUP_FAILED: AT_SENDER,
    PICKED_UP: ON_THE_WAY,
    IN_TRANSIT: ON_THE_WAY,
    FORWARDED: ON_THE_WAY,
    ATTEMPT_FAILED: ON_THE_WAY,
    DELIVERING: OUT,
    IN_LOCKER: LOCKER,
    OUT_OF_LOCKER: DELIVERED,
    SIGNED: DELIVERED,
    REFUSED: GOING_BACK,
    RETURNING: GOING_BACK,
    RETURNED: BACK,
    CANCELLED: OFF,
}


@dataclass(frozen=True, slots=True)
class Heard:
    """One thing that a courier says of one waybill. `id` is the courier's own, empty in answers to a query.

    `at` is the courier's time, aware: entries count in its order, not in that of their arrival.
    """

    waybill: str
    status: str
    at: datetime
    code: str = ""
    place: str = ""
    remark: str = ""
    id: str = ""


def place_of(entries: Iterable[tuple[datetime, str]]) -> str:
    """Where one waybill is after these (time, status), in any order.

    Signed while it goes back means: the sender has it again. What was refused and is taken out once more,
    without being called back between, is with the receiver when it is signed. PROBLEM and NOTED move nothing.
    """
    place, called_back = AT_SENDER, False
    for _, status in sorted(entries, key=lambda entry: (entry[0], _rank(entry[1]))):
        found = _PLACE.get(status)
        if found is None or place == OFF:
            continue
        called_back = called_back or status in (RETURNING, RETURNED)
        if status == DELIVERING and place == GOING_BACK and not called_back:
            place = OUT
        elif place in (GOING_BACK, BACK) and found != OFF:
            place = BACK if found in (DELIVERED, BACK) or place == BACK else GOING_BACK
        elif place != DELIVERED or found in (GOING_BACK, BACK):
            place = found
    return place


def place_of_all(places: Sequence[str]) -> str:
    """Where a shipment of several parcels is: as far as the last of them; going back as soon as one does."""
    found = set(places)
    if len(found) == 1:
        return places[0]
    found.discard(OFF)
    if found & {GOING_BACK, BACK}:
        return BACK if found == {BACK} else GOING_BACK
    return min(found, key=_ORDER.index, default=AT_SENDER)


def _rank(status: str) -> int:
    """Of entries of one second, the one that lies further on counts as the later."""
    place = _PLACE.get(status)
    further = (*_ORDER, GOING_BACK, BACK, OFF)
    return further.index(place) if place else -1
