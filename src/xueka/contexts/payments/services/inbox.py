"""Notices: kept as they came, then verified, known again, applied (docs/adr/0171)."""

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import connection
from psycopg.types.json import Jsonb

from xueka.contexts.payments.models import ChannelAccount, Notice, Payment, Refund
from xueka.contexts.payments.ports import Channel, NoticeRefused
from xueka.contexts.payments.ports import Notice as Told
from xueka.contexts.payments.services import refunding, settling
from xueka.kernel import clock

#: Headers that a signature needs; nothing else of a request is kept.
KEPT_HEADERS = ("content-type", "content-encoding")
_KEPT_PREFIX = "wechatpay-"
#: A notice that we ourselves could not judge so often waits for a person; it is counted on the first page.
MOST_TRIES = 10


def receive(channel: str, headers: Mapping[str, str], raw: bytes) -> int:
    """Keep a delivery; the same bytes with the same signature again are counted. Returns the notice's id."""
    kept = {
        name.lower(): value[:2000]
        for name, value in headers.items()
        if name.lower() in KEPT_HEADERS or name.lower().startswith(_KEPT_PREFIX)
    }
    digest = hashlib.sha256()
    for name in sorted(kept):
        digest.update(f"{name}: {kept[name]}\n".encode())
    digest.update(b"\n" + raw)
    now = clock.now()
    values: list[Any] = [channel, digest.hexdigest(), Jsonb(kept), raw, now, now]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO payments_notice (channel, digest, headers, raw, received_at, times, last_at,"
            " notice_id, out_trade_no, outcome, said, tries)"
            " VALUES (%s, %s, %s, %s, %s, 1, %s, '', '', '', '', 0)"
            " ON CONFLICT (channel, digest) DO UPDATE"
            " SET times = payments_notice.times + 1, last_at = excluded.last_at RETURNING id",
            values,
        )
        (made,) = cursor.fetchone()
    return int(made)


def judge(notice_id: int, channel: Channel, account: ChannelAccount) -> str:
    """Verify and apply one notice; what was judged before stays judged. Returns the outcome."""
    notice = Notice.objects.select_for_update().get(id=notice_id)
    if notice.outcome:
        return notice.outcome
    try:
        told = channel.read_notice(notice.headers, bytes(notice.raw), notice.received_at)
    except NoticeRefused as error:
        return _judged(notice, "refused", error.message)
    notice.notice_id, notice.out_trade_no = told.id[:64], told.out_trade_no[:32]
    if told.payment and told.payment.merchant != account.merchant_id:
        return _judged(notice, "foreign", f"商户号 {told.payment.merchant[:40]}")
    if (
        told.id
        and Notice.objects.filter(channel=notice.channel, notice_id=told.id, outcome="applied").exists()
    ):
        return _judged(notice, "repeated", "")
    return _judged(notice, *_apply(notice, told))


def count_failure(notice_id: int) -> None:
    """Our own mistake kept a notice from being judged."""
    notice = Notice.objects.select_for_update().get(id=notice_id)
    if not notice.outcome:
        Notice.objects.filter(id=notice_id).update(tries=notice.tries + 1)


def waiting(limit: int = 200) -> list[int]:
    """Notices that nobody has judged: those of a process that was killed, oldest first."""
    rows = Notice.objects.filter(outcome="", tries__lt=MOST_TRIES, last_at__lte=clock.now() - _SETTLE)
    return list(rows.order_by("id").values_list("id", flat=True)[:limit])


_SETTLE = timedelta(seconds=2)  # whoever received it is judging it


def _apply(notice: Notice, told: Told) -> tuple[str, str]:
    if told.refund:
        refund = Refund.objects.filter(number=told.refund_no, payment__channel=notice.channel).first()
        if refund is None:
            return "stray", f"没有退款 {told.refund_no[:32]}"
        notice.payment_id = refund.payment_id
        return refunding.hear_refund(refund.id, told.refund)
    if told.payment is None:
        return "noted", ""
    payment = Payment.objects.filter(out_trade_no=told.out_trade_no, channel=notice.channel).first()
    if payment is None:
        settling.hear_unknown(notice.channel, told.out_trade_no[:32], told.payment)
        return "stray", "没有对应订单，已向渠道查询"
    notice.payment_id = payment.id
    return settling.hear(payment.id, told.payment, asked=False)


def _judged(notice: Notice, outcome: str, said: str) -> str:
    notice.outcome, notice.said, notice.judged_at = outcome, said[:200], clock.now()
    fields = ["outcome", "said", "judged_at", "notice_id", "out_trade_no", "payment"]
    notice.save(update_fields=fields)
    return outcome
