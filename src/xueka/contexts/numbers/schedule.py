"""Reads on the schedule, on hand-overs and on the rows behind ranges and lots. The city's affair alone."""

from dataclasses import dataclass
from datetime import date

from django.db.models import QuerySet

from xueka.contexts.numbers.domain.transitions import AT_COMPANY
from xueka.contexts.numbers.models import Blank, BlankLot, HandOver, Initialisation, NumberRange, NumberUse
from xueka.contexts.numbers.queries import RangeView, ranges, sees_numbers
from xueka.contexts.numbers.services.handing_over import in_force, sums
from xueka.contexts.numbers.services.ranges import why_not_reopen
from xueka.kernel import clock
from xueka.kernel.errors import NotFound
from xueka.platform.identity.scope import Scope

USE_LABELS = {"assigned": "已分配", "used": "已用", "spoiled": "作废", "returned": "退回未用"}
BLANK_LABELS = {
    "in_stock": "在库",
    "bound": "已绑定",
    "used": "已用",
    "spoiled": "报废",
    "returned": "已退回",
}


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order with its hand-overs, newest first, and what they add up to; `late` days after `due_on`."""

    order: Initialisation
    hand_overs: list[HandOver]
    sent: int
    good: int
    rejected: int
    late: int

    @property
    def owed(self) -> int:
        return self.sent - self.good - self.rejected


def order_rows(scope: Scope) -> QuerySet[Initialisation]:
    """Every initialisation order, unordered."""
    return Initialisation.objects.all() if sees_numbers(scope) else Initialisation.objects.none()


def order(scope: Scope, number: str) -> OrderView:
    """One order. Raises NotFound `SCHEDULE_NOT_FOUND`."""
    found = order_rows(scope).filter(number=number).first()
    if found is None:
        raise NotFound("SCHEDULE_NOT_FOUND", "没有这张排产单。", found=number)
    sent, good, rejected = sums(found)
    records = found.hand_overs.select_related("lot", "replaces", "replaced_by").order_by("-id")
    return OrderView(found, list(records), sent, good, rejected, late_days(found))


def late_days(found: Initialisation) -> int:
    """Days since the order should have been back; 0 while it is in time or not out."""
    return max((clock.today() - found.due_on).days, 0) if found.state == AT_COMPANY else 0


def overdue(scope: Scope, day: date | None = None) -> int:
    """Orders that are not back though they should be."""
    return order_rows(scope).filter(state=AT_COMPANY, due_on__lt=day or clock.today()).count()


def hand_over_rows(scope: Scope) -> QuerySet[HandOver]:
    """Every hand-over, replaced ones too, unordered."""
    found = HandOver.objects.select_related("order", "lot", "replaces", "replaced_by")
    return found if sees_numbers(scope) else found.none()


def hand_over(scope: Scope, number: str) -> HandOver:
    """One hand-over. Raises NotFound `HANDOVER_NOT_FOUND`."""
    found = hand_over_rows(scope).filter(number=number).first()
    if found is None:
        raise NotFound("HANDOVER_NOT_FOUND", "没有这份交接记录。", found=number)
    return found


def out_of_house(scope: Scope, lot_number: str) -> int:
    """How many blanks of a lot are out by hand-overs in force."""
    found = in_force(hand_over_rows(scope).filter(lot__number=lot_number))
    counted = found.values_list("purpose", "quantity")
    return sum(
        quantity if purpose in ("to_bureau", "to_supplier") else -quantity
        for purpose, quantity in counted
        if purpose != "receive"
    )


def range_(scope: Scope, range_id: int) -> tuple[RangeView, str, str]:
    """One range, why it was closed, and why it cannot be opened (empty where it may). Raises NotFound."""
    view = next((each for each in ranges(scope) if each.id == range_id), None)
    if view is None:
        raise NotFound("RANGE_NOT_FOUND", "没有这个号段。")
    found = NumberRange.objects.get(id=range_id)
    return view, found.closed_reason, why_not_reopen(found)


def use_rows(scope: Scope, range_id: int) -> QuerySet[NumberUse]:
    """Every number of a range that was given out, unordered."""
    found = NumberUse.objects.filter(range=range_id)
    return found if sees_numbers(scope) else found.none()


def lot(scope: Scope, number: str) -> BlankLot:
    """One lot of blanks. Raises NotFound `LOT_NOT_FOUND`."""
    found = BlankLot.objects.filter(number=number).first() if sees_numbers(scope) else None
    if found is None:
        raise NotFound("LOT_NOT_FOUND", "没有这批空白卡。", found=number)
    return found


def blank_rows(scope: Scope, lot_number: str) -> QuerySet[Blank]:
    """Every blank of a lot, unordered."""
    found = Blank.objects.filter(lot__number=lot_number)
    return found if sees_numbers(scope) else found.none()


def find_blank(scope: Scope, lot_number: str, code: str) -> Blank | None:
    """The blank of a lot that a scanner read: its chip UID, its transit number, or its position."""
    rows = blank_rows(scope, lot_number)
    code = code.strip().upper()
    if not code:
        return None
    found = rows.filter(uid=code).first() or rows.filter(transit_number=code).first()
    if found is None and code.isascii() and code.isdigit() and len(code) < 8:
        found = rows.filter(position=int(code)).first()
    return found
