"""Asking for a message to be sent, in the transaction of what it is about. Sending is the work of a sweep."""

from datetime import timedelta

from xueka.kernel import clock
from xueka.kernel.identifiers import clean_phone, phone_problem
from xueka.kernel.masking import mask_phone
from xueka.platform.crypto.fields import seal
from xueka.platform.messages.models import Message
from xueka.platform.messages.templates import fitted

LIFETIME = timedelta(days=3)


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
    row = Message(
        key=key,
        template=template,
        shown_to=mask_phone(phone),
        envelope=seal({"phone": phone, "values": fitted(template, values)}),
        next_at=now,
        expires_at=now + lifetime,
        created_at=now,
    )
    Message.objects.bulk_create([row], ignore_conflicts=True)
    return True
