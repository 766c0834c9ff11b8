"""Education ID, phone, code: who comes in, who does not, and that nobody can tell the difference before."""

from datetime import timedelta

import pytest

from tests.support.families import NOBODY, OTHER, PHONE, code_of, with_guardian
from tests.unit.cards.conftest import NOW, City
from xueka.contexts.families import api as families
from xueka.contexts.families.models import CodeRequest, FamilySession
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Refused
from xueka.platform.audit.models import Entry
from xueka.platform.identity.actor import Actor
from xueka.platform.messages.models import Message

pytestmark = pytest.mark.django_db


def sign_in(child: registry.Student, phone: str = PHONE) -> families.Family:
    families.ask_code(NOBODY, child.education_id, phone)
    account = families.enter(NOBODY, child.education_id, phone, code_of(phone))
    assert account is not None
    family = families.resume(
        families.begin_session(account, "10.0.0.1", "MicroMessenger/8 Android"), "10.0.0.1"
    )
    assert family is not None
    return family


def test_a_guardian_comes_in_with_her_code_and_sees_her_child_alone(
    child: registry.Student, stranger: registry.Student
) -> None:
    family = sign_in(child)
    assert family.actor.scope.children == {child.id}
    assert [each.id for each in registry.Student.objects.visible_to(family.actor.scope)] == [child.id]
    assert family.actor.name == "家长 138****0001"


def test_a_wrong_code_is_counted_and_a_used_one_is_used(child: registry.Student) -> None:
    families.ask_code(NOBODY, child.education_id, PHONE)
    code = code_of()
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    assert families.enter(NOBODY, child.education_id, PHONE, wrong) is None
    assert CodeRequest.objects.get().tries == 1
    assert families.enter(NOBODY, child.education_id, PHONE, f" {code[:3]} {code[3:]} ") is not None
    assert families.enter(NOBODY, child.education_id, PHONE, code) is None


def test_after_five_wrong_tries_the_right_code_opens_nothing(child: registry.Student) -> None:
    families.ask_code(NOBODY, child.education_id, PHONE)
    code = code_of()
    for _ in range(5):
        assert families.enter(NOBODY, child.education_id, PHONE, "12345x") is None
    assert families.enter(NOBODY, child.education_id, PHONE, code) is None


def test_a_code_holds_ten_minutes_and_only_the_last_one(child: registry.Student) -> None:
    families.ask_code(NOBODY, child.education_id, PHONE)
    first = code_of()
    with clock.at(NOW + timedelta(minutes=2)):
        families.ask_code(NOBODY, child.education_id, PHONE)
        if code_of() != first:
            assert families.enter(NOBODY, child.education_id, PHONE, first) is None
    with clock.at(NOW + timedelta(minutes=12, seconds=1)):
        assert families.enter(NOBODY, child.education_id, PHONE, code_of()) is None


def test_who_is_not_on_record_gets_the_same_answer_and_no_message(
    child: registry.Student, stranger: registry.Student
) -> None:
    for number, phone in ((child.education_id, OTHER), ("99999999", PHONE), ("99999998", "13911112222")):
        assert families.ask_code(NOBODY, number, phone) is None
    assert Message.objects.count() == 0
    assert [bytes(each.digest) for each in CodeRequest.objects.all()] == [b"", b"", b""]
    assert families.enter(NOBODY, "99999998", "13911112222", "") is None
    assert not Entry.objects.filter(detail__icontains="13911112222").exists()


@pytest.mark.parametrize("phone", [PHONE, "13911112222"])
def test_limits_count_what_was_typed_so_that_they_tell_nothing(child: registry.Student, phone: str) -> None:
    families.ask_code(NOBODY, child.education_id, phone)
    with pytest.raises(Refused) as soon:
        families.ask_code(NOBODY, child.education_id, phone)
    assert soon.value.code == "CODE_TOO_SOON"
    for minute in range(2, 11):
        with clock.at(NOW + timedelta(minutes=2 * minute)):
            families.ask_code(NOBODY, child.education_id, phone)
    with clock.at(NOW + timedelta(hours=2)), pytest.raises(Refused) as often:
        families.ask_code(NOBODY, child.education_id, phone)
    assert often.value.code == "CODE_TOO_OFTEN"
    with clock.at(NOW + timedelta(days=1, minutes=30)):
        families.ask_code(NOBODY, child.education_id, phone)


def test_what_cannot_be_an_education_id_or_a_phone_is_said_at_once() -> None:
    for number, phone, code in (("12", PHONE, "EDUCATION_ID_INVALID"), ("10000001", "1380", "PHONE_INVALID")):
        with pytest.raises(BadInput) as refusal:
            families.ask_code(NOBODY, number, phone)
        assert refusal.value.code == code


