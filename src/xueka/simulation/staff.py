"""Who works in a simulated city. They act through the services like everybody; none of them can log in."""

from collections.abc import Iterable

from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

CITY = Scope("city")
_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹"
_GIVEN = ("丽华", "建国", "秀英", "志强", "淑兰", "文涛", "海燕", "晓东", "雪梅", "国平", "玉珍", "立新")


def names(districts: Iterable[str], schools: Iterable[str]) -> dict[str, str]:
    """Invented names of everybody below, by user name: the same ones each time."""
    people = [operator("a"), operator("b")]
    people += [district_officer(code) for code in districts]
    people += [school_officer("", code) for code in schools]
    return {
        person.username: _SURNAMES[at % len(_SURNAMES)] + _GIVEN[at * 5 % len(_GIVEN)]
        for at, person in enumerate(people)
    }


def operator(letter: str) -> Actor:
    """One of the two city operators who check each other."""
    return Actor.in_role(f"sim-operator-{letter}", f"市级运营{letter.upper()}", "city_operator", CITY)


def district_officer(district: str) -> Actor:
    return Actor.in_role(f"sim-d{district}", "区级卡管员", "district_officer", Scope("district", district))


def school_officer(district: str, school: str) -> Actor:
    return Actor.in_role(
        f"sim-s{school}", "学校卡管老师", "school_officer", Scope("school", district, school)
    )
