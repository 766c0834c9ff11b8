"""Who works in a simulated city. They act through the services like everybody; none of them can log in."""

from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

CITY = Scope("city")


def operator(letter: str) -> Actor:
    """One of the two city operators who check each other."""
    return Actor.in_role(f"sim-operator-{letter}", f"市级运营{letter.upper()}", "city_operator", CITY)


def district_officer(district: str) -> Actor:
    return Actor.in_role(f"sim-d{district}", "区级卡管员", "district_officer", Scope("district", district))


def school_officer(district: str, school: str) -> Actor:
    return Actor.in_role(
        f"sim-s{school}", "学校卡管老师", "school_officer", Scope("school", district, school)
    )
