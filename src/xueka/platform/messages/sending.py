"""Sending what the outbox holds, and asking what became of it.

Before a message leaves, the try is on record; a try whose answer was lost is made again under the same key,
by which the gateway knows the message (docs/interfaces/messages.md).
"""

from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from xueka.kernel import clock
from xueka.kernel.errors import BadInput
from xueka.platform.crypto.fields import unseal
from xueka.platform.exchange import lines
from xueka.platform.messages import opting, rules, templates
from xueka.platform.messages.models import DELIVERED, FAILED, QUEUED, SENT, WITHHELD, Message, Reply
from xueka.platform.messages.ports import Gateway, NotNow, NotTaken, Outcome, Unreachable

log = structlog.get_logger("xueka.messages")

WAY = lines.Way("sms")
AT_ONCE = 50
KEPT = timedelta(days=7)  # an ended message keeps its text so long
_ASK_AFTER = timedelta(seconds=5)
_ASK_FOR = timedelta(days=3)
UNTOLD = "短信网关没有给出结果。"


def quiet_hours() -> rules.Hours | None:
    """As the installation says. Raises BadInput `MESSAGE_QUIET`."""
    try:
        return rules.hours(settings.MESSAGE_QUIET)
    except ValueError:
        raise BadInput(
            "MESSAGE_QUIET",
            "免打扰时段写得不对，短信都等着。",
            where="XUEKA_MESSAGE_QUIET",
            found=settings.MESSAGE_QUIET[:40],
            expected="形如 21:00-08:00，空着表示没有",
        ) from None


def limits() -> rules.Limits:
    return rules.Limits(
        settings.MESSAGE_PHONE_DAY,
        settings.MESSAGE_CITY_MINUTE,
        settings.MESSAGE_CITY_DAY,
        settings.MESSAGE_CODES_DAY,
    )


def send_due(gateway: Gateway) -> int:
    """Hand over what is due and may go; returns how many were taken. Stops at the first sign that nobody
    answers, and at the city's limits; codes go first.
    """
    if not _may_call(QUEUED):
        return 0
    taken, answered, silent = 0, False, ""
    for message in _turn(limits(), clock.now()):
        if not _may_go(message):
            continue
        known = unseal(bytes(message.envelope))
        text = templates.version(message.template, message.version)
        # Counted before it goes: a try whose answer is lost may have reached the phone.
        Message.objects.filter(pk=message.pk).update(tried_at=clock.now())
        try:
            answer = gateway.send(message.key, known["phone"], text.wire, known["values"])
        except NotTaken as refusal:
            end(message, FAILED, str(refusal))
            log.warning("messages.refused", message=message.pk, template=message.template)
        except NotNow as refusal:
            _told(message, str(refusal))
        except Unreachable as error:
            _told(message, str(error))
            log.warning("messages.unreachable", error=str(error))
            silent = str(error)
            break
        else:
            handed(message.key, answer.gateway_id, answer.parts or message.parts)
            taken += 1
        answered = True
    lines.heard(WAY, answered, silent)
    return taken


def handed(key: str, gateway_id: str, parts: int) -> None:
    """The gateway has it. A report that came before the answer to our call has said so already."""
    now = clock.now()
    Message.objects.filter(key=key, state=QUEUED).update(
        state=SENT,
        sent_at=now,
        gateway_id=gateway_id,
        parts=parts,
        attempts=0,
        next_at=now + _ASK_AFTER,
        problem="",
    )


def _may_go(message: Message) -> bool:
    """Whether it may leave now; else it waits, or ends because the family refuses reminders."""
    if message.kind == templates.REMINDER and opting.refuses(bytes(message.phone_index)):
        Message.objects.filter(pk=message.pk, state=QUEUED).update(
            state=WITHHELD, ended_at=clock.now(), problem=""
        )
        return False
    now = clock.now()
    wait = rules.wait(message.kind, now, quiet_hours(), limits(), _sent_today(message, now))
    if wait is not None:
        # On purpose, and so no try in vain: what failed before begins anew then.
        Message.objects.filter(pk=message.pk).update(next_at=wait.until, problem=wait.why, attempts=0)
    return wait is None


