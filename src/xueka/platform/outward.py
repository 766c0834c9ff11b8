"""Calls to others with a deadline for the whole answer.

A timeout of a client is one of each read. Whoever sends a byte before it is over, for ever, holds the caller:
so each read gets what is left of the whole.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from ssl import SSLContext
from typing import Any
from urllib.request import getproxies

import httpcore
import httpx

LARGEST = 16 * 1024 * 1024  # bytes of an answer, unpacked
_PIECE = 64 * 1024
_call = threading.local()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What this thread calls by a `client` ends within so many seconds, with httpx.TimeoutException; inside
    another deadline, with the sooner.
    """
    outer, until = getattr(_call, "until", None), time.monotonic() + seconds
    _call.until = until if outer is None else min(outer, until)
    try:
        yield
    finally:
        _call.until = outer


def request(
    method: str,
    address: str,
    seconds: float,
    *,
    content: bytes = b"",
    headers: dict[str, str] | None = None,
    most: int = LARGEST,
) -> httpx.Response:
    """One call, and its whole answer within twice `seconds`, of at most `most` bytes.

    Raises httpx.HTTPError, httpx.InvalidURL.
    """
    return _whole(method, address, seconds, most, content=content, headers=headers)


def client(timeout: float, at_once: int = 1) -> httpx.Client:
    """No redirects, no proxies of the environment; deadlines by `within`."""
    transport = _Transport(at_once)
    return httpx.Client(timeout=timeout, transport=transport, follow_redirects=False, trust_env=False)


def post(address: str, form: dict[str, str], seconds: float) -> httpx.Response:
    """The same with a form."""
    return _whole("POST", address, seconds, LARGEST, data=form)


def _whole(method: str, address: str, seconds: float, most: int, **what: Any) -> httpx.Response:
    with (
        opened(seconds) as caller,
        within(2 * seconds),
        caller.stream(method, address, **what) as answer,
    ):
        content = read(answer, most)
    headers = answer.headers.copy()
    headers.pop("content-encoding", None)  # it is unpacked
    return httpx.Response(answer.status_code, headers=headers, content=content, request=answer.request)


def opened(seconds: float) -> httpx.Client:
    """By the proxy of the environment where there is one; that is not ours to give a deadline."""
    return httpx.Client(timeout=seconds) if getproxies() else client(seconds)


def read(answer: httpx.Response, most: int) -> bytes:
    """The whole of an answer that is `stream`ed, unpacked. Raises httpx.DecodingError where it is more."""
    got = bytearray()
    for piece in answer.iter_bytes():
        got += piece
        if len(got) > most:
            raise httpx.DecodingError("too large")
    return bytes(got)


@cache
def _trusted() -> SSLContext:
    """Read once: it takes longer than a call in the same house."""
    return httpx.create_ssl_context(trust_env=False)


class _Transport(httpx.HTTPTransport):
    def __init__(self, at_once: int) -> None:
        super().__init__(verify=_trusted())
        self._pool = httpcore.ConnectionPool(
            _trusted(),
            max_connections=at_once,
            max_keepalive_connections=at_once,
            keepalive_expiry=5.0,
            network_backend=_Network(),
        )


class _Network(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self._real = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._real.connect_tcp(host, port, left, local_address, socket_options))


class _Stream(httpcore.NetworkStream):
    def __init__(self, real: httpcore.NetworkStream) -> None:
        self._real = real

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._real.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for at in range(0, len(buffer), _PIECE):  # else each piece that is taken slowly has the whole time
            self._real.write(buffer[at : at + _PIECE], _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._real.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._real.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._real.get_extra_info(info)


def _left(timeout: float | None, over: type[Exception]) -> float | None:
    until = getattr(_call, "until", None)
    if until is None:
        return timeout
    left = float(until - time.monotonic())
    if left <= 0:
        raise over("deadline")
    return left if timeout is None else min(timeout, left)
