"""What the card lets be done, in which state, and what it answers otherwise."""

from pathlib import Path

import pytest

from tests.unit.sandbox.card.hand import CONTROL, FF, LINE, PIN, Hand
from xueka.sandbox.card import ciphers
from xueka.sandbox.card.memory import Card
from xueka.sandbox.card.system import Blank, System


@pytest.fixture
def hand() -> Hand:
    found = Hand()
    found.application()
    return found


def test_a_blank_does_nothing_before_its_transport_key() -> None:
    hand = Hand()
    assert hand.word("80e0001507280020f0f0ffff") == "6982"
    assert hand.word("800e000000") == "6982"
    assert hand.authenticate("00" * 16) == "63ce"
    assert hand.authenticate(FF) == "9000"
    hand.must("80e0001507280020f0f0ffff")


def test_transport_key_is_changed_and_the_old_one_is_dead() -> None:
    hand = Hand()
    hand.authenticate(FF)
    new = hand.protected("84d43900", FF, f"39f0ff0f33{CONTROL}", encipher=True)
    hand.must(new)
    hand.system.reset()
    assert hand.authenticate(FF) == "63c2"
    assert hand.authenticate(CONTROL) == "9000"


def test_challenge_is_good_for_the_next_command_only(hand: Hand) -> None:
    random = hand.challenge()
    code = ciphers.encipher("3des", bytes.fromhex(CONTROL), random).hex()
    hand.must("00b0950001")
    assert hand.word(f"0082000008{code}") == "6985"
    assert hand.word(f"0082000008{code}") == "6985"


def test_a_locked_key_stays_locked(hand: Hand) -> None:
    wrong = [hand.authenticate("00" * 16) for _ in range(4)]
    assert wrong == ["63c2", "63c1", "63c0", "6983"]
    assert hand.authenticate(CONTROL) == "6983"
    hand.system.reset()
    hand.must("00a4040007a0000000010203")
    assert hand.authenticate(CONTROL) == "6983"


def test_a_right_try_gives_all_tries_back(hand: Hand) -> None:
    assert hand.authenticate("00" * 16) == "63c2"
    assert hand.authenticate(CONTROL) == "9000"
    assert hand.authenticate("00" * 16) == "63c2"


def test_pin(hand: Hand) -> None:
    assert hand.word("0020000003111111") == "63c2"
    assert hand.word(f"0020000003{PIN}") == "9000"
    assert hand.system.session.state == 1
    assert hand.word("0020000503111111") == "9403"
    for _ in range(3):
        hand.word("0020000003111111")
    assert hand.word(f"0020000003{PIN}") == "6983"


def test_states_belong_to_a_directory(hand: Hand) -> None:
    """The master file's state is left when another directory is selected; a directory's own is not."""
    hand.authenticate(CONTROL)
    assert hand.system.session.state == 15
    assert hand.system.session.master_state == 15
    hand.must("00a4000002adf1")
    assert (hand.system.session.state, hand.system.session.master_state) == (0, 15)
    hand.must("00a40000023f00")
    assert hand.system.session.master_state == 0


@pytest.mark.parametrize(
    ("permission", "master", "state", "allowed"),
    [
        (0xF0, 0, 0, True),
        (0xF1, 0, 0, False),
        (0xF1, 0, 1, True),
        (0x51, 0, 6, False),
        (0xEF, 15, 15, False),
        (0x0F, 15, 0, True),
        (0x0F, 14, 15, False),
        (0x00, 0, 0, True),
    ],
)
def test_permission_bytes(hand: Hand, permission: int, master: int, state: int, allowed: bool) -> None:
    hand.must(f"80e000010728 0010 {permission:02x} f0ffff")
    hand.system.session.master_state, hand.system.session.state = master, state
    assert hand.word("00b0810001") == ("9000" if allowed else "6982")


