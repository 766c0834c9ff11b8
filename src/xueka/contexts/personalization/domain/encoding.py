"""How values become the bytes of a file, and numbers the factors of card keys."""

from collections.abc import Mapping
from datetime import date

from xueka.contexts.personalization.domain import words as w
from xueka.contexts.personalization.domain.profiles import Field, File
from xueka.kernel.errors import Refused

Values = Mapping[str, str]

FACTOR_SIZE = 8


def factor(kind: str, values: Values) -> bytes:
    """The 8 bytes by which a master is diversified: the last 16 digits, zeros in front.

    Raises Refused `CARD_FACTOR_MISSING` where the card has no such number.
    """
    digits = values.get(kind, "")
    if not digits or not all(digit in "0123456789abcdef" for digit in digits.lower()):
        raise Refused(
            "CARD_FACTOR_MISSING",
            f"这张卡没有{w.FACTORS[kind]}，不能计算它的密钥。",
            found=digits or None,
            expected=w.FACTORS[kind],
            action="请核对卡种的号码来源与卡片结构的分散方式。",
        )
    return bytes.fromhex(digits[-2 * FACTOR_SIZE :].rjust(2 * FACTOR_SIZE, "0"))


def content(file: File, values: Values) -> bytes:
    """All bytes of a file; what no field covers is 00. Raises Refused `CARD_FIELD`."""
    found = bytearray(file.size)
    for field in file.fields:
        found[field.at : field.at + field.length] = encode(field, values)
    return bytes(found)


def encode(field: Field, values: Values) -> bytes:
    """The bytes of one field, exactly of its length. A name that is too long ends before a character.

    Raises Refused `CARD_FIELD` where the value is missing or does not fit.
    """
    if field.source == "constant":
        return bytes.fromhex(field.value)
    value = values.get(field.source, "")
    try:
        encoded = _ENCODERS[field.encoding](value, field.length)
    except ValueError:
        encoded = b""
    if len(encoded) != field.length:
        raise Refused(
            "CARD_FIELD",
            f"“{field.name}”不能写入卡片：{w.SOURCES[field.source]}缺少或太长。",
            where=field.name,
            found=f"{len(value)} 个字符",
            expected=f"{field.length} 字节",
            action="请核对这张卡的资料。",
        )
    return encoded


def _hex(value: str, length: int) -> bytes:
    return bytes.fromhex(value).rjust(length, b"\0") if value else b""


def _bcd(value: str, length: int) -> bytes:
    return bytes.fromhex(value.rjust(2 * length, "0")) if value.isascii() and value.isdigit() else b""


def _ascii(value: str, length: int) -> bytes:
    return value.encode("ascii").ljust(length, b"\0") if value else b""


def _gb18030(value: str, length: int) -> bytes:
    fitting = b""
    for character in value:
        if len(longer := fitting + character.encode("gb18030")) > length:
            break
        fitting = longer
    return fitting.ljust(length, b"\0") if fitting else b""


def _date(value: str, length: int) -> bytes:
    return bytes.fromhex(date.fromisoformat(value).strftime("%Y%m%d")) if length == 4 else b""


_ENCODERS = {"hex": _hex, "bcd": _bcd, "ascii": _ascii, "gb18030": _gb18030, "date": _date}

#: For a dry run: a card that nobody has.
SAMPLE: dict[str, str] = {
    "card_number": "260000000012",
    "chip_uid": "04A1B2C3D4E5F6",
    "transit_number": "1000990000000001",
    "beijing_tong_number": "BJT000000000001",
    "education_id": "12345678",
    "holder_name": "王小明",
    "school_code": "1101010001",
    "valid_from": "2026-09-01",
    "valid_until": "2038-08-31",
}
