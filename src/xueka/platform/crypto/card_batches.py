"""Card keys of a whole batch: the rules of card_ciphers with one cipher call per master key.

A new cipher per card costs twenty times as much as its two or one blocks (docs/performance.md).
"""

import numpy
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from xueka.platform.crypto import card_ciphers
from xueka.platform.crypto.card_ciphers import FACTOR_SIZE, KCV_SIZE

KEY_SIZE = 16


def blocks_of(factors: bytes) -> bytes:
    """f || not f for each factor of 8 bytes: what the master key enciphers. Raises ValueError."""
    if len(factors) % FACTOR_SIZE:
        raise ValueError("factors are n x 8 bytes")
    halves = numpy.frombuffer(factors, numpy.uint64)
    both = numpy.empty((len(halves), 2), numpy.uint64)
    both[:, 0] = halves
    numpy.bitwise_not(halves, out=both[:, 1])
    return both.tobytes()


def diversify_many(alg: str, key: bytes, factors: bytes) -> bytes:
    """One level for n cards: `factors` n x 8 bytes, the keys n x 16 bytes. Raises BadInput, ValueError."""
    card_ciphers.check_diversifies(alg)
    return card_ciphers.encrypt(alg, key, blocks_of(factors))


def kcvs(alg: str, keys: bytes) -> bytes:
    """The check value of each of n keys of 16 bytes: n x 3 bytes. Each needs a cipher of its own."""
    zeros, mode, size = bytes(card_ciphers.block_size(alg)), modes.ECB(), KEY_SIZE  # noqa: S305
    cipher = card_ciphers.algorithm
    return b"".join(
        Cipher(cipher(alg, keys[place : place + size]), mode).encryptor().update(zeros)[:KCV_SIZE]
        for place in range(0, len(keys), size)
    )
