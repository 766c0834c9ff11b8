"""Six card keys for each of a million cards, beside numpy and one bare ECB call per master key.

Ours goes through the sealed software store: the file of local master keys is read, each master key's block is
opened and proved, its kind is checked. Once with SM4, once with 3DES.
"""

import os
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from harness import compare

SIZES = (100_000, 1_000_000)
KINDS = ("control", "maintain", "internal", "external", "pin_unlock", "pin_reload")


def prepare(algorithm: str, size: int) -> tuple[Any, list[Any], bytes]:
    """A store with six master keys, and a factor of 8 bytes for each card."""
    from xueka.contexts.keys.adapters.software_store import SoftwareStore
    from xueka.contexts.keys.ports import KeySpec

    folder = Path(tempfile.mkdtemp(dir=os.environ["XUEKA_BENCH_HOME"]))
    store = SoftwareStore(folder)
    local = store.generate(KeySpec("city.local", 1, "sm4", "local", False))
    masters = [store.generate(KeySpec(f"bench.{kind}", 1, algorithm, kind, False), local) for kind in KINDS]
    return store, masters, numpy.random.default_rng(size).bytes(8 * size)


def ours(data: tuple[Any, list[Any], bytes]) -> None:
    store, masters, factors = data
    keys = [store.diversify_many(master, factors) for master in masters]
    if {len(each) for each in keys} != {2 * len(factors)}:
        raise AssertionError("keys are missing")


def floor(algorithm: str, data: tuple[Any, list[Any], bytes]) -> None:
    halves = numpy.frombuffer(data[2], numpy.uint8).reshape(-1, 8)
    for number in range(len(KINDS)):
        key = bytes([number]) * 8 + bytes([255 - number]) * 8
        cipher = algorithms.SM4(key) if algorithm == "sm4" else TripleDES(key + key[:8])
        Cipher(cipher, modes.ECB()).encryptor().update(numpy.hstack((halves, ~halves)).tobytes())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="xueka-bench-") as folder:
        os.environ["XUEKA_BENCH_HOME"] = folder
        for algorithm in ("sm4", "3des"):
            compare(
                f"diversify_{algorithm}",
                "cards",
                SIZES,
                partial(prepare, algorithm),
                ours,
                partial(floor, algorithm),
            )
