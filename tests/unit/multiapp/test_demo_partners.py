"""The demo city's partners: one at work, one that waits; the secret is printed and lies nowhere in clear."""

from pathlib import Path

import pytest
from django.db import transaction

from tests.unit.cards.conftest import NOW, build
from tests.unit.multiapp.conftest import OTHER
from xueka.contexts.keys import api as keys
from xueka.contexts.multiapp import api as multiapp
from xueka.contexts.personalization import api as personalization
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.platform.database import home
from xueka.simulation import partners


def test_one_is_at_work_and_one_waits(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert partners.login_lines() == []
    with clock.at(NOW):
        city = build()
        school = city.schools[0]
        others = registry.School.objects.exclude(district_id=school.district_id)
        assert others.exists()
        with transaction.atomic():
            keys.make_demo_keys()
            personalization.put_demo_profiles_in_force()
        monkeypatch.setattr(home, "keys_directory", lambda: tmp_path)
        partners.settle(school)
        states = {each.unit.name: each.state for each in multiapp.grants(OTHER.scope)}
        assert states == {partners.LIBRARY: "in_force", partners.CANTEEN: "proposed"}
        assert multiapp.waiting_grants(OTHER.scope) == 1
        [line, hint] = partners.login_lines()
        key_id, secret = line.rpartition("：")[2].split()
        assert key_id in hint
        assert secret not in (tmp_path / "demo-partner.json").read_text("ascii")
        assert multiapp.authenticate(key_id, secret, "127.0.0.1")
        waiting = multiapp.grants(OTHER.scope).get(state="proposed")
        assert multiapp.approve_grant(OTHER, waiting.number).state == "in_force"
        [library] = multiapp.units(OTHER.scope).filter(name=partners.LIBRARY)
        multiapp.block_unit(OTHER, library.code, "试验")
        assert secret not in partners.login_lines()[0]
        assert "已吊销" in partners.login_lines()[0]
