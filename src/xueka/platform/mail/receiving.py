"""Mail that comes: kept whole before anybody is told that it was taken."""

import hashlib
import re
from collections.abc import Sequence

import structlog
from django.db import transaction
from django.db.models import F

from xueka.kernel import clock
from xueka.platform.crypto.fields import seal, seal_bytes
from xueka.platform.mail import addresses, reading
from xueka.platform.mail.models import (
    BOUNCE,
    DELIVERED,
    FAILED,
    MACHINE,
    PERSON,
    QUEUED,
    SENT,
    Incoming,
    Mail,
)
from xueka.platform.mail.services import index_of
from xueka.platform.mail.smtp import REASONS

log = structlog.get_logger("xueka.mail")


def take(raw: bytes, sender: str, recipients: Sequence[str], client: str) -> tuple[Incoming, bool]:
    """Keep a mail, in a transaction of its own: when this returns it is on disk. (the mail, whether new).

    `sender`: of the envelope, empty for reports. A report about a mail of ours sets that one's state.
    """
    found = reading.read_apart(raw)
    report = found.report
    kind = BOUNCE if report else MACHINE if found.by_machine or not sender else PERSON
    author = found.sender or sender
    with transaction.atomic():
        about = Mail.objects.filter(token=report.token).first() if report and report.token else None
        made, new = Incoming.objects.get_or_create(
            identity=_identity(raw, found.message_id, recipients),
            defaults={
                "message_id": found.message_id,
                "kind": kind,
                "shown_from": addresses.masked(author)[:260],
                "from_index": index_of(author),
                "raw": seal_bytes(raw),
                "envelope": seal(
                    {
                        "from": author,
                        "name": found.name,
                        "to": list(recipients),
                        "subject": found.subject,
                        "text": found.text,
                        "attachments": [
                            {"name": name, "type": kind, "size": size} for name, kind, size in found.files
                        ],
                        "client": client,
                    }
                ),
                "size": len(raw),
                "about": about,
                "received_at": clock.now(),
            },
        )
        if not new:
            Incoming.objects.filter(pk=made.pk).update(copies=F("copies") + 1)
        elif about is not None and report is not None:
            _settle(about, report)
    log.info("mail.received", mail=made.pk, kind=kind, new=new)
    return made, new


def _settle(mail: Mail, report: reading.Report) -> None:
    """What a report does to the mail that it is about; a final state never changes."""
    now = clock.now()
    rows = Mail.objects.filter(pk=mail.pk, state__in=[QUEUED, SENT])
    if report.action == "failed":
        why = REASONS.get(report.status, "")
        told = " ".join(part for part in (report.status, why) if part)
        rows.update(state=FAILED, ended_at=now, problem=f"退信：{told or '没有说明原因'}。")
    elif report.action == "delivered":
        sent_at = mail.sent_at or now  # our own answer may have been lost
        rows.update(state=DELIVERED, ended_at=now, sent_at=sent_at, tried_at=mail.tried_at or now, problem="")
    elif report.action == "delayed":
        rows.update(problem="对方的邮件服务器还没有投进邮箱，仍在尝试。")


def _identity(raw: bytes, message_id: str, recipients: Sequence[str]) -> str:
    """The same for a mail that is brought twice: trace fields of the way stand in the head alone."""
    parts = re.split(rb"\r?\n\r?\n", raw, maxsplit=1)
    body = parts[1] if message_id and len(parts) > 1 else raw
    whole = hashlib.sha256(body).hexdigest()
    text = "\n".join([message_id, *sorted(each.lower() for each in recipients), whole])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
