import pytest
from hypothesis import given
from hypothesis import strategies as st

from xueka.kernel.check_digits import citizen_check, mod_11_10, mod_37_36

DIGITS = "0123456789"
ALPHANUMERIC = DIGITS + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
digits = st.text(DIGITS, min_size=2, max_size=20)
alphanumerics = st.text(ALPHANUMERIC, min_size=2, max_size=30)


def test_known_citizen_number():
    assert citizen_check("11010519491231002") == "X"


@pytest.mark.parametrize("number", ["794623", "002006673085", "36574261809", "33392005961"])
def test_known_mod_11_10_numbers(number):
    """Published examples: two of the standard's users, a German tax number, a Croatian personal number."""
    assert mod_11_10(number[:-1]) == number[-1]


def test_known_mod_37_36_number():
    """The example of the Global Release Identifier standard, A1-2425G-ABC1234002-M."""
    assert mod_37_36("A12425GABC1234002") == "M"


@given(st.text(DIGITS, min_size=17, max_size=17), st.integers(0, 16), st.sampled_from(DIGITS))
def test_citizen_check_finds_every_wrong_digit(body, place, other):
    changed = body[:place] + other + body[place + 1 :]
    assert (citizen_check(changed) == citizen_check(body)) == (changed == body)


@given(st.text(DIGITS, min_size=17, max_size=17), st.integers(0, 15))
def test_citizen_check_finds_every_swap_of_neighbours(body, place):
    changed = body[:place] + body[place + 1] + body[place] + body[place + 2 :]
    assert (citizen_check(changed) == citizen_check(body)) == (changed == body)


@given(st.text(DIGITS, min_size=17, max_size=17))
def test_citizen_check_is_iso_7064_mod_11_2(body):
    """The standard's own definition: the value as a polynomial in 2 is 1 modulo 11."""
    value = 0
    for character in body:
        value = (value + int(character)) * 2
    check = citizen_check(body)
    assert (value + (10 if check == "X" else int(check))) % 11 == 1


@given(digits, st.data())
def test_mod_11_10_finds_every_wrong_digit(body, data):
    place = data.draw(st.integers(0, len(body) - 1))
    other = data.draw(st.sampled_from([d for d in DIGITS if d != body[place]]))
    assert mod_11_10(body[:place] + other + body[place + 1 :]) != mod_11_10(body)


@given(alphanumerics, st.data())
def test_mod_37_36_finds_every_wrong_character(body, data):
    place = data.draw(st.integers(0, len(body) - 1))
    other = data.draw(st.sampled_from([c for c in ALPHANUMERIC if c != body[place]]))
    assert mod_37_36(body[:place] + other + body[place + 1 :]) != mod_37_36(body)


@pytest.mark.parametrize("text", ["", "12a", "１２", "12 3"])
def test_what_is_outside_the_alphabet_is_refused(text):
    with pytest.raises(ValueError):
        mod_11_10(text)


@pytest.mark.parametrize(
    "text", ["", "1101051949123100", "1101051949123100X", "１１０１０５１９４９１２３１００２"]
)
def test_citizen_check_wants_seventeen_ascii_digits(text):
    with pytest.raises(ValueError):
        citizen_check(text)
