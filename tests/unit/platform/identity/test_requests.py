"""Roles of the city under two people."""

import pytest
from django.db import IntegrityError, connection, transaction

from tests.support.machines import assert_every_pair
from tests.unit.platform.identity.conftest import DISTRICT, MakeUser
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.platform.audit.models import Entry
from xueka.platform.history.services import apply
from xueka.platform.identity import accounts, requests, services
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.invariants import INVARIANTS
from xueka.platform.identity.machines import GRANT_REQUEST
from xueka.platform.identity.models import Grant, GrantRequest
from xueka.platform.identity.scope import Scope
from xueka.platform.invariants import check

pytestmark = pytest.mark.django_db
ADMIN = Actor.in_role("admin", "陈立", "city_admin", Scope("city"), user_id=-1)
SECURITY = Actor.in_role("security", "卫平", "security_admin", Scope("city"), user_id=-2)


def test_asked_by_one_and_confirmed_by_another() -> None:
    user, _ = services.add_user(ADMIN, "zhao", "赵敏")
    with pytest.raises(Refused) as refusal:
        services.grant(ADMIN, "zhao", "city_operator")
    assert refusal.value.code == "SECOND_PERSON_NEEDED"
    asked = requests.ask(ADMIN, "zhao", "city_operator", "新到岗")
    assert requests.ask(ADMIN, "zhao", "city_operator", "再问一次") == asked
    assert accounts.open_grants(user) == []
    with pytest.raises(Forbidden):
        requests.confirm(Actor.in_role("other", "另一位", "city_admin", Scope("city")), asked.pk)
    requests.confirm(SECURITY, asked.pk)
    (grant,) = accounts.open_grants(user)
    assert (grant.role, grant.granted_by, grant.request.asked_by) == ("city_operator", "security", "admin")
    with pytest.raises(Refused):
        requests.confirm(SECURITY, asked.pk)
    with pytest.raises(Refused):
        requests.ask(ADMIN, "zhao", "city_operator", "已有")
    actions = list(Entry.objects.order_by("id").values_list("action", flat=True))
    assert actions == ["user.create", "grant.ask", "user.grant", "grant.confirm"]


def test_nobody_answers_her_own_request(person: MakeUser) -> None:
    both = Actor("admin", "陈立", "odd", Scope("city"), permissions=ADMIN.permissions | SECURITY.permissions)
    services.add_user(ADMIN, "zhao", "赵敏")
    asked = requests.ask(ADMIN, "zhao", "city_operator", "新到岗")
    with pytest.raises(Refused) as refusal:
        requests.confirm(both, asked.pk)
    assert refusal.value.code == "SAME_PERSON"
    zhao = accounts.find("zhao")
    herself = Actor("zhao", "赵敏", "odd", Scope("city"), zhao.pk, permissions=SECURITY.permissions)
    with pytest.raises(Refused) as refusal:
        requests.confirm(herself, asked.pk)
    assert refusal.value.code == "OWN_ROLES"
    with transaction.atomic(), pytest.raises(IntegrityError):
        grant = Grant.objects.create(
            user=zhao, role="city_operator", level="city", granted_at=asked.asked_at, granted_by="x"
        )
        GrantRequest.objects.update(state="confirmed", decided_by="admin", grant=grant)


def test_what_is_refused(person: MakeUser) -> None:
    person("zhao", "city_operator")
    person("officer", "district_officer")
    for values, code in (
        (("zhao", "auditor", "兼任"), "DUTIES_SEPARATED"),
        (("officer", "security_admin", "兼任"), "DUTIES_SEPARATED"),
        (("officer", "city_operator", "  "), "REASON_MISSING"),
        (("officer", "school_officer", "不用申请"), "ROLE_UNKNOWN"),
        (("nobody", "auditor", "没有此人"), "USER_NOT_FOUND"),
    ):
        with pytest.raises((BadInput, Refused, NotFound)) as refusal:
            requests.ask(ADMIN, *values)
        assert refusal.value.code == code
    with pytest.raises(NotFound):
        requests.refuse(SECURITY, 12345, "没有这份")
    asked = requests.ask(ADMIN, "officer", "city_operator", "借调")
    with pytest.raises(BadInput):
        requests.refuse(SECURITY, asked.pk, "")
    requests.refuse(SECURITY, asked.pk, "人手已够")
    assert requests.waiting() == []
    again = requests.ask(ADMIN, "officer", "city_operator", "再次申请")
    requests.withdraw(ADMIN, again.pk)
    assert [row.state for row in requests.rows().order_by("id")] == ["refused", "withdrawn"]


def test_every_pair_of_the_table() -> None:
    services.add_user(ADMIN, "zhao", "赵敏")
    both = Actor.system("test")

    def attempt(event: str, state: str, to: str | None) -> str:
        with transaction.atomic():
            asked = requests.ask(ADMIN, "zhao", "city_operator", "新到岗")
            for way in {"confirmed": "confirm", "refused": "refuse", "withdrawn": "withdraw"}.items():
                if way[0] == state:
                    fire(asked, way[1])
            fire(asked, event)
            asked.refresh_from_db()
            found = asked.state
            transaction.set_rollback(True)
        return found

    def fire(asked: GrantRequest, event: str) -> None:
        if event == "confirm":
            requests.confirm(SECURITY, asked.pk)
        else:
            apply(GRANT_REQUEST, GrantRequest, [asked.pk], event, both, reason="因为")

    assert assert_every_pair(GRANT_REQUEST, attempt) == (3, 9)


@pytest.mark.parametrize("wrong", ["none", "state", "grant", "separated", "factor"])
def test_the_invariants_see(wrong: str, person: MakeUser) -> None:
    zhao = person("zhao", "district_officer")
    asked = requests.ask(ADMIN, "zhao", "city_operator", "借调")
    requests.confirm(SECURITY, asked.pk)
    statements = {
        "none": "",
        "state": "UPDATE identity_grantrequest SET state = 'withdrawn'",
        "grant": "UPDATE identity_grant SET role = 'auditor' WHERE level = 'city'",
        "separated": "UPDATE identity_grant SET role = 'city_admin' WHERE level = 'city'",
        "factor": f"UPDATE identity_user SET phone_index = '\\x00' WHERE id = {zhao.pk}",
    }
    with connection.cursor() as cursor:
        if statements[wrong]:
            cursor.execute(statements[wrong])
    found = {result.name: (result.checked > 0, result.violated > 0) for result in map(check, INVARIANTS)}
    expected = {
        "none": set(),
        "state": {"grant_request_state_equals_last_history_row", "identity_requests_and_grants_agree"},
        "grant": {"identity_requests_and_grants_agree", "identity_duties_are_separated"},
        "separated": {"identity_requests_and_grants_agree", "identity_duties_are_separated"},
        "factor": {"identity_people_are_sealed"},
    }
    assert {name for name, (_, violated) in found.items() if violated} == expected[wrong]
    assert all(checked for name, (checked, _) in found.items() if name != "identity_people_are_sealed")
    assert DISTRICT


def test_whoever_was_stopped_meanwhile_gets_nothing() -> None:
    services.add_user(ADMIN, "zhao", "赵敏")
    asked = requests.ask(ADMIN, "zhao", "city_operator", "新到岗")
    services.deactivate(ADMIN, "zhao", "没有来报到")
    with pytest.raises(Refused) as refusal:
        requests.confirm(SECURITY, asked.pk)
    assert refusal.value.code == "USER_INACTIVE"
    assert not Grant.objects.exists()
    requests.refuse(SECURITY, asked.pk, "没有来报到")
