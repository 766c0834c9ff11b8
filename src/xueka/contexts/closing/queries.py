"""Reads on weeks, closes and 退付; all of it is the city's affair."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from xueka.contexts.closing.adapters import week_rows
from xueka.contexts.closing.domain import figures
from xueka.contexts.closing.domain import weeks as rules
from xueka.contexts.closing.domain.transitions import CLOSE, DROPPED, PREPARED, REMITTED, SIGNED
from xueka.contexts.closing.models import BackPayment, Close, Line, Remittance
from xueka.kernel import clock
from xueka.kernel.calendar import Calendar
from xueka.kernel.errors import NotFound
from xueka.platform.files import services as files
from xueka.platform.identity.scope import Scope

OPEN = "open"
#: States of a week: no close yet, or that of its close.
WEEK_STATES = {OPEN: "待周结", **{code: CLOSE.state(code).label for code in (PREPARED, SIGNED, REMITTED)}}


@dataclass(frozen=True, slots=True)
class Week:
    """A week that is over, Monday to Sunday in Shanghai. `days_open`: calendar days since its Sunday until it
    was signed, or until today. `is_old`: open for more than seven; `is_overdue`: not signed on its due day.
    """

    monday: date
    sunday: date
    name: str
    due: date
    state: str
    days_open: int
    close_id: int | None = None

    @property
    def is_open(self) -> bool:
        return self.state in (OPEN, PREPARED)

    @property
    def is_old(self) -> bool:
        return self.is_open and self.days_open > rules.OLD_AFTER

    @property
    def is_overdue(self) -> bool:
        return self.is_open and clock.today() > self.due


@dataclass(frozen=True, slots=True)
class OpenWeeks:
    """What is shown and reported: open weeks, those older than seven days, those overdue."""

    open: int
    older_than_7_days: int
    overdue: int
    oldest_days: int


def weeks(scope: Scope) -> list[Week]:
    """Every week that is over since money first moved, newest first; nothing outside the city.

    Raises XuekaError `CALENDAR_YEAR_MISSING` where a due day lies in a year whose notice is not loaded.
    """
    first = week_rows.first_day() if scope.level in ("system", "city") else None
    if first is None:
        return []
    today, calendar = clock.today(), Calendar.default()
    live = {each.monday: each for each in closes(scope).exclude(state=DROPPED)}
    return [_week(calendar, monday, live.get(monday), today) for monday in _mondays(first, today)][::-1]


def open_weeks(scope: Scope) -> OpenWeeks:
    """How many weeks are open, and how old."""
    found = [each for each in weeks(scope) if each.is_open]
    return OpenWeeks(
        len(found),
        sum(each.is_old for each in found),
        sum(each.is_overdue for each in found),
        max((each.days_open for each in found), default=0),
    )


def _mondays(first: date, today: date) -> list[date]:
    return rules.weeks_between(first, date.fromordinal(today.toordinal() - 1))


def _week(calendar: Calendar, monday: date, close: Close | None, today: date) -> Week:
    sunday = rules.sunday_of(monday)
    until = clock.local(close.signed_at).date() if close and close.signed_at else today
    return Week(
        monday,
        sunday,
        rules.name_of(monday),
        rules.due(calendar, monday),
        close.state if close else OPEN,
        (until - sunday).days,
        close.id if close else None,
    )


def closes(scope: Scope) -> QuerySet[Close]:
    """All of them, dropped ones too, newest first; `parts` hold their figures."""
    return Close.objects.visible_to(scope)


def close(scope: Scope, close_id: int) -> Close:
    """One close; NotFound for strangers too."""
    found = closes(scope).filter(id=close_id).first()
    if found is None:
        raise NotFound("CLOSE_NOT_FOUND", "没有这个周结。", found=close_id)
    return found


def close_by(scope: Scope, number: str) -> Close:
    """One close by its number; NotFound for strangers too."""
    found = closes(scope).filter(number=number.strip().upper()).first()
    if found is None:
        raise NotFound("CLOSE_NOT_FOUND", "没有这个周结。", found=number[:20], expected="如 2026-W42-1")
    return found


def back_payment_by(scope: Scope, refund_number: str) -> BackPayment:
    """A row of the 退付 register by the refund's number; NotFound for strangers too."""
    found = BackPayment.objects.visible_to(scope).filter(refund__number=refund_number.strip()).first()
    if found is None:
        raise NotFound("BACK_PAYMENT_NOT_FOUND", "没有这笔退付。", found=refund_number[:40])
    return found


