"""Two people at once: one act happens once, the other is told so, and nobody waits for ever."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier, Event
from typing import Any

import pytest
from django.db import connection, transaction

from tests.unit.cards.conftest import KIND, NOW, City, build
from xueka.contexts.cards import api as cards
from xueka.contexts.cards.models import Application, Card, CardAccount
from xueka.contexts.numbers import api as numbers
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.history.models import Transition
from xueka.platform.invariants import check

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def city(transactional_db: None) -> Iterator[City]:
    with clock.at(NOW):
        yield build()


@pytest.fixture(autouse=True)
def everything_still_holds(city: City) -> Iterator[None]:
    yield
    for invariant in [*cards.INVARIANTS, *numbers.INVARIANTS]:
        assert check(invariant).violated == 0, invariant.name


def together(*acts: Callable[[], Any]) -> list[Any]:
    """Each act in its own thread and transaction; its result, or the XuekaError it raised."""
    start = Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        try:
            start.wait()
            with clock.at(NOW), transaction.atomic():
                return act()
        except XuekaError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def alone(act: Callable[[], Any]) -> Any:
    with transaction.atomic():
        return act()


def codes(results: list[Any]) -> list[str]:
    """`done` or the code of the refusal, of each."""
    found = []
    for result in results:
        if isinstance(result, XuekaError):
            found.append(result.code)
        elif isinstance(result, cards.BulkResult):
            found += ["done"] * len(result.done) + [code for _, code, _ in result.refused]
        else:
            found.append("done")
    return sorted(found)


ONCE = ["TRANSITION_NOT_ALLOWED", "done"]


def test_two_hand_outs_of_one_card(city: City) -> None:
    ids = city.at_school(city.students(2))
    results = together(
        lambda: cards.hand_out(city.system, ids), lambda: cards.hand_out(city.system, ids[::-1])
    )
    assert codes(results) == ["TRANSITION_NOT_ALLOWED"] * 2 + ["done"] * 2
    assert Transition.objects.filter(event="hand_out").count() == 2


def test_two_reports_of_one_loss(city: City) -> None:
    [card] = city.active(city.students())
    assert codes(together(*[lambda: cards.report_lost(city.system, card)] * 2)) == ONCE
    assert Card.objects.get(id=card).state == "lost"


def test_two_submissions_and_two_approvals(city: City) -> None:
    [one] = city.drafts(city.students())
    assert codes(together(*[lambda: cards.submit(city.officer, [one])] * 2)) == ONCE
    approve = lambda: cards.approve(city.district, [one])  # noqa: E731
    assert codes(together(approve, approve)) == ["NOT_YOUR_LEVEL", "done"]
    assert Application.objects.get(id=one).state == "city_review"


def test_two_officers_open_an_application_for_one_class(city: City) -> None:
    students = city.students(20)
    results = together(
        lambda: cards.create_applications(city.officer, students, KIND),
        lambda: cards.create_applications(city.officer, students[::-1], KIND),
    )
    assert codes(results) == ["APPLICATION_OPEN"] * 20 + ["done"] * 20
    assert CardAccount.objects.count() == Application.objects.count() == 20


def test_two_batches_take_one_application(city: City) -> None:
    accepted = city.accepted(city.students(5))
    plan = lambda: cards.plan_cards(city.operator, accepted)  # noqa: E731
    assert codes(together(plan, plan)) == ONCE
    assert Card.objects.count() == 5


def test_lifted_while_the_replacement_is_applied_for(city: City) -> None:
    [student] = city.students()
    [card] = city.active([student])
    for _ in range(5):
        alone(lambda: cards.report_lost(city.system, card))
        results = together(
            lambda: cards.lift(city.system, card),
            lambda: cards.create_applications(city.officer, [student], KIND, "lost"),
        )
        assert codes(results) in (["REPLACEMENT_OPEN", "done"], ["NOT_REPORTED_LOST", "done"])
        if Card.objects.get(id=card).state == "lost":
            open_one = Application.objects.get(state="draft")
            alone(partial(cards.withdraw, city.officer, [open_one.id]))
            alone(lambda: cards.lift(city.system, card))


def test_handed_out_here_and_voided_there(city: City) -> None:
    ids = city.at_school(city.students(12))
    results = together(
        lambda: cards.hand_out(city.system, ids),
        lambda: cards.void_cards(city.operator, ids[::-1], "箱丢失"),
    )
    assert codes(results) in (
        ["TRANSITION_NOT_ALLOWED", *["done"] * 12],
        ["TRANSITION_NOT_ALLOWED"] * 12 + ["done"],
    )
    assert len(set(Card.objects.values_list("state"))) == 1


def test_the_new_card_is_handed_out_while_the_old_one_is_reported_lost(city: City) -> None:
    students = city.students(6)
    old = city.active(students)
    new = city.at_school(students, reason="damaged")
    results = together(
        lambda: cards.hand_out(city.system, new),
        *[lambda card=card: cards.report_lost(city.system, card) for card in old[:3]],
    )
    assert codes(results).count("done") >= 6
    assert set(Card.objects.filter(id__in=old).values_list("state", flat=True)) == {"cancelled"}
    assert set(Card.objects.filter(id__in=new).values_list("state", flat=True)) == {"active"}


def test_the_old_card_is_cancelled_in_the_moment_of_the_hand_out(city: City) -> None:
    [student] = city.students()
    [old] = city.active([student])
    [new] = city.at_school([student], reason="damaged")
    locked = Event()

    def cancels_slowly() -> None:
        cards.cancel(city.system, old, "家长要求")
        locked.set()
        connection.cursor().execute("SELECT pg_sleep(0.3)")

    def hands_out() -> cards.BulkResult:
        locked.wait()
        return cards.hand_out(city.system, [new])

    assert codes(together(cancels_slowly, hands_out)) == ["done", "done"]
    assert Card.objects.get(id=new).state == "active"


def wait_for_a_waiting_one() -> None:
    """Until some transaction waits for another one's lock."""
    for _ in range(200):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees what it saw first
            cursor.execute(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
                " AND wait_event_type = 'Lock' LIMIT 1"
            )
            if cursor.fetchone():
                return
            cursor.execute("SELECT pg_sleep(0.05)")
    raise AssertionError("nobody waits")


