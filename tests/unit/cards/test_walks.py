"""Many students at once walk at random through the state tables; never does one hold two live cards."""

import random
from collections import defaultdict
from collections.abc import Callable, Sequence

from django.db import connection, transaction

from tests.support.size import dial
from tests.unit.cards.conftest import KIND, City, destroy
from xueka.contexts.cards import api as cards
from xueka.contexts.cards.models import Application, Card, CardKind
from xueka.contexts.numbers import api as numbers
from xueka.kernel.errors import Refused
from xueka.platform.history.models import Transition
from xueka.platform.identity.actor import Actor
from xueka.platform.invariants import check

WALKS = dial(100, 10_000)
STEPS = dial(40, 80)
SEED = 20260907
A, B = Actor.system("a"), Actor.system("b")

#: What may be tried next, by the state of the student's newest application and newest card.
ON_APPLICATION: dict[str, Callable[[Sequence[int]], object]] = {
    "submit": lambda ids: cards.submit(A, ids),
    "withdraw": lambda ids: cards.withdraw(A, ids),
    "approve": lambda ids: cards.approve(B, ids),
    "send_back": lambda ids: cards.send_back(B, ids, "data_mismatch"),
    "refuse": lambda ids: cards.refuse(B, ids, "data_mismatch"),
    "cancel": lambda ids: cards.cancel_applications(A, ids, "理由"),
    "order": lambda ids: cards.plan_cards(A, ids),
    "to_counter": lambda ids: cards.to_counter(A, ids),
    "to_bureau": lambda ids: cards.to_bureau(A, ids),
    "issue": lambda ids: [cards.issue_at_counter(A, id_) for id_ in ids],
}
ON_CARD: dict[str, Callable[[Sequence[int]], object]] = {
    "order": lambda ids: cards.order_cards(A, ids),
    "make": lambda ids: cards.confirm_made(A, [(id_, f"{id_:08X}") for id_ in ids]),
    "fail": lambda ids: cards.fail_cards(A, ids, "01", "芯片失败"),
    "void": lambda ids: cards.void_cards(A, ids, "理由"),
    "pack": lambda ids: cards.pack(A, ids),
    "unpack": lambda ids: cards.unpack(A, ids),
    "dispatch": lambda ids: cards.dispatch(A, ids),
    "receive": lambda ids: cards.receive(A, ids),
    "hand_out": lambda ids: cards.hand_out(A, ids),
    "finish": lambda ids: [cards.finish_at_counter(A, id_, f"{id_:08X}") for id_ in ids],
    "spoil": lambda ids: [cards.spoil_at_counter(A, id_, "印花了") for id_ in ids],
    "give": lambda ids: [cards.give(A, id_, "student", agreed=True) for id_ in ids],
    "destroy": lambda ids: destroy(A, list(ids)),
    "report_lost": lambda ids: [cards.report_lost(A, id_) for id_ in ids],
    "lift": lambda ids: [lift(id_) for id_ in ids],
    "cancel": lambda ids: [cards.cancel(A, id_, "理由") for id_ in ids],
}


def lift(card_id: int) -> None:
    """Refused only while a replacement is under way."""
    try:
        with transaction.atomic():
            cards.lift(A, card_id)
    except Refused as refusal:
        assert refusal.code == "REPLACEMENT_OPEN"


def test_no_walk_leads_to_two_live_cards(city: City) -> None:
    print(f"seed {SEED}, {WALKS} walks of {STEPS} steps")
    chance = random.Random(SEED)
    CardKind.objects.filter(code=KIND).update(photo_required=False)
    students = city.students(WALKS)
    handed_out = 0
    for _ in range(STEPS):
        for act, ids in _next_moves(students, chance):
            with transaction.atomic():
                act(ids)
        handed_out = max(handed_out, Card.objects.filter(state="active").count())
        assert _students_with_two_live_cards() == 0
    assert handed_out > WALKS // 20
    assert Transition.objects.filter(machine="card", event="give").exists()
    assert Card.objects.filter(state="active", application__old_card__state="cancelled").exists()
    for invariant in [*cards.INVARIANTS, *numbers.INVARIANTS]:
        assert check(invariant).violated == 0, invariant.name


Move = tuple[Callable[[Sequence[int]], object], list[int]]


def _next_moves(students: list[int], chance: random.Random) -> list[Move]:
    """One event per student; those that fire the same event on the same kind of object become one act."""
    applications = _newest(Application, "account__student_id")
    newest_cards = _newest(Card, "student_id")
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for student in students:
        application, card = applications.get(student), newest_cards.get(student)
        choices: list[tuple[str, str, int]] = [
            ("apply", reason, student) for reason in ("new", "lost", "damaged")
        ]
        if application:
            events = cards.APPLICATION.events(application[1])
            choices += [("application", event, application[0]) for event in events if event in ON_APPLICATION]
            # The way forward is taken more often, so that many walks reach a card.
            choices += [each for each in choices if each[1] in ("submit", "approve", "order", "issue")] * 8
        if card:
            events = cards.CARD.events(card[1])
            choices += [("card", event, card[0]) for event in events if event in ON_CARD]
            forward = ("order", "make", "pack", "dispatch", "receive", "hand_out", "finish", "give")
            choices += [each for each in choices if each[0] == "card" and each[1] in forward] * 8
        what, event, object_id = chance.choice(choices)
        if what == "application" and event == "cancel" and application and application[1] == "in_production":
            continue
        groups[what, event].append(object_id)
    return [(_act(what, event), ids) for (what, event), ids in sorted(groups.items())]


def _act(what: str, event: str) -> Callable[[Sequence[int]], object]:
    if what == "apply":
        return lambda ids: cards.create_applications(A, ids, KIND, event)
    return (ON_APPLICATION if what == "application" else ON_CARD)[event]


def _newest(model: type[Application] | type[Card], student: str) -> dict[int, tuple[int, str]]:
    rows = model.objects.order_by("id").values_list(student, "id", "state")
    return {student_id: (object_id, state) for student_id, object_id, state in rows}


def _students_with_two_live_cards() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT 1 FROM cards_card WHERE state IN ('active', 'lost')"
            " GROUP BY student_id, kind_id HAVING count(*) > 1) twice"
        )
        return cursor.fetchone()[0]
