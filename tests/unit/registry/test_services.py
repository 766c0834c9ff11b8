"""Consent, corrections, unmasking."""

import pytest

from tests.support.registry import OPERATOR, SCHOOLS, clean, load, school_officer
from tests.support.rosters import COLUMN
from xueka.contexts.registry.api import (
    correct_sort_key,
    masked_personal,
    personal,
    record_consent,
    student,
    without_consent,
)
from xueka.contexts.registry.models import Consent, Student
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.platform.audit.models import Entry
from xueka.platform.crypto.fields import unseal
from xueka.platform.identity.scope import EVERYWHERE

pytestmark = pytest.mark.usefixtures("schools")
ROWS = clean(4, schools=SCHOOLS[:1])
OFFICER, STRANGER = school_officer(SCHOOLS[0]), school_officer(SCHOOLS[1])


@pytest.fixture
def ids(schools: None) -> list[int]:
    load(ROWS)
    return [student(EVERYWHERE, row[COLUMN["教育ID"]]).id for row in ROWS]


def test_consent_is_given_and_withdrawn(ids: list[int]) -> None:
    assert without_consent(ids) == set(ids)
    assert record_consent(OFFICER, ids[:3], "given", "2026-1", "马一文", "paper") == 3
    assert without_consent(ids) == {ids[3]}
    record_consent(OFFICER, ids[:1], "withdrawn", "2026-1", "马一文", "counter")
    assert without_consent(ids) == {ids[0], ids[3]}
    with pytest.raises(Refused) as refusal:
        record_consent(OFFICER, ids[:2], "withdrawn", "2026-1", "马一文", "counter")
    assert refusal.value.code == "CONSENT_NOT_GIVEN"
    assert without_consent(ids) == {ids[0], ids[3]}
    record_consent(OFFICER, ids[:1], "given", "2026-2", "", "page")
    assert without_consent(ids) == {ids[3]}
    first = Consent.objects.order_by("id")[0]
    assert unseal(bytes(first.given_by)) == {"name": "马一文"}
    assert first.recorded_by == OFFICER.username
    assert "马一文" not in repr(list(Entry.objects.values_list()))
    assert Entry.objects.filter(action="consent.given").count() == 2


@pytest.mark.parametrize(
    ("action", "version", "method", "code"),
    [
        ("maybe", "1", "paper", "CONSENT_UNKNOWN"),
        ("given", "1", "telepathy", "CONSENT_UNKNOWN"),
        ("given", " ", "paper", "NOTICE_VERSION"),
        ("given", "v" * 33, "paper", "NOTICE_VERSION"),
    ],
)
def test_consent_is_recorded_properly_or_not_at_all(
    ids: list[int], action: str, version: str, method: str, code: str
) -> None:
    with pytest.raises(BadInput) as refusal:
        record_consent(OFFICER, ids, action, version, "马一文", method)
    assert refusal.value.code == code
    assert not Consent.objects.exists()


def test_strangers_students_do_not_exist(ids: list[int]) -> None:
    for act in (
        lambda: record_consent(STRANGER, ids, "given", "1", "", "paper"),
        lambda: record_consent(OFFICER, [*ids, 10**9], "given", "1", "", "paper"),
        lambda: correct_sort_key(STRANGER, ids[0], "wang"),
        lambda: personal(STRANGER, ids[0], "核对"),
    ):
        with pytest.raises(NotFound) as refusal:
            act()
        assert refusal.value.code == "STUDENT_NOT_FOUND"
    assert not Consent.objects.exists()
    assert not Entry.objects.filter(object_type="student").exists()
    with pytest.raises(Forbidden):
        record_consent(OPERATOR, ids, "given", "1", "", "paper")


def test_a_sort_key_is_corrected_and_given_back(ids: list[int]) -> None:
    before = Student.objects.get(id=ids[0]).sort_key
    assert correct_sort_key(OFFICER, ids[0], " Ｓhan  Tian ") == "shan tian"
    found = Student.objects.get(id=ids[0])
    assert (found.sort_key, found.sort_key_by_hand) == ("shan tian", True)
    assert Entry.objects.get(action="student.correct_sort_key").detail == {"from": before, "to": "shan tian"}
    assert correct_sort_key(OFFICER, ids[0], "") == before
    assert not Student.objects.get(id=ids[0]).sort_key_by_hand
    for bad in ("单", "1", "a" * 201, "a;b"):
        with pytest.raises(BadInput):
            correct_sort_key(OFFICER, ids[0], bad)


def test_whole_values_are_shown_for_a_reason_that_is_kept(ids: list[int]) -> None:
    values = personal(OFFICER, ids[0], "家长来电核对")
    assert values["id_number"] == ROWS[0][COLUMN["证件号码"]]
    assert values["guardians"][0]["phone"] == ROWS[0][COLUMN["监护人手机"]]
    entry = Entry.objects.get(action="student.unmask")
    assert (entry.actor, entry.object_id, entry.detail) == (
        OFFICER.username,
        ROWS[0][COLUMN["教育ID"]],
        {"reason": "家长来电核对"},
    )
    with pytest.raises(BadInput) as refusal:
        personal(OFFICER, ids[0], "  ")
    assert refusal.value.code == "REASON_MISSING"


def test_everybody_else_sees_masks(ids: list[int]) -> None:
    row = ROWS[0]
    shown = masked_personal(student(EVERYWHERE, ids[0]))
    number = row[COLUMN["证件号码"]]
    assert shown["id_number"] == f"{number[:6]}********{number[14:]}"
    assert shown["birth_date"] == "2008-**-**"
    assert shown["guardians"][0]["phone"].count("*") == 4
    for header in ("证件号码", "全国学籍号", "监护人姓名", "监护人手机", "现住址", "出生日期"):
        assert row[COLUMN[header]] not in str(shown)
