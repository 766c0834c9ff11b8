"""What lies in a batch and what may go into it: rows for lists, and previews of adding and removing."""

from collections.abc import Sequence

from django.db.models import Exists, OuterRef, QuerySet

from xueka.contexts.cards import api as cards
from xueka.contexts.production.domain.outcomes import OPEN
from xueka.contexts.production.domain.transitions import BATCH
from xueka.contexts.production.models import Batch, BatchItem
from xueka.contexts.production.services.common import PLANNED, batch_not_found
from xueka.contexts.production.services.composing import PACKING_ORDER
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope


def item_rows(scope: Scope, number: str) -> QuerySet[BatchItem]:
    """Every place of a batch with its student and card, unordered. Raises NotFound for strangers."""
    return BatchItem.objects.filter(batch=_visible(scope, number)).select_related(
        "card", "application__account__student", "application__school__district", "application__school_class"
    )


def waiting_applications(scope: Scope, kind: str) -> QuerySet[cards.Application]:
    """Accepted applications of a kind that lie in no batch, in packing order."""
    taken = BatchItem.objects.filter(application=OuterRef("id"), outcome__in=OPEN)
    accepted = cards.application_rows(scope).filter(state=cards.ACCEPTED, kind=kind)
    return accepted.filter(~Exists(taken)).order_by(*PACKING_ORDER)


def preview_add(actor: Actor, number: str, application_ids: Sequence[int]) -> cards.BulkResult:
    """Which of these applications may go into the batch now, and why not the others. Changes nothing.

    `add_applications` refuses the whole where one of them may not, so it is given what this lets through.
    """
    actor.require("city:batch:create")
    batch = _visible(actor.scope, number)
    found = {each.id: each for each in cards.applications_by_id(actor.scope, application_ids)}
    taken = dict(
        BatchItem.objects.filter(application__in=list(found), outcome__in=OPEN).values_list(
            "application_id", "batch__number"
        )
    )
    result = cards.BulkResult()
    for application_id in (each for each in dict.fromkeys(application_ids) if each in found):
        if why := _why_not(batch, found[application_id], taken.get(application_id)):
            result.refused.append((application_id, *why))
        else:
            result.done.append(application_id)
    return result


def preview_remove(actor: Actor, number: str, application_ids: Sequence[int]) -> tuple[cards.BulkResult, int]:
    """Which of these leave the batch, and how many of their planned cards are void then. Changes nothing."""
    actor.require("city:batch:create")
    batch = _visible(actor.scope, number)
    here = batch.items.filter(application_id__in=list(application_ids))
    held = set(here.values_list("application_id", flat=True))
    result = cards.BulkResult()
    closed = batch.state != BATCH.initial
    for application_id in dict.fromkeys(application_ids):
        if closed:
            result.refused.append((application_id, "BATCH_NOT_OPEN", "批次已锁定，请先解锁。"))
        elif application_id in held:
            result.done.append(application_id)
    planned = here.filter(application_id__in=result.done, card__state=PLANNED).count()
    return result, planned


def _why_not(batch: Batch, found: cards.Application, taken: str | None) -> tuple[str, str] | None:
    state = cards.APPLICATION.state(found.state).label
    problems = [
        (batch.state != BATCH.initial, "BATCH_NOT_OPEN", "批次已锁定，请先解锁。"),
        (taken == batch.number, "APPLICATION_IN_BATCH", "已经在这个批次里。"),
        (taken is not None, "APPLICATION_IN_BATCH", f"已经编入批次 {taken}。"),
        (found.state != cards.ACCEPTED, "APPLICATION_NOT_READY", f"申领{state}，只有已受理的才能编入。"),
        (found.kind_id != batch.kind_id, "KIND_DIFFERS", f"卡种不同：这个批次只做{batch.kind.name}。"),
    ]
    return next(((code, message) for holds, code, message in problems if holds), None)


def _visible(scope: Scope, number: str) -> Batch:
    found = Batch.objects.visible_to(scope).select_related("kind").filter(number=number).first()
    if found is None:
        raise batch_not_found(number)
    return found
