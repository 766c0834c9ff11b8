"""Carrying out one piece: one school, one transaction. What was planned happens, and nothing else."""

from collections.abc import Callable, Mapping
from datetime import date

from django.db import connection
from django.db.models import Count, QuerySet

from xueka.contexts.cards import api as cards
from xueka.contexts.registry import api as registry
from xueka.contexts.schoolyear.configuration import rules
from xueka.contexts.schoolyear.domain import rules as r
from xueka.contexts.schoolyear.models import Move, Piece, Thing
from xueka.contexts.schoolyear.services import exchanging, leaving
from xueka.kernel import clock
from xueka.platform.audit.services import record
from xueka.platform.identity import accounts
from xueka.platform.identity import services as identity
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import lock_users
from xueka.platform.identity.models import Grant
from xueka.platform.identity.scope import Scope


def run_piece(actor: Actor, piece: Piece) -> None:
    """Do what is planned; the piece is locked by the caller. A refusal leaves the school as it was."""
    _RUNS[piece.kind](actor, piece)
    _count(piece)
    piece.state = "done"
    piece.save()
    record(
        actor,
        f"year.{piece.kind}",
        "school",
        piece.school.code,
        detail={"job": piece.job.number, "done": piece.done, "skipped": piece.skipped},
    )


def _move(actor: Actor, piece: Piece) -> None:
    """Make the classes that are missing, move the students, let applications and cards follow.

    Whoever is in a transfer since the preview stays: it says from which school and into which grade she goes.
    """
    planned = Move.objects.filter(piece=piece, outcome="planned").exclude(ended_by="left")
    if away := registry.hold_students(actor, planned.values_list("student_id", flat=True)):
        planned.filter(student_id__in=away).update(outcome="skipped", note="transfer")
    _find_classes(actor, piece)
    for ended_by in ("left", "graduated", "promoted", "class", "merged"):
        moves = _columns(piece, ended_by)
        if not moves.students:
            continue
        moved = registry.move_students(actor, moves, ended_by)
        Move.objects.filter(piece=piece, ended_by=ended_by, student_id__in=moved).update(outcome="done")
        Move.objects.filter(piece=piece, ended_by=ended_by, outcome="planned").update(
            outcome="skipped", note="changed"
        )
        _follow(actor, moves, set(moved))


def _find_classes(actor: Actor, piece: Piece) -> None:
    places = registry.Places()
    rows = (
        Move.objects.filter(piece=piece, outcome="planned")
        .order_by("after_school_id", "after_stage", "after_grade", "after_name")
        .values_list("after_school_id", "after_stage", "after_grade", "after_name")
        .distinct()
    )
    for school, stage, grade, name in rows:
        places.schools.append(school)
        places.stages.append(stage)
        places.grades.append(grade)
        places.names.append(name)
    ids, made = registry.ensure_classes(actor, places)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE schoolyear_move m SET after_class_id = c.id
              FROM registry_schoolclass c
             WHERE m.piece_id = %s AND m.outcome = 'planned' AND c.id = ANY(%s)
               AND (c.school_id, c.stage, c.grade, c.name)
                 = (m.after_school_id, m.after_stage, m.after_grade, m.after_name)
            """,
            [piece.id, ids],
        )
    Thing.objects.bulk_create(
        Thing(piece=piece, thing="class", object_id=class_id, outcome="done") for class_id in made
    )


def _columns(piece: Piece, ended_by: str, *, back: bool = False) -> registry.Moves:
    """The planned moves as parallel columns, straight from the database; `back` turns the done ones round."""
    before, after = ("before_class_id", "before_status"), ("after_class_id", "after_status")
    source, target = (after, before) if back else (before, after)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT array_agg(student_id ORDER BY student_id), array_agg({source[0]} ORDER BY student_id),
                   array_agg({source[1]} ORDER BY student_id), array_agg({target[0]} ORDER BY student_id),
                   array_agg({target[1]} ORDER BY student_id)
              FROM schoolyear_move WHERE piece_id = %s AND ended_by = %s AND outcome = %s
            """,  # noqa: S608 - names of our own columns
            [piece.id, ended_by, "done" if back else "planned"],
        )
        return registry.Moves(*(column or [] for column in cursor.fetchone()))


def _follow(actor: Actor, moves: registry.Moves, moved: set[int]) -> None:
    rows = [
        row
        for row in zip(moves.students, moves.from_classes, moves.to_classes, strict=True)
        if row[0] in moved and row[1] != row[2]
    ]
    if rows:
        students, sources, targets = zip(*rows, strict=True)
        cards.follow_classes(actor, students, sources, targets)


