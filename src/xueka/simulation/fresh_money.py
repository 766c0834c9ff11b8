"""Families who have paid lately, so that nobody who opens a demo city finds its money rooms empty."""

from xueka.contexts.cards import api as cards
from xueka.contexts.registry import api as registry
from xueka.kernel.errors import XuekaError
from xueka.simulation import families, issuing, staff, weeks
from xueka.simulation.tills import Tills
from xueka.simulation.world import World

#: Families who pay in one go.
PAYING = 16


def leave(world: World, tills: Tills, *, groups: int = 2, pause_days: float = 1.5) -> None:
    """Weeks without money are closed; then groups of families pay, and their weeks wait for finance.

    Their applications wait for the districts. A week that is over before a later group pays is closed.
    """
    holders = cards.Card.objects.filter(state="active", kind_id=issuing.KIND).order_by("-number")
    holding = list(holders.select_related("school", "student")[: groups * PAYING])
    for start in range(0, len(holding), PAYING):
        _close(world, tills)
        _ask_and_pay(world, tills, holding[start : start + PAYING])
        world.pass_time(minutes=pause_days * 24 * 60)


def _close(world: World, tills: Tills) -> None:
    """Weeks of a year whose calendar is not out yet stay open."""
    try:
        weeks.close_weeks(world, tills)
    except XuekaError as error:
        if error.code != "CALENDAR_YEAR_MISSING":
            raise


def _ask_and_pay(world: World, tills: Tills, holding: list[cards.Card]) -> None:
    """Every other one has lost the card, the others have broken theirs."""
    lost, broken = holding[::2], holding[1::2]
    for card in lost:
        with world.work(minutes=5):
            officer = staff.school_officer(card.school.district_id, card.school.code)
            cards.report_lost(officer, card.id, "家长电话挂失")
    families.ask_and_pay(world, tills, [("lost", _students(lost)), ("damaged", _students(broken))])


def _students(holding: list[cards.Card]) -> list[registry.Student]:
    found = registry.Student.objects.filter(id__in=[card.student_id for card in holding])
    return list(found.select_related("school", "school_class").order_by("education_id"))
