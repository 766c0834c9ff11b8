"""The keys that protect stored fields. In a demo city they lie in a file that only its owner reads.

File (JSON): {"field": {"1": hex, …}, "present": 1, "index": hex}. A production city replaces the file by
a passphrase, a service credential or a hardware module behind the same class (decisions.md, Sealing key).
"""

import json
import os
import secrets
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from xueka.kernel.errors import XuekaError
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
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh = {"present": 1, "field": {"1": secrets.token_hex(16)}, "index": secrets.token_hex(32)}
            part = folder / f".{FILE_NAME}.{secrets.token_hex(8)}"
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump(fresh, file)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(part, path)  # Two first starts at once: one wins, the other reads the winner's keys.
            except FileExistsError:
                pass
            finally:
                part.unlink()
        try:
            stored = json.loads(path.read_text("ascii"))
            fields = {int(version): bytes.fromhex(key) for version, key in stored["field"].items()}
            found = cls(fields, stored["present"], bytes.fromhex(stored["index"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise _broken(path) from None
        sizes = {len(key) for key in fields.values()}
        if found.present not in fields or sizes != {16} or len(found.index) != 32:
            raise _broken(path)
        return found


@cache
def keyring() -> Keyring:
    """The keyring of the running home."""
    return Keyring.load_or_create(home.keys_directory())


def _broken(path: Path) -> XuekaError:
    return XuekaError(
        "FIELD_KEYS_BROKEN",
        "字段密钥文件已损坏，无法读取个人信息。",
        where=str(path),
        action="请从密钥备份中恢复该文件；不要删除它，删除后已加密的信息将无法解开。",
    )
