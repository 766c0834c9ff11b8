"""Money is a whole number of fen, everywhere. No float and no rounding happens here."""

import re

from xueka.kernel.errors import BadInput

_YUAN = re.compile(
    r"(?P<sign>[-−]?)[¥￥]?\s*(?P<whole>\d+|\d{1,3}(?:,\d{3})+)(?:\.(?P<part>\d+))?元?", re.ASCII
)

_DIGITS = "零壹贰叁肆伍陆柒捌玖"
MAX_CAPITALS_FEN = 10**18 - 1
"""The largest amount that capitals() writes: just below ten thousand 万亿 yuan."""


def parse_yuan(text: str) -> int:
    """Fen from yuan as people write them: 20, 20.5, ¥3,650,712.00, -0.01.

    Exact: raises BadInput `MONEY_FORMAT` for what is not an amount, `MONEY_FRACTION` for parts of a fen.
    """
    match = _YUAN.fullmatch(text.strip())
    if not match:
        raise BadInput(
            "MONEY_FORMAT",
            f"金额“{text}”无法识别。",
            found=text,
            expected="20、20.50 这样的金额",
            action="请填写以元为单位的金额，用半角数字，最多两位小数，例如 20 或 1,234.50。",
        )
    part = (match["part"] or "").rstrip("0")
    if len(part) > 2:
        raise BadInput(
            "MONEY_FRACTION",
            f"金额“{text}”不足一分的部分无法入账。",
            found=text,
            expected="最多两位小数",
            action="请把金额写到分为止。",
        )
    fen = int(match["whole"].replace(",", "")) * 100 + int(part.ljust(2, "0"))
    return -fen if match["sign"] else fen


def format_yuan(fen: int) -> str:
    """¥3,650,712.00, with the sign in front."""
    yuan, part = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}¥{yuan:,}.{part:02d}"


def capitals(fen: int) -> str:
    """The amount in Chinese capitals, as contracts and receipts write it.

    The rule (《支付结算办法》附件一《正确填写票据和结算凭证的基本规定》) leaves some choice: here 整 stands
    after 元 only, and 零 where it must stand but not where it merely may.

    Raises BadInput `MONEY_NEGATIVE` below zero and `MONEY_TOO_LARGE` above MAX_CAPITALS_FEN.
    """
    if fen < 0:
        raise BadInput(
            "MONEY_NEGATIVE", "负数金额没有大写写法。", found=format_yuan(fen), expected="零或正数金额"
        )
    if fen > MAX_CAPITALS_FEN:
        raise BadInput(
            "MONEY_TOO_LARGE", "金额过大，无法写成大写。", found=format_yuan(fen), expected="一万万亿元以下"
        )
    yuan, part = divmod(fen, 100)
    jiao, cent = divmod(part, 10)
    text = f"{_whole(yuan)}元" if yuan or not part else ""
    if not part:
        return text + "整"
    if jiao:
        text += f"{_DIGITS[jiao]}角"
    elif yuan:
        text += "零"
    return text + (f"{_DIGITS[cent]}分" if cent else "")


def _whole(number: int) -> str:
    """A whole number up to 16 digits. 亿 and 万 split it in two halves, each read in the same way."""
    if number == 0:
        return _DIGITS[0]
    for unit, size in (("亿", 10**8), ("万", 10**4), ("仟", 1000), ("佰", 100), ("拾", 10)):
        if number >= size:
            high, low = divmod(number, size)
            if not low:
                return _whole(high) + unit
            # 零 stands for places that are empty in front of the lower half.
            gap = _DIGITS[0] if low < size // 10 else ""
            return _whole(high) + unit + gap + _whole(low)
    return _DIGITS[number]
