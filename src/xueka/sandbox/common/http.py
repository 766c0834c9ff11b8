"""A small HTTP server on the loopback, and calls to it and from it."""

import hmac
import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

LARGEST = 1 << 20
PAGE_POLICY = "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Request:
    """`target` is path and query as sent."""

    method: str
    target: str
    headers: Message
    body: bytes

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        """Raises ValueError when it is none."""
        return dict(parse_qsl(self.body.decode("utf-8"), keep_blank_values=True))

    def header(self, name: str) -> str:
        return self.headers.get(name, "")


@dataclass(slots=True)
class Answer:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


#: The connection is closed without a word.
HANG_UP = Answer(0)


def json_answer(value: Any, status: int = 200) -> Answer:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status, body, {"Content-Type": "application/json; charset=utf-8"})


def html_answer(page: str, status: int = 200) -> Answer:
    return Answer(
        status,
        page.encode(),
        {
            "Content-Type": "text/html; charset=utf-8",
            "Cache-Control": "no-store",
            "Content-Security-Policy": PAGE_POLICY,
            "Referrer-Policy": "no-referrer",
        },
    )


def redirect(address: str) -> Answer:
    return Answer(303, b"", {"Location": address, "Cache-Control": "no-store"})


class Server:
    """`answer` is called in a thread for each connection. Bound on making, serving after `start`."""

    def __init__(self, port: int, answer: Callable[[Request], Answer]) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60
            disable_nagle_algorithm = True

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                if length > LARGEST:
                    self.close_connection = True
                    self._send(json_answer({"code": "TOO_LARGE", "message": "内容太大"}, 413))
                    return
                request = Request(self.command, self.path, self.headers, self.rfile.read(length))
                done = answer(request)
                if done is HANG_UP:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self._send(done)

            def _send(self, done: Answer) -> None:
                self.send_response(done.status)
                for name, value in done.headers.items():
                    self.send_header(name, value)
                if done.status != 204:
                    self.send_header("Content-Length", str(len(done.body)))
                self.end_headers()
                if done.status != 204:
                    self.wfile.write(done.body)

            do_GET = do_POST = do_PUT = do_DELETE = _serve

            def log_message(self, *arguments: object) -> None:
                """Nothing: addresses carry numbers of people's orders."""

        class Listener(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, request: object, client_address: object) -> None:
                """A caller that hung up is no news."""

        self._server = Listener(("127.0.0.1", port), Handler)
        self.port = int(self._server.server_address[1])
        self.base = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def call(
    url: str, body: bytes, headers: Mapping[str, str], *, limit: float = 5.0
) -> tuple[int, bytes] | None:
    """POST to the loopback; None when there was no answer. Nothing is ever sent elsewhere."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in LOOPBACK:
        return None
    target = parts.path or "/"
    connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=limit)
    try:
        connection.request("POST", f"{target}?{parts.query}" if parts.query else target, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read(LARGEST)
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def allowed(request: Request, token: str) -> bool:
    """Whether a control call shows the token of the visiting card."""
    return hmac.compare_digest(request.header("Authorization"), f"Bearer {token}")


def port_before(card: Path, name: str = "port") -> int:
    """The port that was used before, so that a restart is found where it was."""
    try:
        return int(json.loads(card.read_text("utf-8"))[name])
    except (OSError, ValueError, KeyError):
        return 0


def bind(make: Callable[[int], Any], wanted: int) -> Any:
    """A listener on the wanted port, or on any free one when somebody else has it."""
    try:
        return make(wanted)
    except OSError:
        return make(0)


def write_card(card: Path, content: Mapping[str, Any]) -> None:
    """The visiting card appears whole, readable by its owner alone."""
    part = card.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text(json.dumps(content, ensure_ascii=False, indent=2), "utf-8")
    part.replace(card)


def until_orphaned() -> None:
    """Return when the parent has gone: an orphan has nobody left to work for."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.2)
