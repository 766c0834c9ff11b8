"""The plan of a term: what the city means to hand out, and a scope's share of it."""

from dataclasses import dataclass
from datetime import date, timedelta

from xueka.contexts.reporting.domain.terms import Term
from xueka.contexts.reporting.models import PlannedWeek
from xueka.contexts.reporting.queries.standing import share_of_students
from xueka.contexts.reporting.queries.terms import term
from xueka.kernel.calendar import Calendar
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.scope import Scope


@dataclass(frozen=True, slots=True)
class PlanWeek:
    """A week of the plan; `planned` None where the city has entered none. A scope's plan is its share."""

    number: int
    begins: date
    ends: date
    planned: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a scope means to hand out in a term: the city's plan times the scope's share of the students."""

    term: Term
    share: float
    weeks: list[PlanWeek]

    @property
    def total(self) -> int:
        return sum(week.planned or 0 for week in self.weeks)

    @property
    def is_set(self) -> bool:
        return any(week.planned is not None for week in self.weeks)

    def by_day(self) -> dict[date, float]:
        """The plan spread over the working days of each week; a week without any has it on its last day.

        A year whose calendar is not loaded has no plan by day: nothing is guessed.
        """
        calendar = Calendar.default()
        spread: dict[date, float] = {}
        for week in self.weeks:
            if week.planned is None:
                continue
            days = [week.begins + timedelta(days=step) for step in range((week.ends - week.begins).days + 1)]
            try:
                working = [day for day in days if calendar.is_working_day(day)] or days[-1:]
            except XuekaError:
                continue
            spread |= dict.fromkeys(working, week.planned / len(working))
        return spread


def term_plan(scope: Scope, code: str = "") -> Plan:
    """The plan of a term (of the present one without a code) for a scope."""
    of = term(code)
    share = share_of_students(scope)
    planned = dict(PlannedWeek.objects.filter(term=of.code).values_list("week", "cards"))
    weeks = [
        PlanWeek(
            week.number,
            week.begins,
            week.ends,
            round(planned[week.number] * share) if week.number in planned else None,
        )
        for week in of.weeks
    ]
    return Plan(of, share, weeks)
