"""Sending what the outbox of mails holds.

A mail whose answer was lost goes again under the same Message-ID; what comes back changes its state
(`receiving`).
"""

from datetime import timedelta
from email.message import EmailMessage

import structlog
from django.conf import settings
from django.db import transaction

from xueka.kernel import clock
from xueka.platform.crypto.fields import unseal
from xueka.platform.exchange import lines
from xueka.platform.files import services as files
from xueka.platform.files.models import StoredFile
from xueka.platform.mail import smtp
from xueka.platform.mail.models import FAILED, QUEUED, SENT, Attachment, Incoming, Mail
from xueka.platform.mail.ports import NotNow, NotTaken, Transport, Unreachable

log = structlog.get_logger("xueka.mail")

WAY = lines.Way("mail")
AT_ONCE = 20


def send_due(transport: Transport) -> int:
    """Hand over what is due; returns how many were taken. Stops at the first sign that nobody answers."""
    due = Mail.objects.filter(state=QUEUED, next_at__lte=clock.now())
    if not due.exists() or not lines.may_call(WAY):
        return 0
    taken, answered, silent = 0, False, ""
    for mail in _claim():
        Mail.objects.filter(pk=mail.pk).update(tried_at=clock.now())
        try:
            transport.send(unseal(bytes(mail.envelope))["to"], _written(mail, transport.sender))
        except NotTaken as refusal:
            _end(mail, str(refusal))
            log.warning("mail.refused", mail=mail.pk)
        except NotNow as refusal:
            Mail.objects.filter(pk=mail.pk).update(problem=str(refusal)[:200])
        except Unreachable as error:
            Mail.objects.filter(pk=mail.pk).update(problem=str(error)[:200])
            log.warning("mail.unreachable", error=str(error))
            silent = str(error)
            break
        else:
            Mail.objects.filter(pk=mail.pk, state=QUEUED).update(state=SENT, sent_at=clock.now(), problem="")
            taken += 1
        answered = True
    lines.heard(WAY, answered, silent)
    return taken


def give_up_late() -> int:
    """What no server took in its time is not sent any more."""
    late = Mail.objects.filter(state=QUEUED, expires_at__lte=clock.now())
    return late.update(state=FAILED, ended_at=clock.now(), problem="超过有效时间，没有发出。")


def empty_old() -> int:
    """Contents of mails that are old are forgotten; that there was one stays."""
    since = clock.now() - timedelta(days=settings.MAIL_KEPT_DAYS)
    Incoming.objects.filter(received_at__lt=since).exclude(raw=b"").update(raw=b"", envelope=b"")
    old = Mail.objects.filter(created_at__lt=since).exclude(state=QUEUED).exclude(envelope=b"")
    attached = Attachment.objects.filter(mail__in=old)
    kept = list(attached.values_list("file_id", flat=True))
    attached.delete()
    for file in StoredFile.objects.defer("content").filter(pk__in=kept):
        files.remove(file)
    return old.update(envelope=b"")


def _written(mail: Mail, sender: tuple[str, str]) -> EmailMessage:
    known = unseal(bytes(mail.envelope))
    message_id = f"<{mail.token}@{sender[0].rpartition('@')[2]}>"
    made = smtp.message(sender, known["to"], known["name"], known["subject"], known["text"], message_id)
    made["Date"] = clock.local(mail.created_at)
    for each in mail.attachments.select_related("file").order_by("position"):
        main, _, sub = each.file.media_type.partition("/")
        made.add_attachment(files.read(each.file), maintype=main, subtype=sub, filename=each.file.name)
    return made


def _claim() -> list[Mail]:
    """Those that are due, their next try put off, so that a broken one delays nobody."""
    now = clock.now()
    with transaction.atomic():
        found = Mail.objects.filter(state=QUEUED, next_at__lte=now).order_by("next_at", "id")
        due = list(found.select_for_update(skip_locked=True)[:AT_ONCE])
        for mail in due:
            mail.attempts += 1
            mail.next_at = now + timedelta(seconds=min(30 * 2 ** min(mail.attempts, 8), 3600))
        Mail.objects.bulk_update(due, ["attempts", "next_at"])
    return due


def _end(mail: Mail, problem: str) -> None:
    Mail.objects.filter(pk=mail.pk, state__in=[QUEUED, SENT]).update(
        state=FAILED, ended_at=clock.now(), problem=problem[:200]
    )
