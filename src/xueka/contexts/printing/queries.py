"""Reads on printers and print jobs; every one takes the reader's scope."""

from dataclasses import dataclass

from django.db.models import F, QuerySet

from xueka.contexts.printing.configuration import supply_sorts
from xueka.contexts.printing.models import Printer, PrintJob, Spoil, Supply, SupplyEntry
from xueka.kernel.errors import NotFound
from xueka.platform.identity.scope import Scope


@dataclass(frozen=True, slots=True)
class SupplyView:
    """A consumable as a gauge; `level` is ok, low or empty, `blanks` says that it is the plastic itself."""

    id: int
    label: str
    unit: str
    left: int
    capacity: int
    low: int
    level: str
    blanks: bool


def printers(scope: Scope) -> QuerySet[Printer]:
    """Card printers of a scope, by name."""
    return Printer.objects.visible_to(scope).select_related("district")


def printer(scope: Scope, printer_id: int) -> Printer:
    """One printer; NotFound for strangers too."""
    found = printers(scope).filter(pk=printer_id).first()
    if found is None:
        raise NotFound("PRINTER_NOT_FOUND", "没有这台打印机。")
    return found


def supplies(found: Printer) -> list[SupplyView]:
    """What is in a printer, in the order of the configuration."""
    sorts = supply_sorts()
    order = list(sorts)
    rows = [each for each in Supply.objects.filter(printer=found) if each.sort in sorts]
    return [
        SupplyView(
            each.pk,
            sorts[each.sort].label,
            sorts[each.sort].unit,
            each.left,
            each.capacity,
            each.low,
            each.level,
            sorts[each.sort].blanks,
        )
        for each in sorted(rows, key=lambda each: order.index(each.sort))
    ]


def running_low(scope: Scope) -> QuerySet[Supply]:
    """Consumables that are low or empty in printers that are in use."""
    rows = Supply.objects.visible_to(scope).filter(left__lte=F("low"), printer__is_open=True)
    return rows.select_related("printer")


def supply_entries(found: Printer) -> QuerySet[SupplyEntry]:
    """Loaded, used, counted: newest first."""
    return SupplyEntry.objects.filter(supply__printer=found).select_related("supply", "job__card")


def jobs(scope: Scope) -> QuerySet[PrintJob]:
    """Print jobs of a scope, newest first."""
    return PrintJob.objects.visible_to(scope).select_related("printer", "card__student")


def jobs_of(scope: Scope, card_id: int) -> list[PrintJob]:
    """The jobs of one card, newest first."""
    return list(jobs(scope).filter(card=card_id).order_by("-number"))


def spoils(scope: Scope) -> QuerySet[Spoil]:
    """Plastic that was thrown away, newest first."""
    return Spoil.objects.visible_to(scope).select_related("printer", "card__student")
