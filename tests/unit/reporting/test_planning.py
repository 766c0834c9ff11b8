"""What the city sets and what it was before; and when a day is counted."""

from datetime import UTC, date, datetime

from tests.unit.cards.conftest import City
from xueka.contexts.reporting import api as reporting
from xueka.contexts.reporting.jobs import record
from xueka.kernel import clock
from xueka.platform.audit.models import Entry
from xueka.platform.identity.scope import Scope


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


def test_what_was_committed_after_midnight_is_counted_with_its_day(city: City) -> None:
    def at(hour: int, minute: int):
        return clock.at(datetime(2026, 9, 7, hour, minute, tzinfo=UTC))

    def handed_out() -> int:
        return reporting.throughput(Scope("city"), date(2026, 9, 7), date(2026, 9, 7))[0].handed_out

    with at(15, 50):
        city.active(city.students(1))
    with at(16, 1):  # midnight was a minute ago
        record()
        assert handed_out() == 1
    with at(15, 59):
        city.active(city.students(2))  # a long transaction, committed only now
    with at(16, 30):
        record()
        assert handed_out() == 1
    with at(17, 1):
        record()
        assert handed_out() == 3
    with at(18, 1):
        before = Entry.objects.count(), reporting.recorded_until()
        record()
        assert (Entry.objects.count(), reporting.recorded_until()) == before
        assert before[1] == date(2026, 9, 7)
