"""GB 18030-2022 by a library of the older edition: two code points change places (card-bureau.md §12)."""

_STANDARD = [
    *(0xFE10, 0xFE12, 0xFE11, 0xFE13, 0xFE14, 0xFE15, 0xFE16, 0xFE17, 0xFE18, 0xFE19, 0x1E3F),
    *(0x9FB4, 0x9FB5, 0x9FB6, 0x9FB7, 0x9FB8, 0x9FB9, 0x9FBA, 0x9FBB),
]
_PRIVATE = [
    *(0xE78D, 0xE78E, 0xE78F, 0xE790, 0xE791, 0xE792, 0xE793, 0xE794, 0xE795, 0xE796, 0xE7C7),
    *(0xE81E, 0xE826, 0xE82B, 0xE82C, 0xE832, 0xE843, 0xE854, 0xE864),
]
_EXCHANGE = {
    **dict(zip(_STANDARD, _PRIVATE, strict=True)),
    **dict(zip(_PRIVATE, _STANDARD, strict=True)),
}


def decode(content: bytes) -> str:
    return content.decode("gb18030").translate(_EXCHANGE)


def encode(text: str) -> bytes:
    return text.translate(_EXCHANGE).encode("gb18030")


def escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\p")
