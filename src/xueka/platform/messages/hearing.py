"""What comes from the gateway by itself: reports of delivery, and what phones replied."""

from collections.abc import Iterable

import structlog
from django.db import transaction

from xueka.kernel import clock
from xueka.kernel.identifiers import clean_phone
from xueka.kernel.masking import mask_phone
from xueka.platform.crypto.fields import seal
from xueka.platform.messages import opting, sending
from xueka.platform.messages.models import DELIVERED, FAILED, Mark, Message, Reply
from xueka.platform.messages.ports import Answer, Gateway, NotNow, Report, Unreachable
from xueka.platform.messages.services import index_of

log = structlog.get_logger("xueka.messages")

_REPLIES = "replies"


def hear(reports: Iterable[Report]) -> int:
    """Take what is new; returns how many messages ended. Unknown ones, repetitions and what comes after a
    final state change nothing. A report may be faster than the answer to our own call.
    """
    ended = 0
    for each in reports:
        message = Message.objects.filter(key=each.key).first()
        if message is None or message.gateway_id not in ("", each.gateway_id):
            continue
        sending.handed(each.key, each.gateway_id, message.parts)
        if each.outcome.delivered:
            ended += sending.end(message, DELIVERED, "")
        elif each.outcome.problem:
            ended += sending.end(message, FAILED, each.outcome.problem)
    return ended


def fetch_replies(gateway: Gateway) -> int:
    """Read on from where we were; each reply and the mark are kept in one transaction."""
    mark = Mark.objects.filter(name=_REPLIES).first() or Mark(name=_REPLIES)
    try:
        found, following = gateway.replies(mark.value)
    except (NotNow, Unreachable) as error:
        log.warning("messages.replies_unreachable", error=str(error))
        return 0
    with transaction.atomic():
        taken = sum(_hear_reply(each) for each in found)
        if following > mark.value:
            Mark.objects.update_or_create(name=_REPLIES, defaults={"value": following})
    return taken


def _hear_reply(answer: Answer) -> bool:
    """Keep one reply and do what it asks for; False where it is known."""
    phone = clean_phone(answer.phone)
    index, shown = index_of(phone), mask_phone(phone)
    meaning = opting.meaning_of(answer.text)
    _, new = Reply.objects.get_or_create(
        reply_id=answer.reply_id,
        defaults={
            "shown_from": shown[:20],
            "phone_index": index,
            "envelope": seal({"phone": phone, "text": answer.text[:500]}),
            "meaning": meaning,
            "at": answer.at,
            "received_at": clock.now(),
        },
    )
    if new and meaning == opting.REFUSE:
        opting.refuse(index, shown, "reply", answer.text.strip()[:20])
    elif new and meaning == opting.WANT:
        opting.want(index, "reply")
    return new
