"""Log-ins of the demo city: random, sealed in the key directory, printed as long as they hold."""

from pathlib import Path

import pytest

from tests.unit.platform.identity.conftest import DISTRICT, SCHOOL, SYSTEM
from xueka.kernel.errors import NotFound
from xueka.platform.identity import accounts, demo, second_factor, services
from xueka.platform.identity.models import User
from xueka.platform.identity.permissions import ROLES
from xueka.simulation import staff


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(demo.home, "keys_directory", lambda: tmp_path)
    return tmp_path / "demo-logins.json"


@pytest.mark.django_db
def test_one_log_in_per_role_and_two_operators(file: Path) -> None:
    made = demo.make_demo_accounts(district=DISTRICT, school=SCHOOL)
    assert demo.demo_logins() == made
    assert file.stat().st_mode & 0o777 == 0o600
    assert not any(login.password in file.read_text() for login in made)
    roles = []
    for login in made:
        user = accounts.find(login.username)
        assert user.check_password(login.password)
        grants = accounts.open_grants(user)
        assert not accounts.password_due(user, grants)
        roles += [(grant.role, str(grant.scope)) for grant in grants]
    assert sorted(roles) == [
        ("auditor", "city"),
        ("city_admin", "city"),
        ("city_operator", "city"),
        ("city_operator", "city"),
        ("counter_operator", f"district:{DISTRICT}"),
        ("district_officer", f"district:{DISTRICT}"),
        ("finance", "city"),
        ("finance", "city"),
        ("key_admin", "city"),
        ("key_custodian", "city"),
        ("key_custodian", "city"),
        ("school_officer", f"school:{DISTRICT}:{SCHOOL}"),
        ("school_reviewer", f"school:{DISTRICT}:{SCHOOL}"),
        ("security_admin", "city"),
    ]
    assert len({login.password for login in made}) == len(made)


@pytest.mark.django_db
def test_the_lines_tell_what_still_holds(file: Path) -> None:
    assert demo.login_lines() == []
    made = {login.username: login for login in demo.make_demo_accounts(district=DISTRICT, school=SCHOOL)}
    (operator,) = accounts.actors_of(accounts.find("operator"))
    services.change_password(operator, made["operator"].password, "Houhai-Beiyan-7")
    services.deactivate(SYSTEM, "auditor")
    User.objects.filter(username="admin").update(username="former")
    *told, last = demo.login_lines()
    assert "demo code" in last
    lines = dict(zip(made, told, strict=True))
    assert lines["school"] == f"学校卡管老师  school     {made['school'].password}"
    assert lines["operator2"].endswith(made["operator2"].password)
    assert lines["operator"].endswith("（密码已由使用者修改）")
    assert lines["auditor"].endswith("（已停用）")
    assert lines["admin"].endswith("（已停用）")


@pytest.mark.django_db
def test_the_code_of_a_demo_account_and_of_no_other(file: Path) -> None:
    demo.make_demo_accounts(district=DISTRICT, school=SCHOOL)
    code, seconds = demo.code_of("operator")
    assert second_factor.check(accounts.find("operator"), code) == "code"
    assert 0 < seconds <= 30
    services.create_user(SYSTEM, "zhao", "赵敏", "auditor")
    second_factor.enrol_at_once(SYSTEM, "zhao")
    for username in ("zhao", "school", "nobody"):
        with pytest.raises(NotFound) as refusal:
            demo.code_of(username)
        assert refusal.value.code == "DEMO_ACCOUNT_UNKNOWN"


@pytest.mark.django_db
def test_the_staff_of_the_simulated_year_have_names_and_cannot_log_in() -> None:
    names = staff.names(["110101"], ["2111000001"])
    demo.name_the_staff(names)
    demo.name_the_staff(names)
    city = {"sim-operator-a", "sim-operator-b", "sim-finance-a", "sim-finance-b"}
    assert set(names) == {*city, "sim-d110101", "sim-s2111000001"}
    assert names["sim-s2111000001"] == staff.school_officer(DISTRICT, "2111000001").name
    assert not set(names.values()) & {role.label for role in ROLES.values()}, "people, not roles"
    assert len(set(names.values())) == len(names)
    assert accounts.names_of(names) == names
    assert not User.objects.filter(is_active=True).exists()
    assert not any(user.has_usable_password() for user in User.objects.all())
