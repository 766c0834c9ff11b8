"""Where a channel is spoken with: intent stored, then the network, then what came of it, each in a
transaction of its own. These functions are edges: they open their transactions and may be killed anywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, cast

import structlog
from django.db import transaction

from xueka.contexts.payments.domain.transitions import (
    CREATED,
    FAILED,
    PENDING,
    REFUND_UNDECIDED,
    SUCCEEDED,
    UNDECIDED,
)
from xueka.contexts.payments.models import CHANNEL_WAY, CHANNELS, Notice, Payment, Refund, Unknown
from xueka.contexts.payments.ports import (
    NOTICE_LIMIT,
    Channel,
    ChannelRefused,
    ChannelUnavailable,
    FinanceOffice,
    Told,
    ToldRefund,
)
from xueka.contexts.payments.services import channels, inbox, paying, refunding, settling
from xueka.contexts.payments.services.common import locked_payment, pause_after
from xueka.kernel import clock
from xueka.kernel.errors import NotFound, Refused, XuekaError
from xueka.platform.identity.actor import Actor

log = structlog.get_logger("xueka.payments")

#: An attempt that the channel has never heard of is over after so long: no request is under way any more.
_FORGET_AFTER = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class PaymentStart:
    """What the payer's page goes on with."""

    payment_id: int
    kind: str
    data: dict[str, Any]


def pay(actor: Actor, order_id: int, channel: str, *, openid: str = "", back: str = "") -> PaymentStart:
    """Begin to pay an order at a channel; call it outside of any transaction. `back`: where to go afterwards.

    Raises what `begin_payment` raises, Refused `CHANNEL_REFUSED`, Refused `CHANNEL_SILENT` (the attempt is
    then asked for until its end is known; another one may be begun).
    """
    with transaction.atomic(durable=True):
        payment = paying.begin_payment(actor, order_id, channel)
    known = paying.started(payment)
    if known and payment.state != CREATED:
        return PaymentStart(payment.id, known.kind, known.data)
    try:
        started = _adapter(channel).start(payment, openid, back)
    except ChannelRefused as error:
        with transaction.atomic():
            paying.mark_refused(payment.id, error)
        raise Refused(
            "CHANNEL_REFUSED",
            "支付渠道没有受理。",
            found=error.message,
            action="请换一种缴费方式，或稍后再试。没有扣款。",
        ) from None
    except ChannelUnavailable as error:
        with transaction.atomic():
            paying.mark_doubt(payment.id, error.message)
        raise Refused(
            "CHANNEL_SILENT",
            "支付渠道暂时没有回应。",
            action="请稍后再试。已经扣款的会自动入账，多扣的会原路退回。",
        ) from None
    with transaction.atomic():
        payment = paying.mark_started(actor, payment.id, started)
    return PaymentStart(payment.id, started.kind, started.data)


def take_notice(channel: str, headers: Mapping[str, str], raw: bytes) -> tuple[int, bytes, str]:
    """A notice from outside: kept first, then judged; (status, body, content type) for the channel.

    Raises NotFound for an unknown channel, Refused `NOTICE_TOO_LARGE`.
    """
    account = channels.account_of(channel)
    if account is None:
        raise NotFound("CHANNEL_NOT_FOUND", "没有这个渠道。")
    if len(raw) > NOTICE_LIMIT:
        raise Refused("NOTICE_TOO_LARGE", "通知太大。", found=len(raw), expected=f"最多 {NOTICE_LIMIT} 字节")
    with transaction.atomic(durable=True):
        notice = inbox.receive(channel, headers, raw)
    adapter = channels.connect(account)
    outcome = judge_notice(notice, adapter)
    return adapter.answer(outcome != "refused", raw)


def judge_notice(notice_id: int, adapter: Channel | None = None) -> str:
    """The outcome; empty where our own mistake prevented one (the sweep tries again)."""
    code = Notice.objects.values_list("channel", flat=True).get(id=notice_id)
    account = channels.account_of(code)
    if account is None:
        return ""
    try:
        with transaction.atomic():
            return inbox.judge(notice_id, adapter or channels.connect(account), account)
    except Exception:
        log.exception("payments.notice_broken", notice=notice_id)
        with transaction.atomic():
            inbox.count_failure(notice_id)
        return ""


def ask(payment_id: int) -> None:
    """Ask the channel what became of an attempt; end it there where nobody may pay it any more."""
    payment = Payment.objects.select_related("order").get(id=payment_id)
    try:
        adapter = _adapter(payment.channel)
        told = adapter.ask(payment)
        if told.state == "waiting" and paying.is_over(payment.order, payment):
            told = adapter.close(payment)
    except XuekaError as error:
        with transaction.atomic():
            paying.postpone(payment_id, error)
        return
    with transaction.atomic():
        if told.state == "waiting":
            paying.still_waiting(payment_id)
        elif told.state == "missing":
            if paying.is_over(payment.order, payment) or _forgotten(payment):
                paying.mark_ended(payment_id, "closed", "渠道没有这笔支付")
            else:
                paying.still_waiting(payment_id)
        else:
            settling.hear(payment_id, told, asked=True)


