"""SM4 and SM3 of two independent libraries agree on random keys, short ones included (SM2: test_sm2.py)."""

import random

import gmalg

from tests.support.size import dial
from xueka.platform.crypto import card_ciphers, sm3

SEED = 20261126


def values(chance: random.Random, count: int, size: int) -> list[bytes]:
    """Random ones; every eighth a small number with zeros in front or behind; all bits 0, all bits 1."""
    made = [bytes(size), b"\xff" * size]
    for place in range(count - 2):
        if place % 8:
            made.append(chance.randbytes(size))
        else:
            short = chance.randbytes(chance.randrange(1, 9))
            made.append(short.rjust(size, b"\0") if place % 16 else short.ljust(size, b"\0"))
    return made


def test_sm4() -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    count = dial(200, 10_000)
    for key, block in zip(values(chance, count, 16), reversed(values(chance, count, 16)), strict=True):
        other = gmalg.SM4(key)
        cipher = card_ciphers.encrypt("sm4", key, block)
        assert cipher == other.encrypt(block), (key.hex(), block.hex())
        assert card_ciphers.decrypt("sm4", key, block) == other.decrypt(block), (key.hex(), block.hex())


def test_sm3() -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    for place in range(dial(300, 10_000)):
        data = chance.randbytes(place % 200)
        state = gmalg.SM3()
        state.update(data)
        assert sm3.digest(data) == state.value(), data.hex()


def test_diversification_and_mac_by_the_other_library() -> None:
    """The card rules built once more, block by block, on gmalg."""
    print(f"seed {SEED}")
    chance = random.Random(SEED + 1)
    for key in values(chance, dial(60, 2_000), 16):
        factor, challenge = chance.randbytes(8), chance.randbytes(4)
        data = chance.randbytes(chance.randrange(40))
        other = gmalg.SM4(key)
        both = factor + bytes(byte ^ 0xFF for byte in factor)
        assert card_ciphers.diversify("sm4", key, factor) == other.encrypt(both)
        state = challenge.ljust(16, b"\0")
        padded = data + b"\x80" + bytes(-(len(data) + 1) % 16)
        for place in range(0, len(padded), 16):
            state = other.encrypt(
                bytes(a ^ b for a, b in zip(state, padded[place : place + 16], strict=True))
            )
        assert card_ciphers.mac("sm4", key, challenge, data) == state[:4]
