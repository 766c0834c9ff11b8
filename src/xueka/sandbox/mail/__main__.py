"""`python -m xueka.sandbox.mail`: a mail server (SMTP) and, on a second port, its boxes and its control.

Below --home: `partner.json` is what it hands over, written when both ports listen (messages.md §10).
"""

import argparse
import asyncio
import base64
import hmac
import json
import re
import secrets
import ssl
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from xueka.sandbox.common import http, pages, process
from xueka.sandbox.common.control import Control, body
from xueka.sandbox.common.dial import Clock, Dial
from xueka.sandbox.common.http import Answer, Request, html_answer, json_answer
from xueka.sandbox.common.store import Store, rows
from xueka.sandbox.mail.post import SCHEMA, Post, read

USER, DOMAIN, OURS = "xueka", "mail.example.cn", "kefu@xueka.example.cn"
LARGEST = 10 << 20
PRESETS: dict[str, dict[str, float]] = {
    "settings": {"delay_ms": 400, "bounce_after": 5},
    "none": {},
    "light": {"greylist": 0.05, "bounce": 0.01, "drop": 0.01, "inbound_duplicate": 0.05},
    "heavy": {
        "greylist": 0.5,
        "bounce": 0.1,
        "receipt": 0.5,
        "reject": 0.05,
        "errors": 0.1,
        "delay": 0.1,
        "drop": 0.1,
        "inbound_duplicate": 0.3,
    },
}


class House:
    def __init__(self, options: argparse.Namespace) -> None:
        home: Path = options.home
        home.mkdir(parents=True, exist_ok=True)
        self.home, self.card, self._keys = home, home / "partner.json", home / "keys"
        self._keys.mkdir(exist_ok=True)
        self._keys.chmod(0o700)
        self.store = Store(home / "mail.sqlite3", SCHEMA)
        self.clock = Clock(self.store)
        self.dial = Dial(self.store, self.clock, options.seed, PRESETS, f"{options.faults},{options.dial}")
        self.post = Post(self.store, self.clock, self.dial, self._city, DOMAIN, options.speed)
        self.control = Control(self.clock, self.dial, None, self._kept("control"))
        wanted = options.port or http.port_before(self.card, "pages_port")
        self.pages = http.bind(lambda port: http.Server(port, self.answer), wanted)
        self._smtp = _bound(self, http.port_before(self.card), _certificate(self._keys))

    def start(self) -> None:
        self.pages.start()
        self.post.start()
        http.write_card(
            self.card,
            {
                "code": "demo-mail",
                "name": "邮件服务器（模拟器）",
                "host": "127.0.0.1",
                "port": self._smtp.port,
                "security": "starttls",
                "ca_file": str(self._keys / "server.crt"),
                "user": USER,
                "password": self._kept("password"),
                "from": OURS,
                "from_name": "北京市学生卡服务中心",
                "inbound": [OURS],
                "pages_port": self.pages.port,
                "boxes": f"{self.pages.base}/boxes",
                "control": self.pages.base,
                "control_token": self._kept("control"),
            },
        )

    def stop(self) -> None:
        self.post.stop()
        self.pages.stop()
        self._smtp.stop()

    # ---- SMTP

    def knows(self, user: bytes, password: bytes) -> bool:
        right = self._kept("password").encode()
        return user == USER.encode() and hmac.compare_digest(password, right)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._strikes("reject", address) or address.startswith("nobody@"):
            return "550 5.1.1 no such mailbox"
        if self.post.greylisted(envelope.mail_from or "", address):
            return "451 4.7.1 greylisted, come again"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        what = f"call/{self.store.number('calls')}"
        if self._strikes("delay", what):
            await asyncio.sleep(self.dial.setting("delay_ms") / 1000)
        if self._strikes("errors", what):
            return "452 4.3.1 no room just now"
        for recipient in envelope.rcpt_tos:
            self.post.take(envelope.mail_from or "", recipient, bytes(envelope.original_content or b""))
        if self._strikes("drop", what):  # it is in the box, and nobody says so
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return "250 2.0.0 taken"

    def _strikes(self, kind: str, what: str) -> bool:
        hit = self.dial.strikes(kind, what)
        if hit:
            self.dial.record(kind, "mail", what)
        return hit

    def _city(self) -> tuple[str, int] | None:
        try:
            found = json.loads((self.home / "city" / "smtp.json").read_text("utf-8"))
            return str(found["host"]), int(found["port"])
        except (OSError, ValueError, KeyError):
            return None

    # ---- pages and control

    def answer(self, request: Request) -> Answer:
        path = request.path
        if path.startswith("/_sim/"):
            return self._controlled(request)
        if path == "/style.css":
            return pages.style()
        if found := re.fullmatch(r"/boxes/([^/]+?)(\.json)?", path):
            return self._box(found[1], bool(found[2]))
        boxes = self.store.all(
            "select recipient, count(*) count, max(at) latest from mail where state = 'taken' "
            "group by recipient order by latest desc limit 200"
        )
        items = "".join(
            f'<li><a href="/boxes/{pages.escape(each["recipient"])}">{pages.escape(each["recipient"])} · '
            f"{each['count']} 封</a></li>"
            for each in boxes
        )
        inside = f'<h1>演示邮箱</h1><ul class="list">{items}</ul>' if items else pages.state("还没有邮件")
        return html_answer(pages.page("phones", "演示邮箱", "邮件", inside))

    def _box(self, recipient: str, as_json: bool) -> Answer:
        found = self.store.all(
            "select * from mail where recipient = ? and state = 'taken' order by number desc limit 100",
            recipient,
        )
        mails = [(each, *read(each["raw"])) for each in found]
        if as_json:
            told = [
                {
                    "message_id": row["message_id"],
                    "subject": subject,
                    "text": text,
                    "attachments": names,
                    "copies": row["copies"],
                    "at": row["at"],
                }
                for row, subject, text, names in mails
            ]
            return json_answer({"mails": told})
        shown = [
            f"<h1>{pages.escape(subject)}</h1>"
            + "".join(f"<p>{pages.escape(line)}</p>" for line in text.splitlines() if line)
            + "".join(f'<p class="hint">附件：{pages.escape(name)}</p>' for name in names)
            for _, subject, text, names in mails
        ]
        back = pages.link("/boxes", "所有邮箱", second=True)
        title = f"邮箱 {recipient}"
        return html_answer(pages.page("phones", title, title, *(shown or [pages.state("还没有邮件")]), back))

    def _controlled(self, request: Request) -> Answer:
        denied = self.control.denied(request)
        if denied:
            return denied
        try:
            done = self.control.answer(request)
            match request.method, request.path:
                case "POST", "/_sim/inbound":
                    done = json_answer({"number": self._write(body(request))})
                case "GET", "/_sim/mails":
                    done = json_answer(rows(self.store.all("select * from mail order by number")))
                case "GET", "/_sim/letters":
                    kept = "select number, recipient, tries, state, answer from letter order by number"
                    done = json_answer(rows(self.store.all(kept)))
        except (ValueError, KeyError, TypeError) as error:
            return json_answer({"code": "FORM", "message": str(error)}, 400)
        return done or json_answer({"code": "NOT_FOUND", "message": "没有这个控制"}, 404)

    def _write(self, given: dict[str, Any]) -> int:
        """A mail of somebody to the city: `raw` in base64 as it is, or made of the other values."""
        sender = str(given.get("from", f"parent@{DOMAIN}"))
        recipient = str(given.get("to", OURS))
        if "raw" in given:
            return self.post.letter(sender, recipient, base64.b64decode(str(given["raw"])))
        made = EmailMessage(policy=SMTP_POLICY)
        made["From"], made["To"], made["Subject"] = sender, recipient, str(given.get("subject", "你好"))
        made["Message-ID"] = str(given.get("message_id") or f"<{secrets.token_hex(8)}@{DOMAIN}>")
        made["Date"] = self.clock.now()
        made.set_content(str(given.get("text", "")))
        for each in given.get("attachments", []):
            content = base64.b64decode(each["content"])
            made.add_attachment(
                content, maintype="application", subtype="octet-stream", filename=each["name"]
            )
        return self.post.letter(sender, recipient, made.as_bytes())

    def _kept(self, name: str) -> str:
        path = self._keys / f"{name}.secret"
        if not path.exists():
            part = path.with_suffix(".part")
            part.touch(mode=0o600)
            part.write_text(secrets.token_hex(32), "ascii")
            part.rename(path)
        return path.read_text("ascii")


