"""What the card remembers from reset to reset, and what every command asks: may it, with which key."""

from collections.abc import Callable

from xueka.sandbox.card import ciphers
from xueka.sandbox.card.commands import (
    CONDITIONS,
    KEY_NOT_FOUND,
    LOCKED,
    NOT_ALLOWED,
    TRIES_LEFT,
    WRONG_DATA,
    WRONG_LENGTH,
    Command,
    Status,
)
from xueka.sandbox.card.memory import Card, Directory, File, Key

LINE_PROTECTION = 0x36
CONTROL = (0x39, 0x00)


class Session:
    def __init__(self, card: Card) -> None:
        self.card = card
        self.maker = False  # at the card's maker, before it has any protection
        self.torn = False  # the power goes in the middle of the next write of data
        self.path: list[Directory] = [self.card.master]
        self.file: File | None = None
        self.challenge: bytes | None = None  # for the command at work only
        self.fresh: bytes | None = None  # for the next one
        self.master_state = 0
        self._state = 0
        self.changed = False

    @property
    def directory(self) -> Directory:
        return self.path[-1]

    @property
    def state(self) -> int:
        return self.master_state if len(self.path) == 1 else self._state

    @state.setter
    def state(self, value: int) -> None:
        if len(self.path) == 1:
            self.master_state = value
        else:
            self._state = value

    def enter(self, path: list[Directory]) -> None:
        """Selecting a directory takes its security state away; the master file's stays below another one."""
        self.path, self.file = path, None
        self.state = 0

    def require(self, permission: int) -> None:
        """XY: from state Y to state X; 0Y asks the master file's state for at least Y; X below Y: never."""
        most, least = permission >> 4, permission & 0x0F
        allowed = least <= self.state <= most if most else self.master_state >= least
        if not allowed and not self.maker:
            raise Status(NOT_ALLOWED)

    def write(self) -> None:
        """Before every change of the memory."""
        self.card.wear()
        self.changed = True

    def cut(self, data: bytes) -> bytes:
        """What of a write reaches the memory: half, when the power goes in the middle."""
        return data[: len(data) // 2] if self.torn else data

    def find_key(self, kind: int, number: int) -> Key | None:
        keys = self.directory.keys
        return keys.find(kind, number) if keys else None

    def control_key(self) -> Key | None:
        """The directory's own control key; as long as it has none, that of the directory above."""
        for directory in reversed(self.path):
            if directory.keys and (found := directory.keys.find(*CONTROL)):
                return found
        return None

    def line_key(self, number: int) -> Key:
        found = self.find_key(LINE_PROTECTION, number)
        if found is None:
            raise Status(KEY_NOT_FOUND)
        return found

    def attempt(self, key: Key, right: Callable[[], bool], word: int | None = None) -> None:
        """A try is used up before anything is compared and given back after it was right."""
        if not key.left:
            raise Status(LOCKED)
        self.write()
        key.left -= 1
        if not right():
            raise Status(word or TRIES_LEFT | key.left)
        key.left = key.most

    def random(self) -> bytes:
        if self.challenge is None:
            raise Status(CONDITIONS)
        return self.challenge

    def open(self, command: Command, key: Key, authenticated: bool, enciphered: bool) -> bytes:
        """The data of a protected command: the code proved, the cipher opened (length, data, 80 00 …)."""
        data, kind = command.data, self.card.cipher(key.value)
        if authenticated:
            if len(data) < ciphers.MAC_LENGTH:
                raise Status(WRONG_LENGTH)
            data, code = data[: -ciphers.MAC_LENGTH], data[-ciphers.MAC_LENGTH :]
            random, whole = self.random(), command.head + data
            self.attempt(
                key, lambda: ciphers.mac(kind, key.value, random, whole) == code, word=self.card.bad_mac
            )
        elif not key.left:
            raise Status(LOCKED)
        if not enciphered:
            return data
        if not data or len(data) % ciphers.block(kind):
            raise Status(WRONG_LENGTH)
        clear = ciphers.decipher(kind, key.value, data)
        length, body = clear[0], clear[1:]
        if len(body) < length or ciphers.pad(clear[: length + 1], kind) != clear:
            raise Status(WRONG_DATA)
        return body[:length]

    def seal(self, data: bytes, key: Key, enciphered: bool) -> bytes:
        """An answer under line protection: the data (enciphered if the file asks for it) and their code."""
        kind = self.card.cipher(key.value)
        if enciphered:
            data = ciphers.encipher(kind, key.value, ciphers.pad(bytes([len(data)]) + data, kind))
        return data + ciphers.mac(kind, key.value, self.random(), data)
