"""Numbers that name people, schools and cards: their form, their check digits, and why one is wrong.

Each `…_problem` function answers None for a sound value and otherwise a `Reason`; none of them raises,
because imports judge a million of them. They expect clean text (`clean_id`, `clean_phone`, `text.normalise`).
"""

import re
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from xueka.kernel import clock
from xueka.kernel.check_digits import citizen_check, mod_11_10
from xueka.kernel.errors import BadInput
from xueka.kernel.masking import mask_id
from xueka.kernel.text import compact


class Reason(NamedTuple):
    """Why a value is refused: stable code, Chinese message, and what was expected."""

    code: str
    message: str
    expected: str


# --- 公民身份号码, GB 11643 ---


class CitizenId(NamedTuple):
    """A sound citizen identity number taken apart. `region` may be a code that is retired today."""

    number: str
    region: str
    birth_date: date
    sex: str


# Provinces, with 81–83 for residents of Hong Kong, Macao and Taiwan who hold a residence permit.
_PROVINCES = frozenset(
    str(code)
    for codes in (
        range(11, 16),
        range(21, 24),
        range(31, 38),
        range(41, 47),
        range(50, 55),
        range(61, 66),
        (71, 81, 82, 83),
    )
    for code in codes
)
_SCIENTIFIC = re.compile(r"\d(?:\.\d+)?E\+?\d{1,2}", re.ASCII)
_FORM = re.compile(r"\d{17}[\dX]", re.ASCII)


def clean_id(value: str) -> str:
    """As typed → as judged and stored: half-width, no blanks or hyphens, capital letters."""
    return compact(value).upper()


def citizen_id_problem(number: str, today: date | None = None) -> Reason | None:
    """What is wrong with a citizen identity number (GB 11643), or None.

    Nobody is born after `today`; whoever judges a million numbers asks the clock once and passes it.
    """
    if not _FORM.fullmatch(number):
        return _form_problem(number)
    expected = citizen_check(number[:17])
    if number[17] != expected:
        if number.endswith("000"):
            return _LOST_DIGITS
        return Reason(
            "ID_CHECK_DIGIT",
            f"身份证号码校验码不符：末位为 {number[17]}，按前 17 位应为 {expected}。",
            expected,
        )
    if number[:2] not in _PROVINCES:
        return Reason("ID_REGION", f"身份证号码前两位 {number[:2]} 不是省级代码。", "有效的行政区划代码")
    birth_date = _day(number[6:14])
    if birth_date is None or birth_date > (today or clock.today()):
        return Reason("ID_BIRTH_DATE", "身份证号码中的出生日期不存在。", "第 7 至 14 位为真实的出生日期")
    return None


def citizen_id(value: str) -> CitizenId:
    """Read a citizen identity number as typed. Raises BadInput with the code of `citizen_id_problem`."""
    number = clean_id(value)
    if problem := citizen_id_problem(number):
        raise BadInput(problem.code, problem.message, found=mask_id(number), expected=problem.expected)
    return CitizenId(number, number[:6], birth_date_of(number), sex_of(number))


def birth_date_of(number: str) -> date:
    """The birth date inside a sound number."""
    day = _day(number[6:14])
    if day is None:
        raise ValueError("not a sound identity number")
    return day


def sex_of(number: str) -> str:
    """男 or 女: the 17th digit is odd for men."""
    return "男" if number[16] in "13579" else "女"


_LOST_DIGITS = Reason(
    "ID_LOST_DIGITS",
    "身份证号码被表格软件当作数字，末尾几位已丢失，无法还原。",
    "18 位号码；请把该列设为“文本”格式后重新填写",
)


def _form_problem(number: str) -> Reason:
    if not number:
        return Reason("ID_MISSING", "身份证号码为空。", "18 位号码")
    if _SCIENTIFIC.fullmatch(number):
        return _LOST_DIGITS
    if len(number) == 15 and number.isascii() and number.isdigit():
        return Reason("ID_15_DIGITS", "这是 15 位的旧身份证号码，已停止使用。", "18 位号码")
    if len(number) != 18:
        return Reason("ID_LENGTH", f"身份证号码应为 18 位，实际为 {len(number)} 位。", "18 位号码")
    return Reason("ID_CHARACTERS", "身份证号码含有数字以外的字符。", "17 位数字加 1 位校验码（数字或 X）")


@lru_cache(maxsize=65536)
def _day(digits: str) -> date | None:
    try:
        day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None
    return day if day.year >= 1900 else None


# --- 全国学籍号 ---

