"""Data maps of partners' applications: what their scripts put where, as far as it is known.

We write nothing by a map. It says in words what a script's commands do, and what a file of a card holds.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from xueka.contexts.personalization.domain import words as w

SELECT, UPDATE_BINARY, UPDATE_RECORD, APPEND_RECORD = 0xA4, 0xD6, 0xDC, 0xE2
_MAC = 4  # bytes at the end of a command under secure messaging


@dataclass(frozen=True, slots=True)
class MapField:
    """A stretch of a file or of each of its records. `source`: what of ours stands there, or `partner`."""

    name: str
    at: int
    length: int
    encoding: str
    source: str = w.PARTNER


@dataclass(frozen=True, slots=True)
class MapFile:
    """`size`: bytes of the file, of each record where there are `records`. `basis`: how this is known."""

    id: str
    title: str
    type: str
    size: int
    records: int
    basis: str
    fields: tuple[MapField, ...]

    @property
    def bytes(self) -> int:
        """What it takes of the directory; a record has one byte beside it (card manual)."""
        return self.records * (self.size + 1) if self.records else self.size


@dataclass(frozen=True, slots=True)
class Told:
    """What one command does, in words; `doubt` where it does not fit the map."""

    text: str
    doubt: str = ""


class Stretch(Protocol):
    """A field of a map, or of a file that we write."""

    @property
    def name(self) -> str: ...
    @property
    def at(self) -> int: ...
    @property
    def length(self) -> int: ...
    @property
    def encoding(self) -> str: ...


def decode(fields: Iterable[Stretch], data: bytes) -> list[tuple[str, str]]:
    """(field, value as people read it) of a file's or a record's bytes from its beginning."""
    return [
        (each.name, value_of(each, data[each.at : each.at + each.length]))
        for each in fields
        if len(data) >= each.at + each.length
    ]


def value_of(field: Stretch, data: bytes) -> str:
    """What the bytes say: text, digits, a date; hexadecimal digits where they say nothing of the kind."""
    raw = data.hex()
    if field.encoding == "date":
        return f"{raw[:4]}-{raw[4:6]}-{raw[6:]}" if len(raw) == 8 and raw.isdigit() else raw
    if field.encoding == "bcd":
        return raw if raw.isdigit() else raw.upper()
    if field.encoding in ("ascii", "gb18030"):
        try:
            text = data.rstrip(b"\0").decode(field.encoding)
        except UnicodeDecodeError:
            return raw
        return text if text.isprintable() else raw
    return raw


def explain(commands: Sequence[bytes], maps: Sequence[MapFile]) -> list[Told]:
    """What every command of a script (C-APDU) does, by the map of its application."""
    known = {int(each.id, 16) & 0x1F: each for each in maps}
    chosen: MapFile | None = None
    told = []
    for apdu in commands:
        data = apdu[5 : 5 + apdu[4]] if len(apdu) > 5 else b""
        instruction, p1, p2 = apdu[1], apdu[2], apdu[3]
        secured = apdu[0] & 0x04 == 0x04
        if instruction == SELECT:
            chosen = next((each for each in maps if each.id == data.hex()), None)
            told.append(Told(f"选择{chosen.title}" if chosen else "选择目录或文件"))
        elif instruction == UPDATE_BINARY:
            file = known.get(p1 & 0x1F) if p1 & 0x80 else chosen
            offset = p2 if p1 & 0x80 else p1 << 8 | p2
            told.append(_written(file, offset, data, maps, secured=secured))
        elif instruction in (UPDATE_RECORD, APPEND_RECORD):
            file = known.get(p2 >> 3) if p2 >> 3 else chosen
            told.append(_written(file, 0, data, maps, secured=secured))
        else:
            told.append(Told(_OTHERS.get(instruction, "其他命令")))
    return told


_OTHERS = {
    0xE0: "建目录或文件",
    0xD4: "写密钥",
    0x82: "外部认证",
    0x84: "取随机数",
    0x88: "内部认证",
    0x20: "校验 PIN",
    0xB0: "读文件",
    0xB2: "读记录",
    0x0E: "擦除目录",
}


def _written(
    file: MapFile | None, offset: int, data: bytes, maps: Sequence[MapFile], *, secured: bool
) -> Told:
    if file is None:
        return Told("写文件", "数据图里没有这个文件。" if maps else "")
    size = len(data) - (_MAC if secured else 0)
    end = offset + size
    named = "、".join(_names(file, offset, end))
    text = f"写{file.title}第 {offset} 字节起 {size} 字节" + (f"：{named}" if named else "")
    over = f"到第 {end} 字节，超出数据图的 {file.size} 字节。" if end > file.size else ""
    return Told(text, over)


def _names(file: MapFile, start: int, end: int) -> Iterator[str]:
    for each in file.fields:
        if each.at < end and each.at + each.length > start:
            yield each.name


def lines(file: MapFile) -> Iterator[tuple[str, str]]:
    """The map in words: (where in the file, what stands there)."""
    records = f"，{file.records} 条，每条" if file.records else "，"
    yield "", f"{file.title}{records} {file.size} 字节；{w.MAP_TYPES[file.type]}；依据：{file.basis}"
    for each in file.fields:
        who = w.SOURCES.get(each.source, "由对方写入")
        yield (
            f" / {each.name}",
            f"第 {each.at} 字节起 {each.length} 字节：{who}（{each.encoding}）",
        )
