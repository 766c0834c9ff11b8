"""Our numbers as the channels read them.

One form fits all of them: WeChat Pay takes 6 to 32 of `[0-9A-Za-z_-|*]`, Alipay 64 letters, digits and `_`,
UnionPay 8 to 40 letters and digits. A non-tax payment code has twenty digits (docs/interfaces/nontax.md).
"""

from datetime import date

from xueka.kernel.check_digits import mod_11_10

MOST_ATTEMPTS = 99


def order_number(on: date, serial: int) -> str:
    """XK, the day as yymmdd, nine digits of a serial that never begins again, a check digit."""
    body = f"{on:%y%m%d}{serial % 10**9:09d}"
    return f"XK{body}{mod_11_10(body)}"


def attempt_number(order: str, attempt: int) -> str:
    """The number of one attempt at one channel: out_trade_no."""
    return f"{order}P{attempt:02d}"


def refund_number(order: str, refund: int) -> str:
    """out_refund_no; a channel answers the same number the same way, however often it is asked."""
    return f"{order}R{refund:02d}"


def pay_code(region: str, on: date, serial: int) -> str:
    """缴款码: region (6), year (2), `30`, ten digits of a serial (a rule seen in use)."""
    return f"{region}{on:%y}30{serial % 10**10:010d}"
