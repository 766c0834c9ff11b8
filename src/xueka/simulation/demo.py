"""The demo city of a first start: a year behind it, and work waiting at every desk."""

import json
import sys
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from pathlib import Path

from django.db import transaction

from xueka.contexts.cards import api as cards
from xueka.contexts.closing import api as closing
from xueka.contexts.couriers import api as couriers
from xueka.contexts.keys import api as keys
from xueka.contexts.logistics import api as logistics
from xueka.contexts.personalization import api as personalization
from xueka.contexts.production import api as production
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.kernel.clock import SHANGHAI, SimulatedClock, simulated
from xueka.platform.audit import chain
from xueka.platform.identity import demo as accounts
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE
from xueka.simulation import (
    bureau,
    counterparts,
    files,
    fresh_money,
    issuing,
    partners,
    people,
    registry_roll,
    staff,
    tills,
    year,
)
from xueka.simulation.people import SyntheticStudent
from xueka.simulation.registrar import Registrar
from xueka.simulation.world import World

STUDENTS, SCHOOLS, SEED, FAULTS = 2_400, 32, 2025, "light"
NEWCOMERS = 240
PARCELS = 2


def build_demo_city() -> None:
    """Play the year, then leave newcomers at every stage of the line, and make one account per role."""
    plan = year.Plan(students=STUDENTS, seed=SEED, schools=SCHOOLS, faults=FAULTS, whole=False)
    registrar = Registrar()
    year.simulate(plan, bureau_home(), _tell, registrar)
    monday = closing.monday_of(clock.today()) - timedelta(days=7)
    start = min(year.ENDS, datetime.combine(monday, time(8), SHANGHAI))
    world = World(SEED, SimulatedClock(start), _tell, registrar=registrar)
    with (
        bureau.running(bureau_home(), seed=SEED, faults=FAULTS),
        tills.running(seed=SEED, faults=FAULTS) as bank,
    ):
        now = clock.now()
        with simulated(world.clock):
            _tell("每周结账，到今天：新生补办，各处都有待办的事")
            fresh_money.leave_a_week_to_close(world, bank, monday)
            _leave_work(world, _newcomers(world), rest=(now - clock.now()) / 4)
        fresh_money.compare(bank, monday)
    school = registry.School.objects.order_by("code")[0]
    with transaction.atomic():
        keys.make_demo_keys()
        personalization.put_demo_profiles_in_force()
        accounts.name_the_staff({**keys.demo_people(), **personalization.DEMO_PEOPLE})
        keys.note_platform_keys(Actor.system("demo"))
        accounts.make_demo_accounts(district=school.district_id, school=school.code)
        partners.settle(school)
    _ask_for_parcels()
    registry_roll.settle(world, _holders(school))
    chain.seal()


def bureau_command() -> list[str]:
    """How `serve` runs the demo's bureau; its address is entered anew if its port is taken by now."""
    card = json.loads((bureau_home() / "partner.json").read_text("utf-8"))
    port = counterparts.free_port(card["port"])
    if port != card["port"]:
        with transaction.atomic():
            bureau.introduce({**card, "port": port}, staff.operator("a"), staff.operator("b"))
    command = [sys.executable, "-m", "xueka.sandbox.bureau", "--home", str(bureau_home())]
    return [*command, "--port", str(port), "--seed", str(SEED), "--faults", FAULTS]


def counterpart_commands(ports: Mapping[str, int]) -> list[tuple[str, list[str]]]:
    """How `serve` runs the simulators of all counterparts but the bureau, each with its name."""
    return counterparts.commands(dict(ports), seed=SEED)


def has_bureau() -> bool:
    """Whether this city was introduced to a bureau; one made by `city_size` has none."""
    return (bureau_home() / "partner.json").exists()


