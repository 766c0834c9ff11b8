"""Reads on statements, confirmations, runs and breaks. They are the city's affair."""

from django.db.models import QuerySet

from xueka.contexts.treasury.domain.transitions import GONE
from xueka.contexts.treasury.models import BreakRow, Confirmation, Run, Statement
from xueka.platform.identity.scope import Scope


def statements(scope: Scope) -> QuerySet[Statement]:
    """All that were received, newest first."""
    return Statement.objects.visible_to(scope)


def confirmations(scope: Scope) -> QuerySet[Confirmation]:
    return Confirmation.objects.visible_to(scope)


def runs(scope: Scope) -> QuerySet[Run]:
    """Reconciliations, newest first."""
    return Run.objects.visible_to(scope)


def breaks(scope: Scope) -> QuerySet[BreakRow]:
    """All breaks, those that are gone too; the oldest first."""
    return BreakRow.objects.visible_to(scope)


def open_breaks(scope: Scope) -> QuerySet[BreakRow]:
    """Those that are still there, signed ones included; the oldest first."""
    return breaks(scope).exclude(state=GONE)
