"""Reading the outbox: phones come masked, codes not at all. Whoever asks has the permission
`city:message:read`.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Case, Count, F, Min, QuerySet, Sum, When

from xueka.kernel import clock
from xueka.kernel.errors import BadInput
from xueka.kernel.identifiers import clean_phone, phone_problem
from xueka.kernel.masking import mask_phone
from xueka.platform.audit.services import record
from xueka.platform.crypto.fields import unseal
from xueka.platform.identity.actor import Actor
from xueka.platform.messages import rules, templates
from xueka.platform.messages.models import QUEUED, SENT, Message, OptOut, Reply
from xueka.platform.messages.services import index_of

READ = "city:message:read"
_HIDDEN = {"code": "••••••"}


@dataclass(slots=True)
class Tally:
    """Messages of one template in some days; `parts`: what carriers charge for what was handed over."""

    name: str
    kind: str
    states: dict[str, int] = field(default_factory=dict)
    parts: int = 0

    @property
    def total(self) -> int:
        return sum(self.states.values())


def counts(days: int = 7) -> list[Tally]:
    """By template, the last `days` days with today, those with most messages first."""
    since = rules.day_begins(clock.now()) - timedelta(days=days - 1)
    rows = Message.objects.filter(created_at__gte=since).values("template", "state")
    found: dict[str, Tally] = {}
    for row in rows.annotate(count=Count("id"), parts=Sum("parts")).order_by("template", "state"):
        known = found.setdefault(row["template"], Tally(name_of(row["template"]), kind_of(row["template"])))
        known.states[row["state"]] = row["count"]
        known.parts += row["parts"] if row["state"] in (SENT, "delivered") else 0
    return sorted(found.values(), key=lambda each: (-each.total, each.name))


#: Since when a message waits: one that was held back on purpose, since it may go.
SINCE = Case(When(attempts=0, then=F("next_at")), default=F("created_at"))


def oldest_waiting() -> datetime | None:
    """Since when the oldest message that may go has waited; None while none does. One that is too old to be
    sent waits for nothing.
    """
    now = clock.now()
    waiting = Message.objects.filter(state=QUEUED, next_at__lte=now, expires_at__gt=now)
    return waiting.aggregate(oldest=Min(SINCE))["oldest"]


def name_of(code: str) -> str:
    """A template's name; the code of one that is no more."""
    return next((each.name for each in templates.all_versions() if each.code == code), code)


def kind_of(code: str) -> str:
    kind = next((each.kind for each in templates.all_versions() if each.code == code), "")
    return templates.KINDS.get(kind, "")


def rows() -> QuerySet[Message]:
    return Message.objects.order_by("-id")


def opt_outs() -> QuerySet[OptOut]:
    return OptOut.objects.order_by("-id")


def index_of_typed(actor: Actor, typed: str) -> bytes:
    """The index of a phone that somebody wants to look at, on record whether anything was sent to it or not.
    Raises BadInput `PHONE_INVALID`. Needs `city:message:read`.
    """
    actor.require(READ)
    phone = clean_phone(typed)
    if reason := phone_problem(phone):
        raise BadInput(
            "PHONE_INVALID",
            reason.message if phone else "请填写手机号。",
            where="手机号",
            expected=reason.expected,
        )
    record(actor, "message.find", "phone", mask_phone(phone))
    return index_of(phone)


@dataclass(frozen=True, slots=True)
class Opened:
    """One phone: `shown` masked, empty where nothing is known of it."""

    shown: str
    messages: list[Message]
    replies: list[Reply]
    wishes: list[OptOut]


def open_phone(actor: Actor, index: bytes) -> Opened:
    """What was sent to one phone and what it wants, the newest first; every look is on record. Needs
    `city:message:read`.
    """
    actor.require(READ)
    messages = list(rows().filter(phone_index=index)[:100])
    replies = list(Reply.objects.filter(phone_index=index).order_by("-id")[:50])
    wishes = list(OptOut.objects.filter(phone_index=index).order_by("-id"))
    names = [each.shown_to for each in messages] + [each.shown_to for each in wishes]
    shown = next(iter(names + [each.shown_from for each in replies]), "")
    record(actor, "message.look", "phone", shown or "—")
    return Opened(shown, messages, replies, wishes)


def text_of(message: Message) -> str:
    """What the phone shows, a code hidden; the bare template once the values are forgotten."""
    try:
        known = templates.version(message.template, message.version)
    except KeyError:
        return ""
    if not message.envelope:
        return templates.text_of(known, _Names())
    values: dict[str, str] = unseal(bytes(message.envelope))["values"]
    return templates.text_of(known, {**values, **{name: _HIDDEN[name] for name in values if name in _HIDDEN}})


def reply_text(reply: Reply) -> str:
    return str(unseal(bytes(reply.envelope))["text"]) if reply.envelope else "（已清除）"


class _Names(dict[str, str]):
    """Every placeholder as its own name."""

    def __missing__(self, name: str) -> str:
        return f"〔{templates.value_words().get(name, name)}〕"
