from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xueka.kernel import clock
from xueka.kernel.check_digits import citizen_check
from xueka.kernel.districts import DISTRICTS, RETIRED_DISTRICTS, present_district
from xueka.kernel.errors import BadInput
from xueka.kernel.identifiers import (
    MAX_SERIAL,
    birth_date_of,
    card_number,
    check_card_number,
    citizen_id,
    citizen_id_problem,
    clean_id,
    clean_phone,
    education_id_problem,
    national_number_problem,
    phone_problem,
    school_code_problem,
    sex_of,
)

SOUND = "11010519491231002X"
births = st.dates(date(1900, 1, 1), date(2024, 12, 31))


def with_check(body: str) -> str:
    return body + citizen_check(body)


def code_of(problem) -> str | None:
    return problem and problem.code


# --- citizen identity numbers ---


def test_the_standards_own_number():
    found = citizen_id(SOUND)
    assert found == (SOUND, "110105", date(1949, 12, 31), "女")
    assert (birth_date_of(SOUND), sex_of(SOUND)) == (date(1949, 12, 31), "女")


@given(
    st.sampled_from([*DISTRICTS, *RETIRED_DISTRICTS, "370102", "810000"]),
    births,
    st.integers(0, 999),
)
def test_sound_numbers_give_back_what_they_were_made_of(region, birth, serial):
    number = with_check(f"{region}{birth:%Y%m%d}{serial:03d}")
    assert citizen_id_problem(number) is None
    found = citizen_id(f" {number.lower()} ")
    assert found == (number, region, birth, "男" if serial % 2 else "女")


@given(births, st.integers(0, 999), st.data())
def test_every_wrong_check_character_is_found_and_the_right_one_named(birth, serial, data):
    number = with_check(f"110101{birth:%Y%m%d}{serial:03d}")
    wrong = data.draw(st.sampled_from([c for c in "0123456789X" if c != number[17]]))
    problem = citizen_id_problem(number[:17] + wrong)
    if (number[:17] + wrong).endswith("000"):
        assert problem.code == "ID_LOST_DIGITS"
    else:
        assert (problem.code, problem.expected) == ("ID_CHECK_DIGIT", number[17])
        assert number[17] in problem.message


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "ID_MISSING"),
        ("1.10105E+17", "ID_LOST_DIGITS"),
        ("1.1010519491231002e+17", "ID_LOST_DIGITS"),
        ("1E17", "ID_LOST_DIGITS"),
        ("110105194912310000", "ID_LOST_DIGITS"),
        ("110105130410592", "ID_15_DIGITS"),
        ("11010519491231002", "ID_LENGTH"),
        ("11010519491231002XX", "ID_LENGTH"),
        ("11010519491231O02X", "ID_CHARACTERS"),
        ("1101051949123100X2", "ID_CHARACTERS"),
        ("110105194912310021", "ID_CHECK_DIGIT"),
        (with_check("99010519491231002"), "ID_REGION"),
        (with_check("11010520150230001"), "ID_BIRTH_DATE"),
        (with_check("11010520151301001"), "ID_BIRTH_DATE"),
        (with_check("11010518991231001"), "ID_BIRTH_DATE"),
    ],
)
def test_each_defect_has_its_own_reason(typed, code):
    assert code_of(citizen_id_problem(clean_id(typed))) == code
    with pytest.raises(BadInput) as caught:
        citizen_id(typed)
    assert caught.value.code == code
    assert caught.value.expected


def test_the_provinces_are_those_of_gb_t_2260():
    known = {
        code for code in range(100) if citizen_id_problem(with_check(f"{code:02d}010120150901001")) is None
    }
    assert known == {
        11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46,
        50, 51, 52, 53, 54, 61, 62, 63, 64, 65, 71, 81, 82, 83,
    }  # fmt: skip
    assert "前两位 99" in citizen_id_problem(with_check("99010120150901001")).message


def test_what_is_missing_is_not_called_malformed():
    for problem in (education_id_problem, phone_problem):
        assert "为空" in problem("").message
        assert "为空" not in problem("12").message


def test_a_birth_date_to_come_is_no_birth_date():
    tomorrow = with_check("11010520260901001")
    with clock.at(datetime(2026, 8, 31, 12, tzinfo=UTC)):
        assert code_of(citizen_id_problem(tomorrow)) == "ID_BIRTH_DATE"
    with clock.at(datetime(2026, 8, 31, 16, tzinfo=UTC)):
        assert citizen_id_problem(tomorrow) is None
    assert citizen_id_problem(tomorrow, date(2026, 9, 1)) is None
    assert code_of(citizen_id_problem(tomorrow, date(2026, 8, 31))) == "ID_BIRTH_DATE"


def test_a_refusal_shows_the_number_masked():
    with pytest.raises(BadInput) as caught:
        citizen_id("110105194912310021")
    assert caught.value.found == "110105********0021"
    assert "19491231" not in str(caught.value.as_dict())


@pytest.mark.parametrize(
    "typed",
    ["１１０１０５１９４９１２３１００２Ｘ", "110105 19491231 002x", "\u3000110105-19491231-002X\ufeff"],
)
def test_numbers_are_read_as_people_type_them(typed):
    assert citizen_id(typed).number == SOUND


