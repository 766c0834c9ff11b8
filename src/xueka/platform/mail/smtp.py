"""A mail server over SMTP: TLS or STARTTLS, log-in by a file, certificates checked.

`XUEKA_MAIL_PARTNER` (docs/interfaces/messages.md §10): `host`, `port`, `security` (`tls`, `starttls`; `none`
only on this machine), `user`, `password` or `password_file`, `ca_file`, `from`, `from_name`.
"""

import json
import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

from django.conf import settings

from xueka.kernel.errors import BadInput
from xueka.platform.mail import addresses
from xueka.platform.mail.ports import NotNow, NotTaken, Transport, Unreachable

_SECONDS = 10
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
#: Enhanced status codes (RFC 3463) in words.
REASONS = {
    "5.1.1": "没有这个邮箱",
    "5.1.2": "没有这个域名",
    "5.2.1": "邮箱已停用",
    "5.2.2": "邮箱已满",
    "5.3.4": "邮件太大",
    "5.7.1": "对方拒收",
}


@dataclass(frozen=True, slots=True)
class Partner:
    """Where the server is and who we are there."""

    host: str
    port: int
    security: str
    sender: str
    sender_name: str
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""


def card() -> dict[str, Any] | None:
    """The file of this installation; None while there is none. Raises BadInput `MAIL_PARTNER`."""
    path: Path = settings.MAIL_PARTNER
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _broken(path, type(error).__name__) from None
    if not isinstance(found, dict):
        raise _broken(path, "不是 JSON 对象")
    return found


def configured() -> Transport | None:
    """The mail server of this installation; None while there is none. Raises BadInput `MAIL_PARTNER`."""
    found = card()
    return SmtpServer(partner(found)) if found is not None else None


def our_addresses() -> set[str]:
    """Where mail for us is taken: `inbound` and `from`, in lower case; none while there is no file that can
    be read.
    """
    try:
        found = card() or {}
    except BadInput:
        return set()
    typed = [found.get("from", ""), *found.get("inbound", [])]
    return {str(each).lower() for each in typed if each}


def partner(found: dict[str, Any]) -> Partner:
    """Read and judged. Raises BadInput `MAIL_PARTNER`."""
    path = settings.MAIL_PARTNER
    try:
        password = str(found.get("password", ""))
        if found.get("password_file"):
            password = Path(found["password_file"]).read_text("utf-8").strip()
        made = Partner(
            str(found["host"]),
            int(found["port"]),
            str(found["security"]),
            addresses.clean(str(found["from"])),
            str(found.get("from_name", "")),
            str(found.get("user", "")),
            password,
            str(found.get("ca_file", "")),
        )
    except (KeyError, ValueError, TypeError, OSError, BadInput) as error:
        raise _broken(path, f"{type(error).__name__} {error}"[:80]) from None
    if made.security not in ("tls", "starttls", "none"):
        raise _broken(path, f"security {made.security[:20]}")
    if made.security == "none" and made.host not in _LOOPBACK:
        raise _broken(path, "security none：只能用于本机")
    return made


def _broken(path: Path, found: str) -> BadInput:
    return BadInput(
        "MAIL_PARTNER",
        "邮件服务器的参数文件不能用。",
        where=str(path),
        found=found,
        action="请对照短信邮件接口说明第 10 节改正；改好之前邮件都等着。",
    )


class SmtpServer:
    """One connection for one mail: simple, and what one mail breaks hurts no other."""

    def __init__(self, partner: Partner) -> None:
        self._partner = partner

    @property
    def sender(self) -> tuple[str, str]:
        return self._partner.sender, self._partner.sender_name

    def send(self, to: str, mail: EmailMessage) -> None:
        """Raises NotTaken, NotNow, Unreachable. Where the line breaks after the text, nobody knows: the same
        mail goes again under the same Message-ID (docs/interfaces/messages.md §12).
        """
        try:
            with self._connected() as line:
                line.send_message(mail, self._partner.sender, [to])
        except smtplib.SMTPRecipientsRefused as error:
            code, said = error.recipients[to]
            raise _refusal(code, said) from None
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            raise _refusal(error.smtp_code, error.smtp_error) from None
        except smtplib.SMTPAuthenticationError:
            raise Unreachable("邮件服务器不接受用户名和密码。") from None
        except smtplib.SMTPResponseException as error:
            raise Unreachable(f"邮件服务器答 {error.smtp_code}。") from None
        except ssl.SSLError as error:
            raise Unreachable(f"邮件服务器的证书不可信（{error.reason or type(error).__name__}）。") from None
        except (OSError, smtplib.SMTPException) as error:
            raise Unreachable(f"邮件服务器没有应答（{type(error).__name__}）。") from None

    def _connected(self) -> smtplib.SMTP:
        known = self._partner
        trusted = ssl.create_default_context(cafile=known.ca_file or None)
        trusted.minimum_version = ssl.TLSVersion.TLSv1_2
        line: smtplib.SMTP
        if known.security == "tls":
            line = smtplib.SMTP_SSL(known.host, known.port, timeout=_SECONDS, context=trusted)
        else:
            line = smtplib.SMTP(known.host, known.port, timeout=_SECONDS)
        try:
            if known.security == "starttls":
                line.starttls(context=trusted)
            if known.user:
                self._log_in(line)
        except BaseException:
            line.close()
            raise
        return line

    def _log_in(self, line: smtplib.SMTP) -> None:
        try:
            line.login(self._partner.user, self._partner.password)
        except smtplib.SMTPServerDisconnected:  # as some do after a wrong password
            raise smtplib.SMTPAuthenticationError(535, b"") from None


def message(
    sender: tuple[str, str], to: str, name: str, subject: str, text: str, message_id: str
) -> EmailMessage:
    """A mail of plain text; attachments are added to it. The policy refuses values that would end a line."""
    made = EmailMessage(policy=SMTP)
    made["From"] = addresses.header(*sender)
    made["To"] = addresses.header(to, name)
    made["Subject"] = subject
    made["Message-ID"] = message_id
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday answers, please
    made.set_content(text, cte="base64")
    return made


def _refusal(code: int, said: bytes | str) -> NotNow | NotTaken:
    text = said.decode("ascii", "replace") if isinstance(said, bytes) else said
    status = text.split(maxsplit=1)[0] if text[:2] in ("4.", "5.") else ""
    why = REASONS.get(status, "")
    told = f"{code}{f' {status}' if status else ''}{f' {why}' if why else ''}"
    if 400 <= code < 500:
        return NotNow(f"邮件服务器暂时不收（{told}），稍后再发。")
    return NotTaken(f"邮件服务器不收：{told}。")
