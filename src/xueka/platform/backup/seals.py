"""Who can open a backup: whoever knows a passphrase, or k of n custodians together.

A passphrase gives a key by scrypt, which unwraps the file's content key. Custodians: an SM2 key pair is made
once (`make_custody`); its private half is sealed under a secret that is cut into n shares (SLIP-0039 words),
any k of which give it back, k - 1 nothing. The public half stays with the system and seals the nightly
backup; the sealed private half rides in the head of every file. So the machine that makes backups cannot read
them.
"""

import json
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shamir_mnemonic
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from xueka.kernel.errors import BadInput, Refused, XuekaError
from xueka.platform.crypto.sm2 import PrivateKey, PublicKey

KEY_SIZE = 16
SHORTEST = 12  # characters of a passphrase
MOST_SHARES = 16
_COST = 2**17  # scrypt: 128 MiB, about half a second
_BOUND = b"xueka backup"

Seal = dict[str, Any]
Unlock = Callable[[Seal], bytes]


@dataclass(frozen=True, slots=True)
class Custody:
    """The custodians' public key and their private one, sealed; `threshold` of the people named open it."""

    threshold: int
    names: tuple[str, ...]
    public: str
    sealed_private: str

    @property
    def fingerprint(self) -> str:
        return PublicKey.from_pem(self.public.encode()).fingerprint


def by_passphrase(passphrase: str) -> Callable[[bytes], Seal]:
    """A function that wraps a content key. Raises BadInput `PASSPHRASE_SHORT`."""
    check_passphrase(passphrase)

    def wrap(key: bytes) -> Seal:
        salt = os.urandom(16)
        wrapped = _box(_stretched(passphrase, salt, _COST), key)
        return {"kind": "passphrase", "salt": salt.hex(), "cost": _COST, "key": wrapped.hex()}

    return wrap


def by_custody(custody: Custody) -> Callable[[bytes], Seal]:
    """A function that wraps a content key for the custodians."""

    def wrap(key: bytes) -> Seal:
        return {
            "kind": "custodians",
            "threshold": custody.threshold,
            "names": list(custody.names),
            "fingerprint": custody.fingerprint,
            "private": custody.sealed_private,
            "key": PublicKey.from_pem(custody.public.encode()).encrypt(key).hex(),
        }

    return wrap


def with_passphrase(passphrase: str) -> Unlock:
    """A function that gives the content key of a file. It raises Refused `BACKUP_SECRET`."""

    def unlock(seal: Seal) -> bytes:
        if seal.get("kind") != "passphrase":
            raise _other_kind("这份备份由保管人封存，不能用口令打开。", "请用 --share 给出保管人的份额。")
        try:
            cost = int(seal["cost"])
            if not 2**10 <= cost <= 2**22:
                raise ValueError(cost)
            key = _stretched(passphrase, bytes.fromhex(seal["salt"]), cost)
            return _unbox(key, bytes.fromhex(seal["key"]))
        except (InvalidTag, ValueError, KeyError, TypeError):
            raise Refused(
                "BACKUP_SECRET",
                "口令不对，备份没有打开。",
                action="没有读到任何内容。请用生成这份备份时的口令。",
            ) from None

    return unlock


def with_shares(shares: Sequence[str]) -> Unlock:
    """A function that gives the content key of a file sealed to custodians, from the words of k of them."""

    def unlock(seal: Seal) -> bytes:
        if seal.get("kind") != "custodians":
            raise _other_kind("这份备份由口令封存，不能用份额打开。", "请用 --passphrase-file 给出口令。")
        needed = int(seal.get("threshold", 0))
        given = {" ".join(share.split()).lower() for share in shares} - {""}
        if len(given) < needed:
            raise Refused(
                "BACKUP_SHARES",
                f"份额不够：需要 {needed} 位保管人，只有 {len(given)} 份。",
                found=len(given),
                expected=needed,
                action="没有读到任何内容。请再请一位保管人。",
            )
        try:
            secret = shamir_mnemonic.combine_mnemonics(sorted(given)[:needed] if needed else [])
            private = PrivateKey.from_pem(_unbox(_derived(secret), bytes.fromhex(seal["private"])))
            return private.decrypt(bytes.fromhex(seal["key"]))
        except (shamir_mnemonic.MnemonicError, InvalidTag, ValueError, KeyError, TypeError, XuekaError):
            raise Refused(
                "BACKUP_SHARES",
                "这些份额打不开这份备份：有一份抄错，或属于另一次分割。",
                action="没有读到任何内容。请逐字核对每一份。",
            ) from None

    return unlock


def make_custody(threshold: int, names: Sequence[str]) -> tuple[Custody, list[str]]:
    """A new key pair and the words of each custodian, which are kept nowhere else."""
    shares = len(names)
    if not 2 <= threshold <= shares <= MOST_SHARES or len(set(names)) != shares:
        raise BadInput(
            "CUSTODY_NUMBERS",
            "保管人的人数不对。",
            found=f"{threshold} / {shares}",
            expected=f"2 ≤ 打开所需人数 ≤ 保管人数 ≤ {MOST_SHARES}，各人姓名不同",
            action="请改正后再试。",
        )
    secret = secrets.token_bytes(32)
    pair = PrivateKey.generate()
    [words] = shamir_mnemonic.generate_mnemonics(1, [(threshold, shares)], secret)
    sealed = _box(_derived(secret), pair.to_pem())
    return Custody(threshold, tuple(names), pair.public.to_pem().decode(), sealed.hex()), words


def read_custody(path: Path) -> Custody | None:
    """The custody in force, or None where none was set up."""
    try:
        stored = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    return Custody(stored["threshold"], tuple(stored["names"]), stored["public"], stored["sealed_private"])


def check_passphrase(passphrase: str) -> None:
    if len(passphrase) < SHORTEST:
        raise BadInput(
            "PASSPHRASE_SHORT",
            "备份口令太短。",
            found=f"{len(passphrase)} 个字符",
            expected=f"不少于 {SHORTEST} 个字符",
            action="请换一个更长的口令，并另行保管；没有口令，备份无法打开。",
        )


def _stretched(passphrase: str, salt: bytes, cost: int) -> bytes:
    return Scrypt(salt=salt, length=KEY_SIZE, n=cost, r=8, p=1).derive(passphrase.encode())


def _derived(secret: bytes) -> bytes:
    return HKDF(hashes.SM3(), KEY_SIZE, None, _BOUND).derive(secret)


def _box(key: bytes, plain: bytes) -> bytes:
    nonce = os.urandom(12)
    box = Cipher(algorithms.SM4(key), modes.GCM(nonce)).encryptor()
    box.authenticate_additional_data(_BOUND)
    return nonce + box.update(plain) + box.finalize() + box.tag


def _unbox(key: bytes, sealed: bytes) -> bytes:
    box = Cipher(algorithms.SM4(key), modes.GCM(sealed[:12], sealed[-16:])).decryptor()
    box.authenticate_additional_data(_BOUND)
    return box.update(sealed[12:-16]) + box.finalize()


def _other_kind(message: str, action: str) -> Refused:
    return Refused("BACKUP_SECRET", message, action=action)
