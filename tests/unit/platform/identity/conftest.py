"""People of a small city."""

from collections.abc import Callable

import pytest

from xueka.platform.identity import second_factor, services
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.models import User
from xueka.platform.identity.permissions import is_city_role

SYSTEM = Actor.system("test")
DISTRICT, SCHOOL = "110101", "2111000001"
PASSWORD = "Qianmen-Dajie-88"

_PLACES = {
    "school_officer": {"district": DISTRICT, "school": SCHOOL},
    "school_reviewer": {"district": DISTRICT, "school": SCHOOL},
    "district_officer": {"district": DISTRICT},
}

MakeUser = Callable[..., User]


@pytest.fixture
def person(db: None) -> MakeUser:
    """A user in a role, who has chosen a password of her own."""

    def make(username: str, role: str = "city_operator") -> User:
        user, _ = services.create_user(SYSTEM, username, "某人", role, **_PLACES.get(role, {}))
        user.set_password(PASSWORD)
        user.must_change_password = False
        user.save()
        if is_city_role(role):
            second_factor.enrol_at_once(SYSTEM, username)
        return user

    return make
