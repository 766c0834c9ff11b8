"""The page of a person: nothing of what lies outside the keeper's district, and no button that fails."""

import pytest
from django.test import Client
from django.utils.html import escape

from tests.unit.officers.conftest import FIRST, FOREIGN, SYSTEM, person
from xueka.entrypoints.portals.officers import lists
from xueka.platform.identity import services
from xueka.platform.identity.models import User
from xueka.platform.identity.scope import Scope


@pytest.fixture
def keeper(client: Client) -> Client:
    user, _ = person("keeper", "郑宇", "district_officer")
    User.objects.filter(pk=user.pk).update(must_change_password=False)
    client.force_login(user, "xueka.platform.identity.backends.Password")
    return client


def test_what_lies_elsewhere_is_not_told(keeper: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    both, _ = person("both", "两区", school=FOREIGN)
    services.open_grant(SYSTEM, both, "school_officer", Scope("school", "110101", FIRST))
    asked: list[Scope] = []
    monkeypatch.setattr(lists, "open_work", lambda scope: asked.append(scope) or [])
    page = keeper.get("/officers/both/").content.decode()
    assert asked == [Scope("school", "110101", FIRST)]
    assert escape("在您管辖之外还有角色") in page
    keeper.post("/officers/both/code/")
    both.refresh_from_db()
    assert both.has_usable_password()
    person("here", "本区")
    assert escape("在您管辖之外还有角色") not in keeper.get("/officers/here/").content.decode()
