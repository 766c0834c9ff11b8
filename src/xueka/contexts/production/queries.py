"""Reading the production line. Every question takes a scope: districts and schools see no batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Count, Min, Q, QuerySet, Sum

from xueka.contexts.production.domain import outcomes
from xueka.contexts.production.models import (
    Batch,
    BatchItem,
    InboxFile,
    Package,
    Partner,
    Problem,
    ReturnFile,
)
from xueka.contexts.production.services.common import batch_not_found
from xueka.contexts.production.services.composing import to_remake
from xueka.contexts.production.services.settling import resolutions
from xueka.kernel import clock
from xueka.platform.identity.scope import Scope


class SixNumbers(NamedTuple):
    """What became of the cards of a batch; the six add up to its cards."""

    pending: int = 0
    matched: int = 0
    failed: int = 0
    missing: int = 0
    altered: int = 0
    dropped: int = 0

    def labelled(self, batch_state: str) -> list[tuple[str, str, int]]:
        """(code, label, number) in the order of the page."""
        labels = outcomes.outcome_labels(batch_state)
        return [(code, labels[code], getattr(self, code)) for code in self._fields]


@dataclass(frozen=True, slots=True)
class BatchView:
    """A batch with everything that its page shows; `to_pack` counts its cards that are made and in no box."""

    batch: Batch
    numbers: SixNumbers
    packages: list[Package]
    returns: list[ReturnFile]
    open_problems: int
    to_remake: int
    to_pack: int


@dataclass(frozen=True, slots=True)
class ProblemView:
    """A problem with its age and what may be done about it; the usual choice comes first."""

    problem: Problem
    label: str
    card_number: str
    age: timedelta
    resolutions: list[tuple[str, str]]


def batches(
    scope: Scope,
    *,
    states: Sequence[str] = (),
    search: str = "",
    before: int | None = None,
    limit: int = 50,
) -> list[Batch]:
    """Batches, the newest first; `before` is the id after which to go on."""
    found = Batch.objects.visible_to(scope).select_related("kind", "remake_of")
    if states:
        found = found.filter(state__in=list(states))
    if search.strip():
        found = found.filter(Q(number__icontains=search.strip()) | Q(title__icontains=search.strip()))
    if before is not None:
        found = found.filter(id__lt=before)
    return list(found.order_by("-id")[:limit])


def batch_rows(scope: Scope) -> QuerySet[Batch]:
    """All batches of the scope, for a list that orders and narrows them itself."""
    return Batch.objects.visible_to(scope).select_related("kind")


def remakes(scope: Scope, batch: Batch) -> list[Batch]:
    """The follow-up batches that make this one's cards again."""
    return list(Batch.objects.visible_to(scope).filter(remake_of=batch).order_by("id"))


def batch(scope: Scope, number: str) -> BatchView:
    """One batch. Raises NotFound."""
    found = Batch.objects.visible_to(scope).select_related("kind", "remake_of").filter(number=number).first()
    if found is None:
        raise batch_not_found(number)
    return BatchView(
        found,
        six_numbers(scope, found.id),
        list(found.packages.select_related("file").defer("file__content")),
        list(found.returns.select_related("file").defer("file__content")),
        found.problems.filter(state="open").count(),
        len(to_remake(found)),
        found.items.filter(card__state="made").count(),
    )


def six_numbers(scope: Scope, batch_id: int) -> SixNumbers:
    """What became of the cards of one batch."""
    return _numbers(BatchItem.objects.filter(batch__in=Batch.objects.visible_to(scope).filter(id=batch_id)))


def has_final_return(scope: Scope, batch_id: int) -> bool:
    """Has the bureau said its last word on the batch, in a file that was applied?"""
    found = Batch.objects.visible_to(scope).filter(id=batch_id)
    return ReturnFile.objects.filter(batch__in=found, state="applied", final=True).exists()


def items(
    scope: Scope, number: str, *, outcome: str = "", after: int = 0, limit: int = 200
) -> list[BatchItem]:
    """Cards of a batch in the order of making; `after` is the position after which to go on."""
    # The id itself: with a subquery in its place the server sorts the places of all batches.
    batch_id = Batch.objects.visible_to(scope).filter(number=number).values_list("id", flat=True).first()
    found = BatchItem.objects.filter(batch=batch_id, position__gt=after)
    if outcome:
        found = found.filter(outcome=outcome)
    related = "card__student", "card__school", "card__school_class", "application__account__student"
    return list(found.select_related(*related).order_by("position")[:limit])


def problems(
    scope: Scope,
    *,
    state: str = "open",
    kind: str = "",
    batch_number: str = "",
    owner: str = "",
    after: int | None = None,
    limit: int = 100,
) -> list[ProblemView]:
    """The problem queue, the oldest first; `after` is the id after which to go on."""
    found = Problem.objects.visible_to(scope).filter(state=state)
    if kind:
        found = found.filter(kind=kind)
    if batch_number:
        found = found.filter(batch__number=batch_number)
    if owner:
        found = found.filter(owner=owner)
    if after is not None:
        found = found.filter(id__gt=after)
    chosen = found.select_related("batch", "card__batch_item", "return_file").order_by("id")[:limit]
    return [_view(problem) for problem in chosen]


def problem(scope: Scope, problem_id: int) -> ProblemView | None:
    """One problem, or None for a stranger."""
    found = Problem.objects.visible_to(scope).select_related("batch", "card__batch_item", "return_file")
    one = found.filter(id=problem_id).first()
    return _view(one) if one else None


def problem_counts(scope: Scope) -> dict[str, int]:
    """Open problems by kind."""
    found = Problem.objects.visible_to(scope).filter(state="open").order_by()
    return dict(found.values_list("kind").annotate(count=Count("id")))


def batch_counts(scope: Scope) -> dict[str, tuple[int, int, datetime]]:
    """By state: batches, cards in them, and since when the oldest of them is in it (for the line flow)."""
    found = Batch.objects.visible_to(scope).order_by().values_list("state")
    return {
        state: (count, cards or 0, since)
        for state, count, cards, since in found.annotate(
            count=Count("id"), cards=Sum("card_count"), since=Min("state_at")
        )
    }


def inbox(scope: Scope, limit: int = 50) -> list[InboxFile]:
    """What was taken from the bureau lately; nothing for districts and schools."""
    return list(InboxFile.objects.all()[:limit]) if scope.level in ("system", "city") else []


def partners(scope: Scope) -> list[Partner]:
    """The bureaus that are registered, with their last contact; nothing for districts and schools."""
    return list(Partner.objects.order_by("code")) if scope.level in ("system", "city") else []


def _numbers(found: QuerySet[BatchItem]) -> SixNumbers:
    return SixNumbers(**dict(found.order_by().values_list("outcome").annotate(count=Count("id"))))


def _view(found: Problem) -> ProblemView:
    return ProblemView(
        found,
        outcomes.PROBLEM_LABELS[found.kind],
        found.card.number if found.card else "",
        (found.resolved_at or clock.now()) - found.opened_at,
        [(code, outcomes.RESOLUTION_LABELS[code]) for code in resolutions(found)],
    )
