"""A mail as it came, read: who, what, which files; and what a delivery report says (RFC 3464).

Whatever is wrong with it, reading gives an answer: the mail is kept anyway. HTML becomes words, never a page.
A few kilobytes can be made to keep the library busy for minutes, so each mail is read in a process of its own
(`read_apart`), which is this file alone and has so much time and memory.
"""

import json
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default
from email.utils import parseaddr
from html.parser import HTMLParser

LONGEST = 50_000
SECONDS, _MEMORY = 5, 1 << 30  # of the processor, and bytes, for one mail
_UNREAD = "（这封信的结构没能读出，原件已完整保存。）"
_HEAD_ENDS = re.compile(rb"\r?\n\r?\n")
_MESSAGE_ID = re.compile(rb"^Message-ID:[ \t]*(?:\r?\n[ \t]+)?([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
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


def read_apart(raw: bytes) -> Read:
    """Never raises for what is in the mail; what cannot be read within its bounds has an id and no more."""
    try:
        command = [sys.executable, "-I", __file__, str(SECONDS)]
        done = subprocess.run(command, input=raw, capture_output=True, timeout=SECONDS * 20)
        told = json.loads(done.stdout) if done.returncode == 0 else None
    except (subprocess.TimeoutExpired, ValueError):
        told = None
    if told is None:
        return Read(_message_id(raw), "", "", "", _UNREAD)
    report = told.pop("report")
    files = [(name, kind, size) for name, kind, size in told.pop("files")]
    return Read(**told, files=files, report=Report(**report) if report else None)


def read(raw: bytes) -> Read:
    """The same in this process, with all that the library may stumble over."""
    made = message_from_bytes(raw, policy=default)
    name, sender = parseaddr(_header(made, "From"))
    kind = _header(made, "Auto-Submitted").lower().split(";")[0].strip()
    bulk = _header(made, "Precedence").lower() in ("bulk", "junk", "list", "auto_reply")
    return Read(
        _message_id(raw),
        _line(sender)[:254],
        _line(name)[:60],
        _line(_header(made, "Subject"))[:200],
        _text(made)[:LONGEST],
        list(_files(made))[:50],
        kind not in ("", "no") or bulk,
        _report(made),
    )


def _message_id(raw: bytes) -> str:
    """From the bytes, so that a mail has the same one whether the rest can be read or not."""
    found = _MESSAGE_ID.search(_HEAD_ENDS.split(raw, maxsplit=1)[0])
    return _line(found[1].decode("ascii", "replace"))[:255] if found else ""


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
            yield _line(name)[:120] or "（没有名字）", _line(part.get_content_type())[:80], size
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


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[1]),) * 2)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    sys.stdout.write(json.dumps(asdict(read(sys.stdin.buffer.read()))))
