"""A card in a virtual reader: the vpcd protocol, spoken by the card's side.

The card connects to the reader; each message is a length of two bytes and the body. A body of one byte is the
reader's: 00 off, 01 on, 02 reset, 04 asks for the answer to reset. Anything longer is a command. A closed
connection is a card taken out.
"""

import contextlib
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from xueka.sandbox.card.commands import DONE
from xueka.sandbox.card.faults import PULLS, Event
from xueka.sandbox.card.system import System

SWITCH_ON, ASK_ATR = 1, 4
GET_UID = bytes.fromhex("ffca000000")  # answered by the reader for the card (PC/SC part 3)
RETRY = 0.05
NOTICED = 0.6  # seconds after which a reader has seen that its card is gone


@dataclass
class Plastic:
    """A card in the hand: what is on it, and what will go wrong with it."""

    place: int
    system: System
    atr: bytes
    happening: dict[int, tuple[Event, int]] = field(default_factory=dict)
    slow: float = 0.0
    commands: int = 0
    switched_on: int = 0
    pulled: dict[str, Any] | None = None
    waiting: bytes = b""  # T=0: data that the terminal has to fetch

    @property
    def fetches(self) -> bool:
        """The answer to reset offers nothing but T=0: none of its interface bytes TDi ends with 1."""
        place, more = 1, self.atr[1:2]
        while more and more[0] & 0x80:
            place += (more[0] >> 4).bit_count()
            more = self.atr[place : place + 1]
            if more and more[0] & 0x0F == 1:
                return False
        return True

    def work(self, frame: bytes) -> bytes | None:
        """The answer; None when there will be none. A pull is noted in `pulled`."""
        if frame == GET_UID:
            return self.system.card.uid + DONE.to_bytes(2)
        self.commands += 1
        event, word = self.happening.get(self.commands, (None, 0))
        if self.slow:
            time.sleep(self.slow)
        if event == "status":
            return word.to_bytes(2)
        if event == "hang":
            return None
        answer = self._process(frame, torn=event == "torn") if event != "before" else b""
        if event in PULLS:
            self.pulled = {"command": self.commands, "effect": event, "ins": f"{frame[1]:02x}"}
            return None
        return answer

    def _process(self, frame: bytes, torn: bool) -> bytes:
        """Under T=0 a command with data has no Le: 61xx says how much to fetch."""
        waiting, self.waiting = self.waiting, b""
        if not self.fetches:
            return self.system.process(frame, torn)
        if frame[1:2] == b"\xc0" and waiting:
            count = frame[4] or 256
            self.waiting = waiting[count:]
            return waiting[:count] + (_more(self.waiting) if self.waiting else DONE.to_bytes(2))
        answer = self.system.process(frame, torn)
        if len(frame) > 5 and len(answer) > 2 and len(frame) == 5 + frame[4]:
            self.waiting = answer[:-2]
            return _more(self.waiting)
        return answer


def _more(waiting: bytes) -> bytes:
    return bytes([0x61, len(waiting) & 0xFF])


class Slot:
    """One place for a card. `back` seconds after a fault pulled it, the card is put in again; None: never."""

    def __init__(self, port: int, host: str = "127.0.0.1", back: float | None = None) -> None:
        self._address, self._back = (host, port), back
        self._connection: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._leave = threading.Event()
        self._emptied = 0.0

    @property
    def inserted(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def insert(self, card: Plastic) -> None:
        """Waits until the reader has seen the slot empty."""
        if self.inserted:
            raise RuntimeError("a card is in the slot")
        time.sleep(max(0.0, self._emptied + NOTICED - time.monotonic()))
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._stay, args=(card, self._leave), daemon=True)
        self._thread.start()

    def pull(self) -> None:
        """Take the card out; nothing to do when the slot is empty."""
        self._leave.set()
        if connection := self._connection:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        if self._thread:
            self._thread.join()
            self._emptied = time.monotonic()

    def _stay(self, card: Plastic, leave: threading.Event) -> None:
        """As long as the card is in: connect, answer, connect again when the reader has gone."""
        while not leave.is_set():
            try:
                with socket.create_connection(self._address) as connection:
                    self._connection = connection
                    pulled = not leave.is_set() and self._talk(connection, card, leave)
            except OSError:
                pulled = False
            self._connection = None
            card.system.reset()
            if pulled:
                self._emptied = time.monotonic()
                if self._back is None or leave.wait(self._back):
                    return
            leave.wait(RETRY)

    def _talk(self, connection: socket.socket, card: Plastic, leave: threading.Event) -> bool:
        """True when a fault pulled the card; otherwise the reader has gone or the card was taken out."""
        before = card.pulled
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while (frame := _receive(connection)) is not None:
            if len(frame) == 1:
                answer = self._control(card, frame[0])
                if answer is None:
                    continue
            else:
                found = card.work(frame)
                if card.pulled is not before:
                    return True
                if found is None:
                    leave.wait()
                    return False
                answer = found
            connection.sendall(len(answer).to_bytes(2) + answer)
        return False

    def _control(self, card: Plastic, code: int) -> bytes | None:
        if code != ASK_ATR:
            card.system.reset()
            card.switched_on += code == SWITCH_ON
            return None
        return None if 0 in card.happening and card.switched_on > 1 else card.atr


def _receive(connection: socket.socket) -> bytes | None:
    head = _exactly(connection, 2)
    return None if head is None else _exactly(connection, int.from_bytes(head))


def _exactly(connection: socket.socket, count: int) -> bytes | None:
    found = b""
    while len(found) < count:
        # vpcd sends length and body apart: without this the second waits for a delayed acknowledgement.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        part = connection.recv(count - len(found))
        if not part:
            return None
        found += part
    return found