def test_binary_files(hand: Hand) -> None:
    hand.must("00d695020401020304")
    assert hand.must("00b0950008") == "0000010203040000"
    assert len(hand.must("00b0950000")) == 64
    assert hand.word("00b0950021") == "6c20"
    assert hand.word("00b0952101") == "6b00"
    assert hand.word("00d6951f020102") == "6a84"
    assert hand.word("00b08a0001") == "6a82"
    assert hand.word("00b0980001") == "6981"
    hand.must("00a40000020015")
    assert hand.must("00b0000204") == "01020304"
    hand.must("00a4000002adf1")
    assert hand.word("00b0000204") == "6986"


def test_authenticated_file(hand: Hand) -> None:
    assert hand.word("00d696000101") == "6982"
    assert hand.word("00b0960004") == "6982"
    hand.must(hand.protected("04d69600", LINE, "a1a2a3a4"))
    answer = bytes.fromhex(hand.must(command := hand.protected("04b09600", LINE, le="04")))
    assert answer[:4].hex() == "a1a2a3a4"
    assert hand.word(command) == "6985"  # its challenge is used up
    assert hand.word(hand.protected("04d69600", CONTROL, "a1")) == "6988"
    assert hand.word("04d695000501ffffffff") == "6985"


def test_keys_for_reading_and_writing_are_named_apart(hand: Hand) -> None:
    """Access byte: bits 4, 3 for reading, 2, 1 for writing; 11 is key 00, 10 is 01, 01 is 02, 00 is 03."""
    hand.authenticate(CONTROL)
    hand.must(f"80d4010115 36f0f1ff33 {CONTROL}")
    hand.must(f"80d4010315 36f0f1ff33 {FF}")
    hand.must("80e0000107a80010f0f0ff7b")  # reads 10, writes 11
    hand.must("80e0000207a80010f0f0ff6c")  # reads 11, writes 00
    hand.must(hand.protected("04d68100", LINE, "a1"))
    assert hand.word(hand.protected("04d68100", CONTROL, "a1")) == "6988"
    hand.must(hand.protected("04b08100", CONTROL, le="01"))
    hand.must(hand.protected("04d68200", FF, "a1"))
    hand.must(hand.protected("04b08200", LINE, le="01"))


def test_code_on_an_answer_is_under_the_same_challenge(hand: Hand) -> None:
    random = hand.challenge()
    code = ciphers.mac("3des", bytes.fromhex(LINE), random, bytes.fromhex("04b0960004"))
    answer = bytes.fromhex(hand.must(f"04b0960004{code.hex()}04"))
    assert answer[4:] == ciphers.mac("3des", bytes.fromhex(LINE), random, bytes(4))


def test_wrong_codes_use_the_line_key_up(hand: Hand) -> None:
    words = [hand.word(hand.protected("04d69600", CONTROL, "a1")) for _ in range(4)]
    assert words == ["6988", "6988", "6988", "6983"]
    assert hand.word(hand.protected("04d69600", LINE, "a1")) == "6983"


def test_enciphered_file(hand: Hand) -> None:
    hand.must(hand.protected("04d69700", LINE, "b1b2b3b4", encipher=True))
    assert hand.must("00b0970005") == "b1b2b3b400"
    sealed = bytes.fromhex(hand.must(hand.protected("04b09700", LINE, le="04")))[:-4]
    assert ciphers.decipher("3des", bytes.fromhex(LINE), sealed).hex() == "04b1b2b3b4800000"
    assert hand.word(hand.protected("04d69700", LINE, "b1b2b3b4b5b6b7b8")) == "6a80"


def test_fixed_records(hand: Hand) -> None:
    assert hand.word("00b201c404") == "6a83"
    hand.must("00e200c00401020304")
    hand.must("00e200c00405060708")
    hand.must("00dc01c40409090909")
    assert hand.must("00b201c404") == "09090909"
    assert hand.must("00b202c400") == "05060708"
    assert hand.word("00dc02c403010203") == "6700"
    hand.must("00e200c00405060708")
    assert hand.word("00e200c00405060708") == "6a84"
    assert hand.word("00dc04c40405060708") == "6a83"


