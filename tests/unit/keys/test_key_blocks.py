"""Key blocks: what the head says is bound to the key, and no bit of it can be changed."""

import random
import subprocess

import pytest

from tests.support.size import dial
from xueka.contexts.keys.adapters import key_blocks
from xueka.contexts.keys.domain.key_block import KEY_SIZES, KeySpec, parse
from xueka.kernel.errors import BadInput

WRAPPING = bytes.fromhex("0123456789abcdeffedcba9876543210")
KEY = bytes.fromhex("00112233445566778899aabbccddeeff")
SPEC = KeySpec("education.adf.internal", 3, "sm4", "internal", False)
KINDS = ["control", "maintain", "internal", "external", "pin_unlock", "pin_reload", "blank", "kek", "partner",
         "city.control", "issuer.internal", "city.pin_reload"]  # fmt: skip


def test_the_head_says_what_the_key_is():
    block = key_blocks.seal(SPEC, KEY, WRAPPING, "sm4")
    assert block[:16].decode() == "1013812SX03N0100"
    assert block[16:42].decode() == "LB1Aeducation.adf.internal"
    assert len(block) == 138
    assert key_blocks.unseal(block, WRAPPING, "sm4") == (SPEC, KEY)
    assert KEY.hex() not in block.decode().lower()
    other = KeySpec("city.transport", 255, "3des", "partner", True)
    block = key_blocks.seal(other, KEY, bytes(32), "aes")
    assert block[:16].decode() == "20114K0TBFFE0100"
    assert key_blocks.unseal(block, bytes(32), "aes") == (other, KEY)


def test_published_blocks_open():
    """docs/interfaces/key-scheme.md prints these."""
    assert key_blocks.unseal(PUBLISHED_SM4, WRAPPING, "sm4") == (SPEC, KEY)
    assert key_blocks.unseal(PUBLISHED_AES, WRAPPING * 2, "aes") == (SPEC, KEY)


@pytest.mark.parametrize("algorithm", ["sm4", "aes"])
def test_every_kind_comes_back(algorithm):
    random.seed(4)
    for kind in KINDS:
        for name in ("3des", "sm4", "aes"):
            for size in KEY_SIZES[name]:
                spec = KeySpec(f"test.{kind}", random.randint(1, 255), name, kind, random.random() < 0.5)
                key = random.randbytes(size)
                block = key_blocks.seal(spec, key, WRAPPING, algorithm)
                assert key_blocks.unseal(block, WRAPPING, algorithm) == (spec, key)


@pytest.mark.parametrize("algorithm", ["sm4", "aes"])
def test_every_flipped_bit_is_refused(algorithm):
    seed = 20261126
    print(f"seed {seed}")
    chance = random.Random(seed)
    flips = 0
    for place in range(dial(3, 100)):
        kind = KINDS[place % len(KINDS)]
        spec = KeySpec(f"city.{kind}.{place}", chance.randint(1, 255), "sm4", kind, chance.random() < 0.5)
        wrapping = chance.randbytes(16)
        block = key_blocks.seal(spec, chance.randbytes(16), wrapping, algorithm)
        assert key_blocks.unseal(block, wrapping, algorithm)[0] == spec
        for bit in range(8 * len(block)):
            changed = bytearray(block)
            changed[bit // 8] ^= 1 << bit % 8
            with pytest.raises(BadInput) as refusal:
                key_blocks.unseal(bytes(changed), wrapping, algorithm)
            assert refusal.value.code in ("KEY_BLOCK_FORMAT", "KEY_BLOCK_BROKEN")
            flips += 1
    assert flips >= dial(3, 100) * 900


@pytest.mark.parametrize("algorithm", ["sm4", "aes"])
def test_a_head_cannot_be_put_on_another_key(algorithm):
    """The one that turns a key that must not leave into one that may."""
    fixed = key_blocks.seal(SPEC, KEY, WRAPPING, algorithm)
    loose = key_blocks.seal(KeySpec(SPEC.label, 3, "sm4", "internal", True), KEY, WRAPPING, algorithm)
    size = len(parse(fixed).head)
    for head, body in ((loose, fixed), (fixed, loose)):
        with pytest.raises(BadInput, match="无法打开"):
            key_blocks.unseal(head[:size] + body[size:], WRAPPING, algorithm)


def test_the_wrong_wrapping_key_opens_nothing():
    for algorithm, other in (("sm4", "sm4"), ("aes", "aes"), ("sm4", "aes"), ("aes", "sm4")):
        block = key_blocks.seal(SPEC, KEY, WRAPPING, algorithm)
        wrapping = WRAPPING if other != algorithm else bytes(16)
        with pytest.raises(BadInput) as refusal:
            key_blocks.unseal(block, wrapping, other)
        assert refusal.value.code == "KEY_BLOCK_BROKEN"


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"\xff" * 138,
        "密钥块".encode(),
        b"D0112P0AE00E0000" + b"0" * 96,
        b"1013812SX03N0100",
        b"1013812SX03N0100LBFFeducation.adf.internal" + b"A" * 96,
        b"1013812SX00N0100LB1Aeducation.adf.internal" + b"A" * 96,
        b"1013899SX03N0100LB1Aeducation.adf.internal" + b"A" * 96,
        b"1013812QX03N0100LB1Aeducation.adf.internal" + b"A" * 96,
        b"1013812SX03N0100LB1Aeducation.adf.internal" + b"a" * 96,
        b"1006812SX03N0100LB04" + b"A" * 48,
        b"1074" + b"A" * 40,
    ],
)
def test_what_is_no_block_is_named_as_such(block):
    with pytest.raises(BadInput) as refusal:
        key_blocks.unseal(block, WRAPPING, "sm4")
    assert refusal.value.code == "KEY_BLOCK_FORMAT"


