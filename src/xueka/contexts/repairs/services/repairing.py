"""The flow of a repair: proposed with its difference, applied by a second person, undone by two again."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import IntegrityError, transaction

from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.contexts.numbers import api as numbers
from xueka.contexts.production import api as production
from xueka.contexts.registry import api as registry
from xueka.contexts.repairs.domain.steps import Step, backwards
from xueka.contexts.repairs.domain.transitions import PROPOSED, REPAIR
from xueka.contexts.repairs.models import Repair
from xueka.contexts.repairs.services.kinds import KINDS, plan
from xueka.contexts.repairs.services.writing import MACHINES, TABLES, write
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict, NotFound, Refused
from xueka.kernel.masking import mask_all, mask_name, mask_phone
from xueka.platform.audit.services import record
from xueka.platform.history import queries as history
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import second_person
from xueka.platform.invariants import Invariant, check

CHECKED: list[Invariant] = [
    *registry.INVARIANTS,
    *numbers.INVARIANTS,
    *cards.INVARIANTS,
    *production.INVARIANTS,
    *logistics.INVARIANTS,
]
_PERSONAL = {
    "name": mask_name,
    "sex": mask_all,
    "birth_year": mask_all,
    "consignee": mask_name,
    "consignee_phone": mask_phone,
}
_REHEARSING = Actor.system("repairs")


def propose(actor: Actor, kind: str, params: Mapping[str, str], reason: str) -> Repair:
    """Plan a repair and rehearse it: what stands where now, what it would become, which invariants are asked.

    Raises what the kind's rules say, Refused `INVARIANT_BROKEN` or `CONSTRAINT` where the outcome would be
    wrong; then nothing is kept. Needs `city:repair:propose`.
    """
    actor.require("city:repair:propose")
    if not reason.strip():
        raise BadInput("REASON_MISSING", "请写明为什么要修复。")
    steps = plan(actor, kind, params)
    now = clock.now()
    found = Repair.objects.create(
        number=f"?{now.timestamp():.6f}"[:20],
        kind=kind,
        params=dict(params),
        reason=reason.strip()[:200],
        state=PROPOSED,
        steps=[step.as_dict() for step in steps],
        invariants=[{"name": each.name, "title": each.title} for each in touched(steps)],
        proposed_by=actor.username,
        proposed_at=now,
    )
    found.number = f"XF{clock.today():%y}-{found.id:04d}"
    found.save(update_fields=["number"])
    begin(REPAIR, [found.id], actor)
    with transaction.atomic():
        _carry_out(_REHEARSING, found, steps)
        transaction.set_rollback(True)
    _audit(actor, "propose", found, steps=found.steps)
    return found


def approve(actor: Actor, repair_id: int) -> Repair:
    """A second person's word: planned anew, compared with what was shown, done in this transaction.

    Raises Refused `SECOND_PERSON`, Conflict `REPAIR_MOVED` where things are not as they were shown.
    """
    found = locked(actor, repair_id)
    _other_than(actor, found.proposed_by, f"{found.number} 由您提出，须由另一人批准。")
    REPAIR.target("apply", found.state)
    steps = [Step.from_dict(each) for each in found.steps]
    if plan(actor, found.kind, found.params) != steps:
        raise Conflict(
            "REPAIR_MOVED", f"{found.number} 提出之后情况已变。", action="请撤回，按现在的情况重新提出。"
        )
    apply(REPAIR, Repair, [found.id], "apply", actor)
    found.approved_by, found.applied_at = actor.username, clock.now()
    found.save(update_fields=["approved_by", "applied_at"])
    _carry_out(actor, found, steps)
    _audit(actor, "apply", found, steps=found.steps, proposed_by=found.proposed_by)
    found.refresh_from_db()
    return found


def refuse(actor: Actor, repair_id: int, reason: str) -> Repair:
    """The second person says no."""
    return _end(actor, repair_id, "refuse", reason)


def withdraw(actor: Actor, repair_id: int, reason: str = "不再需要") -> Repair:
    """The repair is not wanted any more."""
    return _end(actor, repair_id, "withdraw", reason)


def ask_undo(actor: Actor, repair_id: int, reason: str) -> Repair:
    """The repair itself was wrong; a second person has to agree."""
    found = locked(actor, repair_id)
    text = _required(reason)
    apply(REPAIR, Repair, [found.id], "ask_undo", actor, reason=text)
    found.undo_asked_by, found.undo_reason = actor.username, text
    found.save(update_fields=["undo_asked_by", "undo_reason"])
    _audit(actor, "ask_undo", found, reason=text)
    found.refresh_from_db()
    return found


def keep(actor: Actor, repair_id: int) -> Repair:
    """The repair stays as it is."""
    found = locked(actor, repair_id)
    apply(REPAIR, Repair, [found.id], "keep", actor)
    found.undo_asked_by = found.undo_reason = ""
    found.save(update_fields=["undo_asked_by", "undo_reason"])
    _audit(actor, "keep", found)
    found.refresh_from_db()
    return found


def undo(actor: Actor, repair_id: int) -> Repair:
    """Every step the other way, last first; only where nothing has moved since.

    Raises Refused `SECOND_PERSON`, Conflict `REPAIR_MOVED`.
    """
    found = locked(actor, repair_id)
    _other_than(actor, found.undo_asked_by, f"{found.number} 的还原由您申请，须由另一人批准。")
    apply(REPAIR, Repair, [found.id], "undo", actor, reason=found.undo_reason)
    found.undone_by, found.undone_at = actor.username, clock.now()
    found.save(update_fields=["undone_by", "undone_at"])
    steps = [Step.from_dict(each) for each in found.steps]
    _carry_out(actor, found, backwards(steps), f"还原：{found.undo_reason}")
    _not_moved(found, steps)  # now that everything is locked
    _audit(actor, "undo", found, asked_by=found.undo_asked_by)
    found.refresh_from_db()
    return found


def touched(steps: Sequence[Step]) -> list[Invariant]:
    """The invariants that ask about the tables or machines of these objects."""
    sorts = {step.what for step in steps}
    words = {table for what in sorts for table in TABLES[what]}
    words |= {f"'{MACHINES[what].name}'" for what in sorts if what in MACHINES}
    return [each for each in CHECKED if any(word in each.sql for word in words)]


def locked(actor: Actor, repair_id: int) -> Repair:
    """The repair, locked to the end of the transaction; NotFound `REPAIR_NOT_FOUND`."""
    found = Repair.objects.visible_to(actor.scope).select_for_update().filter(id=repair_id).first()
    if found is None:
        raise NotFound("REPAIR_NOT_FOUND", "没有这项修复。")
    return found


def _carry_out(actor: Actor, found: Repair, steps: Sequence[Step], reason: str = "") -> None:
    """Write the steps and ask the invariants before and after: none may be violated more than before."""
    asked = touched(steps)
    before = {each.name: check(each).violated for each in asked}
    try:
        with transaction.atomic():
            write(actor, steps, found.id, reason or found.reason)
    except IntegrityError as error:
        name = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
        raise Refused(
            "CONSTRAINT",
            f"{KINDS[found.kind].label}：改后的数据自相矛盾，数据库不接受。",
            found=name,
            action="请先处理与之冲突的卡或申领。",
        ) from None
    for each in asked:
        result = check(each)
        if result.violated > before[each.name]:
            raise Refused(
                "INVARIANT_BROKEN",
                f"{KINDS[found.kind].label}：修复后“{each.title}”不再成立。",
                found="、".join(result.examples),
                expected="修复不破坏任何核对项",
                action="请改用别的修复，或一并修复相关对象。",
                invariant=each.name,
            )


def _not_moved(found: Repair, steps: Sequence[Step]) -> None:
    """What went on and came back to the same state has moved too: undoing would tear up what was done."""
    for what, machine in MACHINES.items():
        names = {step.id: step.name for step in steps if (step.what, step.field) == (what, "state")}
        if moved := history.moved_since_repair(machine.name, names, found.id):
            raise Conflict(
                "REPAIR_MOVED",
                f"{machine.label}在修复之后又办过业务，不能还原。",
                found="、".join(names[id_] for id_ in moved[:5]),
                action="请按现在的情况另行修复。",
            )


def _end(actor: Actor, repair_id: int, event: str, reason: str) -> Repair:
    found = locked(actor, repair_id)
    text = _required(reason)
    apply(REPAIR, Repair, [found.id], event, actor, reason=text)
    _audit(actor, event, found, reason=text)
    found.refresh_from_db()
    return found


def _required(reason: str) -> str:
    if not reason.strip():
        raise BadInput("REASON_MISSING", "请写明理由。")
    return reason.strip()[:200]


def _other_than(actor: Actor, first: str, said: str) -> None:
    second_person(actor, first, said, expected="另一位市级运营", action="请通知另一位市级运营。")


def _audit(actor: Actor, verb: str, found: Repair, **detail: Any) -> None:
    if "steps" in detail:
        detail["steps"] = [_masked(each) for each in detail["steps"]]
    record(actor, f"repair.{verb}", "repair", found.number, detail={"kind": found.kind, **detail})


def _masked(step: Mapping[str, Any]) -> dict[str, Any]:
    """A step as the audit log may keep it: nothing of a person in clear."""
    mask = _PERSONAL.get(step["field"])
    if mask is None:
        return dict(step)
    return {**step, **{side: mask(str(step[side])) for side in ("old", "new") if step[side] is not None}}
