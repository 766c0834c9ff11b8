"""The terms there are."""

from datetime import date

from xueka.contexts.reporting.domain.terms import Term, default_term, term_on
from xueka.contexts.reporting.models import ConfiguredTerm
from xueka.contexts.reporting.services.counting import first_day
from xueka.kernel import clock


def term(code: str = "") -> Term:
    """The term of a code; without one the present term. Raises BadInput `TERM_CODE`."""
    if not code:
        return term_on(clock.today(), configured())
    default = default_term(code)
    return next((each for each in configured() if each.code == code), default)


def term_of(day: date) -> Term:
    """The term that a day belongs to."""
    return term_on(day, configured())


def terms() -> list[Term]:
    """From the term of the first step on record to the present one, the newest first."""
    known, newest = configured(), term()
    oldest = term_on(first_day() or clock.today(), known)
    found = [newest]
    while found[-1].code != oldest.code and found[-1].begins > oldest.begins:
        found.append(term(found[-1].previous_code))
    return found


def following_term(of: Term) -> Term:
    """The term after `of`, to plan ahead."""
    year, half = of.code.split("-")
    return term(f"{year}-2" if half == "1" else f"{int(year) + 1}-1")


def configured() -> list[Term]:
    """The terms whose days the city has set."""
    return [Term(each.code, each.begins, each.ends) for each in ConfiguredTerm.objects.order_by("begins")]
