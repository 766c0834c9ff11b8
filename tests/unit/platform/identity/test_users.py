"""Users, roles, passwords: the rules of the services."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from tests.unit.platform.identity.conftest import DISTRICT, PASSWORD, SCHOOL, SYSTEM, MakeUser
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict, Forbidden, NotFound, Refused, XuekaError
from xueka.platform.audit.models import Entry
from xueka.platform.identity import accounts, services
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.models import Grant, User
from xueka.platform.identity.permissions import ROLES
from xueka.platform.identity.scope import EVERYWHERE, Scope

SECURITY = Actor.in_role("security", "安全", "security_admin", Scope("city"))
ADMIN = Actor.in_role("admin", "管理员", "city_admin", Scope("city"))


def actions() -> list[str]:
    return list(Entry.objects.order_by("id").values_list("action", flat=True))


# --- creating ---


@pytest.mark.django_db
def test_a_new_user_has_a_random_password_that_must_be_changed() -> None:
    first, password = services.create_user(
        ADMIN, "zhao.min", " 赵敏 ", "school_officer", district=DISTRICT, school=SCHOOL
    )
    _, other = services.create_user(SYSTEM, "wang", "王芳", "city_operator")
    stored = User.objects.get(username="zhao.min")
    assert (stored, stored.name, stored.is_active, stored.must_change_password) == (first, "赵敏", True, True)
    assert stored.check_password(password)
    assert password != other
    assert len(password) == 19
    (actor,) = accounts.actors_of(stored)
    assert (actor.role, actor.scope) == ("school_officer", Scope("school", DISTRICT, SCHOOL))
    assert actor.permissions == ROLES["school_officer"].permissions
    assert actor.user_id == stored.pk
    assert actions() == ["user.create", "user.grant"] * 2
    assert password not in str(list(Entry.objects.values()))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"username": "Zhao"}, "USERNAME_FORMAT"),
        ({"username": "zh"}, "USERNAME_FORMAT"),
        ({"username": "cli:root"}, "USERNAME_FORMAT"),
        ({"username": "zhao min"}, "USERNAME_FORMAT"),
        ({"name": "  "}, "NAME_EMPTY"),
        ({"role": "boss"}, "ROLE_UNKNOWN"),
        ({"role": "system"}, "ROLE_UNKNOWN"),
        ({"district": ""}, "SCOPE_MISMATCH"),
        ({"school": ""}, "SCOPE_MISMATCH"),
        ({"district": "999999"}, "SCOPE_MISMATCH"),
        ({"role": "district_officer"}, "SCOPE_MISMATCH"),
        ({"role": "city_operator"}, "SCOPE_MISMATCH"),
        ({"role": "city_operator", "school": ""}, "SCOPE_MISMATCH"),
    ],
)
def test_what_makes_no_sense_is_refused(changed: dict[str, str], code: str) -> None:
    values = {"username": "zhao", "name": "赵敏", "role": "school_officer"}
    values |= {"district": DISTRICT, "school": SCHOOL} | changed
    with pytest.raises(BadInput) as refusal:
        services.create_user(ADMIN, **values)
    assert refusal.value.code == code
    assert not User.objects.exists()
    assert not Entry.objects.exists()


@pytest.mark.django_db
def test_a_user_name_is_used_once(person: MakeUser) -> None:
    person("zhao")
    with pytest.raises(Conflict) as refusal:
        services.create_user(SYSTEM, "zhao", "另一人", "auditor")
    assert refusal.value.code == "USERNAME_TAKEN"


@pytest.mark.django_db
def test_only_who_manages_users_may(person: MakeUser) -> None:
    zhao = person("zhao")
    grant = zhao.grants.get()
    operator = Actor.in_role("wang", "王芳", "city_operator", Scope("city"))
    acts = [
        lambda: services.create_user(operator, "abc", "名", "auditor"),
        lambda: services.grant(operator, "zhao", "auditor"),
        lambda: services.revoke(operator, "zhao", grant.pk),
        lambda: services.deactivate(operator, "zhao"),
        lambda: services.reactivate(operator, "zhao"),
        lambda: services.reset_password(operator, "zhao"),
    ]
    before = (list(User.objects.values()), list(Grant.objects.values()), actions())
    for act in acts:
        with pytest.raises(Forbidden):
            act()
    assert before == (list(User.objects.values()), list(Grant.objects.values()), actions())


# --- roles ---


@pytest.mark.django_db
def test_roles_are_given_and_taken(person: MakeUser) -> None:
    zhao = person("zhao", "school_officer")
    added = services.grant(ADMIN, "zhao", "district_officer", district=DISTRICT)
    assert services.grant(ADMIN, "zhao", "district_officer", district=DISTRICT) == added
    assert [actor.role for actor in accounts.actors_of(zhao)] == ["school_officer", "district_officer"]
    services.revoke(ADMIN, "zhao", added.pk, "调离")
    assert [actor.role for actor in accounts.actors_of(zhao)] == ["school_officer"]
    added.refresh_from_db()
    assert (added.revoked_by, added.revoked_at is not None) == ("admin", True)
    with pytest.raises(NotFound):
        services.revoke(ADMIN, "zhao", added.pk)
    again = services.grant(ADMIN, "zhao", "district_officer", district=DISTRICT)
    assert again.pk != added.pk
    entry = Entry.objects.get(action="user.revoke")
    assert entry.detail == {"role": "district_officer", "scope": f"district:{DISTRICT}", "reason": "调离"}


@pytest.mark.django_db
def test_administration_audit_and_business_are_separated(person: MakeUser) -> None:
    person("zhao", "city_operator")
    person("chen", "city_admin")
    person("chu", "security_admin")
    for username, role in (
        ("zhao", "auditor"),
        ("zhao", "city_admin"),
        ("zhao", "security_admin"),
        ("chen", "city_operator"),
        ("chen", "security_admin"),
        ("chu", "city_admin"),
        ("chu", "auditor"),
    ):
        with pytest.raises(Refused) as refusal:
            services.grant(ADMIN, username, role)
        assert refusal.value.code == "DUTIES_SEPARATED"


@pytest.mark.django_db
def test_nobody_manages_herself(person: MakeUser) -> None:
    chen = person("chen", "city_admin")
    (actor,) = accounts.actors_of(chen)
    acts = [
        lambda: services.grant(actor, "chen", "city_operator"),
        lambda: services.revoke(actor, "chen", chen.grants.get().pk),
        lambda: services.deactivate(actor, "chen"),
    ]
    for act in acts:
        with pytest.raises(Refused) as refusal:
            act()
        assert refusal.value.code == "OWN_ROLES"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "values",
    [
        {"level": "system"},
        {"level": "city", "district_code": DISTRICT},
        {"level": "district"},
        {"level": "school", "district_code": DISTRICT},
        {"level": "city", "revoked_by": "x"},
    ],
)
def test_the_database_refuses_impossible_grants(person: MakeUser, values: dict[str, str]) -> None:
    user = person("zhao")
    with pytest.raises(IntegrityError), transaction.atomic():
        Grant.objects.create(user=user, role="x", granted_at=clock.now(), granted_by="x", **values)


@pytest.mark.django_db
def test_a_role_that_this_version_does_not_know_gives_nothing(person: MakeUser) -> None:
    user = person("zhao")
    user.grants.update(role="finance_of_tomorrow")
    assert accounts.actors_of(user) == []


# --- activity and passwords ---


@pytest.mark.django_db
def test_deactivating_and_reactivating(person: MakeUser) -> None:
    person("zhao")
    assert not services.deactivate(ADMIN, "zhao", "离职").is_active
    services.deactivate(ADMIN, "zhao", "离职")
    assert actions().count("user.deactivate") == 1
    with pytest.raises(Refused) as refusal:
        accounts.actor_for("zhao")
    assert refusal.value.code == "USER_INACTIVE"
    assert services.reactivate(ADMIN, "zhao").is_active
    with pytest.raises(NotFound):
        services.deactivate(ADMIN, "nobody")


@pytest.mark.django_db
def test_a_reset_password_must_be_changed(person: MakeUser) -> None:
    zhao = person("zhao")
    password = services.reset_password(SECURITY, "zhao")
    zhao.refresh_from_db()
    assert zhao.check_password(password)
    assert zhao.must_change_password


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("abc-def-9", "10"),
        ("password123", "常见"),
        ("8642097531", "数字"),
        ("zhao.min.1", "用户名"),
        (PASSWORD, "不能与现在的密码相同"),
    ],
)
def test_unfit_passwords(person: MakeUser, new: str, said: str) -> None:
    user = person("zhao.min")
    (actor,) = accounts.actors_of(user)
    with pytest.raises(BadInput) as refusal:
        services.change_password(actor, PASSWORD, new)
    assert refusal.value.code == "PASSWORD_UNFIT"
    assert said in refusal.value.message, refusal.value.message
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


@pytest.mark.django_db
def test_changing_ones_password(person: MakeUser) -> None:
    user = person("zhao")
    User.objects.update(must_change_password=True)
    (actor,) = accounts.actors_of(user)
    with pytest.raises(Refused) as refusal:
        services.change_password(actor, "wrong", "Houhai-Beiyan-7")
    assert refusal.value.code == "PASSWORD_WRONG"
    later = user.password_changed_at + timedelta(days=200)
    with clock.at(later):
        changed = services.change_password(actor, PASSWORD, "Houhai-Beiyan-7")
    user.refresh_from_db()
    assert user.password_changed_at == later, "the 180 days begin anew"
    assert user == changed
    assert user.check_password("Houhai-Beiyan-7")
    assert not user.must_change_password
    assert "Houhai" not in str(list(Entry.objects.values()))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("role", "days", "due"),
    [("city_operator", 179, False), ("city_operator", 180, True), ("school_officer", 400, False)],
)
def test_city_roles_renew_every_180_days(person: MakeUser, role: str, days: int, due: bool) -> None:
    user = person("zhao", role)
    with clock.at(user.password_changed_at + timedelta(days=days)):
        assert accounts.password_due(user, accounts.open_grants(user)) is due


# --- acting and looking ---


@pytest.mark.django_db
def test_as_user(person: MakeUser) -> None:
    person("zhao", "school_officer")
    services.grant(ADMIN, "zhao", "district_officer", district=DISTRICT)
    assert accounts.actor_for("zhao").role == "school_officer"
    assert accounts.actor_for("zhao:district_officer").role == "district_officer"
    for name, code in (("nobody", "USER_NOT_FOUND"), ("zhao:auditor", "USER_WITHOUT_ROLE")):
        with pytest.raises(XuekaError) as refusal:
            accounts.actor_for(name)
        assert refusal.value.code == code


@pytest.mark.django_db
def test_names_behind_user_names(person: MakeUser) -> None:
    person("zhao")
    assert accounts.names_of(["zhao", "zhao", "system:worker"]) == {"zhao": "某人"}


@pytest.mark.django_db
def test_each_scope_sees_its_own_users(person: MakeUser) -> None:
    for username, role in (("aaa", "school_officer"), ("bbb", "district_officer"), ("ccc", "auditor")):
        person(username, role)
    services.create_user(SYSTEM, "ddd", "孙立", "district_officer", district="110102")

    def seen(scope: Scope, **filters: object) -> list[str]:
        return [user.username for user in accounts.users(scope, **filters)]

    assert seen(EVERYWHERE) == ["aaa", "bbb", "ccc", "ddd"]
    assert seen(Scope("city"), after="bbb", limit=1) == ["ccc"]
    assert seen(Scope("district", DISTRICT)) == ["aaa", "bbb"]
    assert seen(Scope("school", DISTRICT, SCHOOL)) == ["aaa"]
    assert seen(EVERYWHERE, search="孙") == ["ddd"]
    assert seen(EVERYWHERE, search="cc") == ["ccc"]


def test_scope_and_actor() -> None:
    school = Scope("school", DISTRICT, SCHOOL)
    district = Scope("district", DISTRICT)
    assert school.covers(district=DISTRICT, school=SCHOOL)
    assert not school.covers(district=DISTRICT, school="x")
    assert district.covers(district=DISTRICT, school="x")
    assert not district.covers(district="110102", school=SCHOOL)
    assert EVERYWHERE.covers(district="", school="")
    nobody = Actor.nobody("10.0.0.1")
    assert not nobody.scope.covers(district=DISTRICT, school=SCHOOL)
    assert not nobody.may("school:student:read")
    with pytest.raises(Forbidden) as refusal:
        nobody.require("school:student:read")
    assert refusal.value.detail["permission"] == "school:student:read"
    assert Actor.command_line("root").may("anything:at:all")
