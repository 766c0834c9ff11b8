"""The other side of docs/interfaces/issuing-agent.md, as far as tests of the agent need it: written from
that page.

Sessions are lists of runs, handed out one session after another when the reader shows a card. The first
answer is kept for each run, so that a repeated report gets it again.
"""

import base64
import hashlib
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PREFIX = "/api/agent/v1"
CODE = "K7QM-2F9T-XW4D"
AGENT = "a-test"


class CounterServer:
    def __init__(self) -> None:
        self.sessions: dict[str, list[dict[str, Any]]] = {}
        self.prints: list[dict[str, Any]] = []
        self.reports: list[tuple[str, str, dict[str, Any]]] = []  # session, run, body: each that arrived
        self.handed: list[tuple[str, str]] = []  # session, run
        self.printed: list[tuple[str, str]] = []
        self.polls: list[dict[str, Any]] = []
        self.problems: list[str] = []
        self.known_keys: set[str] = set()  # of agents that were enrolled before
        self.public_key: Ed25519PublicKey | None = None
        self.down = False
        self.swallow = 0  # so many reports are taken and not answered
        self.refuse: tuple[int, dict[str, Any]] | None = None
        self.hold = 0.0
        self.early = False  # hands work out before there is a card
        self.clock_ahead = 0
        self._answers: dict[str, dict[str, Any]] = {}
        self._nonces: set[str] = set()
        self._lock = threading.Lock()
        self._http = _Http(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.port = self._http.server_port
        self.address = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def add(self, session: str, *runs: list[tuple[str, str]], seconds: int = 5) -> None:
        """A session whose runs are lists of (command, expected word); the first run resets the card."""
        self.sessions[session] = [
            {
                "run": f"{session}-{place}",
                "reset": place == 1,
                "seconds": seconds,
                "commands": [{"apdu": apdu, "expect": [word]} for apdu, word in run],
            }
            for place, run in enumerate(runs, 1)
        ]

    def outcomes(self, session: str) -> list[str]:
        """Of the runs of this session, each once."""
        found = {run: body["outcome"] for name, run, body in self.reports if name == session}
        return [found[run] for run in sorted(found)]

    def last_state(self, reader: str) -> str:
        polls = [each["readers"] for each in self.polls]
        return next((one["state"] for one in polls[-1] if one["name"] == reader), "") if polls else ""

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        """Status and body; None: no answer at all."""
        if self.down:
            return 503, {}
        if self.refuse:
            return self.refuse
        if path == "/enrol":
            if body["code"] != CODE:
                return 403, {"code": "CODE_WRONG", "title": "登记码不对", "detail": "请重新生成。"}
            if body["public_key"] in self.known_keys:
                return 409, {
                    "code": "AGENT_KEY_KNOWN",
                    "title": "这把公钥已经注册过。",
                    "detail": "请换密钥。",
                }
            self.public_key = Ed25519PublicKey.from_public_bytes(base64.b64decode(body["public_key"]))
            return 200, {"agent": AGENT, "poll_seconds": 1}
        if path == "/poll":
            return self._poll(body)
        if path.startswith("/print-jobs/"):
            self.printed.append((path.split("/")[2], body["state"]))
            return 200, {"state": body["state"]}
        _, _, session, _, run = path.split("/")
        with self._lock:
            self.reports.append((session, run, body))
            if run not in self._answers:
                self._answers[run] = self._judge(session, body)
            if self.swallow:
                self.swallow -= 1
                return None
            return 200, self._answers[run]

    def _judge(self, session: str, body: dict[str, Any]) -> dict[str, Any]:
        left = self.sessions[session]
        if body["outcome"] != "done":
            left.clear()
            return {"next": None, "state": "failed", "message": "未完成"}
        following = left.pop(0) if left else None
        if following:
            self.handed.append((session, following["run"]))
        return {"next": following, "state": "running" if following else "verified", "message": "完成"}

    def _poll(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.polls.append(body)
        end = time.monotonic() + self.hold
        while True:
            with self._lock:
                work = self._work(body["readers"])
            if work or time.monotonic() > end:
                return 200, {"work": work, "poll_seconds": 1}
            time.sleep(0.05)

    def _work(self, readers: list[dict[str, Any]]) -> dict[str, Any] | None:
        if self.prints:
            return {"kind": "print", **self.prints.pop(0)}
        wanted = {"card", "empty"} if self.early else {"card"}
        free = [one["name"] for one in readers if one["state"] in wanted]
        for session, runs in self.sessions.items():
            if free and runs and runs[0]["reset"]:
                run = runs.pop(0)
                self.handed.append((session, run["run"]))
                return {"kind": "card", "session": session, "reader": free[0], "run": run}
        return None

    def check(self, path: str, headers: Any, body: bytes) -> tuple[int, dict[str, Any]] | None:
        """Every signed request is proved as §3 says."""
        if path == f"{PREFIX}/enrol":
            return None
        stamp, nonce = headers["Xueka-Timestamp"], headers["Xueka-Nonce"]
        text = "\n".join(["POST", path, stamp, nonce, hashlib.sha256(body).hexdigest()])
        now = int(time.time()) + self.clock_ahead
        if abs(int(stamp) - now) > 60:
            return 401, {"code": "CLOCK_SKEW", "title": "时间不对", "server_time": now}
        if headers["Xueka-Agent"] != AGENT or nonce in self._nonces or len(nonce) != 32:
            self.problems.append(f"agent or nonce of {path}")
        self._nonces.add(nonce)
        try:
            assert self.public_key is not None
            self.public_key.verify(base64.b64decode(headers["Xueka-Signature"]), text.encode())
        except InvalidSignature:
            self.problems.append(f"signature of {path}")
            return 401, {"code": "SIGNATURE_WRONG", "title": "签名不对", "detail": "请重新登记。"}
        return None


class _Http(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """An agent that was killed leaves its connections: nothing to tell."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _handler(server: CounterServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            content = self.rfile.read(length)
            if len(content) < length:  # killed while it was sending
                self.close_connection = True
                return
            found = server.check(self.path, self.headers, content)
            found = found or server.answer(self.path.removeprefix(PREFIX), json.loads(content))
            if found is None:
                self.close_connection = True
                return
            status, body = found
            text = json.dumps(body).encode()
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)
            except ConnectionError:  # the agent has given the poll up
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
