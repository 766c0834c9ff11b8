"""Reads on ranges, blanks and single numbers. They are the city's affair: other scopes see nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum

from xueka.contexts.numbers.domain.counters import CITY, COUNTERS
from xueka.contexts.numbers.models import Blank, BlankLot, CounterSlip, NumberRange, NumberUse, Sort
from xueka.contexts.numbers.services.ranges import series_of
from xueka.kernel import clock
from xueka.platform.identity.scope import Scope

#: The present pace of a sort is the mean of so many days.
PACE_DAYS = 30
#: What lasts longer than this at the present pace has no day on which it runs out.
HORIZON_DAYS = 3650


@dataclass(frozen=True, slots=True)
class RangeView:
    """A range as a gauge. `is_low` says that what remains has reached the range's low-water mark."""

    id: int
    sort: str
    label: str
    issuer: str
    document: str
    first_number: str
    last_number: str
    total: int
    given: int
    remaining: int
    low_water: int
    is_low: bool
    is_open: bool
    received_at: datetime
    received_by: str


@dataclass(frozen=True, slots=True)
class Level:
    """What is left of a sort in its open ranges (of this year, for card numbers), and until when it lasts.

    `low_water` is the highest mark of the open ranges, `pace` the numbers given per day of late,
    `runs_out_on` None where nothing was given of late, or where it would be years ahead.
    """

    sort: str
    label: str
    remaining: int
    low_water: int
    is_low: bool
    pace: float
    runs_out_on: date | None


@dataclass(frozen=True, slots=True)
class LotStock:
    """A lot of blanks by state; the five counts add up to `quantity`."""

    number: str
    supplier: str
    received_at: datetime
    received_by: str
    handed_over_by: str
    quantity: int
    in_stock: int
    bound: int
    used: int
    spoiled: int
    returned: int


def ranges(scope: Scope, *, sort: str | None = None) -> list[RangeView]:
    """All ranges of the city, by sort and in the order in which they are used."""
    if not sees_numbers(scope):
        return []
    found = NumberRange.objects.order_by("sort", "id")
    return [_view(each) for each in (found.filter(sort=sort) if sort else found)]


def levels(scope: Scope) -> list[Level]:
    """One gauge per sort that has a range."""
    if not sees_numbers(scope):
        return []
    since = clock.now() - timedelta(days=PACE_DAYS)
    year = f"{clock.today():%y}"
    ranges = list(NumberRange.objects.all())
    used = dict(NumberUse.objects.filter(at__gte=since).values_list("sort").annotate(Count("id")).order_by())
    result = []
    for sort in Sort:
        mine = [each for each in ranges if each.sort == sort]
        if not mine:
            continue
        found = [each for each in mine if each.is_open and (sort != Sort.CARD or each.prefix == year)]
        remaining = sum(each.last - each.next_serial + 1 for each in found)
        low_water = max((each.low_water for each in found), default=0)
        pace = used.get(sort, 0) / PACE_DAYS
        days = remaining / pace if pace else HORIZON_DAYS + 1
        runs_out_on = clock.today() + timedelta(days=int(days)) if days <= HORIZON_DAYS else None
        is_low = remaining <= low_water
        result.append(Level(sort.value, sort.label, remaining, low_water, is_low, pace, runs_out_on))
    return result


def stock(scope: Scope) -> list[LotStock]:
    """Blanks by lot and state, newest lot first."""
    if not sees_numbers(scope):
        return []
    states = ["in_stock", "bound", "used", "spoiled", "returned"]
    counts: dict[str, Any] = {state: Count("blanks", filter=Q(blanks__state=state)) for state in states}
    return [
        LotStock(
            lot.number,
            lot.supplier,
            lot.received_at,
            lot.received_by,
            lot.handed_over_by,
            lot.quantity,
            *(getattr(lot, state) for state in states),
        )
        for lot in BlankLot.objects.annotate(**counts).order_by("-id")
    ]


def fate(scope: Scope, number: str) -> list[dict[str, Any]]:
    """What became of a number, whatever its sort: state, card id, when, why; empty where never given."""
    if not sees_numbers(scope):
        return []
    given = NumberUse.objects.filter(number=number.strip()).select_related("range").order_by("sort")
    found = [
        {
            "sort": use.sort,
            "label": Sort(use.sort).label,
            "state": use.state,
            "card_id": use.card_id,
            "at": use.at,
            "reason": use.reason,
            "origin": use.range.issuer if use.range else "空白卡",
        }
        for use in given
    ]
    if not found:
        blanks = Blank.objects.filter(Q(transit_number=number.strip()) | Q(uid=number.strip().upper()))
        found = [
            {
                "sort": Sort.TRANSIT.value,
                "label": Sort.TRANSIT.label,
                "state": blank.state,
                "card_id": blank.card_id,
                "at": blank.at,
                "reason": blank.reason,
                "origin": f"空白卡批号 {blank.lot.number} 第 {blank.position} 张",
            }
            for blank in blanks.select_related("lot")
        ]
    return found


