"""The card's cipher engine: blocks, chains, authentication codes.

A key of 8 bytes is single DES; one of 16 bytes is two-key triple DES, or SM4 on a card of that kind.
"""

from typing import Literal

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB

Kind = Literal["des", "3des", "sm4"]
MAC_LENGTH = 4


def block(kind: Kind) -> int:
    return 16 if kind == "sm4" else 8


def pad(data: bytes, kind: Kind) -> bytes:
    """80 00 … up to a whole block; a block of its own when the data end with one."""
    size = block(kind)
    return data + b"\x80" + bytes(-(len(data) + 1) % size)


def encipher(kind: Kind, key: bytes, data: bytes) -> bytes:
    """ECB; `data` are whole blocks."""
    return Cipher(_algorithm(kind, key), ECB()).encryptor().update(data)  # noqa: S305 - what the card does


def decipher(kind: Kind, key: bytes, data: bytes) -> bytes:
    return Cipher(_algorithm(kind, key), ECB()).decryptor().update(data)  # noqa: S305


def mac(kind: Kind, key: bytes, start: bytes, data: bytes) -> bytes:
    """Four bytes over `data`; `start` (a challenge of 4, 8 or 16 bytes) is filled with zeros to a block.

    Triple DES chains with its left half and ends with decryption by the right, encryption by the left half.
    """
    size = block(kind)
    vector = start[:size].ljust(size, b"\0")
    padded = pad(data, kind)
    if kind == "sm4":
        return _last_block("sm4", key, vector, padded)[:MAC_LENGTH]
    left, right = key[:8], key[8:16]
    last = _last_block("des", left, vector, padded)
    if right:
        last = encipher("des", left, decipher("des", right, last))
    return last[:MAC_LENGTH]


def _last_block(kind: Kind, key: bytes, vector: bytes, data: bytes) -> bytes:
    return Cipher(_algorithm(kind, key), CBC(vector)).encryptor().update(data)[-len(vector) :]


def _algorithm(kind: Kind, key: bytes) -> TripleDES | SM4:
    if kind == "sm4":
        return SM4(key)
    return TripleDES(key * 3 if len(key) == 8 else key + key[:8])
