"""The platform's own keys in sealed files: field and index keys, our signature key, our log-in key.

A file is JSON: {"format": 1, "entries": [...], "salt", "cost", "sealed"}. `entries` says in clear what is in
it (name, kind, algorithm, version, key check value) and is bound to the sealed content: SM4-GCM under a key
that scrypt makes of the opener. The opener is the passphrase in the file that `XUEKA_KEYS_PASSPHRASE_FILE`
names (a service credential, say); without one it is a secret made beside the data, right for a demo only.

Files of an earlier version hold their keys in clear; they are sealed where they lie at the first reading.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from xueka.kernel.errors import BadInput, XuekaError
from xueka.platform.database import home

FORMAT = 1
OPENER = "opener"  # in XUEKA_HOME/keys, where no other is named
_COST_OF_PASSPHRASE = 2**17  # 128 MiB, about half a second
_COST_OF_SECRET = 2**12  # the secret is random: there is nothing to guess
_NONCE, _TAG = 12, 16


@dataclass(frozen=True, slots=True)
class Entry:
    """What may be known of a key in a sealed file. `present`: it is the version in use."""

    label: str
    title: str
    kind: str
    algorithm: str
    version: int
    kcv: str
    present: bool = True


Describe = Callable[[bytes], Sequence[Entry]]
Stamp = tuple[int, int, int]


def content(path: Path, make: Callable[[], bytes], describe: Describe) -> bytes:
    """What the sealed file holds; made at first use. `describe` judges the content and may raise.

    Two processes that come first at once get the same content. Raises XuekaError `KEY_FILE_LOCKED` where the
    opener is another one, and what `describe` raises; then the file is as it was.
    """
    if not path.exists():
        home.private_directory(path.parent)
        fresh = make()
        draft = _draft(path, seal(fresh, describe(fresh)))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    raw = path.read_bytes()
    parsed = _parsed(raw)
    if parsed is None:
        entries = describe(raw)
        _draft(path, seal(raw, entries)).replace(path)
        return raw
    found = _open(parsed, path)
    describe(found)
    return found


def change(path: Path, work: Callable[[bytes], bytes | None], describe: Describe) -> None:
    """Put what `work` makes of the content in its place; None leaves it. One process at a time.

    A reader sees the file before or after, whole. Raises as `content`, and what `work` raises.
    """
    lock = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        parsed = _parsed(path.read_bytes())
        made = work(_open(parsed, path) if parsed is not None else path.read_bytes())
        if made is not None:
            _draft(path, seal(made, describe(made))).replace(path)
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    finally:
        os.close(lock)


def entries(path: Path) -> list[Entry]:
    """What a sealed file says of itself, without opening it; nothing for any other file."""
    parsed = _parsed(path.read_bytes())
    return [Entry(**each) for each in parsed["entries"]] if parsed else []


def opened_entries(path: Path) -> list[Entry]:
    """The same, after the file was opened: an altered description does not open it."""
    parsed = _parsed(path.read_bytes())
    if parsed is None:
        return []
    _open(parsed, path)
    return [Entry(**each) for each in parsed["entries"]]


def stamp(path: Path) -> Stamp | None:
    """Another one as soon as the file is another one: another process may have changed it. None: no file."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def seal(plain: bytes, described: Sequence[Entry]) -> bytes:
    """The bytes of a sealed file."""
    passphrase, cost = _opener()
    head = {"format": FORMAT, "entries": [asdict(each) for each in described]}
    salt, nonce = os.urandom(16), os.urandom(_NONCE)
    box = Cipher(algorithms.SM4(_derived(passphrase, salt, cost)), modes.GCM(nonce)).encryptor()
    box.authenticate_additional_data(_canonical(head))
    cipher = box.update(plain) + box.finalize()
    whole = {**head, "salt": salt.hex(), "cost": cost, "sealed": (nonce + cipher + box.tag).hex()}
    return json.dumps(whole, ensure_ascii=False).encode()


def lies_beside_the_data() -> bool:
    """Whether whoever takes the data takes the opener too: right for a demo only."""
    return not os.environ.get("XUEKA_KEYS_PASSPHRASE_FILE")


def _open(parsed: dict[str, Any], path: Path) -> bytes:
    try:
        sealed, salt = bytes.fromhex(parsed["sealed"]), bytes.fromhex(parsed["salt"])
        cost = int(parsed["cost"])
        if not 2**10 <= cost <= 2**20:
            raise ValueError(cost)
        head = {"format": parsed["format"], "entries": parsed["entries"]}
        key = _derived(_opener()[0], salt, cost)
        box = Cipher(algorithms.SM4(key), modes.GCM(sealed[:_NONCE], sealed[-_TAG:])).decryptor()
        box.authenticate_additional_data(_canonical(head))
        return box.update(sealed[_NONCE:-_TAG]) + box.finalize()
    except (InvalidTag, ValueError, KeyError, TypeError):
        raise XuekaError(
            "KEY_FILE_LOCKED",
            "密钥文件打不开：口令不是封存时的那一个，或文件已损坏。",
            where=str(path),
            action="请核对 XUEKA_KEYS_PASSPHRASE_FILE 指定的口令；文件损坏时从备份恢复。不要删除它。",
        ) from None


def _parsed(raw: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(raw)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "sealed" in found and "entries" in found else None


def _opener() -> tuple[bytes, int]:
    named = os.environ.get("XUEKA_KEYS_PASSPHRASE_FILE")
    if not named:
        return home.secret(OPENER).encode(), _COST_OF_SECRET
    try:
        passphrase = Path(named).read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        passphrase = ""
    if len(passphrase) < 12:
        raise BadInput(
            "KEYS_PASSPHRASE_FILE",
            "封存密钥文件的口令读不到，或太短。",
            found=named,
            expected="一行文字，不少于 12 个字符",
            action="请核对 XUEKA_KEYS_PASSPHRASE_FILE。",
        )
    return passphrase.encode(), _COST_OF_PASSPHRASE


def _derived(passphrase: bytes, salt: bytes, cost: int) -> bytes:
    return Scrypt(salt=salt, length=16, n=cost, r=8, p=1).derive(passphrase)


def _canonical(head: dict[str, Any]) -> bytes:
    return json.dumps(head, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _draft(path: Path, whole: bytes) -> Path:
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(whole)
        file.flush()
        os.fsync(file.fileno())
    return draft