def blanks_left(at_most: int = 10_000) -> int:
    """How many blanks lie in stock, counted no further than `at_most`: a counter asks often."""
    return Blank.objects.filter(state="in_stock")[:at_most].count()


def has_lots() -> bool:
    """Whether blanks are kept here at all: where none ever came by a lot, an empty stock says nothing."""
    return BlankLot.objects.exists()


def blank_uids(card_ids: Sequence[int]) -> dict[int, str]:
    """Chip UIDs that the blanks of these cards brought along, by card."""
    found = Blank.objects.filter(card_id__in=card_ids, state__in=["bound", "used"]).exclude(uid="")
    return {card_id: uid for card_id, uid in found.values_list("card_id", "uid") if card_id is not None}


def _view(found: NumberRange) -> RangeView:
    series = series_of(found)
    total, given = found.last - found.first + 1, found.next_serial - found.first
    remaining = total - given
    return RangeView(
        found.id,
        found.sort,
        Sort(found.sort).label,
        found.issuer,
        found.document,
        series.number(found.first),
        series.number(found.last),
        total,
        given,
        remaining,
        found.low_water,
        found.is_open and remaining <= found.low_water,
        found.is_open,
        found.received_at,
        found.received_by,
    )


def sees_numbers(scope: Scope) -> bool:
    return scope.level in ("system", "city")


@dataclass(frozen=True, slots=True)
class CounterStock:
    """What an office was handed of a lot, and what became of it: left + made + spoiled = handed − back."""

    counter: str
    label: str
    lot: str
    handed: int
    back: int
    left: int
    made: int
    spoiled: int

    @property
    def adds_up(self) -> bool:
        return self.left + self.made + self.spoiled == self.handed - self.back


def counter_stock(scope: Scope) -> list[CounterStock]:
    """By office and lot, newest lot first: all of them for the city, its own for a district."""
    slips = counter_slips(scope).order_by().values("counter", "lot_id", "lot__number")
    handed = slips.annotate(
        out=Sum("quantity", filter=Q(direction="out"), default=0),
        back=Sum("quantity", filter=Q(direction="in"), default=0),
    )
    found = Blank.objects.exclude(counter="").values("counter", "lot_id").order_by()
    states = found.annotate(
        left=Count("id", filter=Q(state="in_stock")),
        made=Count("id", filter=Q(state__in=["bound", "used"])),
        spoiled=Count("id", filter=Q(state__in=["spoiled", "returned"])),
    )
    by_place = {(each["counter"], each["lot_id"]): each for each in states}
    nothing = {"left": 0, "made": 0, "spoiled": 0}
    rows = []
    for each in sorted(handed, key=lambda row: (row["counter"], -row["lot_id"])):
        now = by_place.get((each["counter"], each["lot_id"]), nothing)
        rows.append(
            CounterStock(
                each["counter"],
                COUNTERS[each["counter"]],
                each["lot__number"],
                each["out"],
                each["back"],
                now["left"],
                now["made"],
                now["spoiled"],
            )
        )
    return rows


def counter_slips(scope: Scope) -> QuerySet[CounterSlip]:
    """Slips between the city's stock and the counters, newest first; a district sees its own."""
    found = CounterSlip.objects.select_related("lot").order_by("-id")
    if sees_numbers(scope):
        return found
    return found.filter(counter=scope.district) if scope.level == "district" else found.none()


def office_of(scope: Scope) -> str:
    """The office whose stock somebody works from: the district's, else the city's."""
    return scope.district if scope.level == "district" else CITY


def keeps_stock(office: str) -> bool:
    """Whether this office was ever handed blanks, so that it takes from its own alone."""
    return CounterSlip.objects.filter(counter=office).exists()


def why_not_here(uid: str, office: str) -> str:
    """Why a blank that lies in stock may not be used at this office; empty where it may."""
    blank = Blank.objects.filter(uid=uid).exclude(uid="").select_related("lot").first()
    if blank is None:
        return "这张空白卡不在发给本柜台的批次里" if keeps_stock(office) else ""
    place = f"批号 {blank.lot.number} 第 {blank.position} 张"
    if blank.counter and blank.counter != office:
        return f"这张空白卡（{place}）是发给{COUNTERS[blank.counter]}的"
    if not blank.counter and keeps_stock(office):
        return f"这张空白卡（{place}）没有发给本柜台"
    return ""