def test_cyclic_records_forget_the_oldest(hand: Hand) -> None:
    for number in range(5):
        hand.must(f"00e200c804{number:08x}")
    assert [hand.must(f"00b2{place:02x}cc04") for place in (1, 2, 3)] == ["00000004", "00000003", "00000002"]
    assert hand.word("00b204cc04") == "6a83"
    hand.must("00dc00cb0400000009")
    assert hand.must("00b201cc04") == "00000009"


def test_variable_records(hand: Hand) -> None:
    hand.must("00e200d003010203")
    hand.must("00e200d0050102030405")
    assert hand.word("00e200d0060102030405") == "6700"
    assert hand.word("00e200d006010203040506") == "6a84"
    hand.must("00dc01d4020102")
    assert hand.must("00b202d400") == "0102030405"


def test_purse_has_a_balance(hand: Hand) -> None:
    hand.must("80e00002072f0208f000ff18")
    assert hand.must("805c000204") == "00000000"
    assert hand.word("805c000104") == "6a82"


def test_room_is_counted(hand: Hand) -> None:
    free = hand.system.session.directory.free
    assert hand.word(f"80e0000107 28 {free - 7:04x} f0f0ffff") == "6a84"
    hand.must(f"80e0000107 28 {free - 8:04x} f0f0ffff")
    assert hand.system.session.directory.free == 0
    assert hand.word("80e0000307280001f0f0ffff") == "6a84"


def test_a_full_key_file_takes_no_more(hand: Hand) -> None:
    words = [hand.word(f"80d401{number:02x}15 3ef0f10100{CONTROL}") for number in range(12)]
    assert words[0] == "9000"
    assert words[-1] == "6a84"


def test_writing_keys(hand: Hand) -> None:
    assert hand.word(f"80d401ff15 3ef0f10100{CONTROL}") == "6a86"
    assert hand.word(f"80d4010015 36f0f1ff33{LINE}") == "6a89"
    assert hand.word(f"80d4360915 36f0f1ff33{LINE}") == "9403"
    assert hand.word(f"80d4010915 35f0f1ff33{LINE}") == "6a80"
    assert hand.word("80d4010907 36f0f1ff33 0102") == "6700"
    assert hand.word(f"80d4010915 36f0f1ff34{LINE}") == "6a80"
    assert hand.word("80d401090239f0") == "6a80"


def test_a_key_changes_in_the_way_it_is_protected(hand: Hand) -> None:
    hand.authenticate(CONTROL)
    hand.must(hand.protected("84d40107", CONTROL, f"f6f0f1ff33{LINE}", encipher=True))
    assert hand.word(f"80d4f60715 f6f0f1ff33{LINE}") == "6982"
    hand.must(hand.protected("84d4f607", CONTROL, f"76f0f1ff33{CONTROL}", encipher=True))
    hand.must(hand.protected("84d47607", CONTROL, f"36f0f1ff33{LINE}"))
    hand.must(f"80d4360715 36f0f1ff33{CONTROL}")


def test_change_of_a_key_asks_its_permission(hand: Hand) -> None:
    hand.must("00a4000002adf1")
    assert hand.word(f"80d4360015 36f0f1ff33{CONTROL}") == "6982"
    hand.authenticate(CONTROL)
    hand.must(f"80d4360015 36f0f1ff33{CONTROL}")
    assert hand.word("80d43a0008 3af0ef0133 111111") == "6982"  # EF: never


