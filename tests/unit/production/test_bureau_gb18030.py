"""GB 18030-2022 against the points that the standard and Unicode L2/23-003R name."""

import pytest

from xueka.contexts.production.domain.bureau import gb18030

# Written again from docs/interfaces/card-bureau.md §12, not taken from the module.
TWO_BYTES = {
    0x1E3F: "A8BC",
    0xFE10: "A6D9",
    0xFE12: "A6DA",
    0xFE11: "A6DB",
    0xFE13: "A6DC",
    0xFE14: "A6DD",
    0xFE15: "A6DE",
    0xFE16: "A6DF",
    0xFE17: "A6EC",
    0xFE18: "A6ED",
    0xFE19: "A6F3",
    0x9FB4: "FE59",
    0x9FB5: "FE61",
    0x9FB6: "FE66",
    0x9FB7: "FE67",
    0x9FB8: "FE6D",
    0x9FB9: "FE7E",
    0x9FBA: "FE90",
    0x9FBB: "FEA0",
}


@pytest.mark.parametrize(("point", "code"), TWO_BYTES.items())
def test_two_byte_codes_belong_to_the_standard_characters(point: int, code: str) -> None:
    assert gb18030.encode(chr(point)) == bytes.fromhex(code)
    assert gb18030.decode(bytes.fromhex(code)) == chr(point)


def test_every_character_survives() -> None:
    everything = "".join(chr(point) for point in range(0x110000) if not 0xD800 <= point <= 0xDFFF)
    assert gb18030.decode(gb18030.encode(everything)) == everything
    codes = {gb18030.encode(chr(point)) for point in range(0x80, 0x10000) if not 0xD800 <= point <= 0xDFFF}
    assert len(codes) == 0x10000 - 0x80 - 0x800


@pytest.mark.parametrize(
    ("character", "code"),
    [
        ("·", "A1A4"),
        ("\u20ac", "A2E3"),
        ("\u9fa6", "82358F33"),
        ("\U00020087", "95329031"),  # one of the six whose private-use twin was retired
        ("\U0002a6a5", "9835EE37"),  # Extension B
        ("\U00031350", "9A37F836"),  # Extension H
    ],
)
def test_known_codes(character: str, code: str) -> None:
    assert gb18030.encode(character) == bytes.fromhex(code)


def test_what_is_no_character_is_refused() -> None:
    for broken in (b"\xff", b"\x81", b"\x81\x30\x81", b"\xfe\x39\xfe\x39"):
        with pytest.raises(UnicodeDecodeError):
            gb18030.decode(broken)
    with pytest.raises(UnicodeEncodeError):
        gb18030.encode("\ud800")
