"""The card operating system: takes a command, gives an answer. And how a blank leaves its maker."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from xueka.sandbox.card import ciphers, data, files, keys
from xueka.sandbox.card.commands import (
    DONE,
    UNKNOWN_CLASS,
    UNKNOWN_INSTRUCTION,
    Command,
    Status,
    parse,
)
from xueka.sandbox.card.memory import (
    DIRECTORY_HEADER,
    HEADER,
    MASTER_FILE,
    Card,
    Directory,
    Key,
    KeyFile,
)
from xueka.sandbox.card.session import Session

Handler = Callable[[Session, Command], bytes]

PLAIN, OWN, PLAIN_PROTECTED, OWN_PROTECTED = 0x00, 0x80, 0x04, 0x84
HANDLERS: dict[tuple[int, int], Handler] = {
    (OWN, 0xE0): files.create,
    (OWN, 0x0E): files.erase,
    (OWN, 0xD4): keys.write_key,
    (OWN_PROTECTED, 0xD4): keys.write_key,
    (OWN, 0x5C): data.balance,
    (PLAIN, 0xA4): files.select,
    (PLAIN, 0x84): keys.get_challenge,
    (PLAIN, 0x20): keys.verify,
    (PLAIN, 0x82): keys.external_authenticate,
    (PLAIN, 0x88): keys.internal_authenticate,
}
for _class in (PLAIN, PLAIN_PROTECTED):
    HANDLERS[_class, 0xB0] = data.read_binary
    HANDLERS[_class, 0xD6] = data.update_binary
    HANDLERS[_class, 0xB2] = data.read_record
    HANDLERS[_class, 0xDC] = data.update_record
    HANDLERS[_class, 0xE2] = data.append_record
CLASSES = {PLAIN, OWN, PLAIN_PROTECTED, OWN_PROTECTED}


@dataclass(frozen=True)
class Blank:
    """What the maker delivers. `script` are commands (hex) that he carries out before the card leaves him."""

    uid: bytes
    size: int = 8192
    algorithm: ciphers.Kind = "3des"
    transport_key: bytes = b"\xff" * 16
    tries: int = 15
    create: int = 0xFF
    erase: int = 0xFF
    name: bytes = b"1PAY.SYS.DDF01"
    key_room: int = 0x0130
    bad_mac: int = 0x6988
    endurance: int | None = None
    script: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, found: dict[str, Any]) -> Self:
        """From JSON; bytes, `create`, `erase`, `bad_mac` are hex. TypeError or ValueError if unclear."""
        known = dict(found)
        for name in ("uid", "transport_key", "name"):
            if name in known:
                known[name] = bytes.fromhex(known[name])
        for name in ("create", "erase", "bad_mac"):
            if name in known:
                known[name] = int(known[name], 16)
        return cls(**known)

    def make(self, path: Path | None = None) -> Card:
        master = Directory(
            MASTER_FILE, self.size - DIRECTORY_HEADER, self.create, self.erase, 0x01, self.name, None
        )
        master.keys = KeyFile(self.key_room, short_id=0x01, add=0xFF)
        head = bytes([0x39, 0xF0, 0xFF, 0x0F, self.tries << 4 | self.tries])
        master.keys.put(Key(0, bytearray(head + self.transport_key)))
        card = Card(self.uid, self.size, self.algorithm, master, self.bad_mac, self.endurance)
        if master.keys.room + HEADER > master.room_inside:
            raise ValueError("no room for the key file")
        system = System(card)
        system.session.maker = True
        for line in self.script:
            if not (answer := system.process(bytes.fromhex(line))).endswith(b"\x90\x00"):
                raise ValueError(f"{line}: {answer.hex()}")
        card.writes, card.path = 0, path
        card.save()
        return card


class System:
    """A card under power."""

    def __init__(self, card: Card) -> None:
        self.card = card
        self.session = Session(card)

    def reset(self) -> None:
        maker, self.session = self.session.maker, Session(self.card)
        self.session.maker = maker

    def process(self, frame: bytes, torn: bool = False) -> bytes:
        """One command. `torn`: the power goes in the middle of what it writes; nobody sees the answer."""
        session = self.session
        session.challenge, session.fresh, session.torn, session.changed = session.fresh, None, torn, False
        try:
            answer, word = _handle(session, frame), DONE
        except Status as status:
            answer, word = b"", status.word
        if session.changed:
            self.card.save()
        return answer + word.to_bytes(2)


def _handle(session: Session, frame: bytes) -> bytes:
    command = parse(frame)
    if command.cla not in CLASSES:
        raise Status(UNKNOWN_CLASS)
    handler = HANDLERS.get((command.cla, command.ins))
    if handler is None:
        known = any(ins == command.ins for _, ins in HANDLERS)
        raise Status(UNKNOWN_CLASS if known else UNKNOWN_INSTRUCTION)
    return handler(session, command)