_NATIONAL_NUMBER = re.compile(r"[GJL]\d{17}[\dX]", re.ASCII)


def national_number_problem(number: str, citizen_number: str | None = None) -> Reason | None:
    """What is wrong with a national student number: G + identity number; J or L + 18 for those without one.

    With `citizen_number`, the present identity number of the student, a number other than G + it is named
    too; identity numbers change and registrations lag, so callers only warn of `NATIONAL_NUMBER_MISMATCH`.
    """
    if not _NATIONAL_NUMBER.fullmatch(number):
        return Reason("NATIONAL_NUMBER_FORMAT", "全国学籍号格式不符。", "G、J 或 L 加 18 位号码")
    if citizen_number is not None and number != f"G{citizen_number}":
        return Reason("NATIONAL_NUMBER_MISMATCH", "全国学籍号与现身份证号码不一致。", "G 加现身份证号码")
    return None


# --- 学校标识码 ---

SCHOOL_TYPES = {
    "11": "幼儿园",
    "21": "小学",
    "22": "成人小学",
    "31": "初级中学",
    "32": "职业初中",
    "34": "高级中学、完全中学",
    "36": "中等职业学校",
    "37": "工读学校",
    "41": "高等学校",
    "42": "成人高等学校",
    "51": "特殊教育学校",
    "91": "科研机构",
    "92": "其他机构",
    "93": "职业技术培训机构",
}
"""The first two digits of a school identification code (《学校（机构）代码管理办法》)."""

_SCHOOL_CODE = re.compile(r"(\d{2})(\d{2})\d{6}", re.ASCII)


def school_code_problem(code: str, province: str = "11") -> Reason | None:
    """What is wrong with a school identification code: type 2, province 2 (Beijing 11), serial 6."""
    match = _SCHOOL_CODE.fullmatch(code)
    if not match:
        return Reason("SCHOOL_CODE_FORMAT", "学校标识码应为 10 位数字。", "10 位数字")
    if match[1] not in SCHOOL_TYPES:
        return Reason("SCHOOL_CODE_TYPE", f"学校标识码前两位 {match[1]} 不是已知的学校类型。", "例如 21 小学")
    if match[2] != province:
        return Reason("SCHOOL_CODE_PROVINCE", f"学校标识码第 3、4 位 {match[2]} 不是本市代码。", province)
    return None


# --- 教育ID ---

EDUCATION_ID_PATTERN = r"\d{8}"
"""Default form. No public rule was found, so installations may configure another."""


def education_id_problem(value: str, pattern: str = EDUCATION_ID_PATTERN) -> Reason | None:
    """What is wrong with an education ID, judged by the installation's pattern."""
    if re.fullmatch(pattern, value, re.ASCII):
        return None
    expected = "8 位数字" if pattern == EDUCATION_ID_PATTERN else f"符合格式 {pattern}"
    return Reason("EDUCATION_ID_FORMAT", f"教育ID“{value}”格式不符。" if value else "教育ID为空。", expected)


# --- our card number ---

MAX_SERIAL = 999_999_999


def card_number(year: int, serial: int) -> str:
    """Twelve digits: two of the year, nine of the serial, one check digit (ISO 7064 MOD 11,10)."""
    if not 2000 <= year <= 2099:
        raise ValueError(f"year out of range: {year}")
    if not 0 <= serial <= MAX_SERIAL:
        raise ValueError(f"serial out of range: {serial}")
    body = f"{year % 100:02d}{serial:09d}"
    return body + mod_11_10(body)


def check_card_number(number: str) -> bool:
    """Is it twelve digits with the right check digit?"""
    return (
        len(number) == 12 and number.isascii() and number.isdigit() and mod_11_10(number[:11]) == number[11]
    )


# --- telephone ---

_MOBILE = re.compile(r"1[3-9]\d{9}", re.ASCII)
_COUNTRY = re.compile(r"(?:\+|00)?86(?=1\d{10}$)", re.ASCII)


def clean_phone(value: str) -> str:
    """As typed → as judged and stored: no blanks, hyphens or brackets, no +86 before a mobile number."""
    return _COUNTRY.sub("", re.sub(r"[()（）＋]", lambda m: "+" if m[0] == "＋" else "", compact(value)))


def phone_problem(phone: str) -> Reason | None:
    """What is wrong with a mainland mobile number, or None."""
    if _MOBILE.fullmatch(phone):
        return None
    return Reason(
        "PHONE_INVALID", "手机号码格式不符。" if phone else "手机号码为空。", "以 1 开头的 11 位手机号码"
    )
