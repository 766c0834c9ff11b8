"""Substitutes, hand-overs, leavers."""

from datetime import date, timedelta

import pytest
from django.db import connection, transaction

from tests.support.machines import assert_every_pair
from tests.unit.officers.conftest import CITY, EAST, FIRST, FOREIGN, SECOND, WEST, person
from xueka.contexts.officers import api as officers
from xueka.contexts.officers.domain.transitions import HAND_OVER
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound, Refused, XuekaError
from xueka.platform.audit.models import Entry
from xueka.platform.history.services import apply
from xueka.platform.identity import accounts
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.models import Grant, StaffSession, User
from xueka.platform.identity.services import close_ended_grants
from xueka.platform.invariants import check

WORK = [{"label": "待发放", "count": 12}]


def today(days: int = 0) -> date:
    return clock.today() + timedelta(days=days)


def at(days: int):
    return clock.at(clock.now() + timedelta(days=days))


def roles(user: User) -> list[str]:
    return [grant.role for grant in accounts.open_grants(user)]


def grant_of(user: User) -> Grant:
    return user.grants.filter(stands_in_for=None, revoked_at=None).get()


def code_of(act) -> str:
    with pytest.raises(XuekaError) as refusal:
        act()
    return refusal.value.code


# --- substitutes ---


def test_an_officer_asks_a_colleague_and_it_ends_by_itself() -> None:
    zhou, herself = person("zhou", "周敏")
    wu, wu_acts = person("wulan", "吴岚", "school_reviewer")
    made = officers.stand_in(herself, grant_of(zhou).pk, "wulan", today(1), today(3), "产检")
    assert roles(wu) == ["school_reviewer"], "not yet"
    with at(1):
        assert roles(wu) == ["school_reviewer", "school_officer"]
    with at(4):
        assert roles(wu) == ["school_reviewer"], "over without anybody doing anything"
        close_ended_grants()
    made.refresh_from_db()
    assert made.revoked_by == "system:grants"
    assert roles(zhou) == ["school_officer"]
    assert list(officers.substitutes(wu_acts)) == []


@pytest.mark.parametrize(
    ("who", "username", "first", "last", "reason", "code"),
    [
        ("zhou", "far", 0, 1, "出差", "USER_NOT_FOUND"),
        ("zhou", "zhou", 0, 1, "出差", "USER_NOT_FOUND"),
        ("zhou", "nobody", 0, 1, "出差", "USER_NOT_FOUND"),
        ("zhou", "wulan", -1, 1, "出差", "DATES"),
        ("zhou", "wulan", 2, 1, "出差", "DATES"),
        ("zhou", "wulan", 0, 400, "出差", "DATES"),
        ("zhou", "wulan", 0, 1, " ", "REASON_MISSING"),
        ("zhou", "same", 0, 1, "出差", "ROLE_HELD"),
        ("wulan", "wulan", 0, 1, "出差", "GRANT_NOT_FOUND"),
        ("west", "wulan", 0, 1, "出差", "GRANT_NOT_FOUND"),
    ],
)
def test_who_may_not_stand_in(who: str, username: str, first: int, last: int, reason: str, code: str) -> None:
    zhou, zhou_acts = person("zhou", "周敏")
    _, wu_acts = person("wulan", "吴岚", "school_reviewer")
    person("same", "同事")
    person("far", "外校", school=SECOND)
    actor = {"zhou": zhou_acts, "wulan": wu_acts, "west": WEST}[who]
    assert code == code_of(
        lambda: officers.stand_in(actor, grant_of(zhou).pk, username, today(first), today(last), reason)
    )


def test_the_district_lends_somebody_from_another_school_and_ends_it_early() -> None:
    zhou, herself = person("zhou", "周敏")
    far, far_acts = person("far", "外校", school=SECOND)
    person("other", "外区", school=FOREIGN)
    grant = grant_of(zhou)
    assert [user.username for user in officers.colleagues(EAST, grant)] == ["far"]
    assert (
        code_of(lambda: officers.stand_in(EAST, grant.pk, "other", today(), today(), "病假"))
        == "USER_NOT_FOUND"
    )
    made = officers.stand_in(EAST, grant.pk, "far", today(), today(5), "病假")
    assert len(roles(far)) == 2
    assert (
        code_of(lambda: officers.stand_in(far_acts, made.pk, "zhou", today(), today(), "再转")) == "STANDS_IN"
    )
    assert code_of(lambda: officers.end_stand_in(WEST, made.pk)) == "GRANT_NOT_FOUND"
    assert list(officers.substitutes(WEST)) == []
    assert list(officers.substitutes(herself)) == [made]
    officers.end_stand_in(herself, made.pk)
    assert len(roles(far)) == 1


# --- hand-over ---


