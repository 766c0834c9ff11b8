"""A city's card year: roster, first issue, losses, changes and transfers, all through the public services."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from django.db import transaction

from xueka.contexts.cards import api as cards
from xueka.contexts.numbers import api as numbers
from xueka.contexts.operations import api as operations
from xueka.contexts.registry import api as registry
from xueka.kernel.clock import SHANGHAI, SimulatedClock, simulated
from xueka.kernel.districts import DISTRICTS
from xueka.kernel.errors import Refused
from xueka.platform.audit import chain
from xueka.platform.identity import demo as accounts
from xueka.platform.identity.actor import Actor
from xueka.simulation import (
    agreement,
    bureau,
    families,
    files,
    issuing,
    letters,
    neighbours,
    people,
    staff,
    tills,
    weeks,
)
from xueka.simulation.digest import business_digest
from xueka.simulation.people import SyntheticSchool, SyntheticStudent
from xueka.simulation.registrar import Registrar
from xueka.simulation.sides import Line
from xueka.simulation.tills import Tills
from xueka.simulation.world import (
    ACROSS_DISTRICTS,
    BAD_ROWS,
    BY_INTERFACE,
    DAMAGED,
    DATA_CHANGE,
    LOST,
    TRANSFER,
    World,
)

SCHOOL_YEAR = 2025
#: By then every week of the year is closed.
ENDS = datetime(SCHOOL_YEAR + 1, 7, 8, 9, tzinfo=SHANGHAI)
STUDENTS_PER_SCHOOL = 350
FEWEST_SCHOOLS = 16
#: Above this many students only a sample gets photos, and the card kind asks for none.
ALL_PHOTOS_UP_TO, PHOTO_SAMPLE = 5_000, 1_000
CONSENT = 0.97
FOUND_AGAIN = 0.4


@dataclass(frozen=True, slots=True)
class Plan:
    """How large a city, which dice, how clumsy its counterparts (light, heavy, none)."""

    students: int
    seed: int
    schools: int | None = None
    faults: str = "light"
    #: Whether the counterparts beside money and cards take part (`neighbours`).
    whole: bool = True

    @property
    def school_count(self) -> int:
        return self.schools or max(FEWEST_SCHOOLS, round(self.students / STUDENTS_PER_SCHOOL))


def simulate(
    plan: Plan, home: Path, tell: Callable[[str], None], registrar: Registrar | None = None
) -> dict[str, Any]:
    """Play the year on the present database, which must be empty; the answer is that of `xueka simulate`.

    `home` is where the bureau's process keeps its things; `registrar` knows afterwards who is on the roll.
    Raises Refused `HOME_NOT_EMPTY`.
    """
    if registry.Student.objects.exists():
        raise Refused(
            "HOME_NOT_EMPTY",
            "这个数据目录里已有学籍数据，不能再模拟一个城市。",
            action="请用环境变量 XUEKA_HOME 指定一个空目录。",
        )
    began = time.monotonic()
    clock = SimulatedClock(datetime(SCHOOL_YEAR, 8, 25, 9, tzinfo=SHANGHAI))
    world = World(plan.seed, clock, tell, registrar=registrar or Registrar())
    lines: list[Line] = []
    with contextlib.ExitStack() as stack:
        stack.enter_context(simulated(clock))
        card = stack.enter_context(bureau.running(home, seed=plan.seed, faults=plan.faults))
        bank = stack.enter_context(tills.running(seed=plan.seed, faults=plan.faults))
        others = None
        if plan.whole:
            others = stack.enter_context(neighbours.running(seed=plan.seed, faults=plan.faults))
            others.sweep()  # they are told of what comes from now on
            world.rest = partial(others.rest, world)
            world.registrar.side = others.registry
        city = people_of_the_city(world, plan)
        prepare(world, plan, card)
        enrol(world, city)
        first_issue(world, plan)
        incidents(world, city, bank)
        if others is not None:
            world.tell("不再出错；与各对接方核对")
            lines = [*agreement.money(bank.channels, bank.office), *others.agree(world)]
        chain.seal()
    results = operations.verify()
    return {
        "students": registry.Student.objects.count(),
        "schools": plan.school_count,
        "cards_active": cards.Card.objects.filter(state="active").count(),
        **world.counts,
        "invariants": {
            "checked": sum(result.checked for result in results),
            "violated": sum(result.violated for result in results),
        },
        "counterparts": [asdict(line) for line in lines],
        "digest": business_digest(),
        "seconds": round(time.monotonic() - began, 1),
    }


def people_of_the_city(world: World, plan: Plan) -> list[SyntheticStudent]:
    """Who lives in this city; nobody knows of them yet."""
    schools = people.schools(world.dice("schools"), plan.school_count)
    return people.students(world.dice("students"), schools, plan.students, SCHOOL_YEAR)


def prepare(world: World, plan: Plan, card: dict[str, Any]) -> None:
    """Before the first day of term: number ranges and the bureau's keys."""
    first, second = staff.operator("a"), staff.operator("b")
    room = plan.students * 3 + 1_000
    low = max(100, plan.students // 20)
    with world.work():
        numbers.add_range(first, "card", "市教委", f"{SCHOOL_YEAR % 100}", 9, 1, room, low_water=low)
        numbers.add_range(first, "transit", "一卡通公司", "10007510", 9, 1, room // 2, low_water=low)
        numbers.add_range(first, "transit", "一卡通公司", "10007511", 9, 1, room // 2, low_water=low)
        numbers.add_range(first, "beijing_tong", "市民卡管理中心", "BJT", 11, 1, room, low_water=low)
        bureau.introduce(card, first, second)
    if plan.students > ALL_PHOTOS_UP_TO:
        with transaction.atomic():
            cards.CardKind.objects.filter(code=issuing.KIND).update(photo_required=False)


def enrol(world: World, city: list[SyntheticStudent]) -> None:
    """The registration system's files: schools, a roster with mistakes, the mended rows, consents."""
    operator = staff.operator("a")
    world.tell("导入学校与学籍名册")
    schools = {student.school.code: student.school for student in city}
    with world.work():
        registry.import_schools(operator, files.schools_csv(schools.values()), "schools.csv")
        accounts.name_the_staff(staff.names(sorted(DISTRICTS), sorted(schools)))
    spoiled, whose = files.spoil(world.dice("bad rows"), city, BAD_ROWS)
    with world.work(minutes=600):
        report = registry.import_roster(operator, files.roster_csv(spoiled), "roster.csv")
    world.count("refused_rows", report.rejected)
    mended = [student for student in city if student.education_id in whose]
    if mended:
        with world.work():
            registry.import_roster(operator, files.roster_csv(mended), "roster-mended.csv")
    world.registrar.write(city)
    consenting = [
        student.id
        for student in registry.Student.objects.order_by("education_id")
        if world.happens(f"consent {student.education_id}", CONSENT)
    ]
    with world.work():
        registry.record_consent(Actor.system("simulation"), consenting, "given", "2025-08", "监护人", "paper")


def first_issue(world: World, plan: Plan) -> None:
    """September: every school applies for its students."""
    world.until(9, 3, year=SCHOOL_YEAR)
    world.tell("九月：申领、审核、制卡、配送、发放")
    students = list(cards.without_card(staff.CITY, issuing.KIND).order_by("education_id"))
    sampled = plan.students if plan.students <= ALL_PHOTOS_UP_TO else PHOTO_SAMPLE
    accepted = issuing.apply_for(world, students[:sampled], "new", photos=True)
    accepted += issuing.apply_for(world, students[sampled:], "new", photos=False)
    issuing.issue(world, accepted, "秋季首发")
    world.rest()


def incidents(world: World, city: list[SyntheticStudent], bank: Tills) -> None:
    """The rest of the year: some lose their card, break it, change their name or their school."""
    schools = sorted({student.school for student in city}, key=lambda school: school.code)
    on_roll = world.registrar.students
    for month, day, year in ((11, 10, SCHOOL_YEAR), (3, 16, SCHOOL_YEAR + 1), (5, 18, SCHOOL_YEAR + 1)):
        world.tell(f"{year} 年 {month} 月：对账、周结；挂失、换卡、转学")
        weeks.live_until(world, bank, datetime(year, month, day, 9, tzinfo=SHANGHAI))
        season = f"{year}-{month:02d}"
        fates = _fates(world, season)
        wishes, by_interface = [], world.counts["fetched_changes"]
        causes = {
            "lost": _lose(world, season, fates["lost"]),
            "damaged": fates["damaged"],
            "data_change": _rename(world, on_roll(fates["data_change"])),
            "transfer": _move(world, schools, on_roll(fates["transfer"])),
        }
        if world.counts["fetched_changes"] > by_interface:
            world.rest()  # until it is here
        _confirm_transfers(world)
        for reason, education_ids in causes.items():
            found = registry.Student.objects.filter(education_id__in=education_ids)
            students = list(found.select_related("school", "school_class").order_by("education_id"))
            wishes.append((reason, students))
        world.rest()
        families.replace(world, bank, wishes, f"{month} 月补换")
        letters.report(world, season)
        weeks.pay_back(world, season)
        bank.sweep()  # its receipt is reversed at once
        world.rest()
    world.tell("每周对账、结账、上缴")
    weeks.live_until(world, bank, ENDS)


def _fates(world: World, season: str) -> dict[str, list[str]]:
    """Who meets what in this third of the year: one thing at most, to holders of an active card."""
    fates: dict[str, list[str]] = {"lost": [], "damaged": [], "data_change": [], "transfer": []}
    holders = cards.Card.objects.filter(state="active").values_list("student__education_id", flat=True)
    for education_id in sorted(holders):
        dice = world.dice(f"fate {season} {education_id}").random() * 3
        for fate, rate in zip(fates, (LOST, DAMAGED, DATA_CHANGE, TRANSFER), strict=True):
            if dice < rate:
                fates[fate].append(education_id)
                break
            dice -= rate
    return fates


def _lose(world: World, season: str, education_ids: list[str]) -> list[str]:
    """Report them lost; some turn up again. Returns whose card stays lost."""
    gone = []
    holding = cards.Card.objects.filter(state="active", student__education_id__in=education_ids)
    for card in holding.select_related("school", "student").order_by("id"):
        officer = staff.school_officer(card.school.district_id, card.school.code)
        with world.work():
            cards.report_lost(officer, card.id, "家长电话挂失")
        if world.happens(f"found {season} {card.number}", FOUND_AGAIN):
            with world.work():
                cards.lift(officer, card.id, "在家中找到")
            world.count("found_again")
        else:
            gone.append(card.student.education_id)
    return gone


def _rename(world: World, students: list[SyntheticStudent]) -> list[str]:
    """The registration system says the changed names; the education ID stays."""
    changed = [replace(student, name=f"{student.name[0]}更名") for student in students]
    _say(world, changed, "roster-changes.csv")
    return [student.education_id for student in changed]


def _say(world: World, changed: list[SyntheticStudent], name: str) -> None:
    """By a file; where the registry's interface runs, some wait there for the next fetch."""
    if not changed:
        return
    world.registrar.write(changed)
    by_file = [each for each in changed if not _by_interface(world, each)]
    world.count("fetched_changes", len(changed) - len(by_file))
    if by_file:
        with world.work():
            registry.import_roster(staff.operator("a"), files.roster_csv(by_file), name)


def _by_interface(world: World, student: SyntheticStudent) -> bool:
    runs = world.registrar.side is not None
    return runs and world.happens(f"by interface {student.education_id}", BY_INTERFACE)


def _move(world: World, schools: list[SyntheticSchool], students: list[SyntheticStudent]) -> list[str]:
    """To another school of the district, or of another one."""
    moved = []
    for student in students:
        dice = world.dice(f"transfer {student.education_id}")
        across = dice.random() < ACROSS_DISTRICTS
        options = [
            school
            for school in schools
            if school.stage == student.school.stage
            and school.code != student.school.code
            and (school.district != student.school.district) == across
        ]
        options = options or [school for school in schools if school.stage == student.school.stage][1:]
        if options:
            moved.append(replace(student, school=dice.choice(options), class_name="1班"))
    _say(world, moved, "roster-transfers.csv")
    world.count("transfers", len(moved))
    return [student.education_id for student in moved]


def _confirm_transfers(world: World) -> None:
    """Both districts confirm who goes from the one to the other."""
    asked = registry.transfers(staff.CITY, limit=10_000).rows
    for transfer in sorted(asked, key=lambda each: each.student.education_id):
        with world.work(minutes=60):
            registry.confirm_transfer(
                staff.district_officer(transfer.from_school.district_id), transfer.id, "release"
            )
        with world.work(minutes=60):
            registry.confirm_transfer(
                staff.district_officer(transfer.to_school.district_id), transfer.id, "accept"
            )
