"""The file of local master keys: sealed to a passphrase or to k of n custodians; in a demo it lies open.

File (JSON, mode 0600): {"format": "xueka-local-keys", "seal": {"kind": …}, "keys": {handle: {"algorithm",
"kcv", "sealed"}}}. Every key is sealed under the store's sealing key, its handle bound to it; `seal` holds
the sealing key: `open` in clear, `passphrase` and `custodians` as crypto/sealing.py makes them.

A store that is not `open` is opened after each start of the machine, by `unlock_…`: the sealing key then lies
in a file in memory (a folder of the machine that no disk holds), which its owner alone reads and `lock`
removes. So every process of the installation finds it, and nobody after the power is cut.
"""

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from cryptography.exceptions import InvalidTag

from xueka.contexts.keys.adapters import checks
from xueka.contexts.keys.adapters.memory_file import MemoryFile, replace_privately
from xueka.contexts.keys.domain.key_block import LOCAL, KeySpec
from xueka.kernel.errors import BadInput, Conflict, Refused, XuekaError
from xueka.platform.crypto import card_ciphers, sealing, sm3
from xueka.platform.crypto.sealing import KEY_SIZE, Custody, Seal

BOUND = b"xueka key store"
_FORMAT = "xueka-local-keys"
_OPEN = "open"