def test_both_confirm_and_the_work_changes_hands_on_its_day() -> None:
    zhou, zhou_acts = person("zhou", "周敏")
    wu, wu_acts = person("wulan", "吴岚", "school_reviewer")
    asked = officers.ask(EAST, grant_of(zhou).pk, "wulan", today(5), "钥匙在收发室")
    assert code_of(lambda: officers.ask(zhou_acts, grant_of(zhou).pk, "wulan", today(6))) == "HAND_OVER_OPEN"
    assert code_of(lambda: officers.confirm(EAST, asked.pk, WORK)) == "NOT_A_PARTY"
    officers.confirm(zhou_acts, asked.pk, WORK)
    assert roles(wu) == ["school_reviewer"]
    done = officers.confirm(wu_acts, asked.pk, WORK)
    done.refresh_from_db()
    assert (done.state, done.work) == ("agreed", WORK)
    assert roles(zhou) == ["school_officer"], "until the day"
    with at(5):
        assert roles(zhou) == []
        assert roles(wu) == ["school_reviewer", "school_officer"]
    assert code_of(lambda: officers.cancel(EAST, asked.pk)) == "TRANSITION_NOT_ALLOWED"
    assert [h.pk for h in officers.hand_overs(EAST)] == [asked.pk]
    assert [h.pk for h in officers.hand_overs(WEST)] == []


def test_a_hand_over_of_today_is_at_once_and_ends_what_stood_in_between() -> None:
    zhou, zhou_acts = person("zhou", "周敏")
    wu, wu_acts = person("wulan", "吴岚", "school_reviewer")
    officers.stand_in(zhou_acts, grant_of(zhou).pk, "wulan", today(), today(9), "先代着")
    asked = officers.ask(zhou_acts, grant_of(zhou).pk, "wulan", today())
    officers.confirm(wu_acts, asked.pk, WORK)
    officers.confirm(zhou_acts, asked.pk, WORK)
    assert roles(zhou) == []
    with at(30):
        assert roles(wu) == ["school_reviewer", "school_officer"], "for good now"
    assert not any(check(each).violated for each in officers.INVARIANTS)


def test_until_the_day_everybody_works_as_before_and_nobody_longer() -> None:
    zhou, zhou_acts = person("zhou", "周敏")
    wu, wu_acts = person("wulan", "吴岚", "school_reviewer")
    he, _ = person("heli", "何丽", "school_reviewer")
    grant = grant_of(zhou)
    officers.stand_in(zhou_acts, grant.pk, "heli", today(), today(9), "先代着")
    asked = officers.ask(zhou_acts, grant.pk, "wulan", today(3))
    officers.confirm(wu_acts, asked.pk, WORK)
    officers.confirm(zhou_acts, asked.pk, WORK)
    with at(2):
        assert ["school_officer" in roles(each) for each in (zhou, he, wu)] == [True, True, False]
    with at(3):
        assert ["school_officer" in roles(each) for each in (zhou, he, wu)] == [False, False, True]
    assert code_of(lambda: officers.ask(zhou_acts, grant.pk, "heli", today(90))) == "GRANT_ENDED"
    assert (
        code_of(lambda: officers.stand_in(zhou_acts, grant.pk, "wulan", today(), today(3), "出差")) == "DATES"
    )
    assert not any(check(each).violated for each in officers.INVARIANTS)


def test_a_substitute_who_takes_over_does_not_stand_without_access() -> None:
    zhou, zhou_acts = person("zhou", "周敏")
    wu, wu_acts = person("wulan", "吴岚", "school_reviewer")
    officers.stand_in(zhou_acts, grant_of(zhou).pk, "wulan", today(), today(9), "先代着")
    asked = officers.ask(zhou_acts, grant_of(zhou).pk, "wulan", today(3))
    officers.confirm(wu_acts, asked.pk, WORK)
    officers.confirm(zhou_acts, asked.pk, WORK)
    for days in (0, 3, 30):
        with at(days):
            assert "school_officer" in roles(wu)


def test_strangers_and_wrong_days() -> None:
    zhou, zhou_acts = person("zhou", "周敏")
    person("wulan", "吴岚", "school_reviewer")
    pk = grant_of(zhou).pk
    assert code_of(lambda: officers.ask(WEST, pk, "wulan", today())) == "GRANT_NOT_FOUND"
    assert code_of(lambda: officers.ask(zhou_acts, pk, "wulan", today(-1))) == "DATES"
    asked = officers.ask(zhou_acts, pk, "wulan", today(1))
    for act in (
        lambda: officers.confirm(WEST, asked.pk, WORK),
        lambda: officers.cancel(WEST, asked.pk),
        lambda: officers.hand_over(WEST, asked.pk),
        lambda: officers.hand_over(EAST, 99999),
    ):
        with pytest.raises(NotFound):
            act()
    officers.cancel(zhou_acts, asked.pk)
    assert officers.hand_over(EAST, asked.pk).state == "cancelled"


