"""Reading mails. Lists show addresses masked; a mail that came is shown whole to whoever opens it, on record.

Whoever asks has the permission `city:message:read`.
"""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from xueka.kernel.errors import NotFound
from xueka.platform.audit.services import record
from xueka.platform.crypto.fields import unseal
from xueka.platform.identity.actor import Actor
from xueka.platform.mail.models import Incoming, Mail

READ = "city:message:read"


@dataclass(frozen=True, slots=True)
class Opened:
    """A mail that came; `files`: (name, type, bytes). The address stays masked."""

    row: Incoming
    name: str
    subject: str
    text: str
    files: list[tuple[str, str, int]]


def outgoing() -> QuerySet[Mail]:
    return Mail.objects.order_by("-id")


def incoming() -> QuerySet[Incoming]:
    return Incoming.objects.defer("raw").select_related("about").order_by("-id")


def subject_of(row: Incoming) -> str:
    """For lists."""
    return str(_known(row).get("subject") or "（没有主题）") if row.envelope else "（已清除）"


def open_mail(actor: Actor, mail_id: int) -> Opened:
    """One of them, on record. Raises NotFound `MAIL_NOT_FOUND`. Needs `city:message:read`."""
    actor.require(READ)
    row = incoming().filter(pk=mail_id).first()
    if row is None:
        raise NotFound("MAIL_NOT_FOUND", "没有这封来信。")
    record(actor, "mail.look", "mail_in", row.pk)
    known = _known(row)
    files = [(each["name"], each["type"], each["size"]) for each in known.get("attachments", [])]
    return Opened(row, known.get("name", ""), subject_of(row), known.get("text", ""), files)


def _known(row: Incoming) -> dict[str, Any]:
    return unseal(bytes(row.envelope)) if row.envelope else {}
