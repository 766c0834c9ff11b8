"""Connection parameters with a server of somebody else's."""

import pytest

from xueka.platform.database import address
from xueka.platform.database.address import Role

URL = "postgresql://up%40er:p%3Ass@db.example:5433/city?sslmode=verify-full"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.delenv("DATABASE_OWNER_URL", raising=False)


def test_one_login_steps_down_to_the_application_role() -> None:
    common = {"host": "db.example", "port": "5433", "user": "up@er", "password": "p:ss", "dbname": "city"}
    common["sslmode"] = "verify-full"
    assert address.parameters(Role.OWNER) == common
    assert address.parameters(Role.APPLICATION) == {**common, "options": "-c role=xueka_application"}
    assert address.parameters(Role.READER, "other") == {
        **common,
        "dbname": "other",
        "options": "-c role=xueka_reader",
    }
    assert address.application_role_name() == "xueka_application"


def test_two_logins_are_the_owner_and_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_OWNER_URL", "postgresql://boss:x@db.example/city")
    assert address.parameters(Role.OWNER)["user"] == "boss"
    assert address.parameters(Role.APPLICATION)["user"] == "up@er"
    assert "options" not in address.parameters(Role.APPLICATION)
    assert address.application_role_name() == "up@er"


def test_django_gets_the_same_under_its_own_names() -> None:
    settings = address.django_settings()
    assert settings["USER"] == "up@er"
    assert settings["OPTIONS"] == {"sslmode": "verify-full", "options": "-c role=xueka_application"}
    assert settings["ATOMIC_REQUESTS"] is False


def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(ValueError, match="postgresql://"):
        address.parse_url("mysql://localhost/city")
