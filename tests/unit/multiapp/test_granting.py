"""Units and grants: two people decide, no two grants meet on a card, terms begin and end by themselves."""

from datetime import date, timedelta

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from tests.unit.cards.conftest import KIND, NOW
from tests.unit.multiapp.conftest import CONTACT, DIRECTORIES, ONE, OTHER, SYSTEM, Partners
from xueka.contexts.multiapp import api as multiapp
from xueka.contexts.multiapp.models import CardGrant, GrantPlace
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict, Forbidden, NotFound, Refused
from xueka.platform.audit.models import Entry
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

TEACHER = Actor.in_role("t", "老师", "school_officer", Scope("school", "110101", "2111010001"))


def test_a_grant_needs_two_people_and_is_in_force_from_its_day(partners: Partners) -> None:
    grant = partners.proposed(partners.vendor.code, valid_from=date(2026, 10, 1))
    with pytest.raises(Refused) as own:
        multiapp.approve_grant(ONE, grant.number)
    assert own.value.code == "SECOND_PERSON"
    assert multiapp.approve_grant(OTHER, grant.number).state == "agreed"
    assert multiapp.keep_terms(SYSTEM) == {"expire": 0, "start": 0}
    with clock.at(NOW + timedelta(days=30)):
        assert multiapp.keep_terms(SYSTEM) == {"expire": 0, "start": 1}
    with clock.at(NOW + timedelta(days=400)):
        assert multiapp.keep_terms(SYSTEM) == {"expire": 1, "start": 0}
        assert multiapp.grant(ONE.scope, grant.number).state == "expired"
    acts = Entry.objects.filter(object_id=grant.number).order_by("id").values_list("action", flat=True)
    assert list(acts) == [f"card_grant.{verb}" for verb in ("propose", "approve", "start", "expire")]


def test_two_grants_never_meet_on_a_card(partners: Partners) -> None:
    partners.granted(partners.vendor.code)
    for who, schools in ((partners.unit.code, ()), (partners.unit.code, [partners.city.schools[0].code])):
        with pytest.raises(Conflict) as refusal:
            partners.proposed(who, schools=schools)
        assert refusal.value.code == "GRANT_OVERLAP"
        assert "晨光一卡通公司" in str(refusal.value.found)
    assert partners.proposed(partners.unit.code, schools=[partners.city.schools[1].code]).state == "proposed"
    assert partners.proposed(partners.unit.code, "practice").state == "proposed"
    assert CardGrant.objects.count() == 3


def test_the_database_itself_excludes_it(partners: Partners) -> None:
    one = partners.granted(partners.vendor.code)
    other = partners.granted(partners.unit.code, "practice")
    with pytest.raises(DatabaseError), transaction.atomic():
        GrantPlace.objects.filter(grant=other).update(area=one.area)
    with pytest.raises(IntegrityError), transaction.atomic():
        GrantPlace.objects.create(grant=one, area=one.area, school=None)
    with pytest.raises(DatabaseError), transaction.atomic():
        CardGrant.objects.filter(id=one.id).update(size=900)
    with pytest.raises(DatabaseError), transaction.atomic():
        CardGrant.objects.filter(id=one.id).update(approved_by="one")


def test_space_is_free_only_after_it_was_released_by_two(partners: Partners) -> None:
    grant = partners.granted(partners.vendor.code)
    with transaction.atomic():
        multiapp.ask_change(ONE, grant.number, "revoke", "合同终止")
        assert multiapp.approve_change(OTHER, grant.number).state == "revoked"
    with pytest.raises(Conflict):
        partners.proposed(partners.unit.code)
    multiapp.ask_change(OTHER, grant.number, "release", "卡片已更换")
    with pytest.raises(Refused):
        multiapp.approve_change(OTHER, grant.number)
    assert multiapp.approve_change(ONE, grant.number).state == "released"
    assert partners.proposed(partners.unit.code).state == "proposed"


def test_stopping_needs_one_person_and_going_on_needs_two(partners: Partners) -> None:
    grant = partners.granted(partners.vendor.code)
    assert multiapp.suspend_grant(ONE, grant.number, "读卡器失窃").state == "suspended"
    multiapp.ask_change(ONE, grant.number, "resume", "已更换")
    with pytest.raises(Conflict) as twice:
        multiapp.ask_change(OTHER, grant.number, "revoke", "不再合作")
    assert twice.value.code == "GRANT_ASKED"
    with pytest.raises(Refused):
        multiapp.approve_change(ONE, grant.number)
    assert multiapp.approve_change(OTHER, grant.number).state == "in_force"
    with pytest.raises(Refused):
        multiapp.approve_change(OTHER, grant.number)


