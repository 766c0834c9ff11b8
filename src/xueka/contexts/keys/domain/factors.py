"""What a master key is diversified by: 8 bytes made of a number that the card bears."""

from xueka.kernel.errors import BadInput

SIZE = 8
_DIGITS = frozenset("0123456789abcdef")


def from_digits(number: str) -> bytes:
    """The last 16 digits of a number (or of a hexadecimal identifier), zeros in front, two digits a byte.

    Raises BadInput `KEY_FACTOR`.
    """
    digits = number.lower()
    if not digits or not _DIGITS.issuperset(digits):
        raise BadInput(
            "KEY_FACTOR",
            "这个号码不能作为分散因子。",
            found=number[:40] or None,
            expected="数字，或十六进制数字",
            action="请核对卡种的号码来源与密钥的分散方式。",
        )
    return bytes.fromhex(digits[-2 * SIZE :].rjust(2 * SIZE, "0"))
