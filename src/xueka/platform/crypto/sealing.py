"""A secret that only a passphrase opens, or k of n custodians together. Backups and key stores use it alike.

A passphrase gives a key by scrypt, a function that costs memory. Custodians: an SM2 key pair is made once
(`make_custody`); its private half is sealed under a secret that is cut into n shares (SLIP-0039 words), any k
of which give it back, k - 1 nothing. The public half seals new secrets without asking anybody. `bound` names
what a seal is for: one made for a backup opens no key store.
"""

import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import shamir_mnemonic
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from xueka.kernel.errors import BadInput, XuekaError
from xueka.platform.crypto.sm2 import PrivateKey, PublicKey

KEY_SIZE = 16
SHORTEST = 12  # characters of a passphrase
MOST_SHARES = 16
COST = 2**17  # scrypt: 128 MiB, about half a second

Seal = dict[str, Any]


class NotOpened(Exception):
    """The passphrase or the shares are not the right ones, or the seal was altered: which is not told."""


class SharesMissing(Exception):
    """`given` different shares where `needed` are."""

    def __init__(self, given: int, needed: int) -> None:
        super().__init__(given, needed)
        self.given, self.needed = given, needed


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


def make_custody(threshold: int, names: Sequence[str], bound: bytes) -> tuple[Custody, list[str]]:
    """A new key pair and the words of each custodian, which are kept nowhere else.

    Raises BadInput `CUSTODY_NUMBERS`.
    """
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
    sealed = box(_derived(secret, bound), pair.to_pem(), bound)
    return Custody(threshold, tuple(names), pair.public.to_pem().decode(), sealed.hex()), words


def read_custody(path: Path) -> Custody | None:
    """The custody in a file, or None where none was set up."""
    try:
        stored = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    return Custody(stored["threshold"], tuple(stored["names"]), stored["public"], stored["sealed_private"])


def write_custody(path: Path, custody: Custody) -> None:
    """Put it in place of the one before, readable by its owner only."""
    draft = path.with_name(f".{path.name}")
    draft.write_text(json.dumps(asdict(custody), ensure_ascii=False), "utf-8")
    draft.chmod(0o600)
    draft.replace(path)


def seal_to_passphrase(passphrase: str, key: bytes, bound: bytes) -> Seal:
    salt = os.urandom(16)
    wrapped = box(_stretched(passphrase, salt, COST), key, bound)
    return {"kind": "passphrase", "salt": salt.hex(), "cost": COST, "key": wrapped.hex()}


def seal_to_custody(custody: Custody, key: bytes) -> Seal:
    return {
        "kind": "custodians",
        "threshold": custody.threshold,
        "names": list(custody.names),
        "fingerprint": custody.fingerprint,
        "private": custody.sealed_private,
        "key": PublicKey.from_pem(custody.public.encode()).encrypt(key).hex(),
    }


def open_by_passphrase(seal: Seal, passphrase: str, bound: bytes) -> bytes:
    """What a seal of kind `passphrase` holds. Raises NotOpened."""
    try:
        cost = int(seal["cost"])
        if not 2**10 <= cost <= 2**22:
            raise ValueError(cost)
        key = _stretched(passphrase, bytes.fromhex(seal["salt"]), cost)
        return unbox(key, bytes.fromhex(seal["key"]), bound)
    except (InvalidTag, ValueError, KeyError, TypeError):
        raise NotOpened from None


def open_by_shares(seal: Seal, shares: Sequence[str], bound: bytes) -> bytes:
    """What a seal of kind `custodians` holds. Raises SharesMissing, NotOpened."""
    needed = int(seal.get("threshold", 0))
    given = {" ".join(share.split()).lower() for share in shares} - {""}
    if len(given) < needed:
        raise SharesMissing(len(given), needed)
    try:
        secret = shamir_mnemonic.combine_mnemonics(sorted(given)[:needed] if needed else [])
        private = PrivateKey.from_pem(unbox(_derived(secret, bound), bytes.fromhex(seal["private"]), bound))
        return private.decrypt(bytes.fromhex(seal["key"]))
    except (shamir_mnemonic.MnemonicError, InvalidTag, ValueError, KeyError, TypeError, XuekaError):
        raise NotOpened from None


def box(key: bytes, plain: bytes, bound: bytes) -> bytes:
    """SM4-GCM under 16 bytes: nonce (12), ciphertext, tag (16)."""
    nonce = os.urandom(12)
    cipher = Cipher(algorithms.SM4(key), modes.GCM(nonce)).encryptor()
    cipher.authenticate_additional_data(bound)
    return nonce + cipher.update(plain) + cipher.finalize() + cipher.tag


def unbox(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    """Raises InvalidTag or ValueError."""
    cipher = Cipher(algorithms.SM4(key), modes.GCM(sealed[:12], sealed[-16:])).decryptor()
    cipher.authenticate_additional_data(bound)
    return cipher.update(sealed[12:-16]) + cipher.finalize()


def _stretched(passphrase: str, salt: bytes, cost: int) -> bytes:
    return Scrypt(salt=salt, length=KEY_SIZE, n=cost, r=8, p=1).derive(passphrase.encode())


def _derived(secret: bytes, bound: bytes) -> bytes:
    return HKDF(hashes.SM3(), KEY_SIZE, None, bound).derive(secret)
