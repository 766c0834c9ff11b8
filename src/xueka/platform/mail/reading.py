"""A mail as it came, read: who, what, which files; and what a delivery report says (RFC 3464).

Whatever is wrong with it, reading gives an answer: the mail is kept anyway. HTML becomes words, never a page.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default
from email.utils import parseaddr
from html.parser import HTMLParser

LONGEST = 50_000
_TOKEN = re.compile(r"<([0-9a-f]{32})@")


@dataclass(frozen=True, slots=True)
class Report:
    """`action`: `failed`, `delayed`, `delivered`, `relayed`, `expanded`; `status` as 5.2.2; `token`: ours."""

    token: str
    action: str
    status: str


@dataclass(frozen=True, slots=True)
class Read:
    """`files`: (name, type, bytes). `by_machine`: nobody waits for an answer."""

    message_id: str
    sender: str
    name: str
    subject: str
    text: str
    files: list[tuple[str, str, int]] = field(default_factory=list)
    by_machine: bool = False
    report: Report | None = None


def read(raw: bytes) -> Read:
    """Never raises for what is in the mail."""
    made = message_from_bytes(raw, policy=default)
    name, sender = parseaddr(_header(made, "From"))
    kind = _header(made, "Auto-Submitted").lower().split(";")[0].strip()
    bulk = _header(made, "Precedence").lower() in ("bulk", "junk", "list", "auto_reply")
    return Read(
        _header(made, "Message-ID").strip()[:255],
        _line(sender)[:254],
        _line(name)[:60],
        _line(_header(made, "Subject"))[:200],
        _text(made)[:LONGEST],
        list(_files(made))[:50],
        kind not in ("", "no") or bulk,
        _report(made),
    )


def _header(made: Message, name: str) -> str:
    try:
        return str(made.get(name, "") or "")
    except (ValueError, IndexError, AttributeError, TypeError, LookupError):  # what the library stumbles over
        return ""


def _line(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text).strip()


def _text(made: EmailMessage) -> str:
    """The plain text; of a mail that has only HTML, its words."""
    for kind in ("plain", "html"):
        try:
            part = made.get_body((kind,))
            found = str(part.get_content()) if part is not None else ""
        except (ValueError, IndexError, AttributeError, TypeError, LookupError):
            continue
        if found.strip():
            words = found if kind == "plain" else _Words.of(found)
            return "".join(each for each in words if each in "\n\t" or each.isprintable()).strip()
    return ""


def _files(made: EmailMessage) -> Iterator[tuple[str, str, int]]:
    for part in made.walk():
        try:
            name = part.get_filename() or ""
            if part.is_multipart() or not (name or part.get_content_disposition() == "attachment"):
                continue
            content = part.get_payload(decode=True)
            size = len(content) if isinstance(content, bytes) else 0
            yield _line(name)[:120] or "（没有名字）", part.get_content_type()[:80], size
        except (ValueError, IndexError, AttributeError, TypeError, LookupError):
            continue


def _report(made: Message) -> Report | None:
    if made.get_content_type() != "multipart/report" or made.get_param("report-type") != "delivery-status":
        return None
    token = action = status = ""
    for part in made.walk():
        if part.get_content_type() == "message/delivery-status":
            for block in part.get_payload() if part.is_multipart() else []:
                action = action or _header(block, "Action").lower().strip()  # type: ignore[arg-type]
                status = status or _header(block, "Status").strip()  # type: ignore[arg-type]
        elif part.get_content_type() in ("text/rfc822-headers", "message/rfc822"):
            content = part.get_payload(decode=True)
            plain = content.decode("ascii", "replace") if isinstance(content, bytes) else part.as_string()
            if found := _TOKEN.search(plain):
                token = token or found[1]
    found_status = re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", status.split()[0] if status else "")
    return Report(token, action, found_status[0] if found_status else "") if action else None


class _Words(HTMLParser):
    """The words of a page, without what is not for reading."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = 0

    @classmethod
    def of(cls, page: str) -> str:
        reader = cls()
        reader.feed(page[: LONGEST * 4])
        return re.sub(r"\n\s*\n+", "\n", "".join(reader.words))

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._hidden += tag in ("script", "style")
        if tag in ("p", "br", "div", "tr", "li"):
            self.words.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style") and self._hidden > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)
