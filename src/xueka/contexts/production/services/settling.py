"""What people decide about problems, and the end of a batch."""

from collections.abc import Sequence

from django.db.models import Count

from xueka.contexts.cards import api as cards
from xueka.contexts.production.domain import outcomes
from xueka.contexts.production.domain.transitions import BATCH, RECONCILING
from xueka.contexts.production.models import Batch, Problem
from xueka.contexts.production.services.common import ORDERED, locked_batch, move, record
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound, Refused
from xueka.platform.audit import services as audit
from xueka.platform.identity.actor import Actor


def take_problem(actor: Actor, problem_id: int) -> Problem:
    """Make a problem one's own, so that nobody else works on it."""
    actor.require("city:problem:resolve")
    problem = _open_problem(actor, problem_id)
    problem.owner = actor.username
    problem.save(update_fields=["owner"])
    _record(actor, "take", problem)
    return problem


def resolve_problem(actor: Actor, problem_id: int, resolution: str, note: str = "") -> Problem:
    """Settle a problem: `write_off` voids its card, which is made again; `noted` leaves everything as it is.

    A card that the bureau still owes cannot merely be noted: it would stay open for ever.
    """
    actor.require("city:problem:resolve")
    found = _open_problem(actor, problem_id, lock=False)
    batch = locked_batch(actor, found.batch_id) if found.batch_id else None
    problem = _open_problem(actor, problem_id)
    if resolution not in resolutions(problem):
        raise BadInput(
            "PROBLEM_RESOLUTION",
            "这个问题不能这样处理。",
            found=resolution,
            expected="、".join(outcomes.RESOLUTION_LABELS[code] for code in resolutions(problem)),
        )
    if resolution == outcomes.WRITE_OFF and batch is not None and problem.card_id:
        _write_off(actor, batch, [problem.card_id], note or outcomes.PROBLEM_LABELS[problem.kind])
    close_problems(actor, [problem.id], resolution, note)
    _record(actor, "resolve", problem, resolution=resolution, note=note)
    problem.refresh_from_db()
    return problem


def resolutions(problem: Problem) -> list[str]:
    """What a person may choose, the usual choice first."""
    card = problem.card if problem.kind in (outcomes.MISSING, outcomes.ALTERED) else None
    owed = card is not None and card.batch_item.outcome in outcomes.OPEN
    return [outcomes.WRITE_OFF if owed else outcomes.NOTED]


def declare_missing(actor: Actor, batch_id: int) -> int:
    """Wait no longer: every card that the bureau still owes is void and will be made again.

    Returns how many; their problems are resolved with them. Allowed once a return file has been applied.
    """
    actor.require("city:problem:resolve")
    batch = locked_batch(actor, batch_id)
    owed = list(batch.items.filter(outcome__in=outcomes.OPEN).values_list("card_id", flat=True))
    if batch.state != RECONCILING:
        raise Refused(
            "BATCH_NOT_RECONCILING",
            f"批次 {batch.number} 还没有回盘，不能登记缺失。",
            found=BATCH.state(batch.state).label,
            expected=BATCH.state(RECONCILING).label,
        )
    if owed:
        _write_off(actor, batch, owed, "卡厂未交付")
        record(actor, "declare_missing", batch, cards=len(owed))
    return len(owed)


def close(actor: Actor, batch_id: int) -> Batch:
    """The end of a batch. Raises Refused `BATCH_NOT_ACCOUNTED` with what is still open."""
    batch = locked_batch(actor, batch_id)
    owed = dict(
        batch.items.filter(outcome__in=outcomes.OPEN)
        .values_list("outcome")
        .annotate(count=Count("id"))
        .order_by()
    )
    problems = batch.problems.filter(state="open").count()
    if batch.state == RECONCILING and (owed or problems):
        parts = [f"{outcomes.OUTCOME_LABELS[code]} {owed[code]} 张" for code in outcomes.OPEN if code in owed]
        parts += [f"未处理的问题 {problems} 个"] if problems else []
        raise Refused(
            "BATCH_NOT_ACCOUNTED",
            f"批次 {batch.number} 还不能结批：{'，'.join(parts)}。",
            expected="每张卡都有结果，问题都已处理",
            action="请处理问题；卡厂不再交付的卡请登记缺失。",
            cards=owed,
            problems=problems,
        )
    move(batch, "close", actor)
    record(actor, "close", batch, cards=batch.card_count)
    return batch


def close_problems(actor: Actor, ids: Sequence[int], resolution: str, note: str = "") -> None:
    """Mark open problems as resolved; nothing else changes."""
    Problem.objects.filter(id__in=ids, state="open").update(
        state="resolved",
        resolution=resolution,
        note=note,
        resolved_by=actor.username,
        resolved_at=clock.now(),
    )


def _write_off(actor: Actor, batch: Batch, card_ids: Sequence[int], reason: str) -> None:
    ordered = batch.items.filter(card_id__in=card_ids, card__state=ORDERED)
    cards.void_cards(actor, list(ordered.values_list("card_id", flat=True)), reason, remake=True)
    batch.items.filter(card_id__in=card_ids).update(outcome=outcomes.DROPPED)
    waiting = batch.problems.filter(
        card_id__in=card_ids, state="open", kind__in=[outcomes.MISSING, outcomes.ALTERED]
    )
    close_problems(actor, list(waiting.values_list("id", flat=True)), outcomes.WRITE_OFF, reason)


def _open_problem(actor: Actor, problem_id: int, *, lock: bool = True) -> Problem:
    found = Problem.objects.visible_to(actor.scope).filter(id=problem_id)
    problem = (found.select_for_update() if lock else found).first()
    if problem is None:
        raise NotFound("PROBLEM_NOT_FOUND", "没有这个问题。")
    if problem.state != "open":
        raise Refused(
            "PROBLEM_RESOLVED",
            "这个问题已经处理过了。",
            found=outcomes.RESOLUTION_LABELS[problem.resolution],
            action="请刷新页面。",
        )
    return problem


def _record(actor: Actor, action: str, problem: Problem, **detail: object) -> None:
    audit.record(
        actor,
        f"problem.{action}",
        "problem",
        problem.id,
        detail={"kind": problem.kind, "batch": problem.batch.number if problem.batch else None, **detail},
    )
