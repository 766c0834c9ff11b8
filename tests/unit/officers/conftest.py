"""Two districts, three schools, and who keeps their officers."""

import pytest

from xueka.contexts.registry import api as registry
from xueka.platform.identity import services
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.models import User
from xueka.platform.identity.scope import Scope

SYSTEM = Actor.system("test")
CITY = Actor.in_role("admin", "陈立", "city_admin", Scope("city"), user_id=-1)
EAST = Actor.in_role("east", "郑宇", "district_officer", Scope("district", "110101"), user_id=-2)
WEST = Actor.in_role("west", "钱辰", "district_officer", Scope("district", "110102"), user_id=-3)
FIRST, SECOND, FOREIGN = "2111010001", "2111010002", "2111020001"


@pytest.fixture(autouse=True)
def schools(db: None) -> None:
    for code, name in (("110101", "东城区"), ("110102", "西城区")):
        registry.District.objects.get_or_create(code=code, defaults={"name": name})
    for code, district in ((FIRST, "110101"), (SECOND, "110101"), (FOREIGN, "110102")):
        registry.School.objects.create(code=code, name=f"学校{code[-4:]}", district_id=district)


def person(username: str, name: str, role: str = "school_officer", school: str = FIRST) -> tuple[User, Actor]:
    """Somebody with one role, and she as an actor."""
    district = "110102" if school == FOREIGN else "110101"
    places = {} if role.startswith("city") else {"district": district}
    if role.startswith("school"):
        places["school"] = school
    user, _ = services.create_user(SYSTEM, username, name, role, **places)
    (grant,) = user.grants.all()
    return user, Actor.in_role(username, name, role, grant.scope, user_id=user.pk)
