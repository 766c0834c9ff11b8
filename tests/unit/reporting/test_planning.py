"""What the city sets, and what it was before."""

from datetime import date

from tests.unit.cards.conftest import City
from xueka.contexts.reporting import api as reporting
from xueka.platform.audit.models import Entry


def test_what_a_plan_and_a_term_were_before_is_on_record(city: City) -> None:
    reporting.set_plan(city.operator, "2026-1", {1: 400, 2: 100})
    reporting.set_plan(city.operator, "2026-1", {1: 300, 3: 100})
    reporting.set_term(city.operator, "2026-1", date(2026, 9, 1), date(2027, 1, 20))
    reporting.set_term(city.operator, "2026-1", date(2026, 8, 31), date(2027, 1, 20))
    plan = Entry.objects.filter(action="plan.set").order_by("-id")[0].detail
    assert (plan["weeks"], plan["cards"]) == (2, 400)
    assert plan["changed"] == {
        "1": {"from": 400, "to": 300},
        "2": {"from": 100, "to": None},
        "3": {"from": None, "to": 100},
    }
    first, second = Entry.objects.filter(action="term.set").order_by("id")
    assert "before" not in first.detail
    assert second.detail["before"] == {"begins": "2026-09-01", "ends": "2027-01-20"}
