"""Which store holds which key: one for live keys, another, in a folder of its own, for drills."""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from xueka.contexts.keys.adapters.local_keys import LocalKeys
from xueka.contexts.keys.adapters.software_store import SoftwareStore
from xueka.contexts.keys.models import DRILL_STORE, PKCS11, SOFTWARE, STORES, Key
from xueka.contexts.keys.ports import KeyStore
from xueka.kernel.errors import Refused
from xueka.platform.audit.services import record
from xueka.platform.database import home
from xueka.platform.identity.actor import Actor

#: Where new keys are made: `software`, or `pkcs11` for a module (docs/interfaces/key-scheme.md §3).
CHOSEN = "XUEKA_KEY_STORE"
_FOLDERS = {SOFTWARE: "cards", DRILL_STORE: "cards-drill"}


def name_for(*, drill: bool) -> str:
    """The store in which new keys are made. Raises Refused `KEY_STORE_UNKNOWN`."""
    if drill:
        return DRILL_STORE
    chosen = os.environ.get(CHOSEN, SOFTWARE)
    if chosen not in (SOFTWARE, PKCS11):
        raise _unknown(chosen)
    return chosen


def for_new(key: Key) -> KeyStore:
    return named(name_for(drill=key.drill))


def named(name: str) -> KeyStore:
    """Raises Refused `KEY_STORE_UNKNOWN`, BadInput `PKCS11_SETTINGS`."""
    return _module() if name == PKCS11 else _software(name)


def wraps_outside(name: str) -> bool:
    """Whether its keys are blocks under one another; a module has each key inside."""
    return name != PKCS11


def is_open(name: str) -> bool:
    """Whether its keys can be used now."""
    local = sealed(name)
    return local is None or local.is_open


def sealed(name: str) -> LocalKeys | None:
    """The sealed file of a software store; a module has none."""
    return None if name == PKCS11 else _software(name).local


def open_store(actor: Actor, shares: Sequence[str], *, drill: bool = False) -> None:
    """Open a sealed store with the words of enough custodians, until the machine stops or `close_store`.

    Raises Refused `KEY_STORE_SECRET`, `KEY_STORE_SHARES`.
    """
    _software(name_for(drill=drill)).local.unlock_with_shares(shares)
    record(actor, "key.store_open", "key_store", name_for(drill=drill), detail={"shares": len(shares)})


def close_store(actor: Actor, *, drill: bool = False) -> None:
    """Close it for every process. A store that was never sealed stays open."""
    _software(name_for(drill=drill)).local.lock()
    record(actor, "key.store_close", "key_store", name_for(drill=drill))


def _software(name: str) -> SoftwareStore:
    folder = _FOLDERS.get(name)
    if folder is None:
        raise _unknown(name)
    return SoftwareStore(root() / folder, name)


@cache
def _module() -> KeyStore:
    """One object per process; PyKCS11 is loaded where a module is used, and nowhere else."""
    from xueka.contexts.keys.adapters.pkcs11_store import Pkcs11Store
    from xueka.contexts.keys.adapters.pkcs11_table import Module

    return Pkcs11Store(Module.configured())


def _unknown(name: str) -> Refused:
    return Refused(
        "KEY_STORE_UNKNOWN",
        "这个密钥库没有接入。",
        found=STORES.get(name, name),
        expected="、".join((SOFTWARE, PKCS11)),
        action=f"请核对环境变量 {CHOSEN}（见密钥方案文档）。",
    )


def root() -> Path:
    """Where the stores' own files lie; a backup takes them along."""
    return home.keys_directory()