def move_back(actor: Actor, piece: Piece) -> None:
    """Whoever is still where the piece put her goes back; whoever is not stays, and says why."""
    there = Move.objects.filter(piece=piece, outcome="done")
    if away := registry.hold_students(actor, there.values_list("student_id", flat=True)):
        there.filter(student_id__in=away).update(outcome="kept", note="transfer")
    for ended_by in ("merged", "class", "promoted", "graduated", "left"):
        moves = _columns(piece, ended_by, back=True)
        if not moves.students:
            continue
        moved = registry.move_students(actor, moves, "taken_back")
        Move.objects.filter(piece=piece, ended_by=ended_by, student_id__in=moved).update(outcome="undone")
        Move.objects.filter(piece=piece, ended_by=ended_by, outcome="done").update(
            outcome="kept", note="moved_on"
        )
        _follow(actor, moves, set(moved))


def _promotion(actor: Actor, piece: Piece) -> None:
    _move(actor, piece)


def _graduation(actor: Actor, piece: Piece) -> None:
    _move(actor, piece)
    done = Move.objects.filter(piece=piece, outcome="done", ended_by="graduated")
    gone = graduates(done)
    if gone:
        _close_applications(actor, piece, list(gone), "学生已毕业")
        _end_cards(actor, piece, gone)
    going_on = list(done.exclude(after_status=registry.GRADUATED).values_list("student_id", flat=True))
    if going_on and rules().going_on_exchange:
        _prepare_exchange(actor, piece, going_on)


def _close_applications(actor: Actor, piece: Piece, students: list[int], reason: str) -> None:
    found = {each.id: each for each in cards.open_applications_of(students)}
    if not found:
        return
    result = cards.close_applications(actor, list(found), reason)
    kept = {id_ for id_, _, _ in result.refused}
    Thing.objects.bulk_create(
        Thing(
            piece=piece,
            thing="application",
            object_id=each.id,
            before={"state": each.state, "number": each.number},
            outcome="skipped" if each.id in kept else "done",
            note="in_use" if each.id in kept else "",
        )
        for each in found.values()
    )


def graduates(moves: QuerySet[Move]) -> dict[int, str]:
    """Those of the moves who leave as graduates: student id → the stage that she has finished."""
    found = moves.filter(after_status=registry.GRADUATED).order_by("student_id")
    return dict(found.values_list("student_id", "after_stage"))


def _end_cards(actor: Actor, piece: Piece, students: Mapping[int, str]) -> None:
    """By the rule of the stage that is finished: kept, limited today, or cancelled on the day it names."""
    limited: dict[int, Thing] = {}
    things = []
    year = clock.today().year
    for card in cards.live_cards_of(list(students)):
        rule = rules().graduates[students[card.student_id]]
        if rule.card == "keep":
            continue
        until = card.valid_until.isoformat() if card.valid_until else None
        thing = Thing(
            piece=piece,
            thing=f"card_{rule.card}",
            object_id=card.id,
            before={"valid_until": until, "number": card.number},
            after={"on": rule.on(year).isoformat()},
        )
        if rule.card == "cancel":
            thing.due_on = rule.on(year)
        elif card.valid_until is None or card.valid_until > rule.on(year):
            thing.outcome = "done"
            limited[card.id] = thing
        else:
            continue
        things.append(thing)
    if limited:
        day: dict[int, date | None] = {
            id_: date.fromisoformat(thing.after["on"]) for id_, thing in limited.items()
        }
        cards.limit_validity(actor, day, "学生毕业")
    Thing.objects.bulk_create(things, batch_size=2000)


def _prepare_exchange(actor: Actor, piece: Piece, students: list[int]) -> None:
    things = [
        Thing(
            piece=piece,
            thing=f"exchange:{card.kind_id}",
            object_id=card.student_id,
            before={"card": card.number},
            after={"kind": card.kind_id, "reason": "stage_change"},
        )
        for card in cards.live_cards_of(students)
    ]
    opened = {kind.code for kind in cards.kinds()}
    things = Thing.objects.bulk_create(one for one in things if one.after["kind"] in opened)
    exchanging.open_exchanges(actor, piece, things)