def test_control_key_of_a_new_directory_comes_under_the_one_above() -> None:
    hand = Hand()
    hand.authenticate(FF)
    hand.must("80e0adf10f3804000ff015ffffa0000000010203")
    hand.must("80e00000073f010001f0ffff")
    hand.must(hand.protected("84d40100", FF, f"39f0f10f33{CONTROL}", encipher=True))
    assert hand.word(hand.protected("84d40100", FF, f"36f0f1ff33{LINE}", encipher=True)) == "6988"
    hand.must(hand.protected("84d40100", CONTROL, f"36f0f1ff33{LINE}", encipher=True))


def test_internal_authentication(hand: Hand) -> None:
    expected = ciphers.encipher("3des", bytes.fromhex(CONTROL), bytes(range(8))).hex()
    assert hand.must("00880000080001020304050607") == expected
    assert hand.word("008800000700010203040506") == "6700"
    assert hand.word("00880009080001020304050607") == "9403"


def test_select(hand: Hand) -> None:
    hand.must("00d69500021234")
    assert hand.must("00a4040005a000000001").startswith("6f2e8407a0000000010203a5239f0c201234")
    assert hand.word("00a4040005a000000002") == "6a82"
    assert hand.must("00a40300").startswith("6f")
    assert hand.system.session.directory.fid == 0x3F00
    assert hand.word("00a40000020015") == "6a82"
    hand.must("00a4010002adf1")
    hand.must("00a40200020015")
    assert hand.word("00a4010002adf1") == "6a82"
    hand.must("00a40000")
    assert hand.word("00a40800023f00") == "6a81"


def test_erased_directory_is_empty_and_its_keys_are_gone(hand: Hand) -> None:
    free = 0x400
    hand.must("800e000000")
    assert hand.system.session.directory.free == free
    assert hand.authenticate(CONTROL) == "9403"


def test_whole_card_is_made_anew() -> None:
    hand = Hand()
    hand.authenticate(FF)
    assert hand.word("80e03f000d38fffff0f001ffffffffffffff") == "6a89"
    hand.must("800e000000")
    hand.must("80e03f000d38fffff0f001ffffffffffffff")
    assert hand.system.session.directory.free == 8192 - 16
    hand.must("80e0adf10f380400f0f015ffffa0000000010203")


def test_frames_that_do_not_add_up(hand: Hand) -> None:
    for apdu in ("", "00", "00a400", "00a4000003adf1", "00a4000002adf10000", "00d60000000003aa"):
        assert hand.word(apdu) == "6700"
    assert hand.word("00ff000000") == "6d00"
    assert hand.word("a0a4000002adf1") == "6e00"
    assert hand.word("00d4010000") == "6e00"


def test_extended_length(hand: Hand) -> None:
    hand.must("80e0000107280200f0f0ffff")
    hand.must("00d68100000180" + "ab" * 0x180)
    assert hand.must("00b08100000180") == "ab" * 0x180
    assert len(hand.must("00b0810000")) == 512


def test_worn_out_memory() -> None:
    hand = Hand(endurance=3)
    assert hand.authenticate(FF) == "9000"
    hand.must("80e0001507280020f0f0ffff")
    hand.must("00d6950001aa")
    assert hand.word("00d6950001bb") == "6581"
    assert hand.must("00b0950001") == "aa"
    hand.system.reset()
    assert hand.authenticate("00" * 16) == "6581"  # no try without its counter


@pytest.mark.parametrize("kind", ["des", "3des", "sm4"])
def test_kinds_of_card(kind: str) -> None:
    key = "ff" * (8 if kind == "des" else 16)
    hand = Hand(algorithm=kind, transport_key=key)
    assert hand.authenticate(key) == "9000"
    wrong = "00" * (16 if kind == "des" else 8)
    lc = len(wrong) // 2 + 5
    assert hand.word(f"80d40105{lc:02x} 30f0f10100{wrong}") == ("9000" if kind == "3des" else "6700")
    hand.must(hand.protected("84d40106", key, f"30f0f10100{key}", encipher=True))
    size = 16 if kind == "sm4" else 8
    assert (
        hand.must(f"00880006{size:02x}{'00' * size}")
        == ciphers.encipher(
            "sm4" if kind == "sm4" else "3des" if kind == "3des" else "des", bytes.fromhex(key), bytes(size)
        ).hex()
    )


