"""Where the finance office sends its confirmations: CNNONTAX frames over TCP (docs/interfaces/nontax.md §6).

Each is kept in the inbox of the channels, judged there, and kept once more as a confirmation of the treasury,
before it is answered: what is answered is never lost.
"""

import json
import socket
import socketserver
import threading
from pathlib import Path

import structlog
from django.db import connections

from xueka.contexts.payments import api as payments
from xueka.contexts.treasury import api as treasury
from xueka.kernel.errors import BadInput, XuekaError

log = structlog.get_logger("xueka.nontax")

_SECONDS = 60  # for a frame to come whole, and for its answer to go
_AT_ONCE = 32
_HEAD = payments.cnnontax.APP + payments.cnnontax.VERSION


def take(frame: bytes) -> bytes | None:
    """The answer to one frame; None where there is none to give: the connection is closed."""
    head = frame[payments.cnnontax.LENGTH_SIZE :][: len(_HEAD)]
    if head != _HEAD.encode("ascii"):
        return None
    try:
        _, answer, _ = payments.take_notice("nontax", {}, frame)
        told = payments.read_confirmation(frame)
    except XuekaError as error:  # no account, no card, too large
        log.warning("nontax.not_taken", code=error.code)
        return None
    if told is not None:
        try:
            treasury.hear_confirmation(*told)
        except XuekaError as error:  # it cannot be read; the day is asked for when it is over
            log.warning("nontax.not_understood", code=error.code, found=told[1].get("TraNoBus", "")[:64])
    return answer


class _Exchange(socketserver.BaseRequestHandler):
    """One connection: a frame, its answer, until the other side closes."""

    def handle(self) -> None:
        line: socket.socket = self.request
        try:
            while True:
                answer = take(payments.read_frame(line, _SECONDS))
                if answer is None:
                    return
                line.settimeout(_SECONDS)
                line.sendall(answer)
        except (OSError, BadInput):
            return
        finally:
            connections.close_all()


class Listener(socketserver.ThreadingTCPServer):
    """At most so many connections at once; the others wait in the queue of the system."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._free = threading.Semaphore(_AT_ONCE)
        super().__init__((host, port), _Exchange)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def process_request_thread(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def process_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        self._free.acquire()
        super().process_request(request, client_address)


def tell(folder: Path, host: str, port: int) -> None:
    """Leave word for the finance office where we listen (nontax.md §1)."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / ".nontax.json.part"
    draft.write_text(json.dumps({"host": host, "port": port}), "ascii")
    draft.replace(folder / "nontax.json")
