"""Calls to a counterpart that takes its time, or says too much: they end all the same."""

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from xueka.platform import outward

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def counterpart(work: Callable[[socket.socket], None]) -> Iterator[str]:
    """One call is taken and left to `work`; the address."""
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve() -> None:
            try:
                with door.accept()[0] as line:
                    line.recv(1 << 16)
                    work(line)
                    line.shutdown(socket.SHUT_WR)
                    while line.recv(1 << 16):  # closed with something unread, it would take back its answer
                        pass
            except OSError:
                pass

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{door.getsockname()[1]}/"
        door.close()
        thread.join()


def test_who_takes_a_large_content_slowly_holds_nobody() -> None:
    whole, taken = 32 << 20, 0

    def slow(line: socket.socket) -> None:
        nonlocal taken
        for _ in range(200):  # each piece long before the timeout of one write is over
            time.sleep(0.1)
            piece = line.recv(1 << 18)
            taken += len(piece)
            if not piece:
                return
        line.sendall(OK)

    with counterpart(slow) as address, pytest.raises(httpx.TimeoutException):
        outward.request("POST", address, 1, content=b"x" * whole)
    assert taken < whole // 2, "the caller was held until nearly all was taken"


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_without_end_is_none(packed: bool) -> None:
    most = outward.LARGEST
    body = gzip.compress(b"x" * (2 * most), 1) if packed else b"x" * (most + 1)
    more = b"Content-Encoding: gzip\r\n" if packed else b""

    def much(line: socket.socket) -> None:
        line.sendall(b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n" % (more, len(body)))
        line.sendall(body)

    with counterpart(much) as address, pytest.raises(httpx.DecodingError):
        outward.post(address, {"a": "1"}, 30)


def test_a_packed_answer_is_read() -> None:
    body = gzip.compress('{"said": "好"}'.encode())

    def packed(line: socket.socket) -> None:
        head = (
            b"HTTP/1.1 201 Created\r\nContent-Encoding: gzip\r\nX-Sms-Nonce: n\r\nContent-Length: %d\r\n\r\n"
        )
        line.sendall(head % len(body) + body)

    with counterpart(packed) as address:
        answer = outward.request("GET", address, 5)
    assert (answer.status_code, answer.json(), answer.headers["X-Sms-Nonce"]) == (201, {"said": "好"}, "n")
    assert answer.raise_for_status().is_success


def test_a_deadline_inside_another_ends_with_the_sooner_and_leaves_the_outer() -> None:
    with outward.within(100):
        with outward.within(1_000):
            assert outward._left(None, httpx.ReadTimeout) < 101  # type: ignore[operator]
        assert outward._left(None, httpx.ReadTimeout) is not None
    assert outward._left(None, httpx.ReadTimeout) is None
