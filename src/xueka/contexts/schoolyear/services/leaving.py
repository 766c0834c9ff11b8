"""Students whom the student registry no longer shows: who of them goes, and what becomes of their cards."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from xueka.contexts.cards import api as cards
from xueka.contexts.registry import api as registry
from xueka.contexts.schoolyear.models import Move, Piece, Thing
from xueka.contexts.schoolyear.services.judging import EXAMPLES, Wont
from xueka.kernel import clock
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope


def plan_leavers(actor: Actor, piece: Piece) -> tuple[int, Wont]:
    """A move for each student who may go; who may not yet is counted by reason."""
    scope = Scope("school", piece.school.district_id, piece.school.code)
    going = {one.id for one in registry.may_go(scope)}
    moving = set(registry.transfer_rows(scope).filter(state="open").values_list("student_id", flat=True))
    moves, left = [], Counter[str]()
    named: dict[str, list[str]] = defaultdict(list)
    for absence in registry.absence_rows(scope).filter(state__in=["missing", "confirmed"]).order_by("id"):
        student = absence.student
        if student.status not in registry.PRESENT:
            why = "already_gone"
        elif student.id in moving:
            why = "transfer"
        elif absence.id in going:
            moves.append(_move(piece, student))
            continue
        else:
            why = "held" if absence.held else "waiting"
        left[why] += 1
        named[why].append(student.education_id)
    Move.objects.bulk_create(moves, batch_size=2000)
    return len(moves), [
        {"code": why, "count": count, "examples": named[why][:EXAMPLES]} for why, count in left.most_common()
    ]


def drop_the_decided(actor: Actor, piece: Piece) -> None:
    """Whoever is shown again or was found to be still there since the preview stays."""
    scope = Scope("school", piece.school.district_id, piece.school.code)
    going = registry.may_go(scope).values_list("student_id", flat=True)
    moves = Move.objects.filter(piece=piece, outcome="planned")
    moves.exclude(student_id__in=list(going)).update(outcome="skipped", note="changed")


def plan_cancels(piece: Piece, students: Sequence[int]) -> None:
    """Cards in use end today, by the sweep that ends those of graduates."""
    today = clock.today()
    Thing.objects.bulk_create(
        (
            Thing(
                piece=piece,
                thing="card_cancel",
                object_id=card.id,
                before={"number": card.number},
                after={"on": today.isoformat(), "reason": "学生已离校"},
                due_on=today,
            )
            for card in cards.live_cards_of(list(students))
        ),
        batch_size=2000,
    )


def _move(piece: Piece, student: registry.Student) -> Move:
    place = student.school_class
    return Move(
        piece=piece,
        student=student,
        before_class=place,
        before_status=student.status,
        after_school_id=student.school_id,
        after_stage=place.stage,
        after_grade=place.grade,
        after_name=place.name,
        after_status=registry.LEFT,
        ended_by="left",
    )
