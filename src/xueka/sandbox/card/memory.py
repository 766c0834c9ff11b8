"""What lies in the card's EEPROM: directories, files, keys, and how much room they take.

`Card` is the whole image; it is written to a file after each command that changed something, so that a card
whose process was killed is found again as it was.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, cast

from xueka.sandbox.card import ciphers
from xueka.sandbox.card.commands import MEMORY_FAILURE, NO_SPACE, Status

MASTER_FILE = 0x3F00
BINARY, FIXED, VARIABLE, CYCLIC, WALLET = 0x28, 0x2A, 0x2C, 0x2E, 0x2F
HEADER, DIRECTORY_HEADER, KEY_HEADER = 8, 16, 8
COUNTED = range(0x36, 0x3B)  # key types with an error counter
FOR_EVER = (0x37, 0x39)  # once locked, locked


@dataclass
class Key:
    """`body` = type, use, change, version and algorithm (or next state and error counter), the value."""

    id: int
    body: bytearray

    @property
    def type(self) -> int:
        return self.body[0] & 0x3F

    @property
    def protection(self) -> int:
        """Of updates: 00 none, 40 authenticated, C0 enciphered and authenticated."""
        return self.body[0] & 0xC0

    @property
    def use(self) -> int:
        return self.body[1]

    @property
    def change(self) -> int:
        return self.body[2]

    @property
    def next_state(self) -> int:
        return self.body[3] & 0x0F

    @property
    def value(self) -> bytes:
        return bytes(self.body[5:])

    @property
    def left(self) -> int:
        return self.body[4] & 0x0F

    @left.setter
    def left(self, tries: int) -> None:
        self.body[4] = self.body[4] & 0xF0 | tries

    @property
    def most(self) -> int:
        return self.body[4] >> 4

    @property
    def room(self) -> int:
        return KEY_HEADER + len(self.value)


@dataclass
class KeyFile:
    room: int
    short_id: int
    add: int  # permission
    keys: list[Key] = field(default_factory=list)

    def find(self, kind: int, number: int) -> Key | None:
        return next((key for key in self.keys if key.type == kind and key.id == number), None)

    def put(self, key: Key) -> None:
        if sum(each.room for each in self.keys) + key.room > self.room:
            raise Status(NO_SPACE)
        self.keys.append(key)


@dataclass
class File:
    """`content` of a binary file or a purse; `records` of the others, the newest first if cyclic."""

    fid: int
    kind: int
    protection: int  # 80 authenticated, 40 enciphered
    read: int
    write: int
    access: int
    count: int = 0  # records at most, or bytes of a variable file
    length: int = 0  # of one record
    content: bytearray = field(default_factory=bytearray)
    records: list[bytes] = field(default_factory=list)

    @property
    def room(self) -> int:
        if self.kind in {FIXED, CYCLIC, WALLET}:
            return self.count * (self.length + 1) + HEADER
        return (self.count if self.kind == VARIABLE else len(self.content)) + HEADER


@dataclass
class Directory:
    fid: int
    room_inside: int
    create: int
    erase: int
    application_file: int
    name: bytes = b""
    keys: KeyFile | None = None
    files: dict[int, "File | Directory"] = field(default_factory=dict)

    @property
    def room(self) -> int:
        return self.room_inside + DIRECTORY_HEADER

    @property
    def free(self) -> int:
        taken = sum(each.room for each in self.files.values())
        return self.room_inside - taken - (self.keys.room + HEADER if self.keys else 0)

    def short(self, number: int) -> File | None:
        """The file that this short identifier names: the low five bits of its own."""
        found = (each for each in self.files.values() if isinstance(each, File))
        return next((each for each in found if each.fid & 0x1F == number), None)


@dataclass
class Card:
    uid: bytes
    size: int
    algorithm: ciphers.Kind
    master: Directory
    bad_mac: int = 0x6988
    endurance: int | None = None  # writes before the memory is worn out
    writes: int = 0
    path: Path | None = None

    def cipher(self, value: bytes) -> ciphers.Kind:
        return "des" if len(value) == 8 else self.algorithm

    def wear(self) -> None:
        """Before every write; 6581 when the memory no longer takes it."""
        if self.endurance is not None and self.writes >= self.endurance:
            raise Status(MEMORY_FAILURE)
        self.writes += 1

    def save(self) -> None:
        """All of it or nothing: the old image stands until the new one is complete."""
        if self.path is None:
            return
        beside = self.path.with_suffix(".new")
        beside.write_text(json.dumps(self.image()), "ascii")
        beside.replace(self.path)

    @classmethod
    def load(cls, path: Path) -> Self:
        card = cls.restore(json.loads(path.read_text("ascii")))
        card.path = path
        return card

    def image(self) -> dict[str, Any]:
        """For JSON; bytes are hex."""
        return cast(dict[str, Any], _dump(self))

    @classmethod
    def restore(cls, image: dict[str, Any]) -> Self:
        return cls(**{**image, "uid": bytes.fromhex(image["uid"]), "master": _directory(image["master"])})


def _dump(thing: Any) -> Any:
    if isinstance(thing, bytes | bytearray):
        return thing.hex()
    if isinstance(thing, list):
        return [_dump(each) for each in thing]
    if isinstance(thing, dict):  # files by their id, which each of them knows
        return [_dump(each) for each in thing.values()]
    if isinstance(thing, Card | Directory | File | KeyFile | Key):
        return {name: _dump(value) for name, value in vars(thing).items() if name != "path"}
    return thing


def _directory(found: dict[str, Any]) -> Directory:
    keys = found["keys"]
    if keys is not None:
        entries = [Key(each["id"], bytearray.fromhex(each["body"])) for each in keys["keys"]]
        keys = KeyFile(keys["room"], keys["short_id"], keys["add"], entries)
    files = [_directory(each) if "files" in each else _file(each) for each in found["files"]]
    return Directory(
        **{
            **found,
            "name": bytes.fromhex(found["name"]),
            "keys": keys,
            "files": {each.fid: each for each in files},
        }
    )


def _file(found: dict[str, Any]) -> File:
    records = [bytes.fromhex(each) for each in found["records"]]
    return File(**{**found, "content": bytearray.fromhex(found["content"]), "records": records})
