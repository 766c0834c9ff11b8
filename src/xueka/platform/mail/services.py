"""Asking for a mail to be sent, in the transaction of what it is about. Sending is the work of a sweep."""

import re
import secrets
from collections.abc import Sequence
from datetime import timedelta
from pathlib import PurePath

from django.conf import settings

from xueka.kernel import clock
from xueka.kernel.errors import BadInput
from xueka.platform.audit.services import record
from xueka.platform.crypto.fields import blind_index, seal
from xueka.platform.files import services as files
from xueka.platform.identity.actor import Actor
from xueka.platform.mail import addresses
from xueka.platform.mail.models import Attachment, Mail

LIFETIME = timedelta(days=3)
MOST_FILES = 10
LONGEST_SUBJECT, LONGEST_TEXT = 120, 20_000
#: What may go with a mail: ending → media type. Nothing that runs, and nothing that holds what runs.
ALLOWED = {
    ".pdf": "application/pdf",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".csv": "text/csv",
    ".txt": "text/plain",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
}
_BEGINS = {
    ".pdf": b"%PDF-",
    ".xlsx": b"PK\x03\x04",
    ".png": b"\x89PNG",
    ".jpg": b"\xff\xd8",
    ".jpeg": b"\xff\xd8",
}
_KIND = "mail address"
MANAGE = "city:message:manage"


def send(
    actor: Actor,
    to: str,
    subject: str,
    text: str,
    key: str,
    *,
    purpose: str,
    name: str = "",
    attachments: Sequence[tuple[str, bytes]] = (),
    lifetime: timedelta = LIFETIME,
) -> Mail | None:
    """Put a mail into the outbox; None where the same `key` is there already.

    `purpose` stands in lists and holds no personal value; `attachments`: (file name, content), by type
    (`ALLOWED`), whose content must begin as that type does. Raises BadInput `MAIL_ADDRESS`, `MAIL_SUBJECT`,
    `MAIL_TEXT`, `MAIL_ATTACHMENT`.
    """
    address = addresses.clean(to)
    _check_words(subject, text)
    media = [_media(file, content) for file, content in attachments]
    whole = len(text.encode()) + sum(len(content) for _, content in attachments)
    if len(attachments) > MOST_FILES or whole * 4 // 3 > settings.MAIL_LARGEST:
        raise BadInput(
            "MAIL_ATTACHMENT",
            "附件太多或太大。",
            found=f"{len(attachments)} 个，共 {whole // 1024} KB",
            expected=f"最多 {MOST_FILES} 个，编码后不超过 {settings.MAIL_LARGEST // 1024 // 1024} MB",
            action="请分几封发，或改用名单导出。",
        )
    if Mail.objects.filter(key=key).exists():
        return None
    now = clock.now()
    made, new = Mail.objects.get_or_create(
        key=key,
        defaults={
            "token": secrets.token_hex(16),
            "purpose": purpose[:60],
            "shown_to": addresses.masked(address)[:260],
            "to_index": index_of(address),
            "envelope": seal({"to": address, "name": name, "subject": subject, "text": text}),
            "next_at": now,
            "expires_at": now + lifetime,
            "created_at": now,
            "created_by": actor.username,
        },
    )
    if not new:
        return None
    for position, ((file, content), kind) in enumerate(zip(attachments, media, strict=True), 1):
        kept = files.store(actor, PurePath(file).name[:200], kind, content, personal=True)
        Attachment.objects.create(mail=made, position=position, file=kept)
    return made


def send_test(actor: Actor, to: str) -> Mail:
    """A mail that shows whether mail arrives. Raises BadInput `MAIL_ADDRESS`. Needs `city:message:manage`."""
    actor.require(MANAGE)
    at = clock.local(clock.now())
    text = f"这是学卡系统的试发邮件，由{actor.name}在 {at:%Y-%m-%d %H:%M} 发出，不用回复。"
    made = send(actor, to, "学卡试发邮件", text, f"test.{secrets.token_hex(8)}", purpose="试发")
    assert made is not None
    record(actor, "mail.test", "mail", made.pk, detail={"to": made.shown_to})
    return made


def index_of(address: str) -> bytes:
    """The blind index under which an address's mails are found."""
    return blind_index(_KIND, address.strip().lower())


def _check_words(subject: str, text: str) -> None:
    if not subject.strip() or len(subject) > LONGEST_SUBJECT or re.search(r"[\x00-\x1f\x7f]", subject):
        raise BadInput(
            "MAIL_SUBJECT",
            "邮件主题不能用。" if subject.strip() else "请填写邮件主题。",
            where="主题",
            expected=f"一行，{LONGEST_SUBJECT} 字以内",
        )
    if not text.strip() or len(text) > LONGEST_TEXT or "\x00" in text:
        raise BadInput("MAIL_TEXT", "请填写正文。", where="正文", expected=f"{LONGEST_TEXT:,} 字以内")


def _media(name: str, content: bytes) -> str:
    ending = PurePath(name).suffix.lower()
    unsafe = re.search(r"[\x00-\x1f\x7f\"\\/:]", name)
    if ending not in ALLOWED or unsafe or not content.startswith(_BEGINS.get(ending, b"")):
        raise BadInput(
            "MAIL_ATTACHMENT",
            "这个附件不能发。",
            where=name[:80] if not unsafe else "文件名",
            expected="、".join(sorted(each[1:] for each in ALLOWED)) + "，内容与扩展名相符",
            action="请换成允许的格式。",
        )
    return ALLOWED[ending]
