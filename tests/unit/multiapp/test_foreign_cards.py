"""Programs of partners ask for cards that are not theirs, in every way that the interface has.

A stranger's card is answered as a number that no card has, byte for byte; no list names it; whoever has no
grant or no such scope learns nothing. `XUEKA_PROBES` says how many probes; the seed is printed.
"""

import json
import os
import random
from collections import Counter
from datetime import date, timedelta

import pytest
from django.db import transaction
from django.test import Client

from tests.support.size import dial
from tests.unit.cards.conftest import KIND, NOW
from tests.unit.multiapp.conftest import ALL, CONTACT, DIRECTORIES, ONE, OTHER, SYSTEM, Partners
from tests.unit.multiapp.test_hot_list import read, tick
from tests.unit.multiapp.test_partner_api import Partner, code
from xueka.contexts.cards import api as cards
from xueka.contexts.multiapp import api as multiapp
from xueka.contexts.registry import api as registry
from xueka.kernel import clock

PROBES = int(os.environ.get("XUEKA_PROBES", dial(400, 10_000)))
SEED = int(os.environ.get("XUEKA_SEED", "20260901"))
NONE = "999999999999"  # no card has it
MORE = [
    multiapp.Directory(
        f"more{each}", f"应用{each}", f"a000000001d00{each}", f"3f1{each}", 512, "", {"create": "key:control"}
    )
    for each in (1, 2, 3)
]
STATES = ("valid", "lost", "cancelled", "expired", "unknown")


class Anonymous(Partner):
    def __init__(self) -> None:
        self.key_id, self.headers, self.client = "", {}, Client(raise_request_exception=False)


class World:
    """Cards in each state at each of three schools, and one whose student has moved; who may see which."""

    def __init__(self, partners: Partners) -> None:
        self.partners = partners
        schools = partners.city.schools
        self.cards: dict[int, cards.Card] = {}
        for place in range(len(schools)):
            self._cards_of(place)
        [moved] = partners.city.active(partners.city.students(1))
        cards.report_lost(SYSTEM, moved)
        school = schools[1]
        registry.Student.objects.filter(cards=moved).update(
            school=school, school_class=school.classes.first()
        )
        multiapp.set_areas(ONE, KIND, [*DIRECTORIES, *MORE], "student 1.0")
        partners.granted(partners.vendor.code)
        partners.granted(partners.unit.code, "practice")
        self.programs = {
            "first": Partner(self._credential(partners.vendor)),
            "city": Partner(self._credential(partners.unit)),
            "second": self._further("campus", ALL),
            "checks only": self._further("more1", ["partner:card:check"]),
            "lists only": self._further("more2", ["partner:hot_list:read"]),
            "not granted": self._further("", ALL),
            "suspended": self._further("more3", ALL, suspended=True),
            "nobody": Anonymous(),
        }
        self.versions = [0]
        for _ in range(2):
            tick()
            self.versions.append(multiapp.head().version)
            self._cards_of(1)
        tick()
        self.versions.append(multiapp.head().version)
        for each in cards.Card.objects.select_related("student__school"):
            self.cards[each.id] = each

    def _cards_of(self, place: int) -> None:
        city = self.partners.city
        _, lost, gone = city.active(city.students(3, place))
        city.at_school(city.students(1, place))
        cards.report_lost(SYSTEM, lost)
        cards.cancel(SYSTEM, gone, "离京")

    def _credential(self, unit: multiapp.Unit, scopes: list[str] = ALL) -> multiapp.FreshCredential:
        return multiapp.make_credential(ONE, unit.code, scopes, per_minute=60_000)

    def _further(self, area: str, scopes: list[str], *, suspended: bool = False) -> Partner:
        """A vendor of the second school, with a grant of an area there."""
        unit = multiapp.add_unit(
            ONE, name=f"{area}公司", kind="vendor", purpose="门禁", contacts=[CONTACT],
            schools=[self.partners.city.schools[1].code], contract=f"HT-{area}",
            contract_from=date(2026, 1, 1), contract_until=date(2029, 12, 31),
        )  # fmt: skip
        if area:
            grant = self.partners.granted(unit.code, area)
            if suspended:
                multiapp.suspend_grant(OTHER, grant.number, "核查")
        return Partner(self._credential(unit, scopes))

    def sees(self, who: str, card: cards.Card) -> bool:
        """Of its part, and once handed out: before, a card is as unknown as a stranger's."""
        place = {"first": 0, "second": 1, "checks only": 1, "lists only": 1}.get(who)
        code = card.student.school.code
        its = who == "city" or (place is not None and code == self.partners.city.schools[place].code)
        return its and card.state != "at_school"


