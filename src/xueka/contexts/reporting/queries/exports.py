"""Exports as lists show them."""

from django.db.models import Count, QuerySet

from xueka.contexts.reporting.models import Download, Export
from xueka.kernel.errors import NotFound
from xueka.platform.identity.scope import Scope


def export_rows(scope: Scope) -> QuerySet[Export]:
    """Every export of a scope, unordered; each carries `taken`, how often it was downloaded."""
    return Export.objects.visible_to(scope).annotate(taken=Count("downloads"))


def export(scope: Scope, number: str) -> Export:
    """One export; NotFound for strangers too."""
    found = export_rows(scope).filter(number=number).first()
    if found is None:
        raise NotFound("EXPORT_NOT_FOUND", "没有这项导出。", found=number)
    return found


def downloads(of: Export) -> list[Download]:
    """Who took it, the first one first."""
    return list(of.downloads.order_by("id"))


def waiting_exports(scope: Scope) -> int:
    """How many wait for a decision."""
    return Export.objects.visible_to(scope).filter(state="asked").count()