def test_a_session_ends_after_thirty_days_or_when_she_leaves(child: registry.Student) -> None:
    families.ask_code(NOBODY, child.education_id, PHONE)
    account = families.enter(NOBODY, child.education_id, PHONE, code_of())
    assert account is not None
    secret = families.begin_session(account, "", "")
    with clock.at(NOW + timedelta(days=29, hours=23)):
        assert families.resume(secret, "") is not None
    with clock.at(NOW + timedelta(days=30)):
        assert families.resume(secret, "") is None
    family = families.resume(secret, "")
    assert family is not None
    families.end_session(family)
    assert families.resume(secret, "") is None
    assert families.resume("made up", "") is None and families.resume("", "") is None
    assert secret.encode() not in bytes(FamilySession.objects.get().digest)


def test_two_children_of_one_phone_are_both_seen(city: City, child: registry.Student) -> None:
    sibling = with_guardian(city.students(school=2)[0], PHONE)
    assert sign_in(child).actor.scope.children == {child.id, sibling.id}


def test_a_phone_that_stands_for_a_whole_class_shows_only_the_child_that_was_named(
    city: City, child: registry.Student
) -> None:
    for student_id in city.students(6):
        with_guardian(student_id, PHONE)
    assert sign_in(child).actor.scope.children == {child.id}


OFFICER_REASON = "家长持户口本到校"


def test_the_school_adds_a_second_guardian(city: City, child: registry.Student) -> None:
    families.add_guardian(city.officer, child.id, "李梅", "139 0000 0009", "母亲", OFFICER_REASON)
    assert sign_in(child, "13900000009").actor.scope.children == {child.id}
    shown = families.guardians(city.officer.scope, child.education_id)
    assert [(each.name, each.phone, each.by_school) for each in shown] == [
        ("王**", "138****0001", False),
        ("李*", "139****0009", True),
    ]
    with pytest.raises(Refused) as again:
        families.add_guardian(city.officer, child.id, "李梅", "13900000009", "母亲", OFFICER_REASON)
    assert again.value.code == "GUARDIAN_KNOWN"


def test_a_changed_phone_opens_and_the_old_one_sees_nothing_at_once(
    city: City, child: registry.Student
) -> None:
    families.ask_code(NOBODY, child.education_id, PHONE)
    account = families.enter(NOBODY, child.education_id, PHONE, code_of())
    assert account is not None
    secret = families.begin_session(account, "", "")
    families.change_phone(city.officer, child.id, "roster", "13900000007", "号码停用")
    assert families.resume(secret, "") is None
    assert sign_in(child, "13900000007").actor.scope.children == {child.id}
    told = sorted(Message.objects.exclude(template="SIGN_IN_CODE").values_list("template", "shown_to"))
    assert told == [("PHONE_ADDED", "139****0007"), ("PHONE_REPLACED", "138****0001")]


def test_a_phone_changed_twice_brings_none_of_the_old_ones_back(city: City, child: registry.Student) -> None:
    made = families.change_phone(city.officer, child.id, "roster", "13900000007", "换号")
    again = families.change_phone(city.officer, child.id, str(made.pk), "13900000008", "又换号")
    with clock.at(NOW + timedelta(minutes=1)):
        for phone in (PHONE, "13900000007"):
            families.ask_code(NOBODY, child.education_id, phone)
            assert code_of(phone) == ""
    families.end_guardian(city.officer, child.id, str(again.pk), "登记错了")
    assert families.phones_of(child) == []
    families.add_guardian(city.officer, child.id, "王建国", PHONE, "父亲", "核对后恢复")
    assert families.phones_of(child) == [PHONE]


def test_another_school_and_a_guardian_change_nothing(city: City, child: registry.Student) -> None:
    family = sign_in(child)
    for actor, error in ((city.other_officer, "STUDENT_NOT_FOUND"), (family.actor, "PERMISSION_DENIED")):
        with pytest.raises(Exception) as refusal:
            families.add_guardian(actor, child.id, "李梅", "13900000009", "母亲", "x")
        assert getattr(refusal.value, "code", "") == error


def test_the_phone_of_the_roster_is_changed_not_ended(city: City, child: registry.Student) -> None:
    with pytest.raises(Refused) as refusal:
        families.end_guardian(city.officer, child.id, "roster", "不用了")
    assert refusal.value.code == "GUARDIAN_OF_ROSTER"


def test_old_requests_are_forgotten(child: registry.Student) -> None:
    from xueka.contexts.families.services.signing_in import forget_requests

    families.ask_code(NOBODY, child.education_id, PHONE)
    with clock.at(NOW + timedelta(days=3)):
        assert forget_requests() == 1


def test_the_log_names_no_phone(child: registry.Student) -> None:
    sign_in(child)
    entries = [
        str(each.detail) + each.actor + each.actor_name + each.object_id for each in Entry.objects.all()
    ]
    assert entries and not any(PHONE in each for each in entries)
    assert Actor.system("x").scope.children == frozenset()