def test_birth_date_of_an_unsound_number_is_a_programming_mistake():
    with pytest.raises(ValueError, match="not a sound"):
        birth_date_of("110105201502300010")


# --- national student numbers, schools, education IDs ---


@pytest.mark.parametrize("number", [f"G{SOUND}", "J110108201509010012", "L110115201305297090"])
def test_national_numbers(number):
    assert national_number_problem(number) is None


@pytest.mark.parametrize(
    "number", ["", SOUND, f"K{SOUND}", f"G{SOUND}1", "G110105130410592", f"G{SOUND}".lower()]
)
def test_malformed_national_numbers(number):
    assert code_of(national_number_problem(number)) == "NATIONAL_NUMBER_FORMAT"


def test_a_national_number_lags_behind_the_identity_number():
    assert national_number_problem(f"G{SOUND}", SOUND) is None
    for other in ("G110105194912310021", "L110115201305297090"):
        assert code_of(national_number_problem(other, SOUND)) == "NATIONAL_NUMBER_MISMATCH"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("2111000001", None),
        ("3411999999", None),
        ("211100001", "SCHOOL_CODE_FORMAT"),
        ("2111 9999", "SCHOOL_CODE_FORMAT"),
        ("ABCDEFGHIJ", "SCHOOL_CODE_FORMAT"),
        ("9911000001", "SCHOOL_CODE_TYPE"),
        ("2131000001", "SCHOOL_CODE_PROVINCE"),
    ],
)
def test_school_codes(code, expected):
    assert code_of(school_code_problem(code)) == expected


def test_the_school_type_is_named():
    assert "前两位 99" in school_code_problem("9911000001").message
    assert "第 3、4 位 31" in school_code_problem("2131000001").message


def test_another_city_has_another_province():
    assert school_code_problem("2131000001", province="31") is None


@pytest.mark.parametrize("value", ["12345678", "00000000"])
def test_education_ids(value):
    assert education_id_problem(value) is None


@pytest.mark.parametrize("value", ["", "1234567", "123456789", "12A45678", "１２３４５６７８", "12345678\n"])
def test_malformed_education_ids(value):
    assert code_of(education_id_problem(value)) == "EDUCATION_ID_FORMAT"


def test_the_form_of_an_education_id_is_configurable():
    pattern = r"[A-Z]\d{9}"
    assert education_id_problem("A123456789", pattern) is None
    assert pattern in education_id_problem("12345678", pattern).expected


# --- card numbers ---


def test_card_numbers_are_twelve_digits_in_order_of_issue():
    assert card_number(2026, 1) == "260000000010"
    assert card_number(2026, MAX_SERIAL)[:11] == "26999999999"
    assert [card_number(2026, n)[:11] for n in (8, 9, 10)] == ["26000000008", "26000000009", "26000000010"]


@given(st.integers(2000, 2099), st.integers(0, MAX_SERIAL), st.integers(0, 11), st.integers(1, 9))
def test_a_mistyped_card_number_is_noticed(year, serial, place, step):
    number = card_number(year, serial)
    assert check_card_number(number)
    wrong = str((int(number[place]) + step) % 10)
    assert not check_card_number(number[:place] + wrong + number[place + 1 :])


@pytest.mark.parametrize(
    "number", ["", "26000000001", "2600000000100", "26000000001X", "２６０００００００００１０"]
)
def test_what_is_no_card_number(number):
    assert not check_card_number(number)


@pytest.mark.parametrize(("year", "serial"), [(1999, 1), (2100, 1), (2026, -1), (2026, MAX_SERIAL + 1)])
def test_card_numbers_end_where_the_digits_end(year, serial):
    with pytest.raises(ValueError, match="out of range"):
        card_number(year, serial)


# --- telephone ---


@pytest.mark.parametrize(
    "typed",
    [
        "13812345678",
        "138 1234 5678",
        "138-1234-5678",
        "+8613812345678",
        "+86 138 1234 5678",
        "＋86-13812345678",
        "008613812345678",
        "8613812345678",
        "(+86)13812345678",
        "１３８１２３４５６７８",
        "\u300013812345678 ",
    ],
)
def test_phones_as_people_type_them(typed):
    assert clean_phone(typed) == "13812345678"
    assert phone_problem(clean_phone(typed)) is None


@pytest.mark.parametrize(
    "typed", ["", "1381234567", "138123456789", "1381234567a", "23812345678", "12812345678", "+85291234567"]
)
def test_what_is_no_mobile_number(typed):
    assert code_of(phone_problem(clean_phone(typed))) == "PHONE_INVALID"


# --- districts ---


def test_sixteen_districts_and_their_former_codes():
    assert len(DISTRICTS) == 16
    assert list(DISTRICTS) == sorted(DISTRICTS)
    assert present_district("110108") == "110108"
    assert {code: present_district(code) for code in RETIRED_DISTRICTS} == {
        "110103": "110101",
        "110104": "110102",
        "110228": "110118",
        "110229": "110119",
    }
    assert present_district("370102") is None
