"""The promise by the State Council's calendars, the age of consent, every pair of the table."""

from datetime import date

import pytest
from django.db import transaction

from tests.support.machines import assert_every_pair
from tests.unit.replacements.conftest import Families
from xueka.contexts.replacements import api as replacements
from xueka.contexts.replacements.models import Replacement
from xueka.contexts.replacements.services.following import settle_promises
from xueka.kernel import clock
from xueka.kernel.calendar import Calendar
from xueka.kernel.notices import builtin_notices, load_notice
from xueka.platform.history.services import apply


@pytest.mark.parametrize(
    ("paid", "promised"),
    [
        (date(2024, 9, 27), date(2024, 10, 12)),
        (date(2025, 1, 23), date(2025, 2, 8)),
        (date(2025, 4, 25), date(2025, 5, 8)),
        (date(2026, 2, 13), date(2026, 3, 2)),
    ],
)
def test_seven_working_days_over_the_holidays(paid: date, promised: date) -> None:
    assert replacements.promise(paid, Calendar(builtin_notices())) == replacements.Promise(promised, False)


def test_without_next_years_notice_the_day_is_provisional() -> None:
    calendar = Calendar([notice for notice in builtin_notices() if notice.year == 2026])
    made = replacements.promise(date(2026, 12, 28), calendar)
    assert made == replacements.Promise(date(2027, 1, 6), True)
    new_year = {"year": 2027, "off": ["2027-01-01", "2027-01-04"], "make_up": []}
    later = replacements.promise(date(2026, 12, 28), calendar.merged(load_notice(new_year)))
    assert later == replacements.Promise(date(2027, 1, 8), False)


def test_on_the_fourteenth_birthday_the_child_decides_with_nobody_beside() -> None:
    assert replacements.needs_consent(date(2012, 9, 8), date(2026, 9, 7))
    assert not replacements.needs_consent(date(2012, 9, 7), date(2026, 9, 7))


@pytest.mark.django_db(transaction=True)
def test_a_provisional_promise_becomes_final_with_the_notice(
    family: Families, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = family.handed_in(family.child())
    Replacement.objects.filter(pk=made.pk).update(is_provisional=True, promised_on=date(2026, 9, 15))
    with transaction.atomic():
        assert settle_promises() == 1
    made.refresh_from_db()
    assert (made.promised_on, made.is_provisional) == (date(2026, 9, 16), False)


@pytest.mark.django_db(transaction=True)
def test_every_pair_of_the_table(family: Families) -> None:
    made = family.handed_in(family.child(), "lost")
    Replacement.objects.filter(pk=made.pk).update(started_at=clock.now(), promised_on=clock.today())

    def attempt(event: str, state: str, to: str | None) -> str:
        Replacement.objects.filter(pk=made.pk).update(state=state)
        with transaction.atomic():
            apply(replacements.REPLACEMENT, Replacement, [made.id], event, family.city.system, to=to)
        made.refresh_from_db()
        return made.state

    def still() -> str:
        made.refresh_from_db()
        return made.state

    allowed, refused = assert_every_pair(replacements.REPLACEMENT, attempt, still=still)
    assert allowed >= 23 and allowed + refused == 13 * 10, (allowed, refused)
