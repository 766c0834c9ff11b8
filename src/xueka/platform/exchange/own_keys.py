"""Our own SM2 keys: one for each counterpart, so that none can hand on to another what we signed for it.

The versions of a key lie in one sealed file. The newest signs. While it changes hands the one before signs
beside it, until it is dropped: then its private half is gone, its public half stays as evidence of what it
has signed.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from xueka.kernel import clock
from xueka.kernel.errors import Conflict, Refused
from xueka.platform.audit.services import record
from xueka.platform.crypto import sealed_files
from xueka.platform.crypto.sealed_files import Describe, Entry, Stamp
from xueka.platform.crypto.sm2 import PrivateKey, PublicKey
from xueka.platform.database.home import keys_directory
from xueka.platform.identity.actor import Actor

FOLDER = "exchange"  # below XUEKA_HOME/keys; a file CODE.key for each counterpart
MANAGE = "city:interop:manage"
Row = dict[str, Any]  # version, since, public, and private while it signs


@dataclass(frozen=True, slots=True)
class OwnKey:
    """One version. `private` is None once it was dropped."""

    number: int
    since: datetime
    public: PublicKey
    private: PrivateKey | None


_read_last: dict[Path, tuple[Stamp, tuple[OwnKey, ...]]] = {}


def stamp(code: str) -> Stamp | None:
    """Another one as soon as the file is another one."""
    return sealed_files.stamp(_path(code))


def signing(code: str) -> tuple[OwnKey, ...]:
    """Those that sign, the newest first; the first one is made at first use.

    A file that is gone while we run is not made anew.
    """
    path, present = _path(code), stamp(code)
    known = _read_last.get(path)
    if known is None or present not in (None, known[0]):
        held = map(_own, _read(sealed_files.content(path, _fresh, _describes(code))))
        found = tuple(each for each in held if each.private)[::-1]
        if present is None:  # made just now: read once more, next time
            return found
        known = _read_last[path] = present, found
    return known[1]


def make_next(actor: Actor, code: str) -> tuple[OwnKey, ...]:
    """A new version signs, beside the one before. Raises Conflict `EXCHANGE_KEY_CHANGING`."""

    def add(rows: list[Row]) -> Row:
        if old := _old(rows):
            raise Conflict(
                "EXCHANGE_KEY_CHANGING",
                "上一次更换还没有完成，旧的签名密钥还在用。",
                found=f"第 {old['version']} 版",
                action=f"对方登记了新公钥之后，用 xueka interop key {code} --drop-old 停用旧的。",
            )
        rows.append(_made(rows[-1]["version"] + 1))
        return rows[-1]

    return _changed(actor, code, "exchange.new_key", add)


def drop_old(actor: Actor, code: str) -> tuple[OwnKey, ...]:
    """The newest version signs alone. Raises Refused `EXCHANGE_KEY_SINGLE`."""

    def drop(rows: list[Row]) -> Row:
        old = _old(rows)
        if old is None:
            raise Refused(
                "EXCHANGE_KEY_SINGLE",
                "在用的签名密钥只有一把，没有旧的可以停用。",
                action=f"要更换时先用 xueka interop key {code} --new 生成新的。",
            )
        del old["private"]
        return old

    return _changed(actor, code, "exchange.drop_key", drop)


def _changed(actor: Actor, code: str, deed: str, work: Callable[[list[Row]], Row]) -> tuple[OwnKey, ...]:
    """On record before it is in the file: where that fails, the record goes with the transaction."""
    actor.require(MANAGE)
    signing(code)

    def change(content: bytes) -> bytes:
        rows = _read(content)
        row = work(rows)
        detail = {"version": row["version"], "fingerprint": _public(row).fingerprint}
        record(actor, deed, "counterpart", code, detail=detail)
        return json.dumps(rows).encode()

    sealed_files.change(_path(code), change, _describes(code))
    return signing(code)


def _old(rows: list[Row]) -> Row | None:
    return next((each for each in rows[:-1] if "private" in each), None)


def _path(code: str) -> Path:
    return keys_directory().joinpath(FOLDER, f"{code}.key")


def _fresh() -> bytes:
    return json.dumps([_made(1)]).encode()


def _made(number: int) -> Row:
    key = PrivateKey.generate()
    return {
        "version": number,
        "since": clock.now().isoformat(),
        "public": key.public.to_pem().decode("ascii"),
        "private": key.to_pem().decode("ascii"),
    }


def _read(content: bytes) -> list[Row]:
    """The oldest first."""
    rows: list[Row] = json.loads(content)
    return rows


def _own(row: Row) -> OwnKey:
    private = PrivateKey.from_pem(row["private"].encode()) if "private" in row else None
    return OwnKey(row["version"], datetime.fromisoformat(row["since"]), _public(row), private)


def _public(row: Row) -> PublicKey:
    return PublicKey.from_pem(row["public"].encode())


def _describes(code: str) -> Describe:
    def describe(content: bytes) -> list[Entry]:
        rows = _read(content)
        label, title = f"exchange.{code.replace('-', '_')}", f"数据交换签名密钥（{code}）"
        seen = [(each["version"], _public(each).fingerprint[:6], each is rows[-1]) for each in rows]
        return [Entry(label, title, "signing", "sm2", *each) for each in seen]

    return describe
