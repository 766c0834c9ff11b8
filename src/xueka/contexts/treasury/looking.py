"""What is shown of the money: what each side says of some days, and the story of one order's fen."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from xueka.contexts.ledger import api as ledger
from xueka.contexts.payments import api as payments
from xueka.contexts.treasury.domain import breaks as b
from xueka.contexts.treasury.models import BreakRow, Confirmation, StatementLine
from xueka.contexts.treasury.queries import breaks, confirmations, open_breaks
from xueka.contexts.treasury.services.reconciling import SIDES
from xueka.kernel.clock import SHANGHAI
from xueka.kernel.errors import NotFound
from xueka.platform.identity.scope import Scope

#: Kinds that say why a channel or the finance office names another sum of payments than we do. Not among
#: them: refunds, the books, and a day without orders, whose lines are breaks one by one.
_PAYMENT_KINDS = (
    b.ONLY_CHANNEL, b.ONLY_OURS, b.AMOUNT, b.NOT_CREDITED, b.AFTER_CLOSE, b.CHARGED_TWICE, b.LINE_TWICE,
    b.FINANCE_MISSING, b.FINANCE_ONLY, b.FINANCE_AMOUNT, b.FINANCE_TWICE, b.FINANCE_MODEL,
    b.STATEMENT_MISSING, b.STATEMENT_WRONG,
)  # fmt: skip


@dataclass(slots=True)
class ChannelSides:
    """What each side says came through one channel, in fen; `payments` and `refunds` count ours.

    `stray_fen` of `received_fen` is not the orders'. `stated_fen` is None where no usable statement is here,
    `confirmed_fen` where the finance office confirms nothing of this channel. `booked_fen` holds what nobody
    could place as well. Refunds: those that went back through the channel.
    """

    channel: str
    settlement: str = ""
    payments: int = 0
    received_fen: int = 0
    stray_fen: int = 0
    stated_fen: int | None = None
    confirmed_fen: int | None = None
    booked_fen: int = 0
    refunds: int = 0
    refunded_fen: int = 0
    refund_stated_fen: int = 0
    refund_booked_fen: int = 0

    @property
    def orders_fen(self) -> int:
        """What paid orders."""
        return self.received_fen - self.stray_fen

    @property
    def outside_fen(self) -> int:
        """What the channel or, for money that reaches the treasury itself, the finance office says came."""
        said = self.confirmed_fen if self.settlement == payments.DIRECT else self.stated_fen
        return said or 0

    @property
    def difference_fen(self) -> int:
        """Above zero: the other side knows of more than the orders."""
        return self.outside_fen - self.received_fen


@dataclass(frozen=True, slots=True)
class Step:
    """A step from what the orders say to what the books say; `total` stands on the ground."""

    label: str
    fen: int
    total: bool = False
    kind: str = ""


@dataclass(slots=True)
class Story:
    """Everything that is known of some money, each list oldest first. `order` is None for unknown money."""

    order: payments.Order | None
    attempts: list[payments.Payment] = field(default_factory=list)
    refunds: list[payments.Refund] = field(default_factory=list)
    notices: list[payments.Notice] = field(default_factory=list)
    lines: list[StatementLine] = field(default_factory=list)
    confirmations: list[Confirmation] = field(default_factory=list)
    entries: list[ledger.Entry] = field(default_factory=list)
    breaks: list[BreakRow] = field(default_factory=list)


def sides(scope: Scope, first: date, last: date) -> list[ChannelSides]:
    """The channels that have an account or any money in these days, each with all its sides."""
    found = {
        account.code: ChannelSides(account.code, account.settlement) for account in payments.accounts(scope)
    }
    if scope.level not in ("system", "city"):
        return []
    _fill(found, first, last)
    rows = _between(scope, first, last).order_by().values_list("channel")
    for channel, fen in rows.annotate(Sum("stray_fen")):
        _of(found, channel).stray_fen = fen
    return [found[code] for code in ledger.CHANNELS if code in found]


def _of(found: dict[str, ChannelSides], channel: str) -> ChannelSides:
    return found.setdefault(channel, ChannelSides(channel))


def _fill(found: dict[str, ChannelSides], first: date, last: date) -> None:
    days = "day BETWEEN %(first)s AND %(last)s"
    rows = _rows(
        f"SELECT channel, kind, max(settlement), count(*), sum(fen) FROM ({SIDES.ours}) x"  # noqa: S608
        f" WHERE {days} AND state = 'succeeded' GROUP BY 1, 2",
        first,
        last,
    )
    for channel, kind, settlement, count, fen in rows:
        one = _of(found, channel)
        one.settlement = settlement
        if kind == "payment":
            one.payments, one.received_fen = count, int(fen)
        else:
            one.refunds, one.refunded_fen = count, int(fen)
    by_kind = f"SELECT channel, kind, sum(fen) FROM ({{}}) x WHERE {days} GROUP BY 1, 2"  # noqa: S608
    for channel, kind, fen in _rows(by_kind.format(SIDES.theirs), first, last):
        one = _of(found, channel)
        if kind == "payment":
            one.stated_fen = int(fen)
        else:
            one.refund_stated_fen = int(fen)
    for channel, kind, fen in _rows(by_kind.format(SIDES.booked), first, last):
        one = _of(found, channel)
        if kind == "payment":
            one.booked_fen += int(fen)
        else:
            one.refund_booked_fen = int(fen)
    unknown = _rows(
        "SELECT g.channel, sum(g.fen) FROM ledger_posting g JOIN ledger_entry e ON e.id = g.entry_id"
        " WHERE e.kind = 'unknown_payment' AND g.account LIKE 'clearing.%%'"
        " AND e.on BETWEEN %(first)s AND %(last)s GROUP BY 1",
        first,
        last,
    )
    for channel, fen in unknown:
        _of(found, channel).booked_fen += int(fen)
    [(fen,)] = _rows(f"SELECT sum(fen) FROM ({SIDES.confirmed}) x WHERE {days}", first, last)  # noqa: S608
    if fen is not None or "nontax" in found:
        _of(found, "nontax").confirmed_fen = int(fen or 0)


def _rows(sql: str, first: date, last: date) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"first": first, "last": last})
        return list(cursor.fetchall())


def waterfall(scope: Scope, first: date, last: date, found: list[ChannelSides]) -> list[Step]:
    """From what the orders say to what the books say; every difference by its kind.

    What no break explains (money of the night before or after, days that are not reconciled) is a step of
    its own, so that the steps always add up.
    """
    rows = open_breaks(scope).filter(day__range=(first, last), kind__in=_PAYMENT_KINDS).exclude(fen=0)
    kinds = dict(rows.order_by().values_list("kind").annotate(Sum("fen")))
    orders = sum(each.orders_fen for each in found)
    stray = sum(each.stray_fen for each in found)
    outside = sum(each.outside_fen for each in found)
    booked = sum(each.booked_fen for each in found)
    rest = outside - orders - stray - sum(kinds.values())
    steps = [
        Step("订单", orders, total=True),
        Step("订单外收款", stray),
        *(Step(label, int(kinds[kind]), kind=kind) for kind, label in b.KINDS.items() if kind in kinds),
        Step("未说明", rest),
        Step("渠道和财政", outside, total=True),
        Step("账簿差额", booked - outside),
        Step("账簿", booked, total=True),
    ]
    return [step for step in steps if step.total or step.fen]


def takings(scope: Scope, first: date, last: date) -> dict[date, dict[str, tuple[int, int]]]:
    """What came on each day, by channel: (payments, fen)."""
    rows = _between(scope, first, last).order_by()
    days: dict[date, dict[str, tuple[int, int]]] = {}
    by_day = rows.values_list(TruncDate("success_at", tzinfo=SHANGHAI), "channel")
    for on, channel, count, fen in by_day.annotate(Count("id"), Sum("received_fen")):
        days.setdefault(on, {})[channel] = (count, fen)
    return days


def _between(scope: Scope, first: date, last: date) -> QuerySet[payments.Payment]:
    """Payments that succeeded on these days of Shanghai."""
    start, end = (datetime.combine(day, time(), SHANGHAI) for day in (first, last + timedelta(days=1)))
    rows = payments.payment_rows(scope).filter(state="succeeded")
    return rows.filter(success_at__gte=start, success_at__lt=end)


def break_row(scope: Scope, break_id: int) -> BreakRow:
    """One break. Raises NotFound `BREAK_NOT_FOUND`."""
    found = breaks(scope).filter(id=break_id).first()
    if found is None:
        raise NotFound("BREAK_NOT_FOUND", "没有这项对账差错。", found=break_id)
    return found


def story_of_order(scope: Scope, number: str) -> Story:
    """Every fen of an order, from the order to the books. Raises NotFound `ORDER_NOT_FOUND`."""
    order = payments.order(scope, number)
    story = Story(
        order,
        payments.payments_of(order),
        payments.refunds_of(order),
        payments.notices_of(scope, order),
    )
    numbers = {order.number, *(each.out_trade_no for each in story.attempts)}
    numbers |= {each.number for each in story.refunds}
    ids = {each.channel_id for each in story.attempts} | {each.channel_id for each in story.refunds}
    return _told(scope, story, numbers, ids)


def story_of_break(scope: Scope, row: BreakRow) -> Story:
    """The story of the order that a break is about; else what is known under the break's own numbers."""
    numbers = {each for each in (row.key, row.number) if each}
    rows = payments.payment_rows(scope)
    about = Q(out_trade_no__in=numbers) | Q(order__number__in=numbers) | Q(refunds__number__in=numbers)
    if row.channel_id:
        about |= Q(channel=row.channel, channel_id=row.channel_id)
    order = rows.filter(about).order_by("id").values_list("order__number", flat=True).first()
    if order:
        return story_of_order(scope, order)
    return _told(scope, Story(None), numbers, {row.channel_id})


def _told(scope: Scope, story: Story, numbers: set[str], ids: set[str]) -> Story:
    ids.discard("")
    lines = Q(number__in=numbers) | Q(key__in=numbers | ids)
    story.lines = list(StatementLine.objects.filter(lines).select_related("statement").order_by("day", "id"))
    told = Q(pay_code__in=numbers) | Q(tra_no__in=numbers)
    story.confirmations = list(confirmations(scope).filter(told))
    known = Q(number__in=numbers) | Q(key__in=numbers | ids) | (Q(channel_id__in=ids) if ids else Q(pk=None))
    story.breaks = list(breaks(scope).filter(known))
    story.entries = _entries(scope, numbers, [row.id for row in story.breaks])
    return story


def _entries(scope: Scope, numbers: Collection[str], break_ids: Iterable[int]) -> list[ledger.Entry]:
    """Entries under these numbers with their postings under them, and those that a signed break has made."""
    found = {entry.id: entry for entry in ledger.legs_of(scope, numbers)}
    for id_ in break_ids:
        signed = ledger.entry_rows(scope).filter(key__startswith=f"break:{id_}:")
        found |= {entry.id: entry for entry in signed}
    return [found[id_] for id_ in sorted(found)]
