"""The vectors of card makers and standards, and one of our own whose key halves differ."""

import pytest

from tests.unit.sandbox.card.hand import Hand
from xueka.sandbox.card import ciphers

BODY = "f9f0f0aaff1122334455667788"
EIGHT, SIXTEEN = bytes.fromhex("ff" * 8), bytes.fromhex("ff" * 16)


def test_sm4_of_the_standard() -> None:
    key = bytes.fromhex("0123456789abcdeffedcba9876543210")
    assert ciphers.encipher("sm4", key, key).hex() == "681edf34d206965e86b3e94f536e4246"


def test_triple_des_of_two_halves() -> None:
    key, factor = bytes.fromhex("00112233445566778899aabbccddeeff"), bytes.fromhex("1122334455667788")
    whole = factor + bytes(~byte & 0xFF for byte in factor)
    assert ciphers.encipher("3des", key, whole).hex() == "496bd7a3513644533100b54e71196528"


def test_encrypted_write_key() -> None:
    cipher = ciphers.encipher("des", EIGHT, ciphers.pad(bytes.fromhex("0d" + BODY), "des"))
    assert cipher.hex() == "7c87bc23140021b3afea67e6359ddcfe"
    for head, challenge, code in (
        ("84d4010214", "4c45bab9", "d7c943f6"),
        ("84d4390114", "ef364818", "9095e4e1"),
    ):
        assert ciphers.mac("des", EIGHT, bytes.fromhex(challenge), bytes.fromhex(head) + cipher).hex() == code


@pytest.mark.parametrize(
    ("text", "challenge", "code"),
    [
        ("04d600001411223344556677889900aabbccddeeff", "44a47deb", "f2f62231"),
        ("04b0000004", "d0fe4fb9", "f09c8a19"),
        ("11223344556677889900aabbccddeeff", "d0fe4fb9", "8d318577"),
    ],
)
def test_triple_des_code(text: str, challenge: str, code: str) -> None:
    assert ciphers.mac("3des", SIXTEEN, bytes.fromhex(challenge), bytes.fromhex(text)).hex() == code


def test_halves_of_the_key_are_not_the_same() -> None:
    """Worked out by single DES: chain by the left, decipher by the right, encipher by the left."""
    left, right = bytes.fromhex("0123456789abcdef"), bytes.fromhex("fedcba9876543210")
    value = bytes.fromhex("4c45bab900000000")
    for place in (0, 8):
        part = bytes.fromhex("04d6000007112233 8000000000000000")[place : place + 8]
        mixed = bytes(a ^ b for a, b in zip(value, part, strict=True))
        value = ciphers.encipher("des", left, mixed)
    value = ciphers.encipher("des", left, ciphers.decipher("des", right, value))
    code = ciphers.mac("3des", left + right, bytes.fromhex("4c45bab9"), bytes.fromhex("04d6000007112233"))
    assert code == value[:4]
    assert code != ciphers.mac(
        "3des", right + left, bytes.fromhex("4c45bab9"), bytes.fromhex("04d6000007112233")
    )


def test_the_card_takes_the_published_commands(fixed_challenge: list[str]) -> None:
    """Add key 39/02, put 39/01 under protection, take 39/02 out of it: as in the maker's example."""
    hand = Hand(transport_key="ff" * 8)
    fixed_challenge[:] = ["0011223344556677", "4c45bab9"]
    assert hand.authenticate("ff" * 8) == "9000"
    hand.must("0084000004")
    hand.must("84d4010214 7c87bc23140021b3afea67e6359ddcfe d7c943f6")
    hand.must("80d401010d 39f0f0aaff 8877665544332211")
    fixed_challenge.append("ef364818")
    hand.must("0084000004")
    hand.must("84d4390114 7c87bc23140021b3afea67e6359ddcfe 9095e4e1")
    fixed_challenge.append("c0b3549c")
    hand.must("0084000004")
    hand.must("84d4f90214 7e65de142f66ca41afea67e6359ddcfe 012ef5f5")
    keys = hand.system.session.directory.keys
    assert keys is not None
    found = {key.id: key.body.hex() for key in keys.keys[1:]}
    assert found == {1: BODY, 2: "39" + BODY[2:]}
