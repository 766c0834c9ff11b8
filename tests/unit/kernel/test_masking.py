import pytest
from hypothesis import given
from hypothesis import strategies as st

from xueka.kernel.masking import mask_all, mask_id, mask_name, mask_numbers, mask_phone


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("110101201509011234", "110101********1234"),
        ("G110101201509011234", "G110101********1234"),
        ("E45466073", "E4*****73"),
        ("H1416", "H***6"),
        ("110105130410592", "11***********92"),
        ("1.10105E+17", "1.*******17"),
        ("abc", "***"),
        ("", ""),
    ],
)
def test_identity_numbers(value, shown):
    assert mask_id(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [("13812345678", "138****5678"), ("1381234567", "13******67"), ("110", "***"), ("", "")],
)
def test_phones(value, shown):
    assert mask_phone(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [("张三", "张*"), ("张三丰", "张**"), ("欧阳娜娜", "欧***"), ("𬱖", "*"), ("", "")]
)
def test_names(value, shown):
    assert mask_name(value) == shown


@given(st.text(max_size=40))
def test_length_stays_and_enough_is_hidden(value):
    for mask in (mask_id, mask_phone, mask_name, mask_all):
        shown = mask(value)
        assert len(shown) == len(value)
        hidden = sum(a == "*" for a in shown)
        assert hidden * 11 >= len(value) * 4


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("卡 110101201509011234 在", "卡 110101********1234 在"),
        ("电话13812345678，", "电话138****5678，"),
        ("运单 138123456789 与 202609011234567890", "运单 138123456789 与 202609011234567890"),
        ("11010120150901123X", "110101********123X"),
    ],
)
def test_numbers_inside_a_text(text, shown):
    assert mask_numbers(text) == shown
