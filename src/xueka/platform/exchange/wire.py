"""What one message looks like on the wire (docs/interfaces/exchange.md §4), and one call with it."""

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from xueka.kernel import clock
from xueka.kernel.foreign import json_of
from xueka.platform import outward
from xueka.platform.exchange import codes
from xueka.platform.exchange.counterparts import Counterpart
from xueka.platform.exchange.signatures import sign

VOID = "void"
_RETRY_LATER = {408, 425}
_NO_ADDRESS = {404, 405, 410}
LARGEST_ANSWER = 16 * 1024 * 1024  # bytes, unpacked
_SLOW = 30.0  # seconds, where a counterpart asks us to wait and does not say how long


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message ready to leave: its body is the same at every try. `file`: its large content."""

    message_id: str
    body: bytes
    file: bytes | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What became of one try. `status` 0: nobody answered. `code` empty: accepted."""

    status: int
    code: str = ""
    text: str = ""
    ms: int = 0
    wait: float = 0.0  # seconds, where the counterpart named them
    expected: int = 0  # the number it waits for, with SEQUENCE_GAP

    @property
    def accepted(self) -> bool:
        return not self.code


def parcel(
    message_id: str, kind: str, key: str, seq: int, occurred_at: str, content: bytes, large: bool
) -> Parcel:
    """Make the body; `content` is JSON. A large one is named by its digest and travels before."""
    head: dict[str, Any] = {
        "id": message_id,
        "kind": kind,
        "key": key,
        "sequence": seq,
        "occurred_at": occurred_at,
    }
    if large:
        head["file"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        return Parcel(message_id, _json(head), content)
    text = _json(head)
    return Parcel(message_id, text[:-1] + b',"data":' + content + b"}" if content else text)


class Caller:
    """Keeps connections to one counterpart open."""

    def __init__(self, partner: Counterpart) -> None:
        self.partner = partner
        self._client = outward.client(partner.limits.timeout, partner.limits.at_once)

    def hand_over(self, sent: Parcel) -> Said:
        """One try with one message; its file goes before."""
        if sent.file is not None:
            digest = hashlib.sha256(sent.file).hexdigest()
            first = self._call("PUT", f"/files/{digest}", f"file_{digest[:40]}", sent.file)
            if not first.accepted:
                return first
        return self._call("POST", "/messages", sent.message_id, sent.body)

    def ask(self, path: str, message_id: str, value: Any) -> tuple[Said, Any]:
        """A question with an answer in JSON; None where there is none."""
        answer, said = self._send("POST", path, message_id, _json(value))
        try:
            return said, json_of(answer) if said.accepted else None
        except ValueError:
            return Said(said.status, codes.ERROR, "应答无法识别", said.ms), None

    def close(self) -> None:
        self._client.close()

    def _call(self, method: str, path: str, message_id: str, body: bytes) -> Said:
        return self._send(method, path, message_id, body)[1]

    def _send(self, method: str, path: str, message_id: str, body: bytes) -> tuple[bytes, Said]:
        stamp = int(clock.now().timestamp())
        headers = {
            "webhook-id": message_id,
            "webhook-timestamp": str(stamp),
            "webhook-signature": sign(message_id, stamp, body, self.partner.sending),
            "content-type": "application/json",
        }
        begun = time.monotonic()
        address = self.partner.base + path
        try:
            with (
                outward.within(2 * self.partner.limits.timeout),
                self._client.stream(method, address, content=body, headers=headers) as answer,
            ):
                text = outward.read(answer, LARGEST_ANSWER)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return b"", Said(0, codes.NO_ANSWER, type(error).__name__, _ms(begun))
        return text, _judged(answer, text, _ms(begun))


@contextmanager
def calling(partner: Counterpart) -> Iterator[Caller]:
    caller = Caller(partner)
    try:
        yield caller
    finally:
        caller.close()


def _judged(answer: httpx.Response, body: bytes, ms: int) -> Said:
    status = answer.status_code
    if 200 <= status < 300:
        return Said(status, ms=ms)
    told = _problem(body)
    text = " ".join(filter(None, (told.get("code", ""), told.get("title", ""), told.get("detail", ""))))[:200]
    if status == 409 and told.get("code") == codes.GAP:
        expected = told.get("expected")
        if isinstance(expected, int) and expected >= 1:
            return Said(status, codes.GAP, text, ms, expected=expected)
    if status == 429 or (status == 503 and "retry-after" in answer.headers):
        return Said(status, codes.BUSY, text, ms, wait=_wait(answer))
    return Said(status, _code(status), text, ms)


def _code(status: int) -> str:
    if status in (401, 403):
        return codes.SIGNATURE
    if status in _NO_ADDRESS:
        return codes.ADDRESS
    return codes.ERROR if status >= 500 or status in _RETRY_LATER or status < 400 else codes.REFUSED


def _problem(body: bytes) -> dict[str, Any]:
    try:
        told = json_of(body[:4096])
    except ValueError:
        return {}
    if not isinstance(told, dict):
        return {}
    kept = {name: codes.said(told[name], 120) for name in ("code", "title", "detail") if name in told}
    return {**kept, "expected": told.get("expected")}


def _wait(answer: httpx.Response) -> float:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 7 else _SLOW


def _ms(begun: float) -> int:
    return int((time.monotonic() - begun) * 1000)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
