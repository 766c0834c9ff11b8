"""Reading the history: the steps of some objects merged by time, as a timeline shows them.

The history knows no scope of its own; the caller has already found the objects inside the actor's scope.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Q

from xueka.platform.history.models import Transition
from xueka.platform.history.services import REPAIR


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a timeline."""

    at: datetime
    machine: str
    object_id: int
    event: str
    from_state: str
    to_state: str
    actor: str
    reason: str
    detail: Mapping[str, Any]


def timeline(objects: Mapping[str, Iterable[int]]) -> list[Step]:
    """All steps of the objects, given as machine name → object ids; oldest first, in the order written."""
    wanted = [Q(machine=name, object_id__in=list(ids)) for name, ids in objects.items()]
    if not wanted:
        return []
    return [_step(row) for row in Transition.objects.filter(reduce(or_, wanted)).order_by("at", "id")]


def last_steps(machine: str, ids: Iterable[int]) -> dict[int, Step]:
    """The present step of each object: who brought it to its state, when and why."""
    rows = Transition.objects.filter(machine=machine, object_id__in=list(ids))
    latest = rows.order_by("machine", "object_id", "-seq").distinct("machine", "object_id")
    return {row.object_id: _step(row) for row in latest}


def stepped(machine: str, ids: Iterable[int]) -> set[int]:
    """Those of these objects that have had a step since they began."""
    rows = Transition.objects.filter(machine=machine, object_id__in=list(ids), seq__gt=1)
    return set(rows.values_list("object_id", flat=True))


def moved_since_repair(machine: str, ids: Iterable[int], repair: int) -> list[int]:
    """Objects that have had another step than a repair since the repair of this id."""
    rows = Transition.objects.filter(machine=machine, object_id__in=list(ids))
    repaired = rows.filter(event=REPAIR, detail__repair=repair).values_list("object_id", "seq")
    first: dict[int, int] = dict(repaired.order_by("-seq"))
    others = rows.exclude(event=REPAIR).values_list("object_id", "seq")
    return sorted({object_id for object_id, seq in others if seq > first.get(object_id, seq)})


def _step(row: Transition) -> Step:
    return Step(
        row.at,
        row.machine,
        row.object_id,
        row.event,
        row.from_state,
        row.to_state,
        row.actor,
        row.reason,
        row.detail,
    )