def test_renewing(partners: Partners) -> None:
    grant = partners.granted(partners.vendor.code)
    for until in (None, date(2027, 8, 31), date(2030, 1, 1)):
        with pytest.raises(BadInput) as refusal:
            multiapp.ask_change(ONE, grant.number, "renew", "续签", until)
        assert refusal.value.code == "GRANT_TERM"
    multiapp.ask_change(ONE, grant.number, "renew", "续签", date(2028, 8, 31))
    assert multiapp.decline_change(OTHER, grant.number).valid_until == date(2027, 8, 31)
    multiapp.ask_change(ONE, grant.number, "renew", "续签", date(2028, 8, 31))
    assert multiapp.approve_change(OTHER, grant.number).valid_until == date(2028, 8, 31)
    with clock.at(NOW + timedelta(days=800)):
        multiapp.keep_terms(SYSTEM)
        with pytest.raises(Refused):
            multiapp.ask_change(ONE, grant.number, "resume", "再用")
        multiapp.ask_change(ONE, grant.number, "renew", "再用", date(2029, 8, 31))
        assert multiapp.approve_change(OTHER, grant.number).state == "in_force"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"area": "transit"}, "AREA_NOT_GRANTED"),
        ({"area": "education"}, "AREA_NOT_GRANTED"),
        ({"area": "nowhere"}, "AREA_NOT_FOUND"),
        ({"size": 1025}, "GRANT_TOO_LARGE"),
        ({"size": 300}, "GRANT_TOO_LARGE"),
        ({"valid_until": date(2026, 8, 1)}, "GRANT_TERM"),
        ({"valid_until": date(2030, 1, 1)}, "GRANT_TERM"),
        ({"valid_from": date(2026, 9, 1), "valid_until": date(2026, 9, 2)}, "GRANT_TERM"),
        ({"wanted": {}}, "GRANT_KEYS"),
        ({"wanted": {"education.adf.external": "root"}}, "GRANT_KEY_USAGE"),
        ({"wanted": {"education.adf.external": "maintain"}}, "KEY_NOT_GRANTED"),
        ({"wanted": {"education.adf.maintain": "maintain"}}, "KEY_NOT_GRANTED"),
        ({"wanted": {"education.adf.control": "external"}}, "KEY_NOT_GRANTED"),
        ({"wanted": {"transit.load": "internal"}}, "KEY_FOREIGN"),
        ({"wanted": {"nobody.knows": "internal"}}, "KEY_NOT_FOUND"),
        ({"schools": ["2111010002"]}, "GRANT_SCHOOL"),
        ({"files": "0001 基本信息 binary 64 free"}, "GRANT_FILE"),
        ({"files": "3f00 基本信息 binary 64 free free"}, "GRANT_FILE"),
        ({"files": "0001 基本信息 binary 64 free key:transit.load"}, "GRANT_FILE"),
        ({"files": "0001 甲 binary 9 free free\n0001 乙 binary 9 free free"}, "GRANT_FILE"),
        ({"files": "0001 甲 blob 9 free free"}, "GRANT_FILE"),
        ({"files": "0001 甲 binary 99999 free free"}, "GRANT_FILE"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(
    partners: Partners, change: dict[str, object], code: str
) -> None:
    area = str(change.pop("area", "campus"))
    with pytest.raises((BadInput, Refused, NotFound)) as refusal:
        partners.proposed(partners.vendor.code, area, **change)
    assert refusal.value.code == code
    assert not CardGrant.objects.exists()


def test_a_profile_cannot_pull_a_directory_from_under_a_grant(partners: Partners) -> None:
    partners.granted(partners.vendor.code)
    moved = [
        *DIRECTORIES[:2],
        multiapp.Directory("campus", "校园应用", "a000000001c009", "3f03", 1024),
        DIRECTORIES[3],
    ]
    with pytest.raises(Conflict) as refusal:
        multiapp.set_areas(ONE, KIND, moved, "student 1.1")
    assert refusal.value.code == "AREA_IN_USE"
    larger = [*DIRECTORIES[:2], multiapp.Directory("campus", "校园应用", "a000000001c001", "3f03", 2048)]
    assert multiapp.set_areas(ONE, KIND, larger, "student 1.1") == 2  # one grew, one is gone
    assert [room.area.code for room in multiapp.rooms(ONE.scope, KIND)] == ["education", "transit", "campus"]
    with pytest.raises(NotFound):
        partners.proposed(partners.unit.code, "practice")


def test_a_unit_is_closed_when_nothing_is_left(partners: Partners) -> None:
    grant = partners.proposed(partners.vendor.code)
    with pytest.raises(Refused) as refusal:
        multiapp.close_unit(ONE, partners.vendor.code, "合同到期")
    assert grant.number in str(refusal.value.found)
    multiapp.withdraw_grant(ONE, grant.number)
    assert multiapp.close_unit(ONE, partners.vendor.code, "合同到期").state == "closed"
    for act in (
        lambda: partners.proposed(partners.vendor.code),
        lambda: partners.credential(partners.vendor.code),
    ):
        with pytest.raises(Refused) as closed:
            act()
        assert closed.value.code == "UNIT_CLOSED"
    assert multiapp.reopen_unit(ONE, partners.vendor.code).state == "in_use"


def test_contacts_are_sealed_masked_and_shown_on_record(partners: Partners) -> None:
    [shown] = multiapp.contacts_of(partners.vendor)
    assert (shown["name"], shown["phone"], shown["email"]) == ("李*", "138****5678", "l***@vendor.example")
    assert b"13812345678" not in bytes(partners.vendor.contacts)
    assert multiapp.unmask_contacts(ONE, partners.vendor.code, "约时间")[0]["phone"] == CONTACT["phone"]
    assert Entry.objects.filter(action="unit.unmask", object_id=partners.vendor.code).exists()


def test_strangers_find_nothing_and_may_nothing(partners: Partners) -> None:
    assert not multiapp.units(TEACHER.scope).exists()
    with pytest.raises(NotFound):
        multiapp.unit(TEACHER.scope, partners.vendor.code)
    with pytest.raises(Forbidden):
        multiapp.add_schools(TEACHER, partners.vendor.code, ["2111010002"])
    with pytest.raises(NotFound):
        multiapp.suspend_grant(TEACHER, partners.proposed(partners.vendor.code).number, "x")