def _sent_today(message: Message, now: datetime) -> int:
    if not message.phone_index:  # asked for before phones were counted
        return 0
    tried = Message.objects.filter(phone_index=message.phone_index, tried_at__gte=rules.day_begins(now))
    return tried.exclude(kind=templates.CODE).exclude(pk=message.pk).count()


def _turn(limits: rules.Limits, now: datetime) -> list[Message]:
    """What the city may send at this moment. A day's limit of everything else stops no code: without one
    nobody can sign in.
    """
    room = _room(AT_ONCE, limits.city_minute, Message.objects.all(), now - timedelta(minutes=1))
    today = rules.day_begins(now)
    is_code = Q(kind=templates.CODE)
    codes = _claim(QUEUED, _room(room, limits.codes_day, Message.objects.filter(is_code), today), is_code)
    left = room - len(codes)
    others = _room(left, limits.city_day, Message.objects.filter(~is_code), today)
    return codes + _claim(QUEUED, others, ~is_code)


def _room(room: int, most: int, rows: QuerySet[Message], since: datetime) -> int:
    """How many more of these may go; `most` 0: no limit."""
    if most and room > 0:
        room = min(room, most - rows.filter(tried_at__gt=since).count())
    return max(room, 0)


def ask_due(gateway: Gateway) -> None:
    """Ask about what was handed over. What nobody can tell of after some days counts as not arrived."""
    if not _may_call(SENT):
        return
    answered, silent = False, ""
    for message in _claim(SENT, AT_ONCE):
        try:
            outcome = gateway.ask(message.key, message.gateway_id)
        except NotNow:
            outcome = Outcome()
        except Unreachable as error:
            log.warning("messages.unreachable", error=str(error))
            silent = str(error)
            break
        answered = True
        if outcome.delivered:
            end(message, DELIVERED, "")
        elif outcome.problem:
            end(message, FAILED, outcome.problem)
        elif message.sent_at and clock.now() - message.sent_at > _ASK_FOR:
            end(message, FAILED, UNTOLD)
    lines.heard(WAY, answered, silent)


def _may_call(state: str) -> bool:
    """Something of this state is due, and the gateway is not known to be silent."""
    return Message.objects.filter(state=state, next_at__lte=clock.now()).exists() and lines.may_call(WAY)


def give_up_late() -> int:
    """What did not leave in its time is not sent any more."""
    late = Message.objects.filter(state=QUEUED, expires_at__lte=clock.now())
    now = clock.now()
    unknown = late.exclude(tried_at=None)
    tried = unknown.update(state=FAILED, ended_at=now, problem="超过有效时间，交出后没有得到答复。")
    return tried + late.update(state=FAILED, ended_at=now, problem="超过有效时间，没有发送。")


def empty_old() -> int:
    """Phones and texts of what ended some days ago are forgotten; that something was sent stays."""
    since = clock.now() - KEPT
    Reply.objects.filter(received_at__lt=since).exclude(envelope=b"").update(envelope=b"")
    return Message.objects.filter(ended_at__lt=since).exclude(envelope=b"").update(envelope=b"")


def _claim(state: str, most: int, which: Q | None = None) -> list[Message]:
    """Those of this state that are due, their next try put off, so that a broken one delays nobody."""
    if not most:
        return []
    now = clock.now()
    with transaction.atomic():
        found: QuerySet[Message] = Message.objects.filter(which or Q(), state=state, next_at__lte=now)
        due = list(found.order_by("next_at", "id").select_for_update(skip_locked=True)[:most])
        for message in due:
            message.attempts += 1
            message.next_at = now + timedelta(seconds=min(5 * 2 ** min(message.attempts, 8), 600))
        Message.objects.bulk_update(due, ["attempts", "next_at"])
    return due


def _told(message: Message, problem: str) -> None:
    """Why it has not left. A report may have said meanwhile that it did."""
    Message.objects.filter(pk=message.pk, state=QUEUED).update(problem=problem[:200])


def end(message: Message, state: str, problem: str) -> int:
    """The end, once: a final state never changes. 0 where there was one already."""
    return Message.objects.filter(pk=message.pk, state__in=[QUEUED, SENT]).update(
        state=state, ended_at=clock.now(), problem=problem[:200], next_at=clock.now()
    )
