"""The directories come from the card profile in force; the city's own and foreign ones are never granted."""

from importlib.resources import files

import pytest
from django.db import transaction

from tests.unit.cards.conftest import KIND
from tests.unit.multiapp.conftest import ONE, OTHER, Partners
from xueka.contexts.multiapp import api as multiapp
from xueka.contexts.multiapp import jobs
from xueka.contexts.multiapp.models import Area
from xueka.contexts.personalization import api as personalization
from xueka.kernel.errors import Conflict, Refused

SHELL = """
[[application]]
code = "campus"
title = "校园应用"
id = "{id}"
aid = "d1560000014a5901"
space = 512
shell = true
create = "mf:control"
"""


@transaction.atomic
def in_force(version: str, id_: str) -> None:
    folder = files("xueka.contexts.personalization").joinpath("data/profiles")
    text = folder.joinpath("bjt_student-1.0.toml").read_text("utf-8")
    changed = text.replace('version = "1.0"', f'version = "{version}"') + SHELL.format(id=id_)
    made = personalization.load_profile(ONE, changed.encode())
    personalization.submit(ONE, personalization.PROFILES, made.pk)
    personalization.approve(OTHER, personalization.PROFILES, made.pk)
    personalization.put_in_force(ONE, personalization.PROFILES, made.pk)


def test_directories_follow_the_profile(partners: Partners) -> None:
    Area.objects.all().delete()
    in_force("7.0", "df10")
    assert multiapp.profiles_waiting(ONE)
    assert jobs.adopt_profiles()
    assert not multiapp.profiles_waiting(ONE)
    owners = {room.area.code: room.area.owner for room in multiapp.rooms(ONE.scope, KIND)}
    assert owners.pop("campus") == ""
    assert owners.pop("transit") == "市政交通一卡通公司"
    assert owners.pop("citizen") == "北京通主管部门"
    assert set(owners.values()) == {"市级"}
    [shell] = multiapp.shells(ONE.scope)
    assert (shell.fid, shell.aid, shell.size) == ("df10", "d1560000014a5901", 512)
    assert shell.conditions == {"create": "mf:control", "erase": "never"}
    with pytest.raises(Refused) as foreign:
        partners.proposed(partners.vendor.code, "transit")
    assert foreign.value.code == "AREA_NOT_GRANTED"
    partners.granted(partners.vendor.code)
    in_force("7.1", "df11")
    with pytest.raises(Conflict) as moved:
        multiapp.adopt_profiles(ONE)
    assert moved.value.code == "AREA_IN_USE"
