import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from xueka.kernel.errors import BadInput
from xueka.kernel.money import MAX_CAPITALS_FEN, capitals, format_yuan, parse_yuan


@pytest.mark.parametrize(
    ("typed", "fen"),
    [
        ("20", 2000),
        ("20.5", 2050),
        ("0.01", 1),
        ("-0.01", -1),
        ("¥3,650,712.00", 365_071_200),
        ("￥ 365,071.20", 36_507_120),
        ("20元", 2000),
        (" 3650712 ", 365_071_200),
        ("1.10000", 110),
        ("0", 0),
        ("9999999999999999.99", MAX_CAPITALS_FEN),
    ],
)
def test_amounts_as_people_write_them(typed, fen):
    assert parse_yuan(typed) == fen


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "MONEY_FORMAT"),
        ("二十", "MONEY_FORMAT"),
        ("1e3", "MONEY_FORMAT"),
        ("12,34.00", "MONEY_FORMAT"),
        ("1,0000", "MONEY_FORMAT"),
        ("20.", "MONEY_FORMAT"),
        (".5", "MONEY_FORMAT"),
        ("--1", "MONEY_FORMAT"),
        ("nan", "MONEY_FORMAT"),
        ("２０", "MONEY_FORMAT"),
        ("0.001", "MONEY_FRACTION"),
        ("20.125", "MONEY_FRACTION"),
    ],
)
def test_what_is_no_amount(typed, code):
    with pytest.raises(BadInput) as caught:
        parse_yuan(typed)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("fen", "shown"),
    [(2000, "¥20.00"), (365_071_200, "¥3,650,712.00"), (5, "¥0.05"), (-2005, "-¥20.05"), (0, "¥0.00")],
)
def test_amounts_on_the_screen(fen, shown):
    assert format_yuan(fen) == shown


@given(st.integers(-(10**20), 10**20))
def test_what_is_shown_is_read_back(fen):
    assert parse_yuan(format_yuan(fen)) == fen


# --- capitals ---


@pytest.mark.parametrize(
    ("yuan", "text"),
    [
        # the amounts of the service contract
        ("3650712.00", "叁佰陆拾伍万零柒佰壹拾贰元整"),
        ("365071.20", "叁拾陆万伍仟零柒拾壹元贰角"),
        ("1460284.80", "壹佰肆拾陆万零贰佰捌拾肆元捌角"),
        ("730142.40", "柒拾叁万零壹佰肆拾贰元肆角"),
        ("1095213.60", "壹佰零玖万伍仟贰佰壹拾叁元陆角"),
        ("18253.56", "壹万捌仟贰佰伍拾叁元伍角陆分"),
        ("36507.12", "叁万陆仟伍佰零柒元壹角贰分"),
        # the rule's own examples
        ("1409.50", "壹仟肆佰零玖元伍角"),
        ("6007.14", "陆仟零柒元壹角肆分"),
        ("1680.32", "壹仟陆佰捌拾元叁角贰分"),
        ("107000.53", "壹拾万柒仟元伍角叁分"),
        ("16409.02", "壹万陆仟肆佰零玖元零贰分"),
        ("325.04", "叁佰贰拾伍元零肆分"),
        # edges
        ("0", "零元整"),
        ("0.01", "壹分"),
        ("0.10", "壹角"),
        ("0.99", "玖角玖分"),
        ("1", "壹元整"),
        ("10", "壹拾元整"),
        ("15.05", "壹拾伍元零伍分"),
        ("10000", "壹万元整"),
        ("100500", "壹拾万零伍佰元整"),
        ("10050000", "壹仟零伍万元整"),
        ("100000000", "壹亿元整"),
        ("100000001", "壹亿零壹元整"),
        ("100050000", "壹亿零伍万元整"),
        ("1050000000", "壹拾亿伍仟万元整"),
        ("1000000000000", "壹万亿元整"),
        ("1000100000000", "壹万零壹亿元整"),
        ("1000000010000", "壹万亿零壹万元整"),
        ("9999999999999999.99", "玖仟玖佰玖拾玖万玖仟玖佰玖拾玖亿玖仟玖佰玖拾玖万玖仟玖佰玖拾玖元玖角玖分"),
    ],
)
def test_capitals(yuan, text):
    assert capitals(parse_yuan(yuan)) == text


UNITS = {"拾": 10, "佰": 100, "仟": 1000}


def read_whole(text: str) -> int:
    """Reads capitals back, written apart from the writer: split at the great units, add up the small ones."""
    for unit, size in (("亿", 10**8), ("万", 10**4)):
        if unit in text:
            high, _, low = text.rpartition(unit)
            return read_whole(high) * size + read_whole(low)
    total = 0
    for digit, unit in re.findall(r"([零壹贰叁肆伍陆柒捌玖])([拾佰仟]?)", text):
        total += "零壹贰叁肆伍陆柒捌玖".index(digit) * UNITS.get(unit, 1)
    return total


def read_back(text: str) -> int:
    parts = re.fullmatch(r"(?:(.+)元)?(?:整|零?(?:(.)角)?(?:(.)分)?)", text)
    assert parts, text
    yuan, jiao, cent = (read_whole(part or "") for part in parts.groups())
    return yuan * 100 + jiao * 10 + cent


amounts = st.one_of(
    st.integers(0, MAX_CAPITALS_FEN),
    st.integers(0, 10**8),
    # numbers full of zeros, where the rule is subtle
    st.builds(int, st.text("01", min_size=1, max_size=18)),
)


@given(amounts)
@example(MAX_CAPITALS_FEN)
def test_capitals_are_read_back_as_the_same_amount(fen):
    assert read_back(capitals(fen)) == fen


@given(amounts)
def test_capitals_keep_the_rules_of_writing(fen):
    text = capitals(fen)
    assert "零零" not in text
    assert not re.search(r"零[拾佰仟万亿角]|[元万亿]零元|.零元", text)
    assert text.endswith("整") == (fen % 100 == 0)
    if fen >= 100 and 0 < fen % 100 < 10:
        assert "元零" in text
    # 零 wherever the first place under 万 or 亿 is empty, and something follows
    for size, unit in ((10**4, "万"), (10**8, "亿")):
        yuan = fen // 100
        if yuan // size % 10**4 and 0 < yuan % size < size // 10:  # an empty section has no unit to follow
            assert f"{unit}零" in text


@given(amounts, amounts)
def test_different_amounts_look_different(one, other):
    assert (capitals(one) == capitals(other)) == (one == other)


@pytest.mark.parametrize(("fen", "code"), [(-1, "MONEY_NEGATIVE"), (MAX_CAPITALS_FEN + 1, "MONEY_TOO_LARGE")])
def test_amounts_without_capitals(fen, code):
    with pytest.raises(BadInput) as caught:
        capitals(fen)
    assert caught.value.code == code