@pytest.mark.parametrize(
    "spec",
    [
        KeySpec("a b", 1, "sm4", "control", False),
        KeySpec("", 1, "sm4", "control", False),
        KeySpec("x" * 101, 1, "sm4", "control", False),
        KeySpec("a", 0, "sm4", "control", False),
        KeySpec("a", 256, "sm4", "control", False),
        KeySpec("a", 1, "sm1", "control", False),
        KeySpec("a", 1, "sm4", "local", False),
    ],
)
def test_what_cannot_be_said_in_a_head_is_refused(spec):
    with pytest.raises(BadInput) as refusal:
        key_blocks.seal(spec, KEY, WRAPPING, "sm4")
    assert refusal.value.code == "KEY_SPEC"


PUBLISHED_SM4 = (
    b"1013812SX03N0100LB1Aeducation.adf.internal677EE0633FA222CE37A69E2AE3BD2AA53E7C64DDBFB4CFCA"
    b"00DFF9F34FEB6486E407BC01BB4C5347461E7422C72EC319"
)
PUBLISHED_AES = (
    b"2012212SX03N0100LB1Aeducation.adf.internal216490BBFCF361A6EACBC8549EE947B4A988AD8DCE780A6B"
    b"678C28C45401E78D1CDA1E3F7B105033"
)


def test_the_openssl_command_opens_the_published_block():
    """The rule as the document gives it, by tools that know nothing of our code."""

    def openssl(*words: str, data: bytes) -> bytes:
        return subprocess.run(["openssl", *words], input=data, capture_output=True, check=True).stdout

    def derived(purpose: str) -> str:
        words = ("mac", "-cipher", "SM4-CBC", "-macopt", f"hexkey:{WRAPPING.hex()}", "CMAC")
        return openssl(*words, data=bytes.fromhex(purpose)).decode().strip()

    head, cipher = PUBLISHED_SM4[:42], bytes.fromhex(PUBLISHED_SM4[42:-32].decode())
    mac = PUBLISHED_SM4[-32:].decode()
    encryption, authentication = derived("0100000053340080"), derived("0100010053340080")
    words = ("enc", "-d", "-sm4-cbc", "-nopad", "-K", encryption, "-iv", mac)
    plain = openssl(*words, data=cipher)
    assert plain[:18] == bytes.fromhex("0080") + KEY
    words = ("mac", "-cipher", "SM4-CBC", "-macopt", f"hexkey:{authentication}", "CMAC")
    assert openssl(*words, data=head + plain).decode().strip() == mac
