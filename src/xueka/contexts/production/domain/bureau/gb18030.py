"""GB 18030-2022, on top of Python's codec, which is the edition of 2000.

Against that edition nineteen characters and nineteen private-use code points have exchanged their byte
sequences: U+1E3F in the 2005 edition, the other eighteen in the 2022 edition. Exchanging the code points
before encoding and after decoding therefore gives the 2022 edition exactly.

Source: GB 18030-2022; compared with Unicode L2/23-003R and the gb18030 mapping of ICU 73.
"""

# The standard character, the private-use code point it exchanged with; its two bytes in 2022 stand beside it.
_EXCHANGED = (
    (0x1E3F, 0xE7C7),  # A8BC
    (0xFE10, 0xE78D),  # A6D9
    (0xFE12, 0xE78E),  # A6DA
    (0xFE11, 0xE78F),  # A6DB
    (0xFE13, 0xE790),  # A6DC
    (0xFE14, 0xE791),  # A6DD
    (0xFE15, 0xE792),  # A6DE
    (0xFE16, 0xE793),  # A6DF
    (0xFE17, 0xE794),  # A6EC
    (0xFE18, 0xE795),  # A6ED
    (0xFE19, 0xE796),  # A6F3
    (0x9FB4, 0xE81E),  # FE59
    (0x9FB5, 0xE826),  # FE61
    (0x9FB6, 0xE82B),  # FE66
    (0x9FB7, 0xE82C),  # FE67
    (0x9FB8, 0xE832),  # FE6D
    (0x9FB9, 0xE843),  # FE7E
    (0x9FBA, 0xE854),  # FE90
    (0x9FBB, 0xE864),  # FEA0
)
# Six more have a standard character of their own by now; their codes did not move.
_RETIRED = (
    (0x20087, 0xE816),
    (0x20089, 0xE817),
    (0x200CC, 0xE818),
    (0x215D7, 0xE831),
    (0x2298F, 0xE83B),
    (0x241FE, 0xE855),
)

STANDARD_FOR: dict[str, str] = {chr(private): chr(standard) for standard, private in _EXCHANGED + _RETIRED}
"""The standard character that replaces an old private-use one."""

_EXCHANGE = {a: b for pair in _EXCHANGED for a, b in (pair, pair[::-1])}
_CHARACTERS = tuple(map(chr, _EXCHANGE))


def encode(text: str) -> bytes:
    """Text → bytes. Raises UnicodeEncodeError for lone surrogates, which are no characters."""
    return _exchange(text).encode("gb18030")


def decode(data: bytes) -> str:
    """Bytes → text. Raises UnicodeDecodeError with the byte position."""
    return data.decode("ascii") if data.isascii() else _exchange(data.decode("gb18030"))


def _exchange(text: str) -> str:
    # Searching the whole text 38 times is far cheaper than translating it, and next to no text needs that.
    return text.translate(_EXCHANGE) if any(map(text.__contains__, _CHARACTERS)) else text
