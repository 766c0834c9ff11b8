"""Every permission has words; a refusal names what is missing and who holds it."""

import pytest

from xueka.kernel.errors import Forbidden
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.permission_words import WORDS
from xueka.platform.identity.permissions import ROLES
from xueka.platform.identity.scope import Scope


def test_every_permission_has_words_and_no_words_are_left_over() -> None:
    assert set(WORDS) == {each for role in ROLES.values() for each in role.permissions} - {"*"}


def test_a_refusal_names_what_is_missing_and_who_holds_it() -> None:
    actor = Actor.in_role("wang", "王芳", "city_operator", Scope("city"))
    with pytest.raises(Forbidden) as refusal:
        actor.require("city:user:manage")
    assert refusal.value.message == "王芳 没有“管理账号”的权限。"
    assert (refusal.value.found, refusal.value.expected) == ("市级运营", "系统管理员")


def test_nobody_is_refused_too() -> None:
    with pytest.raises(Forbidden) as refusal:
        Actor.nobody("10.0.0.1").require("school:card:read")
    assert refusal.value.found is None
