"""Envelopes open only unaltered and under their own key; indexes tell nothing apart from equality."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xueka.kernel.errors import XuekaError
from xueka.platform.crypto import fields
from xueka.platform.crypto.keyring import Keyring

KEYS = Keyring({1: bytes(range(16))}, 1, bytes(range(32)))
ROTATED = Keyring({1: bytes(range(16)), 2: bytes(range(16, 32))}, 2, bytes(range(32)))
PLAIN = {"id_number": "110101201503171234", "address": "北京市𠮷祥胡同 1 号"}

values = st.dictionaries(st.text(max_size=8), st.one_of(st.text(max_size=30), st.integers(), st.none()))


@given(values)
def test_what_is_sealed_comes_back(plain: dict[str, object]) -> None:
    assert fields.unseal(fields.seal(plain, KEYS), KEYS) == plain


def test_the_form_of_an_envelope() -> None:
    envelope = fields.seal_bytes(b"0123456789", KEYS)
    assert envelope[:3] == b"\x01\x00\x01"
    assert len(envelope) == 3 + 12 + 10 + 16
    assert fields.seal_bytes(b"", KEYS) != fields.seal_bytes(b"", KEYS), "the nonce is random"


def test_the_cipher_is_sm4_as_the_openssl_command_has_it(tmp_path: Path) -> None:
    """GCM encrypts in counter mode from the nonce followed by 2."""
    envelope = fields.seal_bytes("北京".encode(), KEYS)
    nonce, cipher = envelope[3:15], envelope[15:-16]
    command = [
        "openssl",
        "enc",
        "-d",
        "-sm4-ctr",
        "-K",
        KEYS.fields[1].hex(),
        "-iv",
        nonce.hex() + "00000002",
    ]
    plain = subprocess.run(command, input=cipher, capture_output=True, check=True).stdout
    assert plain == "北京".encode()


def test_every_flipped_bit_is_refused() -> None:
    envelope = fields.seal(PLAIN, KEYS)
    for place in range(len(envelope) * 8):
        broken = bytearray(envelope)
        broken[place // 8] ^= 1 << place % 8
        with pytest.raises(XuekaError) as refusal:
            fields.unseal(bytes(broken), KEYS)
        # A flip in the version names a key that does not exist.
        expected = "FIELD_KEY_MISSING" if place // 8 in (1, 2) else "ENVELOPE_BROKEN"
        assert refusal.value.code == expected, place


def test_an_envelope_cannot_be_passed_off_as_another_version() -> None:
    twin = Keyring({1: KEYS.fields[1], 2: KEYS.fields[1]}, 1, KEYS.index)
    envelope = fields.seal(PLAIN, twin)
    with pytest.raises(XuekaError, match="无法解开"):
        fields.unseal(envelope[:2] + b"\x02" + envelope[3:], twin)


@pytest.mark.parametrize("length", [0, 1, 3, 15, 30])
def test_a_cut_envelope_is_refused(length: int) -> None:
    with pytest.raises(XuekaError) as refusal:
        fields.unseal(fields.seal(PLAIN, KEYS)[:length], KEYS)
    assert refusal.value.code == "ENVELOPE_BROKEN"


def test_after_a_rotation_old_rows_are_read_and_new_ones_use_the_new_key() -> None:
    old = fields.seal(PLAIN, KEYS)
    new = fields.seal(PLAIN, ROTATED)
    assert new[1:3] == b"\x00\x02"
    assert fields.unseal(old, ROTATED) == fields.unseal(new, ROTATED) == PLAIN
    with pytest.raises(XuekaError) as refusal:
        fields.unseal(new, KEYS)
    assert refusal.value.code == "FIELD_KEY_MISSING"
    assert fields.blind_index("id", "1", KEYS) == fields.blind_index("id", "1", ROTATED)


def test_a_memoryview_from_the_database_opens() -> None:
    assert fields.unseal(memoryview(fields.seal(PLAIN, KEYS)), KEYS) == PLAIN


def test_many_are_sealed_as_one_is() -> None:
    plains = [b"", b"a", "张三".encode() * 50]
    envelopes = fields.seal_many(plains, KEYS)
    assert [fields.open_bytes(envelope, KEYS) for envelope in envelopes] == plains
    assert len({envelope[3:15] for envelope in envelopes}) == 3, "each has a nonce of its own"
    assert fields.seal_many([], KEYS) == []


def test_an_index_is_hmac_sm3_as_the_openssl_command_has_it() -> None:
    index = fields.blind_index("id_number", "110101201503171234", KEYS)
    command = ["openssl", "dgst", "-sm3", "-mac", "HMAC", "-macopt", f"hexkey:{KEYS.index.hex()}", "-r"]
    answer = subprocess.run(
        command, input=b"id_number\x00110101201503171234", capture_output=True, check=True
    ).stdout
    assert answer.split()[0].decode() == index.hex()


def test_indexes_of_kinds_keys_and_values_differ() -> None:
    other = Keyring(KEYS.fields, 1, bytes(32))
    found = {
        fields.blind_index("phone", "13800138000", KEYS),
        fields.blind_index("id_number", "13800138000", KEYS),
        fields.blind_index("phone", "13800138001", KEYS),
        fields.blind_index("phone", "13800138000", other),
    }
    assert len(found) == 4
    assert fields.blind_index_many("phone", ["13800138000", "13800138001"], KEYS) == [
        fields.blind_index("phone", "13800138000", KEYS),
        fields.blind_index("phone", "13800138001", KEYS),
    ]


def test_the_running_home_has_keys() -> None:
    assert fields.unseal(fields.seal(PLAIN)) == PLAIN
    assert len(fields.blind_index("phone", "1")) == 32
