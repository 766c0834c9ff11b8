"""Reads on sets of files and on differences. They are the city's affair: other scopes see nothing."""

from dataclasses import dataclass

from django.db.models import QuerySet

from xueka.contexts.takeover.domain import format as f
from xueka.contexts.takeover.models import ROWS, Difference, TakeOver
from xueka.kernel.errors import NotFound
from xueka.platform.identity.scope import Scope


@dataclass(frozen=True, slots=True)
class PartProgress:
    """How far a part is: rows of the file, rows that may be loaded, loaded, taken back, that stayed."""

    part: str
    label: str
    rows: int
    accepted: int
    loaded: int
    back: int
    stayed: int


def take_overs(scope: Scope) -> QuerySet[TakeOver]:
    """All sets, newest first."""
    return TakeOver.objects.visible_to(scope)


def take_over(scope: Scope, number: str) -> TakeOver:
    """One set by its number. Raises NotFound `TAKEOVER_NOT_FOUND`."""
    found = TakeOver.objects.visible_to(scope).filter(number=number.strip().upper()).first()
    if found is None:
        raise NotFound("TAKEOVER_NOT_FOUND", "没有这一套接管文件。", found=number, action="请核对编号。")
    return found


def progress(found: TakeOver) -> list[PartProgress]:
    """Part by part, in the order in which they are loaded."""
    result = []
    for code, part in f.PARTS.items():
        if code not in found.counts:
            continue
        made = ROWS[code]._default_manager.filter(take_over=found, object_id__isnull=False)
        result.append(
            PartProgress(
                code,
                part.label,
                found.counts[code]["rows"],
                found.counts[code].get("accepted", 0),
                made.count(),
                made.filter(back=True).count(),
                made.exclude(stays="").count(),
            )
        )
    return result


def stayed(found: TakeOver, limit: int = 500) -> list[tuple[str, int, str]]:
    """(label of the part, line, why) of what could not be taken back."""
    result: list[tuple[str, int, str]] = []
    for code, part in f.PARTS.items():
        rows = ROWS[code]._default_manager.filter(take_over=found).exclude(stays="").order_by("line")
        room = limit - len(result)
        result += [(part.label, line, why) for line, why in rows.values_list("line", "stays")[:room]]
    return result


def differences(scope: Scope) -> QuerySet[Difference]:
    """The open differences."""
    return Difference.objects.visible_to(scope).filter(gone_at=None)