def _new_classes(actor: Actor, piece: Piece) -> None:
    wanted = list(piece.things.filter(thing="new_class").order_by("object_id"))
    places = registry.Places(
        [piece.school_id] * len(wanted),
        [one.after["stage"] for one in wanted],
        [one.after["grade"] for one in wanted],
        [one.after["name"] for one in wanted],
    )
    ids, made = registry.ensure_classes(actor, places)
    for thing, class_id in zip(wanted, ids, strict=True):
        thing.after = {**thing.after, "class": class_id}
        thing.outcome, thing.note = ("done", "") if class_id in made else ("skipped", "changed")
    Thing.objects.bulk_update(wanted, ["after", "outcome", "note"])


def _merge(actor: Actor, piece: Piece) -> None:
    target = registry.school(actor.scope, piece.job.parameters["into"])
    _move(actor, piece)
    _hand_over_grants(actor, piece, target)
    _close_school(actor, piece, target.id)


def _hand_over_grants(actor: Actor, piece: Piece, target: registry.School | None) -> None:
    """The officers of a school that ends keep their role in the one that takes it over, if there is one: for
    as long as they would have had it, and substitutes for whom they stand in for.
    """
    things = []
    given: dict[int, Grant] = {}
    ending = accounts.grants_at(piece.school.code)
    lock_users(grant.user_id for grant in ending)
    for grant in ending:
        before = {"username": grant.user.username, "role": grant.role, "grant": grant.id}
        after = {}
        if target is not None:
            known = set(grant.user.grants.filter(revoked_at=None).values_list("id", flat=True))
            found = identity.open_again(
                actor,
                grant,
                Scope("school", target.district_id, target.code),
                stands_in_for=given.get(grant.stands_in_for_id or 0),
                reason=f"作业 {piece.job.number}",
            )
            if found is not None:
                given[grant.id] = found
                after = {"grant": found.id} if found.id not in known else {}
        identity.close_grant(actor, grant, f"作业 {piece.job.number}")
        things.append(
            Thing(piece=piece, thing="grant", object_id=grant.id, before=before, after=after, outcome="done")
        )
    Thing.objects.bulk_create(things)


def _close_school(actor: Actor, piece: Piece, into: int | None) -> None:
    registry.close_school(actor, piece.school_id, merged_into=into)
    Thing.objects.create(
        piece=piece, thing="school_closed", object_id=piece.school_id, after={"into": into}, outcome="done"
    )


def _close(actor: Actor, piece: Piece) -> None:
    _hand_over_grants(actor, piece, None)
    _close_school(actor, piece, None)


def _rename(actor: Actor, piece: Piece) -> None:
    thing = piece.things.get(thing="school_name")
    registry.rename_school(actor, piece.school_id, thing.after["name"])
    thing.outcome = "done"
    thing.save(update_fields=["outcome"])


def _exchange(actor: Actor, piece: Piece) -> None:
    exchanging.open_exchanges(actor, piece, list(piece.things.filter(outcome="planned")))


def _leavers(actor: Actor, piece: Piece) -> None:
    leaving.drop_the_decided(actor, piece)
    _move(actor, piece)
    gone = list(
        Move.objects.filter(piece=piece, outcome="done")
        .order_by("student_id")
        .values_list("student_id", flat=True)
    )
    registry.mark_left(actor, gone)
    _close_applications(actor, piece, gone, "学生已离校")
    leaving.plan_cancels(piece, gone)


_RUNS: dict[str, Callable[[Actor, Piece], None]] = {
    r.PROMOTION: _promotion,
    r.GRADUATION: _graduation,
    r.NEW_CLASSES: _new_classes,
    r.CLASSES: _promotion,
    r.MERGE: _merge,
    r.CLOSE: _close,
    r.RENAME: _rename,
    r.EXCHANGE: _exchange,
    r.LEAVERS: _leavers,
}

#: What a piece of these kinds counts: students, or the things that are its work.
COUNTED = {
    r.NEW_CLASSES: "new_class",
    r.RENAME: "school_name",
    r.EXCHANGE: "exchange",
    r.CLOSE: "school_closed",
}


def _count(piece: Piece) -> None:
    counts = outcome_counts(piece)
    piece.done, piece.skipped = counts.get("done", 0), counts.get("skipped", 0)


def outcome_counts(piece: Piece) -> dict[str, int]:
    """How many of the piece's items are in each outcome."""
    rows = (
        piece.things.filter(thing__startswith=COUNTED[piece.kind])
        if piece.kind in COUNTED
        else piece.moves.all()
    )
    return dict(rows.order_by().values_list("outcome").annotate(Count("id")))