class _Controller(Controller):
    """On the loopback, at a port of our choice; any free one at 0."""

    def __init__(self, house: House, port: int, certificate: ssl.SSLContext) -> None:
        def authenticate(
            server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
        ) -> AuthResult:
            good = isinstance(data, LoginPassword) and house.knows(data.login, data.password)
            return AuthResult(success=good)

        super().__init__(
            house,
            hostname="127.0.0.1",
            port=port or http_free(),
            tls_context=certificate,
            require_starttls=True,
            auth_required=True,
            authenticator=authenticate,
            data_size_limit=LARGEST,
            ident="sandbox",
        )


def http_free() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _bound(house: House, wanted: int, certificate: ssl.SSLContext) -> _Controller:
    for port in (wanted, 0):
        made = _Controller(house, port, certificate)
        try:
            made.start()
        except OSError:
            continue
        return made
    raise OSError("no port for mail")


def _certificate(folder: Path) -> ssl.SSLContext:
    """Made at the first start, for this address alone; the city trusts it by the card's `ca_file`."""
    secret, public = folder / "server.key", folder / "server.crt"
    if not public.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail (sandbox)")])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=3650))
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        secret.touch(mode=0o600)
        plain = serialization.NoEncryption()
        secret.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        )
        part = public.with_suffix(".part")
        part.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        part.rename(public)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(public, secret)
    return context


def parser() -> argparse.ArgumentParser:
    return process.parser("mail", __doc__, speed="of reports and repetitions")


def main() -> None:
    process.run(House(parser().parse_args()))


if __name__ == "__main__":
    main()
