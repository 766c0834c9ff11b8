"""Cards that no longer say what is true: the exchange is prepared as a draft for the school to send in."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from django.db import connection

from xueka.contexts.cards import api as cards
from xueka.contexts.registry import api as registry
from xueka.contexts.schoolyear.models import Piece, Thing
from xueka.contexts.schoolyear.services.judging import EXAMPLES, Wont
from xueka.platform.identity.actor import Actor

REASONS = ("stage_change", "transfer", "data_change")
"""`stage_change`: the card is of another stage; `transfer`: of another school; `data_change`: after a job."""


def plan_exchange(actor: Actor, piece: Piece) -> tuple[int, Wont]:
    """Plan an exchange for each card in use that differs; who cannot have one is counted by reason."""
    reason = piece.job.parameters["reason"]
    found = _candidates(piece, reason)
    planned = 0
    refused: Counter[str] = Counter()
    named: dict[str, list[str]] = defaultdict(list)
    for kind in sorted({kind for _, kind, _ in found}):
        numbers = {student: number for student, of, number in found if of == kind}
        result = cards.preview_create(actor, list(numbers), kind, reason)
        Thing.objects.bulk_create(
            (
                Thing(
                    piece=piece,
                    thing=f"exchange:{kind}",
                    object_id=student,
                    before={"card": numbers[student]},
                    after={"kind": kind, "reason": reason},
                )
                for student in result.done
            ),
            batch_size=2000,
        )
        planned += len(result.done)
        for student, _, message in result.refused:
            refused[message] += 1
            named[message].append(numbers[student])
    return planned, [
        {"code": message, "count": count, "examples": named[message][:EXAMPLES]}
        for message, count in refused.most_common()
    ]


def open_exchanges(actor: Actor, piece: Piece, things: Sequence[Thing]) -> None:
    """Open the drafts; each thing remembers its application. Whoever may not have one any more is skipped."""
    groups: dict[tuple[str, str], list[Thing]] = defaultdict(list)
    for thing in things:
        groups[thing.after["kind"], thing.after["reason"]].append(thing)
    for (kind, reason), members in sorted(groups.items()):
        result = cards.create_applications(actor, [one.object_id for one in members], kind, reason)
        opened = {
            each.account.student_id: each for each in cards.applications_by_id(actor.scope, result.done)
        }
        for thing in members:
            application = opened.get(thing.object_id)
            if application is None:
                thing.outcome, thing.note = "skipped", "changed"
            else:
                thing.outcome = "done"
                thing.after = {**thing.after, "application": application.id, "number": application.number}
    Thing.objects.bulk_update(things, ["outcome", "note", "after"], batch_size=1000)


def withdraw_exchanges(actor: Actor, things: Sequence[Thing]) -> None:
    """Take the drafts back that nobody has sent in; the others stay, and say so."""
    ids = [thing.after["application"] for thing in things]
    cards.lock_applications(actor, ids)  # a school may be sending one in just now
    drafts = {each.id for each in cards.applications_by_id(actor.scope, ids) if each.state == "draft"}
    if drafts:
        cards.withdraw(actor, sorted(drafts), "学年作业撤回")
    for thing in things:
        if thing.after["application"] in drafts:
            thing.outcome = "undone"
        else:
            thing.outcome, thing.note = "kept", "submitted"
    Thing.objects.bulk_update(things, ["outcome", "note"], batch_size=1000)


def _candidates(piece: Piece, reason: str) -> list[tuple[int, str, str]]:
    """(student, kind, card number) of the cards in use that differ, in the school where the students are."""
    told = piece.job.parameters
    of_job, of_run = told.get("of_job"), told.get("of_run")
    statement = _AFTER_RUN if of_run else _AFTER_JOB if of_job else _DIFFERENT[reason]
    values = {"school": piece.school_id, "job": of_job, "run": of_run, "live": list(cards.LIVE)}
    if of_run:
        changed = registry.printed_changes(of_run).filter(student__school_id=piece.school_id)
        values["students"] = list(changed.values_list("student_id", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return [(student, kind, number) for student, kind, number in cursor.fetchall()]


_LIVE = """
    SELECT k.student_id, k.kind_id, k.number
      FROM cards_card k
      JOIN registry_student s ON s.id = k.student_id
      JOIN registry_schoolclass now ON now.id = s.school_class_id
      JOIN registry_schoolclass made ON made.id = k.school_class_id
     WHERE s.school_id = %(school)s AND k.state = ANY(%(live)s)
"""
_ORDER = " ORDER BY k.student_id, k.kind_id"
_DIFFERENT = {
    "stage_change": f"{_LIVE} AND made.stage <> now.stage{_ORDER}",
    "transfer": f"{_LIVE} AND made.school_id <> now.school_id{_ORDER}",
    "data_change": f"{_LIVE} AND false{_ORDER}",
}
# Cards made since say the new data already.
_AFTER_RUN = f"""
    {_LIVE} AND k.student_id = ANY(%(students)s)
        AND k.created_at <= (SELECT i.at FROM registry_importrun i WHERE i.id = %(run)s)
    {_ORDER}
"""  # noqa: S608 - no values in it
# Of a renamed school every student; of the others those who moved. Cards made since say the new name already.
# Asked by student, not by the schools of the job: of a whole city's job there are two thousand for each card.
_AFTER_JOB = f"""
    {_LIVE}
       AND EXISTS (
           SELECT 1 FROM schoolyear_job j
            WHERE j.number = %(job)s AND j.state = 'done' AND k.created_at <= j.finished_at
              AND ((j.kind = 'rename' AND EXISTS (
                       SELECT 1 FROM schoolyear_piece p WHERE p.job_id = j.id AND p.school_id = %(school)s))
                   OR EXISTS (
                       SELECT 1 FROM schoolyear_move m JOIN schoolyear_piece p ON p.id = m.piece_id
                        WHERE m.student_id = s.id AND m.outcome = 'done' AND p.job_id = j.id)))
    {_ORDER}
"""  # noqa: S608 - no values in it