class LocalKeys:
    """Local master keys by handle (`label/version`). It keeps nothing between calls but where its file is."""

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name
        self._memory = MemoryFile(path)

    def __reduce__(self) -> NoReturn:
        raise TypeError("local master keys do not leave their process")

    # --- keys ---

    def add(self, spec: KeySpec, value: bytes) -> str:
        """Put a key into the file (an `open` one where there is none). Raises Conflict `KEY_EXISTS`."""
        handle = f"{spec.label}/{spec.version}"
        with self._writing() as stored:
            if handle in stored["keys"]:
                raise Conflict("KEY_EXISTS", "密钥库中已有这把密钥。", where=handle)
            stored["keys"][handle] = {
                "algorithm": spec.algorithm,
                "kcv": card_ciphers.kcv(spec.algorithm, value),
                "sealed": sealing.box(self._sealing_key(stored), value, _bound(handle)).hex(),
            }
        return handle

    def get(self, handle: str) -> tuple[KeySpec, bytes]:
        """Raises Refused `KEY_GONE`, `KEY_STORE_LOCKED`, XuekaError `KEY_STORE_BROKEN`."""
        stored = self._read()
        kept = stored["keys"].get(handle) if stored else None
        if stored is None or kept is None:
            raise checks.gone(handle)
        label, _, version = handle.rpartition("/")
        value = self._unboxed(self._sealing_key(stored), handle, kept)
        return KeySpec(label, int(version), kept["algorithm"], LOCAL, False), value

    def remove(self, handle: str) -> None:
        """Without it every block beneath is lost for good; the caller has seen to that."""
        stored = self._read()
        if stored is not None and handle in stored["keys"]:
            with self._writing() as stored:
                stored["keys"].pop(handle, None)

    # --- the seal ---

    @property
    def seal_kind(self) -> str:
        """`open`, `passphrase`, `custodians`, or empty where there is no file yet."""
        stored = self._read()
        return stored["seal"]["kind"] if stored else ""

    @property
    def is_open(self) -> bool:
        """Whether keys can be used now."""
        try:
            stored = self._read()
            return stored is not None and bool(self._sealing_key(stored))
        except Refused:
            return False

    def reseal_to_passphrase(self, passphrase: str) -> None:
        """Seal it anew; it stays open until `lock`. Raises BadInput `PASSPHRASE_SHORT`, Refused."""
        if len(passphrase) < sealing.SHORTEST:
            raise BadInput(
                "PASSPHRASE_SHORT",
                "密钥库口令太短。",
                found=f"{len(passphrase)} 个字符",
                expected=f"不少于 {sealing.SHORTEST} 个字符",
                action="请换一个更长的口令，并另行保管；没有口令，密钥库无法打开。",
            )
        self._reseal(lambda key: sealing.seal_to_passphrase(passphrase, key, BOUND))

    def reseal_to_custodians(self, threshold: int, names: Sequence[str]) -> list[str]:
        """Seal it to k of n people; returns the words of each, which are kept nowhere else."""
        custody, words = sealing.make_custody(threshold, names, BOUND)
        self.reseal_to_custody(custody)
        return words

    def reseal_to_custody(self, custody: Custody) -> None:
        self._reseal(lambda key: sealing.seal_to_custody(custody, key))

    def reseal_open(self) -> None:
        """For a demo: whoever takes the data takes the keys."""
        self._reseal(lambda key: {"kind": _OPEN, "key": key.hex()})

    def unlock_with_passphrase(self, passphrase: str) -> None:
        """Open it until the machine stops or `lock`. Raises Refused `KEY_STORE_SECRET`."""
        self._unlock("passphrase", lambda seal: sealing.open_by_passphrase(seal, passphrase, BOUND))

    def unlock_with_shares(self, shares: Sequence[str]) -> None:
        """Open it with the words of k custodians. Raises Refused `KEY_STORE_SECRET`, `KEY_STORE_SHARES`."""

        def opened(seal: Seal) -> bytes:
            try:
                return sealing.open_by_shares(seal, shares, BOUND)
            except sealing.SharesMissing as few:
                raise Refused(
                    "KEY_STORE_SHARES",
                    f"份额不够：需要 {few.needed} 位保管人，只有 {few.given} 份。",
                    found=few.given,
                    expected=few.needed,
                    action="密钥库没有打开。请再请一位保管人。",
                ) from None

        self._unlock("custodians", opened)

    def lock(self) -> None:
        """Close it for every process at once; a key already handed out is not called back."""
        self._memory.remove()

    # --- inside ---

    def _reseal(self, wrap: Callable[[bytes], Seal]) -> None:
        fresh = secrets.token_bytes(KEY_SIZE)
        with self._writing() as stored:
            before = self._sealing_key(stored)
            for handle, kept in stored["keys"].items():
                value = self._unboxed(before, handle, kept)
                kept["sealed"] = sealing.box(fresh, value, _bound(handle)).hex()
            stored["seal"] = _checked(wrap(fresh), fresh)
            self._memory.write([fresh, before])  # whichever file the next reader meets, its key is there
        self._memory.write([fresh])
        if stored["seal"]["kind"] == _OPEN:
            self.lock()

    def _unlock(self, kind: str, opened: Callable[[Seal], bytes]) -> None:
        stored = self._read()
        found = stored["seal"]["kind"] if stored else "没有密钥库文件"
        if stored is None or found != kind:
            raise Refused(
                "KEY_STORE_SECRET",
                "密钥库不是这样封存的。",
                found=found,
                expected=kind,
                action="请改用口令或保管人份额。",
            )
        try:
            key = opened(stored["seal"])
        except sealing.NotOpened:
            raise Refused(
                "KEY_STORE_SECRET",
                "口令或份额不对，密钥库没有打开。",
                action="请逐字核对；份额须属于现行的那一次分割。",
            ) from None
        self._memory.write([key])

    def _sealing_key(self, stored: dict[str, Any]) -> bytes:
        seal = stored["seal"]
        if seal["kind"] == _OPEN:
            return bytes.fromhex(seal["key"])
        for _ in range(2):
            for key in self._memory.read():
                if _check(key) == seal["check"]:
                    return key
            credential = os.environ.get("XUEKA_KEYS_PASSPHRASE_FILE")
            if seal["kind"] != "passphrase" or not credential:
                break
            self.unlock_with_passphrase(_credential(Path(credential)))
        raise Refused(
            "KEY_STORE_LOCKED",
            "密钥库尚未打开，不能使用密钥。",
            where=self._name,
            action="请由密钥保管人用 xueka keys open 打开；机器重启后须再打开一次。",
        )

    def _unboxed(self, key: bytes, handle: str, kept: dict[str, Any]) -> bytes:
        try:
            value = sealing.unbox(key, bytes.fromhex(kept["sealed"]), _bound(handle))
            if card_ciphers.kcv(kept["algorithm"], value) == kept["kcv"]:
                return value
        except (InvalidTag, ValueError, KeyError, TypeError, BadInput):
            pass
        raise self._broken()

    def _read(self) -> dict[str, Any] | None:
        try:
            stored: dict[str, Any] = json.loads(self._path.read_text("utf-8"))
            if stored["format"] != _FORMAT or not isinstance(stored["keys"], dict):
                raise ValueError(stored["format"])
            _ = stored["seal"]["kind"], stored["seal"]["check"]
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            raise self._broken() from None
        return stored

    @contextlib.contextmanager
    def _writing(self) -> Iterator[dict[str, Any]]:
        """The file's content to change; written whole, one writer at a time."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self._path.with_name(f".{self._path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            stored = self._read()
            if stored is None:
                key = secrets.token_bytes(KEY_SIZE)
                seal = _checked({"kind": _OPEN, "key": key.hex()}, key)
                stored = {"format": _FORMAT, "seal": seal, "keys": {}}
            yield stored
            replace_privately(self._path, json.dumps(stored, ensure_ascii=False, indent=1).encode("utf-8"))
        finally:
            os.close(lock)

    def _broken(self) -> XuekaError:
        return XuekaError(
            "KEY_STORE_BROKEN",
            "密钥库文件已损坏或被改动。",
            where=str(self._path),
            action="请从备份中恢复该文件；不要删除它，删除后其下的密钥将无法使用。",
        )


def _bound(handle: str) -> bytes:
    return BOUND + b"/" + handle.encode("utf-8")


def _check(key: bytes) -> str:
    """Tells which of several random keys of 16 bytes it is, and nothing of the key."""
    return sm3.hexdigest(BOUND + key)[:16]


def _checked(seal: Seal, key: bytes) -> Seal:
    return {**seal, "check": _check(key)}


def _credential(path: Path) -> str:
    try:
        return path.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise BadInput(
            "PASSPHRASE_FILE",
            "口令文件无法读取。",
            found=str(path),
            action="请核对 XUEKA_KEYS_PASSPHRASE_FILE 所指的文件和权限；文件里只放口令一行。",
        ) from None
