"""Sending what the outbox holds, and asking what became of it.

Before a message leaves, the try is on record; a try whose answer was lost is made again under the same key,
by which the gateway knows the message (docs/interfaces/messages.md).
"""

from datetime import timedelta

import structlog
from django.db import transaction

from xueka.kernel import clock
from xueka.platform.crypto.fields import unseal
from xueka.platform.messages.models import DELIVERED, FAILED, QUEUED, SENT, Message
from xueka.platform.messages.ports import Gateway, NotNow, NotTaken, Unreachable

log = structlog.get_logger("xueka.messages")

AT_ONCE = 50
KEPT = timedelta(days=7)  # an ended message keeps its text so long
_ASK_AFTER = timedelta(seconds=5)
_ASK_FOR = timedelta(days=3)


def send_due(gateway: Gateway) -> int:
    """Hand over what is due; returns how many were taken. Stops at the first sign that nobody answers."""
    taken = 0
    for message in _claim(QUEUED):
        known = unseal(bytes(message.envelope))
        try:
            answer = gateway.send(message.key, known["phone"], message.template, known["values"])
        except NotTaken as refusal:
            _end(message, FAILED, str(refusal))
            log.warning("messages.refused", message=message.pk, template=message.template)
        except NotNow as refusal:
            Message.objects.filter(pk=message.pk).update(problem=str(refusal)[:200])
        except Unreachable as error:
            Message.objects.filter(pk=message.pk).update(problem=str(error)[:200])
            log.warning("messages.unreachable", error=str(error))
            break
        else:
            now = clock.now()
            Message.objects.filter(pk=message.pk, state=QUEUED).update(
                state=SENT,
                sent_at=now,
                gateway_id=answer.gateway_id,
                attempts=0,
                next_at=now + _ASK_AFTER,
                problem="",
            )
            taken += 1
    return taken


def ask_due(gateway: Gateway) -> None:
    """Ask about what was handed over. What nobody can tell of after some days counts as not arrived."""
    for message in _claim(SENT):
        try:
            outcome = gateway.ask(message.key, message.gateway_id)
        except NotNow:
            continue
        except Unreachable as error:
            log.warning("messages.unreachable", error=str(error))
            break
        if outcome.delivered:
            _end(message, DELIVERED, "")
        elif outcome.problem:
            _end(message, FAILED, outcome.problem)
        elif message.sent_at and clock.now() - message.sent_at > _ASK_FOR:
            _end(message, FAILED, "短信网关没有给出结果。")


def give_up_late() -> int:
    """What did not leave in its time is not sent any more."""
    late = Message.objects.filter(state=QUEUED, expires_at__lte=clock.now())
    return late.update(state=FAILED, ended_at=clock.now(), problem="超过有效时间，没有发送。")


def empty_old() -> int:
    """Phones and texts of what ended some days ago are forgotten; that something was sent stays."""
    old = Message.objects.filter(ended_at__lt=clock.now() - KEPT).exclude(envelope=b"")
    return old.update(envelope=b"")


def _claim(state: str) -> list[Message]:
    """Those of this state that are due, their next try put off, so that a broken one delays nobody."""
    now = clock.now()
    with transaction.atomic():
        found = Message.objects.filter(state=state, next_at__lte=now).order_by("next_at", "id")
        due = list(found.select_for_update(skip_locked=True)[:AT_ONCE])
        for message in due:
            message.attempts += 1
            message.next_at = now + timedelta(seconds=min(5 * 2 ** min(message.attempts, 8), 600))
        Message.objects.bulk_update(due, ["attempts", "next_at"])
    return due


def _end(message: Message, state: str, problem: str) -> None:
    Message.objects.filter(pk=message.pk).update(
        state=state, ended_at=clock.now(), problem=problem[:200], next_at=clock.now()
    )
