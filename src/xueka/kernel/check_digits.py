"""Check characters of ISO/IEC 7064 as used on identity numbers, card numbers and electronic licences."""

from operator import mul

_DIGITS = "0123456789"
_ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

# GB 11643: weight of place i is 2^(18-i) mod 11, the check character makes the weighted sum 1 mod 11.
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHARACTERS = "10X98765432"
_ZEROS = sum(_WEIGHTS) * ord("0")


def citizen_check(first17: str) -> str:
    """The 18th character of a citizen identity number, given 17 digits (GB 11643, ISO 7064 MOD 11-2)."""
    if len(first17) != 17 or not (first17.isascii() and first17.isdigit()):
        raise ValueError("17 digits needed")
    return _CHARACTERS[(sum(map(mul, _WEIGHTS, first17.encode("ascii"))) - _ZEROS) % 11]


def mod_11_10(digits: str) -> str:
    """ISO 7064 MOD 11,10: one check digit that finds every single wrong digit and nearly every swap."""
    return _hybrid(digits, _DIGITS)


def mod_37_36(text: str) -> str:
    """ISO 7064 MOD 37,36: one check character over digits and capital letters (GB/T 36904)."""
    return _hybrid(text, _ALPHANUMERIC)


def _hybrid(text: str, alphabet: str) -> str:
    """The hybrid systems of ISO 7064: modulus M+1 and M, where M is the size of the alphabet."""
    if not text:
        raise ValueError("nothing to check")
    size = len(alphabet)
    rest = size
    for character in text:
        value = alphabet.find(character)
        if value < 0:
            raise ValueError(f"character outside the alphabet: {character!r}")
        rest = ((rest + value) % size or size) * 2 % (size + 1)
    return alphabet[(size + 1 - rest) % size]
