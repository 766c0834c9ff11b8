"""When the demo city is made, and when not."""

from pathlib import Path

import pytest

from xueka.config import demo_city
from xueka.platform.audit import services as audit
from xueka.platform.database import migrate, server
from xueka.platform.identity.actor import Actor
from xueka.simulation import demo
from xueka.simulation.counterparts import SIMULATORS

pytestmark = pytest.mark.django_db


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A home of its own, and what was done to it."""
    steps: list[str] = []
    monkeypatch.setenv("XUEKA_HOME", str(tmp_path))
    monkeypatch.setattr(server, "embedded", lambda: True)
    monkeypatch.setattr(server, "recreate_database", lambda: steps.append("recreate"))
    monkeypatch.setattr(migrate, "prepare", lambda: steps.append("prepare"))
    monkeypatch.setattr(demo, "build_demo_city", lambda: steps.append("build"))
    return steps


def _tell(line: str) -> None:
    pass


def test_an_empty_home_gets_one_and_only_once(done: list[str]) -> None:
    demo_city.build_once(_tell)
    assert demo_city.is_built()
    demo_city.build_once(_tell)
    assert done == ["build"]


def test_one_that_was_interrupted_is_cleared_and_made_anew(
    done: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        (tmp_path / "bureau").mkdir()
        (tmp_path / "keys").mkdir()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(demo, "build_demo_city", fail)
        demo_city.build_once(_tell)
    assert not demo_city.is_built()
    assert demo_city.logins({}) == []
    demo_city.build_once(_tell)
    assert done == ["recreate", "prepare", "build"]
    assert not (tmp_path / "bureau").exists()
    assert (tmp_path / "keys").exists()


def test_a_home_with_data_of_its_own_gets_none(done: list[str]) -> None:
    audit.record(Actor.system("test"), "roster.import")
    demo_city.build_once(_tell)
    assert done == []
    assert not demo_city.is_built()


def test_a_server_of_somebody_elses_gets_none(done: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "embedded", lambda: False)
    demo_city.build_once(_tell)
    assert done == []


def test_the_counterparts_of_a_built_city_have_places_and_phones_to_look_at(
    done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert demo_city.ports() == {}
    demo_city.build_once(_tell)
    monkeypatch.setattr(demo, "has_bureau", lambda: True)
    ports = demo_city.ports()
    exchanging = {"beijing-tong", "transit", "welfare"}
    assert set(ports) == exchanging | {"channels", "finance", "messages", "jingtong", "couriers", "mail"}
    assert all(ports.values())
    card = SIMULATORS["registry"].card
    card.parent.mkdir()
    card.write_text("{}")
    assert set(demo_city.ports()) == {*ports, "registry"}, "it was told of the people of this city"
    phones = f"http://127.0.0.1:{ports['messages']}/phones"
    assert any(line.endswith(phones) for line in demo_city.logins(ports))
