"""SM3 and SM4 against a second library (gmalg): random keys, short messages, keys and blocks full of zeros.

SM2 is compared in platform/test_sm2.py.
"""

import random

import gmalg

from tests.support.size import dial
from xueka.platform.crypto import card_ciphers, sm3

SEED = 20261126
COUNT = dial(150, 10_000)


def other_sm4(key: bytes, data: bytes) -> bytes:
    cipher = gmalg.SM4(key)
    return b"".join(cipher.encrypt(data[place : place + 16]) for place in range(0, len(data), 16))


def some_bytes(chance: random.Random, size: int) -> bytes:
    """Random, a third of them short: zeros in front."""
    short = chance.randrange(size + 1) if chance.random() < 0.34 else 0
    return bytes(short) + chance.randbytes(size - short)


def test_sm4_agrees() -> None:
    """Enciphering, check value, diversification by two levels and MAC, from the second library's SM4."""
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    for _ in range(COUNT):
        key, data = some_bytes(chance, 16), some_bytes(chance, 16 * chance.randrange(1, 4))
        sealed = card_ciphers.encrypt("sm4", key, data)
        assert sealed == other_sm4(key, data)
        assert card_ciphers.decrypt("sm4", key, sealed) == data
        assert card_ciphers.kcv("sm4", key) == other_sm4(key, bytes(16))[:3].hex()
        derived = key
        factors = [some_bytes(chance, 8), some_bytes(chance, 8)]
        for factor in factors:
            derived = other_sm4(derived, factor + bytes(byte ^ 0xFF for byte in factor))
        assert card_ciphers.diversify("sm4", key, *factors) == derived
        challenge, message = chance.randbytes(4), chance.randbytes(chance.randrange(40))
        chain = challenge.ljust(16, b"\0")
        padded = card_ciphers.pad_80(message, "sm4")
        for place in range(0, len(padded), 16):
            chain = other_sm4(
                key, bytes(a ^ b for a, b in zip(chain, padded[place : place + 16], strict=True))
            )
        assert card_ciphers.mac("sm4", key, challenge, message) == chain[:4]


def test_sm3_agrees() -> None:
    """Every length over two blocks, and random ones."""
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    for number in range(COUNT):
        message = some_bytes(chance, number if number < 130 else chance.randrange(300))
        other = gmalg.SM3()
        other.update(message)
        assert sm3.digest(message) == other.value()
