"""Asking for a message to be sent, in the transaction of what it is about. Sending is the work of a sweep."""

from datetime import timedelta

from xueka.kernel import clock
from xueka.kernel.identifiers import clean_phone, phone_problem
from xueka.kernel.masking import mask_phone
from xueka.platform.crypto.fields import blind_index, seal
from xueka.platform.messages import templates
from xueka.platform.messages.models import Message

LIFETIME = timedelta(days=3)
_KIND = "message phone"


def send(
    to_phone: str, template: str, values: dict[str, str], key: str, *, lifetime: timedelta = LIFETIME
) -> bool:
    """Put a message into the outbox; the same `key` (≤ 64 of `A-Za-z0-9._:-`) again does nothing.

    Returns whether it is new. A number that is no mobile phone gets nothing: a register that is out of date
    keeps nobody waiting.
    """
    phone = clean_phone(to_phone)
    if phone_problem(phone) or Message.objects.filter(key=key).exists():
        return False
    now = clock.now()
    known, fitted = templates.current(template), templates.fitted(template, values)
    row = Message(
        key=key,
        template=template,
        version=known.version,
        kind=known.kind,
        shown_to=mask_phone(phone),
        phone_index=index_of(phone),
        envelope=seal({"phone": phone, "values": fitted}),
        parts=templates.parts(templates.text_of(known, fitted)),
        next_at=now,
        expires_at=now + lifetime,
        created_at=now,
    )
    Message.objects.bulk_create([row], ignore_conflicts=True)
    return True


def index_of(phone: str) -> bytes:
    """The blind index under which a phone's messages are counted and found."""
    return blind_index(_KIND, clean_phone(phone))
