"""Reads on matters. They are the city's affair: other scopes see nothing."""

from collections.abc import Mapping

from django.conf import settings
from django.db.models import Case, Count, IntegerField, Q, QuerySet, Value, When

from xueka.contexts.coordination.domain.parties import PARTIES
from xueka.contexts.coordination.domain.transitions import ANSWERED, ENDED
from xueka.contexts.coordination.models import Attachment, Line, Matter
from xueka.kernel import clock
from xueka.kernel.errors import NotFound
from xueka.platform.identity.scope import Scope


def matters(scope: Scope) -> QuerySet[Matter]:
    """All of them; `stage` puts overdue ones first, ended ones last."""
    overdue = ~Q(state__in=ENDED) & Q(due_on__lt=clock.today())
    stage = Case(
        When(overdue, then=Value(0)),
        When(state__in=ENDED, then=Value(2)),
        default=Value(1),
        output_field=IntegerField(),
    )
    return Matter.objects.visible_to(scope).annotate(stage=stage)


def matter(scope: Scope, number: str) -> Matter:
    """One by its number. Raises NotFound `MATTER_NOT_FOUND`."""
    found = Matter.objects.visible_to(scope).filter(number=number.strip().upper()).first()
    if found is None:
        raise NotFound("MATTER_NOT_FOUND", "没有这个协调事项。", found=number[:32], action="请核对编号。")
    return found


def file_of(matter_: Matter) -> list[Line]:
    """What was said and done, oldest first."""
    return list(matter_.lines.order_by("seq"))


def attachments_of(matter_: Matter) -> QuerySet[Attachment]:
    """Its files without their contents, in their order."""
    rows = Attachment.objects.filter(line__matter=matter_).select_related("line", "file")
    return rows.defer("file__content").order_by("line__seq")


def about(scope: Scope, kind: str, name: str) -> list[Matter]:
    """The matters about one thing, newest first."""
    return list(Matter.objects.visible_to(scope).filter(about_kind=kind, about=name).order_by("-id")[:20])


def is_overdue(matter_: Matter) -> bool:
    return matter_.state not in ENDED and matter_.due_on < clock.today()


def pressing(scope: Scope) -> int:
    """How many are overdue or have been answered, so that it is our turn."""
    rows = Matter.objects.visible_to(scope).exclude(state__in=ENDED)
    return rows.filter(Q(due_on__lt=clock.today()) | Q(state=ANSWERED)).count()


def counts(scope: Scope) -> Mapping[str, tuple[int, int, int]]:
    """By group: open, overdue, answered; groups with nothing too."""
    rows = Matter.objects.visible_to(scope).exclude(state__in=ENDED).order_by().values("party")
    found = {
        row["party"]: (row["open"], row["overdue"], row["answered"])
        for row in rows.annotate(
            open=Count("id"),
            overdue=Count("id", filter=Q(due_on__lt=clock.today())),
            answered=Count("id", filter=Q(state=ANSWERED)),
        )
    }
    return {code: found.get(code, (0, 0, 0)) for code in PARTIES}


def days_for(party: str, kind: str) -> int:
    """Working days until a matter of this kind is due: as configured, else the default."""
    default = PARTIES[party].kinds[kind].days
    return int(settings.COORDINATION_DAYS.get(f"{party}.{kind}", default))
