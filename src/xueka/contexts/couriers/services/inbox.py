"""Pushes: kept as they came, then verified, known again, applied (docs/adr/0171).

SF's are not signed: what they say is kept, and asked for at once; only the answer moves anything.
"""

import base64
import hashlib
from datetime import timedelta
from typing import Any

from django.db import connection

from xueka.contexts.couriers.domain import rules
from xueka.contexts.couriers.models import Push, Shipment, Waybill
from xueka.contexts.couriers.ports import Pushes, PushRefused, Told
from xueka.contexts.couriers.services import following
from xueka.contexts.couriers.services.common import WORKER, locked, open_problem
from xueka.kernel import clock
from xueka.platform.crypto.fields import seal, unseal

#: A push that we ourselves could not judge so often waits for a person.
MOST_TRIES = 10
_SETTLE = timedelta(seconds=2)  # whoever received it is judging it


def receive(courier: str, content_type: str, raw: bytes) -> int:
    """Keep a delivery; the same bytes again are counted. Returns the push's id."""
    digest = hashlib.sha256(content_type.encode() + b"\n" + raw).hexdigest()
    envelope = seal({"type": content_type[:200], "raw": base64.b64encode(raw).decode("ascii")})
    now = clock.now()
    values: list[Any] = [courier, digest, envelope, now, now]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO couriers_push (courier, digest, raw, received_at, times, last_at, outcome, said,"
            " tries) VALUES (%s, %s, %s, %s, 1, %s, '', '', 0) ON CONFLICT (courier, digest) DO UPDATE"
            " SET times = couriers_push.times + 1, last_at = excluded.last_at RETURNING id",
            values,
        )
        (made,) = cursor.fetchone()
    return int(made)


def judge(push_id: int, adapter: Pushes) -> str:
    """Verify and apply one push; what was judged before stays judged. Returns the outcome."""
    push = Push.objects.select_for_update().get(id=push_id)
    if push.outcome:
        return push.outcome
    kept = unseal(bytes(push.raw))
    try:
        told = adapter.read_push(kept["type"], base64.b64decode(kept["raw"]))
    except PushRefused as error:
        return _judged(push, rules.REFUSED_PUSH, error.message)
    return _judged(push, *_apply(told))


def count_failure(push_id: int) -> None:
    """Our own mistake kept a push from being judged."""
    push = Push.objects.select_for_update().get(id=push_id)
    if not push.outcome:
        Push.objects.filter(id=push_id).update(tries=push.tries + 1)


def waiting(limit: int = 200) -> list[int]:
    """Pushes that nobody has judged: those of a process that was killed, oldest first."""
    rows = Push.objects.filter(outcome="", tries__lt=MOST_TRIES, last_at__lte=clock.now() - _SETTLE)
    return list(rows.order_by("id").values_list("id", flat=True)[:limit])


def _apply(told: Told) -> tuple[str, str]:
    if told.waybill and told.end:
        if not _ended(told):
            return rules.STRAY, "没有这个运单"
        if not told.entries:
            return rules.APPLIED, told.said
    new, known, touched = following.hear(told.entries, confirmed=told.confirmed)
    if not known and not told.end:
        return (rules.STRAY, "没有这个运单") if told.entries else (rules.NOTED, "")
    if told.confirmed:
        for shipment_id in touched:
            following.settle(shipment_id)
    elif new:
        Shipment.objects.filter(id__in=touched, next_ask_at__isnull=False).update(next_ask_at=clock.now())
    return (rules.APPLIED, f"{new} 条") if new or told.end else (rules.REPEATED, "")


def _ended(told: Told) -> bool:
    """kuaidi100 stops following: over, to be subscribed again, or for a person."""
    meant = following.waybills_meant(told.waybill)
    for each in sorted(meant, key=lambda each: each.shipment_id):
        _end(each, told)
    return bool(meant)


def _end(waybill: Waybill, told: Told) -> None:
    locked(WORKER, waybill.shipment_id)
    waybill = Waybill.objects.select_for_update().get(id=waybill.id)
    again = told.end == "again" and waybill.subscriptions < rules.MOST_SUBSCRIPTIONS
    waybill.follows = rules.WANTED if again else rules.OVER if told.end == "over" else rules.STOPPED
    waybill.next_try_at = clock.now() if again else None
    waybill.save(update_fields=["follows", "next_try_at"])
    if waybill.follows == rules.STOPPED:
        open_problem(waybill.shipment, rules.STUCK, f"快递100 不再跟踪：{told.said}")


def _judged(push: Push, outcome: str, said: str) -> str:
    push.outcome, push.said, push.judged_at = outcome, said[:200], clock.now()
    push.save(update_fields=["outcome", "said", "judged_at"])
    return outcome
