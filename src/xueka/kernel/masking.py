"""Personal values as screens, logs, errors and exports show them."""

import re

_STAR = "*"
_ID = re.compile(r"(?<!\d)\d{6}(?:19|20)\d{2}(?:0[1-9]|1[0-2])[0-3]\d{4}[\dXx](?![\dXx])")
_MOBILE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")


def mask_id(value: str) -> str:
    """An identity number as 110101********1234; a student number keeps its letter in front.

    Anything else (passports, damaged numbers) shows at most its first and last two characters.
    """
    if len(value) == 19 and value[0] in "GJL":
        return value[0] + mask_id(value[1:])
    return _hide(value, 6, 4) if len(value) == 18 else _hide(value, *_short_ends(value))


def mask_phone(value: str) -> str:
    """A mobile number as 138****5678; anything else shows at most its first and last two characters."""
    return _hide(value, 3, 4) if len(value) == 11 else _hide(value, *_short_ends(value))


def mask_numbers(text: str) -> str:
    """A text of somebody else's, in which identity numbers and mobile numbers may stand."""
    text = _ID.sub(lambda found: mask_id(found[0]), text)
    return _MOBILE.sub(lambda found: mask_phone(found[0]), text)


def mask_name(value: str) -> str:
    """A guardian's name: the first character and a star for each of the others."""
    return _hide(value, 1, 0) if len(value) > 1 else _STAR * len(value)


def mask_all(value: str) -> str:
    """What shows nothing of itself, such as an address: a star for each character."""
    return _STAR * len(value)


def _short_ends(value: str) -> tuple[int, int]:
    shown = min(2, len(value) // 4)
    return shown, shown


def _hide(value: str, head: int, tail: int) -> str:
    hidden = len(value) - head - tail
    return value[:head] + _STAR * hidden + value[len(value) - tail :]