def is_closed(scope: Scope, monday: date) -> bool:
    """Whether that week's close is signed."""
    return closes(scope).filter(monday=monday, state__in=[SIGNED, REMITTED]).exists()


def document(scope: Scope, close_id: int) -> bytes:
    """The signed document, byte for byte. Raises NotFound, also before signing."""
    found = close(scope, close_id)
    if found.document is None:
        raise NotFound("CLOSE_NOT_SIGNED", "这个周结还没有签署，没有签名文件。", found=found.number)
    return files.read(found.document)


@dataclass(frozen=True, slots=True)
class BackPaymentRow:
    """A 退付 as the register shows it; `state` is the refund's. `close`, `slip_number`: what remitted it."""

    refund_id: int
    refund_number: str
    order: str
    payment: str
    channel: str
    settlement: str
    amount_fen: int
    reason: str
    state: str
    asked_on: date
    ended_on: date | None
    close: str
    slip_number: str
    document_number: str
    said: str


def back_payment_rows(scope: Scope) -> QuerySet[BackPayment]:
    """The rows of the 退付 register for lists, each with the `slip_number` that remitted its money."""
    slips = Remittance.objects.filter(
        part__close__number=OuterRef("refund__payment__remitted_in"),
        part__channel=OuterRef("refund__payment__channel"),
    )
    rows = BackPayment.objects.visible_to(scope).select_related("refund__order", "refund__payment")
    return rows.annotate(slip_number=Coalesce(Subquery(slips.values("slip_number")[:1]), Value("")))


def back_payments(scope: Scope) -> list[BackPaymentRow]:
    """The whole 退付 register, newest first."""
    return [_back_payment(each) for each in back_payment_rows(scope).order_by("-id")]


def back_payment(scope: Scope, refund_id: int) -> BackPaymentRow:
    """One row of the register; NotFound for strangers too."""
    found = back_payment_rows(scope).filter(refund_id=refund_id).first()
    if found is None:
        raise NotFound("BACK_PAYMENT_NOT_FOUND", "没有这笔退付。", found=refund_id)
    return _back_payment(found)


def _back_payment(each: Any) -> BackPaymentRow:
    return BackPaymentRow(
        each.refund_id,
        each.refund.number,
        each.refund.order.number,
        each.refund.payment.out_trade_no,
        each.refund.payment.channel,
        each.settlement,
        each.refund.amount_fen,
        each.refund.reason,
        each.refund.state,
        clock.local(each.refund.asked_at).date(),
        clock.local(each.refund.success_at).date() if each.refund.success_at else None,
        each.refund.payment.remitted_in,
        each.slip_number,
        each.document_number,
        each.said,
    )


def channels_of(found: Close) -> tuple[figures.ChannelFigure, ...]:
    """What was signed, channel by channel."""
    return tuple(
        figures.ChannelFigure(
            part.channel,
            part.settlement,
            part.orders,
            part.gross_fen,
            part.refunded_fen,
            part.to_remit_fen,
            part.confirmed_fen,
            part.fees_fen,
            part.fee_bearer,
        )
        for part in found.parts.all()
    )


def lines_of(found: Close) -> tuple[figures.PaymentFigure, ...]:
    """What was signed, payment by payment."""
    return tuple(
        figures.PaymentFigure(
            line.payment_id,
            line.payment.out_trade_no,
            line.payment.order.number,
            line.channel,
            line.settlement,
            line.gross_fen,
            line.refunded_fen,
        )
        for line in Line.objects.filter(part__close=found).select_related("payment__order")
    )
