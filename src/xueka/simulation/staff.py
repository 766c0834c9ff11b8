"""Who works in a simulated city. They act through the services like everybody; none of them can log in."""

from collections.abc import Iterable
from zlib import crc32

from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

CITY = Scope("city")
_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹"
_GIVEN = "建志文海晓雪玉国秀丽淑立永春红振", "华强涛燕东梅珍平英兰新明芳军玲生"


def name(username: str) -> str:
    """The invented name of a person, the same one each time: no dice are thrown for it."""
    dice = crc32(username.encode())
    surname, first, second = _SURNAMES[dice % 32], _GIVEN[0][dice // 32 % 16], _GIVEN[1][dice // 512 % 16]
    return surname + first + second


def names(districts: Iterable[str], schools: Iterable[str]) -> dict[str, str]:
    """The names of everybody below, by user name."""
    people = [operator("a"), operator("b"), finance("a"), finance("b")]
    people += [district_officer(code) for code in districts]
    people += [school_officer("", code) for code in schools]
    return {person.username: person.name for person in people}


def operator(letter: str) -> Actor:
    """One of the two city operators who check each other."""
    return _person(f"sim-operator-{letter}", "city_operator", CITY)


def finance(letter: str) -> Actor:
    """One of the two people of finance who check each other."""
    return _person(f"sim-finance-{letter}", "finance", CITY)


def district_officer(district: str) -> Actor:
    return _person(f"sim-d{district}", "district_officer", Scope("district", district))


def school_officer(district: str, school: str) -> Actor:
    return _person(f"sim-s{school}", "school_officer", Scope("school", district, school))


def _person(username: str, role: str, scope: Scope) -> Actor:
    return Actor.in_role(username, name(username), role, scope)
