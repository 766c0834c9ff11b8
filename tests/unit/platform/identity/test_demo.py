"""Log-ins of the demo city: random, sealed in the key directory, printed as long as they hold."""

from pathlib import Path

import pytest

from tests.unit.platform.identity.conftest import DISTRICT, SCHOOL, SYSTEM
from xueka.platform.identity import accounts, demo, services
from xueka.platform.identity.models import User


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
        ("district_officer", f"district:{DISTRICT}"),
        ("school_officer", f"school:{DISTRICT}:{SCHOOL}"),
        ("school_reviewer", f"school:{DISTRICT}:{SCHOOL}"),
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
    lines = dict(zip(made, demo.login_lines(), strict=True))
    assert lines["school"] == f"学校卡管老师  school     {made['school'].password}"
    assert lines["operator2"].endswith(made["operator2"].password)
    assert lines["operator"].endswith("（密码已由使用者修改）")
    assert lines["auditor"].endswith("（已停用）")
    assert lines["admin"].endswith("（已停用）")
