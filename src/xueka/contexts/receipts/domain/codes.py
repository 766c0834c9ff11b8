"""The payment code that stands on a receipt for what we collected ourselves, and the random check code."""

from collections.abc import Callable
from datetime import date

#: How a channel's payments are called on a receipt (PayMode, nontax.md §6).
PAY_MODES = {"wechat": "04", "alipay": "05", "unionpay": "06"}


def collection_code(region: str, on: date, serial: int) -> str:
    """20 digits: region (6), year (2), `31`, ten digits of a serial. A payment code has `30` there."""
    return f"{region}{on:%y}31{serial % 10**10:010d}"


def check_code(below: Callable[[int], int]) -> str:
    """校验码: six digits; `below` draws a random number."""
    return f"{below(10**6):06d}"