def _forgotten(payment: Payment) -> bool:
    """Never begun at the channel, and no request is under way. What a payer's own browser begins may wait."""
    return payment.state != PENDING and clock.now() - payment.created_at > _FORGET_AFTER


def ask_unknown(unknown_id: int) -> None:
    """Ask the channel by its own number what it told us of under a number that we never gave."""
    found = Unknown.objects.get(id=unknown_id)
    named = Payment(channel=found.channel, out_trade_no=found.out_trade_no, asked_id=found.channel_id)
    try:
        told = _adapter(found.channel).ask(named)
    except XuekaError as error:
        Unknown.objects.filter(id=unknown_id, state="asked").update(
            tries=found.tries + 1,
            last_error=error.message[:300],
            next_try_at=clock.now() + pause_after(found.tries),
        )
        return
    with transaction.atomic():
        settling.end_unknown(unknown_id, told)


def look_into(channel: str, out_trade_no: str, channel_id: str) -> None:
    """A statement tells of money that we have not: the channel is asked for it.

    Of an attempt that is not paid it is asked at once; a second charge, and money under a number that we
    never gave, are kept to be asked for by the sweeps.
    """
    payment = Payment.objects.filter(channel=channel, out_trade_no=out_trade_no).first()
    if payment is None:
        told = Told("succeeded", channel_id=channel_id)
        with transaction.atomic():
            settling.hear_unknown(channel, out_trade_no[:32], told)
    elif payment.state != SUCCEEDED:
        ask(payment.id)
    elif payment.channel_id != channel_id:
        with transaction.atomic():
            order, payment = locked_payment(payment.id)
            paying.second_charge(order, payment, channel_id)


def look_into_refund(number: str) -> None:
    """A statement tells of a refund that came to nothing with us: the channel is asked for it."""
    refund = Refund.objects.select_related("payment", "order").filter(number=number, way=CHANNEL_WAY).first()
    if refund is None or refund.state != FAILED:
        return
    told = _adapter(refund.payment.channel).ask_refund(refund)
    with transaction.atomic():
        refunding.hear_refund(refund.id, told)


def send_refund(refund_id: int) -> None:
    """Ask the channel for a refund, or what became of it. The same number, so never twice."""
    with transaction.atomic(durable=True):
        refunding.mark_sent(refund_id)
    refund = Refund.objects.select_related("payment", "order").get(id=refund_id)
    if refund.way != CHANNEL_WAY or refund.state not in REFUND_UNDECIDED:
        return
    try:
        adapter = _adapter(refund.payment.channel)
        told = _told(adapter, refund)
    except XuekaError as error:
        with transaction.atomic():
            refunding.postpone(refund_id, error)
        return
    with transaction.atomic():
        refunding.hear_refund(refund_id, told)


def _told(adapter: Channel, refund: Refund) -> ToldRefund:
    """At the first time it is asked for; later the channel is asked first what it knows."""
    if refund.tries > 1:
        told = adapter.ask_refund(refund)
        if told.state != "missing":
            return told
    try:
        return adapter.refund(refund)
    except ChannelRefused as error:
        told = adapter.ask_refund(refund)
        return told if told.state != "missing" else ToldRefund("failed", word=error.message)


def statement(channel: str, day: date, kind: str) -> bytes | None:
    """A channel's statement as it is delivered; None where there is none for that day.

    Raises NotFound, ChannelUnavailable.
    """
    return _adapter(channel).statement(day, kind)


def confirmed_on(day: date) -> list[Mapping[str, str]]:
    """What the finance office has confirmed on a day, asked of it. Raises NotFound, ChannelUnavailable."""
    return cast(FinanceOffice, _adapter("nontax")).confirmed(day)


def read_confirmation(raw: bytes) -> tuple[str, Mapping[str, str]] | None:
    """A confirmation that the finance office has pushed, verified: its message's number and its fields."""
    return cast(FinanceOffice, _adapter("nontax")).confirmation(raw)


def due_payments(limit: int = 200) -> list[int]:
    """Attempts whose turn to be asked has come."""
    rows = Payment.objects.filter(next_try_at__lte=clock.now(), state__in=UNDECIDED)
    return list(rows.order_by("next_try_at").values_list("id", flat=True)[:limit])


def due_unknowns(limit: int = 200) -> list[int]:
    """Money of nobody that the channel is to be asked for."""
    rows = Unknown.objects.filter(next_try_at__lte=clock.now(), state="asked")
    return list(rows.order_by("next_try_at").values_list("id", flat=True)[:limit])


def due_refunds(limit: int = 200) -> list[int]:
    """Refunds whose turn has come."""
    rows = Refund.objects.filter(next_try_at__lte=clock.now(), state__in=REFUND_UNDECIDED, way=CHANNEL_WAY)
    return list(rows.order_by("next_try_at").values_list("id", flat=True)[:limit])


def _adapter(channel: str) -> Channel:
    account = channels.account_of(channel)
    if account is None:
        raise NotFound(
            "CHANNEL_NOT_FOUND", "没有这个渠道。", found=channel[:16], expected="、".join(CHANNELS)
        )
    return channels.connect(account)