def family_lines(count: int = 2) -> list[str]:
    """For whom a parent may sign in: education IDs and the phones of synthetic guardians."""
    rows = cards.card_rows(EVERYWHERE).filter(state="active", student__phone_index__isnull=False)
    found = rows.filter(student__photos__isnull=False).order_by("id").distinct()[:count]
    return [
        f"家长（/parent/）  教育ID {card.student.education_id}  手机 {guardian['phone']}"
        for card in found
        for guardian in registry.roster_guardians(card.student)[:1]
    ]


def bureau_home() -> Path:
    return counterparts.SIMULATORS["bureau"].home


def _newcomers(world: World) -> list[SyntheticStudent]:
    """Children whose registration came late: nobody has applied for them yet."""
    schools = people.schools(world.dice("schools"), SCHOOLS)
    return people.students(world.dice("newcomers"), schools[:16], NEWCOMERS, year.SCHOOL_YEAR + 1)


def _leave_work(world: World, newcomers: list[SyntheticStudent], rest: timedelta) -> None:
    """Of each school's newcomers a quarter on the road, locked, in review, not yet asked for. Between the
    quarters there is a `rest`.
    """
    first, second = staff.operator("a"), staff.operator("b")
    with world.work(minutes=30):
        registry.import_roster(first, files.roster_csv(newcomers), "roster-newcomers.csv")
    world.registrar.write(newcomers)
    found = registry.Student.objects.filter(education_id__in=[student.education_id for student in newcomers])
    students = list(found.select_related("school", "school_class").order_by("school__code", "education_id"))
    on_the_road, ordered, in_review = (students[quarter::4] for quarter in range(3))

    issuing.produce(world, issuing.apply_for(world, on_the_road, "new", photos=True), "新生补办")
    with world.work(minutes=60):
        deliveries = logistics.prepare_deliveries(first)
    for delivery in deliveries[: len(deliveries) * 3 // 4]:
        with world.work(minutes=5):
            logistics.dispatch(
                first,
                delivery.id,
                carrier="顺丰速运",
                waybill=f"SF{delivery.number[2:]}",
                expected_on=clock.today() + timedelta(days=4),
            )
    world.clock.advance(rest)
    accepted = issuing.apply_for(world, ordered, "new", photos=True)
    with world.work(minutes=30):
        batch = production.create_batch(second, issuing.KIND, accepted, "新生补办第二批")
    with world.work(minutes=30):
        production.lock(second, batch.id)
    _at_the_counter(world)
    world.clock.advance(rest)
    issuing.submit(world, in_review, "new", photos=True)


def _ask_for_parcels() -> None:
    """Now: they are ordered, and picked up, as soon as the courier's simulator is there."""
    packed = logistics.Delivery.objects.filter(state="packing").order_by("number")
    for delivery in packed[:PARCELS]:
        with transaction.atomic():
            couriers.ask_school(staff.operator("a"), delivery.number)


def _at_the_counter(world: World) -> None:
    """Families of the demo's district have lost a card: two wait at the counter, one may be sent there."""
    district = registry.School.objects.order_by("code")[0].district_id
    holders = cards.Card.objects.filter(state="active", kind_id=issuing.KIND, school__district_id=district)
    lost = list(holders.select_related("school", "student").order_by("number")[:3])
    for card in lost:
        with world.work(minutes=5):
            cards.report_lost(staff.school_officer(district, card.school.code), card.id, "家长到柜台说丢失")
    found = registry.Student.objects.filter(id__in=[card.student_id for card in lost])
    students = list(found.select_related("school", "school_class").order_by("school__code", "education_id"))
    accepted = issuing.apply_for(world, students, "lost", photos=False)
    with world.work(minutes=5):
        cards.to_counter(staff.district_officer(district), accepted[:2])


def _holders(school: registry.School) -> list[str]:
    """Three pupils with a card."""
    found = cards.Card.objects.filter(state="active", kind_id=issuing.KIND, school=school).order_by("number")
    return list(found.values_list("student__education_id", flat=True)[:3])


def _tell(line: str) -> None:
    sys.stderr.write(f"xueka: {line}\n")
    sys.stderr.flush()
