"""Reads on repairs and findings. They are the city's affair: other scopes see nothing."""

from django.db.models import QuerySet

from xueka.contexts.repairs.domain.transitions import PROPOSED, UNDO_ASKED
from xueka.contexts.repairs.models import Finding, Repair
from xueka.kernel.errors import NotFound
from xueka.platform.identity.scope import Scope


def repairs(scope: Scope) -> QuerySet[Repair]:
    """All repairs, newest first."""
    return Repair.objects.visible_to(scope)


def repair(scope: Scope, number: str) -> Repair:
    """One repair by its number. Raises NotFound `REPAIR_NOT_FOUND`."""
    found = Repair.objects.visible_to(scope).filter(number=number.strip().upper()).first()
    if found is None:
        raise NotFound("REPAIR_NOT_FOUND", "没有这项修复。", found=number, action="请核对编号。")
    return found


def waiting(scope: Scope) -> int:
    """How many repairs wait for a second person."""
    return Repair.objects.visible_to(scope).filter(state__in=[PROPOSED, UNDO_ASKED]).count()


def findings(scope: Scope) -> QuerySet[Finding]:
    """The open work list, oldest first."""
    return Finding.objects.visible_to(scope).filter(gone_at=None)
