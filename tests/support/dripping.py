"""Servers that answer slowly: for ever a byte at a time, or whole in two parts; each read is in time."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

#: The begin of an answer of which the rest drips.
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"
_MOST = 20  # seconds after which the test itself ends the call, and fails


@contextlib.contextmanager
def dripping(begins: bytes = HEAD) -> Iterator[int]:
    """The port. Whoever is still being answered after a while was without a deadline: that fails here."""
    stop, waited = threading.Event(), threading.Event()

    def end() -> None:
        waited.set()
        stop.set()

    def drip(visitor: socket.socket) -> None:
        with visitor, contextlib.suppress(OSError):
            visitor.sendall(begins)
            while not stop.wait(0.05):
                visitor.sendall(b"1")

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                visitor, _ = door.accept()
                threading.Thread(target=drip, args=[visitor], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=serve, daemon=True).start()
        patience = threading.Timer(_MOST, end)
        patience.start()
        try:
            yield door.getsockname()[1]
        finally:
            patience.cancel()
            stop.set()
            with contextlib.suppress(OSError):
                door.shutdown(socket.SHUT_RDWR)
    assert not waited.is_set(), "only the test itself ended the call"


@contextlib.contextmanager
def halved(body: bytes, pause: float) -> Iterator[int]:
    """The port of a server that answers whole, its head after one pause and its body after another."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()

    def answer(visitor: socket.socket) -> None:
        with visitor, contextlib.suppress(OSError):
            visitor.recv(65_536)
            for part in (head, body):
                time.sleep(pause)
                visitor.sendall(part)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                visitor, _ = door.accept()
                threading.Thread(target=answer, args=[visitor], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=serve, daemon=True).start()
        try:
            yield door.getsockname()[1]
        finally:
            with contextlib.suppress(OSError):
                door.shutdown(socket.SHUT_RDWR)
