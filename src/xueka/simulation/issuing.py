"""From applications to hands, worked by the people whose work it is."""

import time
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby

from django.db import transaction

from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.contexts.production import api as production
from xueka.contexts.registry import api as registry
from xueka.kernel.errors import XuekaError
from xueka.simulation import posting, staff
from xueka.simulation.portraits import draw_portrait
from xueka.simulation.world import LOST_BOXES, World

KIND = "bjt_student"
BATCH_SIZE = 2000
#: Portraits are drawn of this many faces; drawing one anew for each child would only cost time.
FACES = 24
SENT_BACK = 0.01
SHORT, DAMAGED_ON_THE_WAY = 0.001, 0.0005
BUREAU_PATIENCE = 120.0  # seconds of real time for one batch


def issue(world: World, accepted: Sequence[int], title: str) -> None:
    """Make and hand out the cards of accepted applications; what is spoiled on the way goes round again."""
    waiting = list(accepted)
    while waiting:
        produce(world, waiting, title)
        deliver(world)
        waiting = [found.id for found in cards.accepted_applications(staff.CITY, KIND)]
        world.count("remade", len(waiting))
        title = f"{title}·重制"


def apply_for(world: World, students: Sequence[registry.Student], reason: str, *, photos: bool) -> list[int]:
    """School officers apply, districts review, the city accepts. Returns the accepted applications."""
    return review(world, submit(world, students, reason, photos=photos))


def submit(world: World, students: Sequence[registry.Student], reason: str, *, photos: bool) -> list[int]:
    """School officers apply, with a photo each where `photos`; returns what waits for the district."""
    submitted: list[int] = []
    for school, members in _by_school(students):
        officer = staff.school_officer(school.district_id, school.code)
        with world.work(minutes=2):
            made = cards.create_applications(officer, [student.id for student in members], KIND, reason)
            for student in members if photos else []:
                portrait = _portrait(int(student.education_id) % FACES)
                cards.upload_photo(officer, student.id, portrait, f"{student.education_id}.jpg")
                world.count("photos")
            submitted += cards.submit(officer, made.done).done
    return submitted


def review(world: World, submitted: Sequence[int]) -> list[int]:
    """Districts pass what is clean and send some back, which the school corrects; the city accepts."""
    passed: list[int] = []
    waiting = cards.applications_by_id(staff.CITY, submitted)
    for school, found in groupby(waiting, key=lambda application: application.school):
        reviewer = staff.district_officer(school.district_id)
        officer = staff.school_officer(school.district_id, school.code)
        clean: list[int] = []
        doubtful: list[int] = []
        for application in found:
            pile = doubtful if world.happens(f"sent back {application.number}", SENT_BACK) else clean
            pile.append(application.id)
        with world.work():
            passed += cards.approve(reviewer, clean).done
        if doubtful:
            with world.work(minutes=30):
                cards.send_back(reviewer, doubtful, "photo_unclear")
            with world.work(minutes=30):
                cards.submit(officer, doubtful)
            with world.work():
                passed += cards.approve(reviewer, doubtful).done
    with world.work():
        return cards.approve(staff.operator("a"), passed).done


def produce(world: World, applications: Sequence[int], title: str) -> None:
    """Batches of accepted applications, made and made again until every card is accounted for."""
    for start in range(0, len(applications), BATCH_SIZE):
        with world.work():
            batch: production.Batch | None = production.create_batch(
                staff.operator("a"), KIND, applications[start : start + BATCH_SIZE], title
            )
        while batch is not None:
            batch = _one_batch(world, batch)


def _one_batch(world: World, batch: production.Batch) -> production.Batch | None:
    """Through the bureau and back; returns the follow-up batch with what has to be made again."""
    first, second = staff.operator("a"), staff.operator("b")
    with world.work(minutes=10):
        production.lock(first, batch.id)
    with world.work(minutes=60):
        production.approve(second, batch.id)
    world.count("batches")
    exchange(world, batch)
    with world.work(minutes=60):
        production.declare_missing(first, batch.id)
    for view in production.problems(staff.CITY, batch_number=batch.number, limit=1000):
        with world.work(minutes=5):
            production.resolve_problem(first, view.problem.id, view.resolutions[0][0], "已与卡厂电话核实")
    world.count("returned", production.six_numbers(staff.CITY, batch.id).matched)
    remake = None
    if production.batch(staff.CITY, batch.number).to_remake:
        with world.work():
            remake = production.make_followup(first, batch.id)
    with world.work():
        production.close(second, batch.id)
    if remake is not None:
        world.count("remade", remake.card_count)
    return remake


def exchange(world: World, batch: production.Batch) -> None:
    """Sweep as the worker does until the bureau has said its last word; one that bounced is built anew."""
    deadline = time.monotonic() + BUREAU_PATIENCE
    while not production.has_final_return(staff.CITY, batch.id):
        production.sweep()
        with transaction.atomic():
            production.retry_now(staff.operator("a"))  # this clock stands still: no pause would ever end
        batch.refresh_from_db()
        if batch.state == "bounced":
            with world.work(minutes=60):
                production.rebuild(staff.operator("b"), batch.id)
        if time.monotonic() > deadline:
            raise XuekaError("BUREAU_SILENT", f"批次 {batch.number}：卡厂模拟器迟迟没有给出最后的回盘。")
        time.sleep(0.02)


def deliver(world: World) -> None:
    """Everything made goes into boxes, to its school and into hands; some boxes are lost on the way."""
    city = staff.operator("a")
    if not cards.cards_to_pack(staff.CITY):
        return
    with world.work(minutes=120):
        deliveries = logistics.prepare_deliveries(city)
    posting.send(world, deliveries)
    for delivery in deliveries:
        for box in logistics.boxes_of(delivery):
            world.count("boxes")
            _arrive(world, delivery.school, box)


def _arrive(world: World, school: registry.School, box: logistics.Box) -> None:
    officer, city = staff.school_officer(school.district_id, school.code), staff.operator("a")
    if box.state == "lost":
        return
    if world.happens(f"lost box {box.number}", LOST_BOXES):
        with world.work():
            logistics.report_lost_box(city, box.number, "承运方确认遗失")
        world.count("lost_boxes")
        return
    inside = [place.card for place in logistics.contents(box)]
    short = {card.number for card in inside if world.happens(f"short {card.number}", SHORT)}
    damaged = {card.number for card in inside if world.happens(f"hurt {card.number}", DAMAGED_ON_THE_WAY)}
    with world.work():
        logistics.receive_box(
            officer, box.number, [c.number for c in inside if c.number not in short], damaged
        )
    for found in logistics.discrepancies(city.scope) if short or damaged else []:
        with world.work(minutes=30):
            logistics.resolve_discrepancy(city, found.id, "remake", "已核实")
    with world.work():
        logistics.hand_out(officer, [card.id for card in inside if card.number not in short | damaged])


def _by_school(
    students: Sequence[registry.Student],
) -> Iterator[tuple[registry.School, list[registry.Student]]]:
    ordered = sorted(students, key=lambda s: (s.school.code, s.school_class_id, s.sort_key, s.education_id))
    for _, members in groupby(ordered, key=lambda student: student.school.code):
        of_school = list(members)
        yield of_school[0].school, of_school


@cache
def _portrait(face: int) -> bytes:
    return draw_portrait(face)