def up(city: City, students: list[int]) -> registry.Moves:
    """The first class of the first school goes up into a class that there is not yet."""
    here = city.schools[0].classes.get(grade=1)
    there, _ = registry.SchoolClass.objects.get_or_create(
        school=city.schools[0], stage="小学", grade=2, name="1班"
    )
    many = len(students)
    return registry.Moves(students, [here.id] * many, ["在校"] * many, [there.id] * many, ["在校"] * many)


def turn(city: City, moves: registry.Moves) -> None:
    registry.move_students(city.system, moves, "promoted")
    cards.follow_classes(city.system, moves.students, moves.from_classes, moves.to_classes)


def test_the_class_turns_while_a_batch_waits_for_its_applications(city: City) -> None:
    students = city.students(3)
    accepted = city.accepted(students)
    moves = up(city, students)
    turned = Event()

    def turns() -> None:
        turn(city, moves)
        turned.set()
        wait_for_a_waiting_one()

    def plans() -> None:
        turned.wait()
        cards.plan_cards(city.operator, accepted)

    assert codes(together(turns, plans)) == ["done", "done"]
    assert set(Card.objects.values_list("school_class_id", flat=True)) == set(moves.to_classes)


def test_a_batch_is_planned_while_the_class_turns(city: City) -> None:
    students = city.students(3)
    accepted = city.accepted(students)
    moves = up(city, students)
    planned = Event()

    def plans() -> None:
        cards.plan_cards(city.operator, accepted)
        planned.set()
        wait_for_a_waiting_one()

    def turns() -> None:
        planned.wait()
        turn(city, moves)

    assert codes(together(turns, plans)) == ["done", "done"]
    assert set(Card.objects.values_list("school_class_id", flat=True)) == set(moves.to_classes)


def test_applications_follow_their_class_in_the_order_of_ids(city: City) -> None:
    """Whoever approves locks the oldest application first; the class comes by from the other end."""
    students = city.students(8)
    applied = [one for student in reversed(students) for one in city.drafts([student])]
    moves = up(city, students)
    first = Event()

    def approves() -> None:
        Application.objects.select_for_update().get(id=applied[0])
        first.set()
        wait_for_a_waiting_one()
        cards.submit(city.system, applied)

    def turns() -> None:
        first.wait()
        with connection.cursor() as cursor:  # so that the students lead, as in a large city
            cursor.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
        turn(city, moves)

    assert codes(together(approves, turns)) == ["done"] * 2
    assert set(Application.objects.values_list("state", flat=True)) == {"district_review"}
    assert set(Application.objects.values_list("school_class_id", flat=True)) == set(moves.to_classes)
