"""A district reminds its schools that are late; the word stands on the school's first page."""

from collections.abc import Sequence
from datetime import date, timedelta

from django.db import IntegrityError, transaction

from xueka.contexts.cards.domain.bulk import BulkResult, Refusal
from xueka.contexts.cards.domain.reminding import Late
from xueka.contexts.cards.models import Reminder
from xueka.contexts.cards.services.kinds import open_kind
from xueka.contexts.cards.worklists import Progress, progress
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.kernel.calendar import Calendar
from xueka.kernel.errors import NotFound, XuekaError
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

#: A school has so many working days to follow; so long after the day the word stays on its first page.
WORKING_DAYS = 5
SHOWN_AFTER = timedelta(days=7)


def late(line: Progress) -> Late:
    """What the school (or class) of this line has left undone."""
    return Late(line.without + line.applied("draft"), line.applied("returned"), line.made("at_school"))


def remind(actor: Actor, school_ids: Sequence[int], kind_code: str) -> BulkResult:
    """Remind each school that is late with this kind; `done` and `refused` hold school ids.

    A school that is not late, or was reminded today, is named with the reason. NotFound for a stranger's.
    """
    actor.require("district:school:remind")
    kind = open_kind(kind_code)
    lines = {line.id: line for line in progress(actor.scope, kind.code, by="school")}
    if any(school_id not in lines for school_id in school_ids):
        raise NotFound("SCHOOL_NOT_FOUND", "没有找到这所学校。")
    result, due = BulkResult(), _due()
    for school_id in sorted(set(school_ids)):  # one order for everybody, as with locks
        if found := _remind(actor, lines[school_id], due):
            result.refused.append(found)
        else:
            result.done.append(school_id)
    record(
        actor,
        "school.remind",
        "school",
        lines[result.done[0]].label[0] if len(result.done) == 1 else "",
        detail={"done": len(result.done), "due": due.isoformat(), "refused": result.reasons()},
    )
    return result


def reminders(scope: Scope) -> dict[int, Reminder]:
    """School id → its last reminder, while it is shown."""
    since = clock.today() - SHOWN_AFTER
    rows = Reminder.objects.filter(
        scope.filter(district="school__district_id", school="school__code"), due_on__gte=since
    )
    found = rows.select_related("school__district").order_by("school_id", "-sent_on").distinct("school_id")
    return {each.school_id: each for each in found}


def _remind(actor: Actor, line: Progress, due: date) -> Refusal | None:
    undone = late(line)
    if not undone:
        return Refusal(line.id, "SCHOOL_NOT_LATE", "该办的都已办完，不用提醒。")
    try:
        with transaction.atomic():
            Reminder.objects.create(
                school=registry.school(actor.scope, line.id),
                sent_on=clock.today(),
                due_on=due,
                text=undone.words(),
                sent_at=clock.now(),
                sent_by=actor.username,
            )
    except IntegrityError:
        return Refusal(line.id, "REMINDED_TODAY", "今天已经提醒过，明天仍未办时可以再提醒。")
    return None


def _due() -> date:
    today = clock.today()
    try:
        return Calendar.default().add_working_days(today, WORKING_DAYS)
    except XuekaError:  # next year's holidays are not known yet: a week, which is five working days mostly
        return today + timedelta(days=7)
