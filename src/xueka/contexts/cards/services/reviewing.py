"""Submitting and reviewing, many at a time; every refusal with its reason, previewed by the same decision."""

from collections import defaultdict
from collections.abc import Sequence

from xueka.contexts.cards.domain import reviewing, states
from xueka.contexts.cards.domain.bulk import BulkResult
from xueka.contexts.cards.domain.rules import REASON_CODES
from xueka.contexts.cards.domain.transitions import APPLICATION
from xueka.contexts.cards.models import Application, Card
from xueka.contexts.cards.services import doubts
from xueka.contexts.cards.services.common import fetch_applications, in_order, required_text
from xueka.contexts.cards.services.kinds import kept_rules
from xueka.contexts.cards.services.making import void_cards
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.kernel.errors import BadInput
from xueka.platform.audit.services import record
from xueka.platform.history.queries import Step, last_steps
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor

#: What `preview` understands.
VERBS = ("submit", "withdraw", "approve", "send_back", "refuse", "recall", "cancel")


def preview(verb: str, actor: Actor, application_ids: Sequence[int]) -> BulkResult:
    """What would happen and what would not, with the reasons. Changes nothing and locks nothing."""
    if verb not in VERBS:
        raise ValueError(f"unknown verb: {verb}")
    return _judge(verb, actor, application_ids, fetch_applications(actor, application_ids, lock=False))[0]


def submit(actor: Actor, application_ids: Sequence[int]) -> BulkResult:
    """Send drafts and corrected applications to the first review level of their kind, doubts computed."""
    actor.require("school:application:submit")
    applications = fetch_applications(actor, application_ids)
    result, moves = _judge("submit", actor, application_ids, applications)
    now = clock.now()
    by_doubts = defaultdict(list)
    for application_id, codes in doubts.of(result.done).items():
        by_doubts[tuple(codes)].append(application_id)
    for found, ids in by_doubts.items():
        Application.objects.filter(id__in=ids).update(
            doubts=list(found),
            submitted_by=actor.username,
            submitted_at=now,
            refusal_code="",
            refusal_text="",
            updated_at=now,
        )
    _move("submit", actor, moves)
    _record("submit", actor, result)
    return result


def withdraw(actor: Actor, application_ids: Sequence[int], reason: str = "") -> BulkResult:
    """The school takes applications back that are not accepted yet; `reason` is kept in the history."""
    return _do("withdraw", actor, application_ids, "school:application:submit", reason=reason)


def approve(actor: Actor, application_ids: Sequence[int]) -> BulkResult:
    """Pass applications on to the next level of their kind, or accept them."""
    return _do("approve", actor, application_ids)


def send_back(actor: Actor, application_ids: Sequence[int], code: str, text: str = "") -> BulkResult:
    """Return applications for correction, with a reason of REASON_CODES."""
    return _do("send_back", actor, application_ids, refusal=_reason(code, text))


def refuse(actor: Actor, application_ids: Sequence[int], code: str, text: str = "") -> BulkResult:
    """Refuse applications for good, with a reason of REASON_CODES."""
    return _do("refuse", actor, application_ids, refusal=_reason(code, text))


def recall(actor: Actor, application_ids: Sequence[int]) -> BulkResult:
    """Undo one's own approving or sending back, while nobody has gone on with it."""
    return _do("recall", actor, application_ids)


def cancel_applications(actor: Actor, application_ids: Sequence[int], text: str) -> BulkResult:
    """Stop accepted applications. A made card is voided; one at the bureau, in a box or at a school stays."""
    actor.require("city:application:cancel")
    reason = required_text(text, "取消的理由")
    applications = fetch_applications(actor, application_ids)
    result, _ = _judge("cancel", actor, application_ids, applications)
    done = set(result.done)
    waiting = {a.id for a in applications if a.id in done and a.state in (states.ACCEPTED, states.AT_COUNTER)}
    made = Card.objects.filter(application_id__in=done - waiting, state__in=states.BEFORE_HAND_OUT)
    void_cards(actor, list(made.values_list("id", flat=True)), reason, remake=False)
    apply(APPLICATION, Application, waiting, "cancel", actor, reason=reason)
    _record("cancel", actor, result, {"reason": reason})
    return result


def _do(
    verb: str,
    actor: Actor,
    application_ids: Sequence[int],
    permission: str = "",
    *,
    refusal: tuple[str, str] = ("", ""),
    reason: str = "",
) -> BulkResult:
    if permission:
        actor.require(permission)
    applications = fetch_applications(actor, application_ids)
    result, moves = _judge(verb, actor, application_ids, applications)
    code, text = refusal
    Application.objects.filter(id__in=result.done).update(
        refusal_code=code, refusal_text=text, updated_at=clock.now()
    )
    said = "：".join(part for part in (REASON_CODES.get(code, ""), text) if part) or reason
    _move(verb, actor, moves, reason=said)
    _record(verb, actor, result, {"code": code, "text": text} if code else None)
    return result


def _judge(
    verb: str, actor: Actor, ids: Sequence[int], applications: Sequence[Application]
) -> tuple[BulkResult, dict[str | None, list[int]]]:
    """The decision on each, in the order given, and the ids by where the table leaves a choice."""
    cases = {case.id: case for case in _cases(verb, applications)}
    result, moves = BulkResult(), defaultdict(list)
    for application in in_order(applications, ids):
        case = cases[application.id]
        if found := reviewing.judge(verb, case, actor.username, actor.may):
            result.refused.append(found)
        else:
            result.done.append(case.id)
            moves[reviewing.target(verb, case)].append(case.id)
    return result, moves


def _cases(verb: str, applications: Sequence[Application]) -> list[reviewing.Case]:
    kept = kept_rules(applications)
    asking = [a.account.student_id for a in applications if kept[a.id].consent_required]
    unconsented = registry.without_consent(asking) if verb == "submit" and asking else set()
    elsewhere: set[int] = set()
    if verb == "cancel":
        cards = Card.objects.filter(
            application__in=[a.id for a in applications],
            state__in=[s for s in states.BEFORE_HAND_OUT if s != states.MADE],
        )
        elsewhere = set(cards.values_list("application_id", flat=True))
    present = last_steps(APPLICATION.name, [a.id for a in applications]) if verb == "recall" else {}
    return [
        reviewing.Case(
            a.id,
            a.state,
            kept[a.id].review_levels,
            a.kind.is_open,
            kept[a.id].photo_required and a.photo_id is None,
            a.account.student_id in unconsented and kept[a.id].consent_required,
            a.submitted_by,
            a.id in elsewhere,
            *_step(present.get(a.id)),
        )
        for a in applications
    ]


def _step(present: Step | None) -> tuple[str, str, str]:
    return (present.event, present.actor, present.from_state) if present else ("", "", "")


def _move(verb: str, actor: Actor, moves: dict[str | None, list[int]], reason: str = "") -> None:
    for to, ids in moves.items():
        apply(APPLICATION, Application, ids, verb, actor, to=to, reason=reason)


def _reason(code: str, text: str) -> tuple[str, str]:
    if code not in REASON_CODES:
        raise BadInput("REASON_MISSING", "请选择理由。", expected="、".join(REASON_CODES.values()))
    return code, (required_text(text, "理由") if code == "other" else text.strip())[:200]


def _record(verb: str, actor: Actor, result: BulkResult, detail: dict[str, str] | None = None) -> None:
    record(
        actor,
        f"application.{verb}",
        "application",
        result.done[0] if len(result.done) == 1 else "",
        detail={"done": len(result.done), "refused": result.reasons(), **(detail or {})},
    )
