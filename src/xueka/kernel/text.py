"""Reading what people type into spreadsheets, without damaging what they meant.

Unicode normalisation (NFC, NFKC) is not applied: it replaces rare ideographs of personal names by
look-alikes (U+2F800 and others), and a name on a card must be the name on the identity card.
"""

import re
from datetime import date, datetime
from functools import lru_cache

from xueka.kernel.errors import BadInput

_HALF_WIDTH = {
    full: full - 0xFEE0
    for first, last in (("０", "９"), ("Ａ", "Ｚ"), ("ａ", "ｚ"))
    for full in range(ord(first), ord(last) + 1)
}
# Zero-width blanks and byte-order marks are pasted along by spreadsheets; str.strip() would leave them.
_BLANK = " \t\r\n\v\f\u0085\u00a0\u3000\u2002\u2003\u2009\u2028\u2029\u200b\u200c\u200d\u2060\ufeff"

_INNER = re.compile(rf"[{_BLANK}\-‐‑–—－]+")

_PLACE = re.compile(r"line (?P<line>\d+),? column (?P<column>\d+)")

_DATE = re.compile(
    r"""(?P<year>\d{4})
        (?: (?P<mark>[-/.]) (?P<month>\d{1,2}) (?P=mark) (?P<day>\d{1,2})
          | 年 (?P<cmonth>\d{1,2}) 月 (?P<cday>\d{1,2}) 日
          | (?P<mm>\d{2}) (?P<dd>\d{2}) )
        (?:[T\ ]+ 0?0:00 (?::00(?:\.0+)?)? )?""",
    re.ASCII | re.VERBOSE,
)


def normalise(value: str) -> str:
    """Half-width digits and letters, no blanks around (ideographic and zero-width ones included).

    Punctuation, inner blanks and every other character stay as they are.
    """
    if value.isascii():
        return value.strip(_BLANK)
    return value.translate(_HALF_WIDTH).strip(_BLANK)


def compact(value: str) -> str:
    """Normalised, and without blanks or hyphens inside: for numbers that people write in groups."""
    return _INNER.sub("", normalise(value))


def parse_date(value: str | date | datetime) -> date:
    """The day written as 2015-09-01, 2015/9/1, 2015.09.01, 20150901 or 2015年09月01日, or a date cell.

    Text may carry a midnight behind the day, as exports do. Raises BadInput `DATE_INVALID` for anything
    else, and for days that do not exist or lie before 1900.
    """
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    day = _parse(normalise(value))
    if day is None:
        raise BadInput(
            "DATE_INVALID",
            f"日期“{value}”无法识别或不存在。",
            found=value,
            expected="2015-09-01",
            action="请填写真实日期，例如 2015-09-01、2015/9/1 或 2015年9月1日。",
        )
    return day


@lru_cache(maxsize=16384)
def _parse(text: str) -> date | None:
    match = _DATE.fullmatch(text)
    if not match:
        return None
    month = match["month"] or match["cmonth"] or match["mm"]
    day = match["day"] or match["cday"] or match["dd"]
    try:
        found = date(int(match["year"]), int(month), int(day))
    except ValueError:
        return None
    return found if found.year >= 1900 else None


def parse_sex(value: str) -> str:
    """男 or 女, from the word or from the code of GB/T 2261.1 (1, 2). Raises BadInput `GENDER_UNKNOWN`."""
    known = {"男": "男", "女": "女", "1": "男", "2": "女"}.get(normalise(value))
    if known is None:
        raise BadInput(
            "GENDER_UNKNOWN",
            f"性别“{value}”无法识别。" if value else "性别为空。",
            found=value,
            expected="男、女（或代码 1、2）",
            action="请填写“男”或“女”。",
        )
    return known


def as_cell(text: str) -> str:
    """A cell of a table that is taken away: what a spreadsheet would compute is text."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") else text


def parser_place(error: Exception) -> tuple[int, str]:
    """Where the library's TOML or JSON parser stopped: the line (0 when at the end), and in words."""
    found = _PLACE.search(str(error))
    return (int(found["line"]), f"第 {found['line']} 行第 {found['column']} 列") if found else (0, "文件末尾")
