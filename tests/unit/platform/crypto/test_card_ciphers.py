"""Card arithmetic on published vectors, and on vectors of our own that a plausible mistake does not survive.

The own ones were computed with the openssl command, block by block, from the rule and not from our code. The
published ones use keys with two equal halves, one level and short data: they cannot see a swapped half, a
missing padding block or a wrong order of levels.
"""

import copy
import pickle

import pytest

from tests.support.size import dial
from xueka.kernel.errors import BadInput
from xueka.platform.crypto import card_ciphers
from xueka.platform.crypto.card_ciphers import CardKey

MASTER = "0123456789abcdef23456789abcdef01"
STANDARD = "0123456789abcdeffedcba9876543210"
LEVELS = ("1000000020260901", "1101050012345678", "0000000001234567")
DIVERSIFIED = {
    "3des": (
        "d8746462cde3b41daad86b2a179922b9",
        "8bad2813d4f7750f33dcf35748dd9c05",
        "b2f13d452ecc3a24231da2a1444e8c10",
    ),
    "sm4": (
        "3433e06f99f57896cceaef4c9dd31d1a",
        "0e5ce296b41b5d30a7284b0314e3f05f",
        "f6923d945e821d3f958dc1b9f7e43816",
    ),
}
SHORT = "04d600000b11223344556677"  # 12 bytes: half a block to fill
ALIGNED = "04d600000f1122334455667788990011"  # 16 bytes: a whole block of padding follows
MACS = [
    ("des", "0123456789abcdef", "a1b2c3d4", ALIGNED, "71fc4e86"),
    ("3des", MASTER, "a1b2c3d4", SHORT, "140fb816"),
    ("3des", MASTER, "a1b2c3d4", ALIGNED, "fba88e43"),
    ("3des", MASTER, "a1b2c3d4e5f60718", SHORT, "a3374faf"),
    ("sm4", MASTER, "a1b2c3d4", SHORT, "ee16d8b4"),
    ("sm4", MASTER, "a1b2c3d4", ALIGNED, "21c4e461"),
    ("sm4", MASTER, "a1b2c3d4e5f60718", SHORT, "d0717a54"),
]
# FMCOS 2.0 and the PBOC text of its MAC: key, challenge, command with data, MAC.
TRANSPORT = "ff" * 8
PUBLISHED_MACS = [
    ("des", TRANSPORT, "4c45bab9", "84d40102147c87bc23140021b3afea67e6359ddcfe", "d7c943f6"),
    ("des", TRANSPORT, "ef364818", "84d43901147c87bc23140021b3afea67e6359ddcfe", "9095e4e1"),
    ("des", TRANSPORT, "c0b3549c", "84d4f902147e65de142f66ca41afea67e6359ddcfe", "012ef5f5"),
    ("3des", "ff" * 16, "44a47deb", "04d600001411223344556677889900aabbccddeeff", "f2f62231"),
    ("3des", "ff" * 16, "d0fe4fb9", "04b0000004", "f09c8a19"),
    ("3des", "ff" * 16, "d0fe4fb9", "11223344556677889900aabbccddeeff", "8d318577"),
]

#: The standard's second example: enciphered so many times (the thousand are ours).
BY_ROUNDS = {1_000: "d735e91cc5689cf312bcc1efb740e813", 1_000_000: "595298c7c6fd271f0402f804c33d3f66"}


def test_sm4_gives_the_standard_s_examples():
    key = block = bytes.fromhex(STANDARD)
    assert card_ciphers.encrypt("sm4", key, block).hex() == "681edf34d206965e86b3e94f536e4246"
    rounds = dial(1_000, 1_000_000)
    for _ in range(rounds):
        block = card_ciphers.encrypt("sm4", key, block)
    assert block.hex() == BY_ROUNDS[rounds]


def test_published_diversification():
    key, factor = bytes.fromhex("00112233445566778899aabbccddeeff"), bytes.fromhex("1122334455667788")
    assert card_ciphers.diversify("3des", key, factor).hex() == "496bd7a3513644533100b54e71196528"
    # Not published: the reading of the SM4 rule that we documented.
    assert card_ciphers.diversify("sm4", key, factor).hex() == "5a9f65876227746d95606233700543a9"


@pytest.mark.parametrize(
    ("alg", "key", "value"),
    [
        ("3des", "404142434445464748494a4b4c4d4e4f", "8baf47"),
        ("3des", "000102030405060708090a0b0c0d0e0f", "ddada1"),
        ("3des", MASTER, "86e965"),
        ("sm4", STANDARD, "2677f4"),
        ("sm4", MASTER, "0ff4f5"),
        ("aes", MASTER, "9bdc1e"),
    ],
)
def test_check_values(alg, key, value):
    assert card_ciphers.kcv(alg, bytes.fromhex(key)) == value


@pytest.mark.parametrize(("alg", "key", "challenge", "data", "expected"), PUBLISHED_MACS + MACS)
def test_macs(alg, key, challenge, data, expected):
    made = card_ciphers.mac(alg, bytes.fromhex(key), bytes.fromhex(challenge), bytes.fromhex(data))
    assert made.hex() == expected


