from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xueka.kernel.errors import BadInput
from xueka.kernel.text import as_cell, compact, normalise, parse_date, parse_sex


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("  丁馨\u3000", "丁馨"),
        ("\ufeff\u200b丁馨\u00a0\t", "丁馨"),
        ("１１０１Ｘｘ", "1101Xx"),
        ("张 三", "张 三"),
        ("高（样例）：＠／［｛｀", "高（样例）：＠／［｛｀"),
        ("阿卜杜拉·买买提", "阿卜杜拉·买买提"),
        ("  plain  ", "plain"),
        ("", ""),
        (" \u3000 ", ""),
    ],
)
def test_normalising(typed, meant):
    assert normalise(typed) == meant


@pytest.mark.parametrize(
    "name", ["高𬱖芷", "\u9fc3", "\U0002f800乂", "\uf900", "㐂", "䶮", "王\U00030edd", "e\u0301"]
)
def test_rare_characters_are_not_touched(name):
    """U+F900 and U+2F800 would be replaced by NFC; a name must stay as its owner writes it."""
    assert normalise(f" {name} ") == name


@given(st.text())
def test_normalising_twice_changes_nothing_more(text):
    assert normalise(normalise(text)) == normalise(text)
    assert compact(compact(text)) == compact(text)


@given(st.text("0123456789ABCXYZabcxyz"))
def test_full_width_is_half_width_shifted(text):
    assert normalise("".join(chr(ord(c) + 0xFEE0) for c in text)) == text


def test_compact_joins_groups():
    assert compact(" 138 1234-5678\u3000") == "13812345678"


@pytest.mark.parametrize(
    "typed",
    [
        "2015-09-01",
        "2015-9-1",
        "2015/9/1",
        "2015/09/01",
        "2015.09.01",
        "20150901",
        "2015年09月01日",
        "2015年9月1日",
        "２０１５-０９-０１",
        " 2015-09-01\u3000",
        "2015-09-01 00:00:00",
        "2015-09-01T00:00:00.000",
        "2015/9/1 0:00",
        date(2015, 9, 1),
        datetime(2015, 9, 1),
    ],
)
def test_dates_as_people_type_them(typed):
    assert parse_date(typed) == date(2015, 9, 1)
    assert type(parse_date(typed)) is date


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "昨天",
        "2015-02-30",
        "2014-13-01",
        "2015-00-10",
        "2023-02-29",
        "2015-09/01",
        "15-09-01",
        "2015-09",
        "201509",
        "42248",
        "09/01/2015",
        "2015-09-01 08:30:00",
        "1899-12-31",
        "2015年9月1",
        "2015-09-01x",
        "٢٠١٥-٠٩-٠١",
    ],
)
def test_what_is_no_date(typed):
    with pytest.raises(BadInput) as caught:
        parse_date(typed)
    assert caught.value.code == "DATE_INVALID"
    assert caught.value.found == typed


def test_the_29th_of_february_exists_in_leap_years():
    assert parse_date("2024-02-29") == date(2024, 2, 29)


@given(
    st.dates(date(1900, 1, 1)),
    st.sampled_from(["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y年%m月%d日"]),
)
def test_every_day_is_read_back_from_every_form(day, form):
    assert parse_date(day.strftime(form)) == day


@pytest.mark.parametrize(
    ("typed", "sex"),
    [("男", "男"), ("女", "女"), ("1", "男"), ("2", "女"), (" 男\u3000", "男"), ("２", "女")],
)
def test_sexes(typed, sex):
    assert parse_sex(typed) == sex


@pytest.mark.parametrize("typed", ["", "X", "0", "9", "男女", "male"])
def test_unknown_sexes(typed):
    with pytest.raises(BadInput) as caught:
        parse_sex(typed)
    assert caught.value.code == "GENDER_UNKNOWN"
    assert ("为空" in caught.value.message) == (typed == "")


@pytest.mark.parametrize("text", ["=1+1", "+86", "-1", "@SUM(A1)", "\t=1"])
def test_nothing_in_a_cell_is_computed(text: str) -> None:
    assert as_cell(text) == f"'{text}"
    assert as_cell(f"a{text}") == f"a{text}"
    assert as_cell("") == ""
