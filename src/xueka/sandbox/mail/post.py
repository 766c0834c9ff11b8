"""What the server keeps: mails that it took, and those that it still has to bring to the city."""

import base64
import smtplib
import sqlite3
import threading
from collections.abc import Callable
from datetime import timedelta
from email import message_from_bytes
from email.message import Message
from email.policy import default

from xueka.sandbox.common.dial import Clock, Dial
from xueka.sandbox.common.store import Store

SCHEMA = """
create table if not exists mail (
    number integer primary key, message_id text not null, sender text not null, recipient text not null,
    subject text not null, raw text not null, copies integer not null default 1, state text not null,
    status text not null, at text not null, unique (message_id, recipient)
);
create table if not exists seen (what text primary key, at text not null);
create table if not exists letter (
    number integer primary key, sender text not null, recipient text not null, raw text not null,
    due text not null, tries integer not null default 0, extra integer not null default 0,
    state text not null, answer text not null default ''
);
create index if not exists letter_waiting on letter (due) where state = 'waiting';
"""
GAPS = (5, 30, 120, 600, 3600)
LOOK = 0.05
STATUSES = {"5.1.1": "no such mailbox", "5.2.2": "mailbox full", "5.4.1": "no answer from host"}


class Post:
    """`city` says where the city's own server is; `speed` divides all waiting."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        dial: Dial,
        city: Callable[[], tuple[str, int] | None],
        domain: str,
        speed: float,
    ) -> None:
        self.store, self.clock, self.dial, self.domain = store, clock, dial, domain
        self._city, self._speed = city, speed
        self._stopping = threading.Event()

    # ---- from the city

    def greylisted(self, sender: str, recipient: str) -> bool:
        """Whether this pair comes for the first time, where the dial makes the server greylist it."""
        what = f"{sender} {recipient}"
        if not self.dial.strikes("greylist", what) or self.store.one(
            "select 1 from seen where what = ?", what
        ):
            return False
        self.store.insert("seen", what=what, at=self.clock.now().isoformat())
        self.dial.record("greylist", "mail", recipient)
        return True

    def take(self, sender: str, recipient: str, raw: bytes) -> None:
        """Keep a mail; the same Message-ID again is the same mail. Some come back later."""
        read = message_from_bytes(raw, policy=default)
        message_id = str(read.get("Message-ID", ""))
        with self.store.work():
            known = self.store.run(
                "update mail set copies = copies + 1 where message_id = ? and recipient = ?",
                message_id,
                recipient,
            )
            if known:
                return
            status = self._returns(recipient)
            self.store.insert(
                "mail",
                message_id=message_id,
                sender=sender,
                recipient=recipient,
                subject=str(read.get("Subject", "")),
                raw=base64.b64encode(raw).decode(),
                state="returned" if status else "taken",
                status=status,
                at=self.clock.now().isoformat(),
            )
            if status:
                self.dial.record("bounce", "mail", recipient, status)
            if status or self.dial.strikes("receipt", recipient):
                report = self.report(read, recipient, status)
                self.letter("", sender, report, wait=self.dial.setting("bounce_after"))

    def _returns(self, recipient: str) -> str:
        """The enhanced status with which a mail comes back; empty where it does not."""
        if recipient.startswith("full@"):
            return "5.2.2"
        return (
            self.dial.choice("status", recipient, list(STATUSES))
            if self.dial.strikes("bounce", recipient)
            else ""
        )

    def report(self, about: Message, recipient: str, status: str) -> bytes:
        """A delivery status notification (RFC 3464); without a status it says that the mail is in the box."""
        action, why = ("failed", STATUSES[status]) if status else ("delivered", "in the box")
        code = f"{status} {why}" if status else "2.1.5 ok"
        heads = {
            "From": f"Mail Delivery System <mailer-daemon@{self.domain}>",
            "To": str(about.get("From", "")),
            "Subject": "Delivery Status Notification",
            "Message-ID": f"<dsn-{self.store.number('dsn')}@mx.{self.domain}>",
            "Auto-Submitted": "auto-replied",
            "MIME-Version": "1.0",
            "Content-Type": 'multipart/report; report-type=delivery-status; boundary="=_dsn"',
        }
        machine = (
            f"Reporting-MTA: dns; mx.{self.domain}\n\nFinal-Recipient: rfc822; {recipient}\n"
            f"Action: {action}\nStatus: {status or '2.1.5'}\n"
            f"Diagnostic-Code: smtp; {'550' if status else '250'} {code}\n"
        )
        parts = (
            ("text/plain; charset=utf-8", f"{recipient}: {why}\n"),
            ("message/delivery-status", machine),
            ("text/rfc822-headers", f"Message-ID: {about.get('Message-ID', '')}\nSubject: (left out)\n"),
        )
        lines = "".join(f"{name}: {value}\n" for name, value in heads.items())
        body = "".join(f"--=_dsn\nContent-Type: {kind}\n\n{text}\n" for kind, text in parts)
        return f"{lines}\n{body}--=_dsn--\n".replace("\n", "\r\n").encode()

    # ---- to the city

    def letter(self, sender: str, recipient: str, raw: bytes, *, wait: float = 0) -> int:
        """Keep a mail for the city; it is brought until the city takes or refuses it."""
        number = self.store.number("letters")
        extra = int(self.dial.strikes("inbound_duplicate", number))
        if extra:
            self.dial.record("inbound_duplicate", "mail", number)
        self.store.insert(
            "letter",
            number=number,
            sender=sender,
            recipient=recipient,
            raw=base64.b64encode(raw).decode(),
            due=(self.clock.now() + timedelta(seconds=wait / self._speed)).isoformat(),
            extra=extra,
            state="waiting",
        )
        return number

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.wait(LOOK):
            self.bring()

    def bring(self) -> None:
        """Try what is due."""
        now = self.clock.now()
        for row in self.store.all(
            "select * from letter where state = 'waiting' and due <= ? order by number limit 20",
            now.isoformat(),
        ):
            self._bring(row)

    def _bring(self, row: sqlite3.Row) -> None:
        city = self._city()
        state, answer, extra = "waiting", "no server", row["extra"]
        if city is not None:
            try:
                with smtplib.SMTP(*city, timeout=5) as line:
                    line.sendmail(row["sender"], [row["recipient"]], base64.b64decode(row["raw"]))
                state, answer = ("waiting", "250") if extra else ("brought", "250")
                extra = 0
            except smtplib.SMTPRecipientsRefused as error:
                code = error.recipients[row["recipient"]][0]
                state, answer = ("refused" if code >= 500 else "waiting"), str(code)
            except smtplib.SMTPResponseException as error:
                state, answer = ("refused" if error.smtp_code >= 500 else "waiting"), str(error.smtp_code)
            except (OSError, smtplib.SMTPException) as error:
                answer = type(error).__name__
        gap = GAPS[min(row["tries"], len(GAPS) - 1)] / self._speed
        self.store.run(
            "update letter set state = ?, answer = ?, extra = ?, tries = tries + 1, due = ? where number = ?",
            state,
            answer,
            extra,
            (self.clock.now() + timedelta(seconds=gap)).isoformat(),
            row["number"],
        )


def read(raw: str) -> tuple[str, str, list[str]]:
    """(subject, text, names of attachments) of a kept mail."""
    made = message_from_bytes(base64.b64decode(raw), policy=default)
    body = made.get_body(("plain",))
    names = [str(each.get_filename() or "?") for each in made.iter_attachments()]
    return str(made.get("Subject", "")), body.get_content() if body else "", names