def test_a_changed_key_on_the_card_of_the_manual():
    """FMCOS WRITE KEY, enciphered: LD, the key's head, the key, padding, under the transport key."""
    transport = CardKey(bytes.fromhex(TRANSPORT), algorithm="des", label="transport.blank", version=1)
    fresh = CardKey(bytes.fromhex("1122334455667788"), algorithm="des", label="test", version=1)
    heads = ("f9f0f0aaff", "39f0f0aaff")
    written = [fresh.sealed_under(transport, bytes.fromhex(head)).hex() for head in heads]
    assert written == ["7c87bc23140021b3afea67e6359ddcfe", "7e65de142f66ca41afea67e6359ddcfe"]
    assert fresh.plain_write_body(bytes.fromhex(heads[0])).hex() == "f9f0f0aaff1122334455667788"


@pytest.mark.parametrize(
    ("alg", "cipher"),
    [
        ("3des", "01a2161caa35e67030f097800f50e08015510e61bf939974"),
        ("sm4", "9ad8b4dac284495d5244275ea6d5a36670441e6eda9548145532852f36dc22be"),
    ],
)
def test_a_long_key_is_sealed_with_its_own_length(alg, cipher):
    control = CardKey(bytes.fromhex(MASTER), algorithm=alg, label="education.mf.control", version=1)
    fresh = CardKey(
        bytes.fromhex("fedcba98765432100f1e2d3c4b5a6978"),
        algorithm=alg,
        label="education.adf.control",
        version=2,
    )
    sealed = fresh.sealed_under(control, bytes.fromhex("39f0f0aa33"))
    assert sealed.hex() == cipher
    assert control.decrypt(sealed)[0] == 0x15


@pytest.mark.parametrize("alg", ["3des", "sm4"])
def test_levels_are_taken_in_order(alg):
    key = bytes.fromhex(MASTER)
    factors = [bytes.fromhex(level) for level in LEVELS]
    found = tuple(card_ciphers.diversify(alg, key, *factors[:depth]).hex() for depth in (1, 2, 3))
    assert found == DIVERSIFIED[alg]
    assert card_ciphers.diversify(alg, key) == key
    assert card_ciphers.diversify(alg, key, *reversed(factors)).hex() != DIVERSIFIED[alg][-1]


def test_padding_is_never_left_out():
    assert card_ciphers.pad_80(b"", "3des").hex() == "8000000000000000"
    assert card_ciphers.pad_80(bytes(7), "3des").hex() == "0000000000000080"
    assert card_ciphers.pad_80(bytes(8), "3des").hex() == "00000000000000008000000000000000"
    assert card_ciphers.pad_80(bytes(16), "sm4") == bytes(16) + b"\x80" + bytes(15)


def test_decryption_undoes_encryption():
    for alg, key in (("des", TRANSPORT), ("3des", MASTER), ("sm4", MASTER), ("aes", MASTER)):
        data = bytes(range(48))
        cipher = card_ciphers.encrypt(alg, bytes.fromhex(key), data)
        assert cipher != data
        assert card_ciphers.decrypt(alg, bytes.fromhex(key), cipher) == data


@pytest.mark.parametrize(
    ("code", "act"),
    [
        ("CARD_KEY_LENGTH", lambda: card_ciphers.kcv("3des", bytes(24))),
        ("CARD_KEY_LENGTH", lambda: card_ciphers.mac("3des", bytes(8), bytes(4), b"")),
        ("CARD_KEY_LENGTH", lambda: card_ciphers.diversify("sm4", bytes(15), bytes(8))),
        ("CARD_FACTOR_LENGTH", lambda: card_ciphers.diversify("sm4", bytes(16), bytes(8), bytes(7))),
        ("CARD_CHALLENGE_LENGTH", lambda: card_ciphers.mac("sm4", bytes(16), bytes(5), b"")),
        ("CARD_CHALLENGE_LENGTH", lambda: card_ciphers.mac("3des", bytes(16), bytes(16), b"")),
        ("CARD_DATA_LENGTH", lambda: card_ciphers.encrypt("sm4", bytes(16), bytes(8))),
        ("CARD_DATA_LENGTH", lambda: card_ciphers.decrypt("des", bytes(8), bytes(9))),
        ("CARD_ALGORITHM", lambda: card_ciphers.diversify("des", bytes(8), bytes(8))),
        ("CARD_ALGORITHM", lambda: card_ciphers.mac("aes", bytes(16), bytes(4), b"")),
        ("CARD_ALGORITHM", lambda: card_ciphers.kcv("sm1", bytes(16))),
    ],
)
def test_what_does_not_fit_is_refused(code, act):
    with pytest.raises(BadInput) as refusal:
        act()
    assert refusal.value.code == code


def test_a_card_key_keeps_its_value_to_itself():
    value = bytes.fromhex(MASTER)
    key = CardKey(value, algorithm="sm4", label="education.adf.control", version=3)
    shown = f"{key!r} {key} {[key]}"
    assert shown.startswith("CardKey('education.adf.control', version=3, sm4, kcv=0ff4f5)")
    assert MASTER not in shown and repr(value) not in shown
    for leave in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            leave(key)
    assert not hasattr(key, "__dict__")
    assert key.encrypt(bytes(16), pad=True) == card_ciphers.encrypt(
        "sm4", value, card_ciphers.pad_80(bytes(16), "sm4")
    )
    assert key.mac(bytes.fromhex("a1b2c3d4"), bytes.fromhex(SHORT)).hex() == "ee16d8b4"