def test_every_pair_of_the_table() -> None:
    zhou, _ = person("zhou", "周敏")
    person("wulan", "吴岚", "school_reviewer")
    system = Actor.system("test")

    def attempt(event: str, state: str, to: str | None) -> str:
        with transaction.atomic():
            asked = officers.ask(EAST, grant_of(zhou).pk, "wulan", today(3))
            officers.HandOver.objects.update(from_confirmed_at=clock.now(), to_confirmed_at=clock.now())
            for way in {"agreed": "agree", "cancelled": "cancel"}.items():
                if way[0] == state:
                    apply(HAND_OVER, officers.HandOver, [asked.pk], way[1], system)
            apply(HAND_OVER, officers.HandOver, [asked.pk], event, system)
            asked.refresh_from_db()
            found = asked.state
            transaction.set_rollback(True)
        return found

    assert assert_every_pair(HAND_OVER, attempt) == (2, 4)


# --- leaving ---


def test_whoever_leaves_is_out_at_once_and_her_work_is_named() -> None:
    zhou, zhou_acts = person("zhou", "周敏")
    wu, _ = person("wulan", "吴岚", "school_reviewer")
    now = clock.now()
    StaffSession.objects.create(user=zhou, key="k" * 32, began_at=now, seen_at=now)
    asked = officers.ask(zhou_acts, grant_of(zhou).pk, "wulan", today(9))
    officers.stand_in(zhou_acts, grant_of(zhou).pk, "wulan", today(1), today(2), "出差")
    officers.leave(EAST, "zhou", "调离", WORK, successor="")
    zhou.refresh_from_db()
    assert (roles(zhou), zhou.is_active) == ([], False)
    assert StaffSession.objects.get().ended_why == "left"
    assert officers.hand_over(EAST, asked.pk).state == "cancelled"
    assert not Grant.objects.filter(stands_in_for__isnull=False, revoked_at=None).exists()
    assert roles(wu) == ["school_reviewer"]
    entry = Entry.objects.get(action="officer.leave")
    assert entry.detail == {"reason": "调离", "successor": "", "work": WORK}


def test_a_successor_gets_what_she_had() -> None:
    person("zhou", "周敏")
    wu, _ = person("wulan", "吴岚", "school_reviewer")
    officers.leave(EAST, "zhou", "退休", WORK, successor="wulan")
    assert roles(wu) == ["school_reviewer", "school_officer"]


def test_who_may_not_be_sent_away() -> None:
    zhou, zhou_acts = person("zhou", "周敏")
    person("equal", "同级", "district_officer")
    both, _ = person("both", "两区", school=FIRST)
    Grant.objects.create(
        user=both, role="school_officer", level="school", district_code="110102", school_code=FOREIGN,
        granted_at=clock.now(), granted_by="test",
    )  # fmt: skip
    with pytest.raises(NotFound):
        officers.leave(WEST, "zhou", "调离", [])
    with pytest.raises(NotFound):
        officers.leave(EAST, "equal", "调离", [])
    with pytest.raises(BadInput):
        officers.leave(EAST, "zhou", "", [])
    with pytest.raises(Refused) as refusal:
        officers.leave(EAST, "both", "调离", [])
    assert refusal.value.code == "ALSO_ELSEWHERE"
    assert "110102" not in str(refusal.value.as_dict())
    officers.leave(CITY, "both", "调离", [])
    with pytest.raises(XuekaError):
        officers.leave(zhou_acts, "zhou", "我自己", [])
    assert zhou.is_active


@pytest.mark.parametrize("wrong", ["none", "stand_in", "old_grant", "state"])
def test_the_invariants_see(wrong: str) -> None:
    zhou, zhou_acts = person("zhou", "周敏")
    wu, wu_acts = person("wulan", "吴岚", "school_reviewer")
    person("third", "孙三", "school_reviewer")
    asked = officers.ask(zhou_acts, grant_of(zhou).pk, "wulan", today())
    officers.confirm(wu_acts, asked.pk, WORK)
    officers.confirm(zhou_acts, asked.pk, WORK)
    new = Grant.objects.get(user=wu, role="school_officer", revoked_at=None)
    officers.stand_in(EAST, new.pk, "third", today(), today(1), "病假")
    set_ = "UPDATE identity_grant SET"
    statement = {
        "none": "SELECT 1",
        "stand_in": f"{set_} user_id = {wu.pk}, role = 'x' WHERE stands_in_for_id IS NOT NULL",
        "old_grant": f"{set_} revoked_at = NULL, revoked_by = '' WHERE user_id = {zhou.pk}",
        "state": "UPDATE officers_handover SET state = 'asked'",
    }[wrong]
    with connection.cursor() as cursor:
        cursor.execute(statement)
    found = {result.name: result for result in map(check, officers.INVARIANTS)}
    expected = {
        "none": set(),
        "stand_in": {"officers_substitutes_do_the_same_work"},
        "old_grant": {"officers_agreed_hand_over_has_ended_the_old_grant"},
        "state": {"hand_over_state_equals_last_history_row"},
    }[wrong]
    assert {name for name, result in found.items() if result.violated} == expected
    if wrong == "none":
        assert all(result.checked for result in found.values())
