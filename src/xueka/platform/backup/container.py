"""The sealed file: a head in clear and a chain of encrypted chunks that can only be read whole and in order.

    "XUEKABK1" | head length (4 bytes) | head (JSON) | chunk …
    chunk = section (1) | last (1) | length of the box (4) | box

Numbers are big-endian. Box n (from 0) is SM4-GCM under the content key; its nonce is n in 12 bytes, its
associated data SHA-256(magic, length, head) | n (8 bytes) | section | last. So a chunk that is changed, left
out, doubled, moved, or taken from another file is found at its place; `last` is set on the last chunk only,
so a file that was cut is found too. The content key is random, used for one file, and wrapped in the head
(`seals`).
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from xueka.kernel.errors import BadInput

MAGIC = b"XUEKABK1"
CHUNK = 1 << 20  # bytes of content in a chunk
KEY_SIZE = 16
_HEAD_LIMIT = 1 << 20
_TAG = 16
_FRAME = 6  # section, last, length

Head = dict[str, Any]


def write_head(file: BinaryIO, head: Head) -> bytes:
    """Begin a file; returns the digest that every chunk is bound to."""
    text = json.dumps(head, ensure_ascii=False, sort_keys=True).encode()
    start = MAGIC + len(text).to_bytes(4, "big") + text
    file.write(start)
    return hashlib.sha256(start).digest()


def read_head(file: BinaryIO) -> tuple[Head, bytes]:
    """The head and its digest. Raises BadInput `BACKUP_NOT_ONE`. Nothing in a head is believed before a chunk
    has been opened.
    """
    start = file.read(len(MAGIC) + 4)
    length = int.from_bytes(start[len(MAGIC) :], "big")
    if not start.startswith(MAGIC) or len(start) < len(MAGIC) + 4 or length > _HEAD_LIMIT:
        raise _not_one()
    text = file.read(length)
    try:
        head = json.loads(text)
    except ValueError:
        raise _not_one() from None
    if len(text) != length or not isinstance(head, dict):
        raise _not_one()
    return head, hashlib.sha256(start + text).digest()


def seal_chunk(key: bytes, bound: bytes, number: int, section: int, last: bool, content: bytes) -> bytes:
    """One chunk as it stands in the file."""
    box = Cipher(algorithms.SM4(key), modes.GCM(number.to_bytes(12, "big"))).encryptor()
    box.authenticate_additional_data(bound + number.to_bytes(8, "big") + bytes([section, last]))
    sealed = box.update(content) + box.finalize() + box.tag
    return bytes([section, last]) + len(sealed).to_bytes(4, "big") + sealed


class Sealer:
    """Writes sections of any length, one after the other, into `file`; `close` writes the last chunk."""

    def __init__(self, file: BinaryIO, key: bytes, head: Head) -> None:
        self.written = 0
        self._file, self._key = file, key
        self._bound = write_head(file, head)
        self._number, self._section = 0, 0
        self._waiting = bytearray()

    def write(self, section: int, content: bytes) -> None:
        """Append to a section (1 to 255); sections follow each other in the order of their numbers."""
        if section != self._section:
            assert section > self._section
            self._flush(all_of_it=True)
            self._section = section
        self._waiting += content
        self._flush(all_of_it=False)

    def close(self) -> None:
        """Write what waits, marked as the last chunk."""
        self._put(bytes(self._waiting), last=True)
        self._waiting.clear()

    def _flush(self, *, all_of_it: bool) -> None:
        while len(self._waiting) > CHUNK or (all_of_it and self._waiting):
            self._put(bytes(self._waiting[:CHUNK]), last=False)
            del self._waiting[:CHUNK]

    def _put(self, content: bytes, *, last: bool) -> None:
        chunk = seal_chunk(self._key, self._bound, self._number, self._section, last, content)
        self._file.write(chunk)
        self._number += 1
        self.written += len(content)


def opened(file: BinaryIO, key: bytes, bound: bytes) -> Iterator[tuple[int, bytes]]:
    """(section, content) of every chunk, checked before it is given out; `file` stands behind the head.

    Raises BadInput `BACKUP_DAMAGED`, naming the chunk, where the file was changed, reordered or cut. Whoever
    must not act on half a file reads it to the end first.
    """
    number, last, section = 0, False, 0
    while not last:
        frame = _exactly(file, _FRAME, number)
        before, section, last = section, frame[0], frame[1] == 1
        length = int.from_bytes(frame[2:], "big")
        if frame[1] > 1 or section < before or not _TAG <= length <= CHUNK + _TAG:
            raise _damaged(number)
        sealed = _exactly(file, length, number)
        box = Cipher(algorithms.SM4(key), modes.GCM(number.to_bytes(12, "big"), sealed[-_TAG:])).decryptor()
        box.authenticate_additional_data(bound + number.to_bytes(8, "big") + frame[:2])
        try:
            content = box.update(sealed[:-_TAG]) + box.finalize()
        except InvalidTag:
            raise _damaged(number) from None
        yield section, content
        number += 1
    if file.read(1):
        raise _damaged(number)


def _exactly(file: BinaryIO, length: int, number: int) -> bytes:
    found = file.read(length)
    if len(found) != length:
        raise BadInput(
            "BACKUP_DAMAGED",
            "备份文件不完整：在中途结束。",
            where=f"第 {number + 1} 块",
            action="没有改动任何数据。请换用另一份备份。",
        )
    return found


def _damaged(number: int) -> BadInput:
    return BadInput(
        "BACKUP_DAMAGED",
        "备份文件被改动、次序被调换或已损坏。",
        where=f"第 {number + 1} 块",
        action="没有改动任何数据。请换用另一份备份。",
    )


def _not_one() -> BadInput:
    return BadInput(
        "BACKUP_NOT_ONE",
        "这不是学卡的备份文件。",
        expected="由 xueka backup create 生成、扩展名为 .xkb 的文件",
        action="请核对文件名。",
    )
