"""The keys that protect stored fields, in a sealed file of the home (`sealed_files`).

Its content (JSON): {"field": {"1": hex, …}, "present": 1, "index": hex}.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes, hmac

from xueka.kernel.errors import XuekaError
from xueka.platform.crypto import card_ciphers, sealed_files
from xueka.platform.crypto.sealed_files import Entry, Stamp
from xueka.platform.database import home

FILE_NAME = "fields.json"


@dataclass(frozen=True, slots=True)
class Keyring:
    """Field keys by version (16 bytes each), which one is present, and the index key (32 bytes)."""

    fields: dict[int, bytes]
    present: int
    index: bytes

    def field_key(self) -> tuple[int, bytes]:
        return self.present, self.fields[self.present]

    def field_key_of(self, version: int) -> bytes:
        try:
            return self.fields[version]
        except KeyError:
            raise XuekaError(
                "FIELD_KEY_MISSING",
                f"缺少第 {version} 版字段密钥，无法读取个人信息。",
                action="请从密钥备份中恢复该版本的密钥。",
            ) from None

    def index_key(self) -> bytes:
        return self.index

    @classmethod
    def load_or_create(cls, folder: Path) -> "Keyring":
        """Read the key file of a home, or make one (mode 0600) at the first start."""
        path = folder / FILE_NAME
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        read: list[Keyring] = []

        def describe(content: bytes) -> list[Entry]:
            read.append(_read(content, lambda: _broken(path)))
            return read[-1].entries()

        sealed_files.content(path, _fresh, describe)
        return read[-1]

    def entries(self) -> list[Entry]:
        """What key management may know of them."""
        found = [
            Entry(
                "platform.fields",
                "字段加密密钥",
                "field",
                "sm4",
                version,
                card_ciphers.kcv("sm4", key),
                version == self.present,
            )
            for version, key in sorted(self.fields.items())
        ]
        check = hmac.HMAC(self.index, hashes.SM3())
        check.update(bytes(16))
        kcv = check.finalize()[:3].hex()
        return [*found, Entry("platform.index", "检索索引密钥", "index", "hmac-sm3", 1, kcv)]


_read_last: dict[Path, tuple[Stamp, Keyring]] = {}


def keyring() -> Keyring:
    """The keyring of the running home, as its file stands now: another process may have made a version.

    A file that is gone while we run is never made anew; what was read last still opens what is there.
    """
    path = home.keys_directory() / FILE_NAME
    known, stamp = _read_last.get(path), sealed_files.stamp(path)
    if known is not None and stamp in (None, known[0]):
        return known[1]
    found = Keyring.load_or_create(path.parent)
    if stamp is not None:  # a file that was made just now is read once more, next time
        _read_last[path] = stamp, found
    return found


def make_version(number: int) -> Keyring:
    """Make field key `number`, the next one, and seal under it from now on. Made already, nothing happens.

    The versions before stay and open what they sealed. Raises ValueError for a number out of turn.
    """
    path = home.keys_directory() / FILE_NAME
    held = keyring()

    def add(content: bytes) -> bytes | None:
        stored = json.loads(content)
        if str(number) in stored["field"]:
            return None
        if number != max(map(int, stored["field"])) + 1:
            raise ValueError("the next version of the field key has another number")
        stored["field"][str(number)] = secrets.token_hex(16)
        return json.dumps({**stored, "present": number}).encode()

    sealed_files.change(path, add, lambda content: _read(content, lambda: _broken(path)).entries())
    return keyring() if number not in held.fields else held


def _fresh() -> bytes:
    fresh = {"present": 1, "field": {"1": secrets.token_hex(16)}, "index": secrets.token_hex(32)}
    return json.dumps(fresh).encode()


def _read(content: bytes, broken: Callable[[], XuekaError]) -> Keyring:
    try:
        stored = json.loads(content.decode("ascii"))
        fields = {int(version): bytes.fromhex(key) for version, key in stored["field"].items()}
        found = Keyring(fields, stored["present"], bytes.fromhex(stored["index"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise broken() from None
    if found.present not in fields or {len(key) for key in fields.values()} != {16} or len(found.index) != 32:
        raise broken()
    return found


def _broken(path: Path) -> XuekaError:
    return XuekaError(
        "FIELD_KEYS_BROKEN",
        "字段密钥文件已损坏，无法读取个人信息。",
        where=str(path),
        action="请从密钥备份中恢复该文件；不要删除它，删除后已加密的信息将无法解开。",
    )