def test_card_is_found_again_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    system = System(
        Blank(bytes(4), script=["80e0001507280020f0f0ffff", "80e0adf10d380100f0f0150000ffffff0102"]).make(
            path
        )
    )
    system.process(bytes.fromhex("00a40000023f00"))
    assert system.process(bytes.fromhex("00d6950003010203")) == b"\x90\x00"
    again = Card.load(path)
    assert again == system.card
    assert System(again).process(bytes.fromhex("00b0950003")).hex() == "0102039000"


def test_torn_write_leaves_half(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    system = System(Blank(bytes(4), script=["80e0001507280008f0f0ffff"]).make(path))
    system.process(bytes.fromhex("00d69500081122334455667788"), torn=True)
    assert System(Card.load(path)).process(bytes.fromhex("00b0950000")).hex() == "11223344000000009000"


@pytest.mark.parametrize(
    ("apdu", "word"),
    [
        ("00d695210101", "6b00"),
        ("00b0a00001", "6a86"),
        ("805c010204", "6a86"),
        ("00b0950003aabbcc", "6700"),
        ("00d6950000", "6700"),
        ("80e03f0007280020f0f0ffff", "6a89"),
        ("80e0000806280020f0f0ff", "6700"),
        ("80e000080a280020f0f0ffff000000", "6700"),
        ("80e0000807330020f0f0ffff", "6a80"),
        ("80e0000807280000f0f0ffff", "6a80"),
        ("80e0000008 3f001001f0ffff00", "6700"),
        ("80e00000073f001001f0ffff", "6a89"),
        ("80e03f000d38fffff0f001ffffffffffffff", "6a89"),
        ("80e0adf2193800100ff015ffff" + "aa" * 17, "6a80"),
        ("0020000001ff", "6700"),
        ("008200000411223344", "6700"),
        ("0084000005", "6700"),
        ("0084000100", "6a86"),
        ("0088030008" + "00" * 8, "6a86"),
        ("80d4360015 39f0f1ff33" + LINE, "6a80"),
        ("04b0960000", "6700"),
        ("04b0960004ffffffff", "6985"),
        ("00a4000001df", "6700"),
        ("00a40001023f00", "6a86"),
    ],
)
def test_what_is_wrong_is_refused_and_changes_nothing(hand: Hand, apdu: str, word: str) -> None:
    hand.authenticate(CONTROL)
    hand.must("00a40000020015")
    before = hand.system.card.image()
    assert hand.word(apdu) == word
    assert hand.system.card.image() == before


def test_keys_without_a_place(hand: Hand) -> None:
    hand.authenticate(CONTROL)
    hand.must("80e0adf20d380100f0f015ffff0102030405")
    assert hand.word(f"80d4010015 39f0f10f33 {CONTROL}") == "6a82"
    hand.must("80e0001507a80020f0f0ff7f")
    assert hand.word(hand.protected("04d69500", LINE, "a1")) == "6a88"


def test_code_of_internal_authentication(hand: Hand) -> None:
    hand.authenticate(CONTROL)
    hand.must(f"80d4010015 32f0f10100 {LINE}")
    expected = ciphers.mac("3des", bytes.fromhex(LINE), b"", b"abc").hex()
    assert hand.must("0088020003616263") == expected


def test_blank_that_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="no room"):
        Blank(bytes(4), size=200).make()
    with pytest.raises(ValueError, match="00b0950001: 6a82"):
        Blank(bytes(4), script=["00b0950001"]).make()
    with pytest.raises(TypeError):
        Blank.read({"uid": "01", "colour": "red"})
    assert Blank.read({"uid": "01", "create": "f0", "bad_mac": "9302"}).bad_mac == 0x9302