def refusal(who: str, *, is_list: bool) -> tuple[int, str] | None:
    """What a program is told whatever it asks, or nothing: it is answered."""
    if who == "nobody":
        return 401, "CREDENTIAL_WRONG"
    if (who == "checks only" and is_list) or (who == "lists only" and not is_list):
        return 403, "PERMISSION_DENIED"
    return (403, "NO_GRANT") if who in ("not granted", "suspended") else None


def name_of(card: cards.Card, dice: random.Random) -> str:
    return dice.choice([card.number, card.chip_uid, card.chip_uid.lower()])


def one(world: World, who: str, card: cards.Card, dice: random.Random) -> list[str]:
    """One card asked by one of its names, at times with the guess of an etag."""
    name, guess = name_of(card, dice), dice.choice(["", *STATES])
    headers = {"If-None-Match": f'"{guess}"'} if guess else {}
    program = world.programs[who]
    told = program.get(f"/cards/{name}/validity", **headers)
    if expected := refusal(who, is_list=False):
        return [] if code(told) == expected else [f"{name}: {told.status_code}"]
    none = program.get(f"/cards/{NONE}/validity", **headers)
    alike = (told.status_code, told.content.replace(name.encode(), NONE.encode())) == (
        none.status_code,
        none.content,
    ) and told.headers["ETag"] == none.headers["ETag"]
    return [] if alike != world.sees(who, card) else [f"{name}: {told.status_code} {told.content!r}"]


def many(world: World, who: str, card: cards.Card, dice: random.Random) -> list[str]:
    """A card among others, own and strange."""
    asked = [card, *dice.sample(list(world.cards.values()), 5)]
    names = [name_of(each, dice) for each in asked]
    told = world.programs[who].post("/cards/validity", {"numbers": names}, f"key-{dice.getrandbits(64):020}")
    if expected := refusal(who, is_list=False):
        return [] if code(told) == expected else [f"{names}: {told.status_code}"]
    if told.status_code != 200:
        return [f"{names}: {told.status_code} {told.content.decode()}"]
    answers = json.loads(told.content)["answers"]
    return [
        f"{name}: {answer}"
        for name, answer, each in zip(names, answers, asked, strict=True)
        if (answer["state"] == "unknown") == world.sees(who, each)
    ]


def listed(world: World, who: str, card: cards.Card, dice: random.Random) -> list[str]:
    """The whole list or what has changed: it names those of the partner's part that are off, no other."""
    since = dice.choice([None, *world.versions])
    told = world.programs[who].get("/hot-list" if since is None else f"/hot-list/changes?since={since}")
    if expected := refusal(who, is_list=True):
        return [] if code(told) == expected else [f"list since {since}: {told.status_code}"]
    if told.status_code != 200:
        return [f"list since {since}: {told.status_code} {told.content!r}"]
    _, lines = read(b"".join(told.streaming_content))
    seen = {each.number for each in world.cards.values() if world.sees(who, each)}
    off = {each.number for each in world.cards.values() if each.state != "active"} & seen
    strange = lines.keys() - seen
    missing = off - lines.keys() if not since and who != "city" else set()
    return [f"list since {since}: strange {strange}, missing {missing}"] if strange or missing else []


@pytest.mark.django_db
def test_no_program_learns_of_a_card_that_is_not_its_partners(partners: Partners) -> None:
    with transaction.atomic():
        world = World(partners)
    dice, done, wrong = random.Random(SEED), Counter[str](), []
    print(f"seed {SEED}, {PROBES} probes, {len(world.cards)} cards")
    everyone, every = sorted(world.programs), sorted(world.cards)
    for number in range(PROBES):
        who, card = dice.choice(everyone), world.cards[dice.choice(every)]
        way = dice.choice([one, one, many, listed])
        with clock.at(NOW + timedelta(minutes=number)):  # limits are by the minute
            wrong += [f"{who} {way.__name__}: {fault}" for fault in way(world, who, card, dice)]
        done[f"{who} {'own' if world.sees(who, card) else 'foreign'}"] += 1
    print(dict(done))
    assert wrong == [], f"{len(wrong)} of {PROBES} (seed {SEED}):\n" + "\n".join(wrong[:40])
    assert all(done[f"{who} foreign"] for who in everyone if who != "city")
