"""A district reminds the schools that are late."""

from datetime import UTC, date, datetime

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError

from tests.unit.cards.conftest import KIND, City
from xueka.contexts.cards import api as cards
from xueka.kernel import clock
from xueka.kernel.errors import Forbidden, NotFound
from xueka.platform.audit import queries as audit


def test_a_late_school_is_reminded_once_a_day(city: City) -> None:
    school = city.schools[0]
    city.accepted(city.students(2))
    city.students(3)
    result = cards.remind(city.district, [school.id], KIND)
    assert result.done == [school.id]
    [reminder] = cards.reminders(city.officer.scope).values()
    assert reminder.text == "还有 3 名学生没有申领"
    assert (reminder.sent_on, reminder.due_on) == (date(2026, 9, 7), date(2026, 9, 14))
    again = cards.remind(city.district, [school.id], KIND)
    assert [(id_, code) for id_, code, _ in again.refused] == [(school.id, "REMINDED_TODAY")]
    entries = [entry for entry in audit.entries(city.system.scope) if entry.action == "school.remind"]
    assert [entry.detail["done"] for entry in entries] == [0, 1]


def test_the_next_day_it_may_be_said_again_and_the_last_word_counts(city: City) -> None:
    school = city.schools[0]
    students = city.students(3)
    assert cards.remind(city.district, [school.id], KIND).done
    city.drafts(students[:1], photos=False)
    with clock.at(datetime(2026, 9, 8, 2, 0, tzinfo=UTC)):
        assert cards.remind(city.district, [school.id], KIND).done
        [reminder] = cards.reminders(city.officer.scope).values()
        assert reminder.sent_on == date(2026, 9, 8)
    with clock.at(datetime(2026, 9, 30, 2, 0, tzinfo=UTC)):
        assert cards.reminders(city.officer.scope) == {}


def test_who_is_not_late_and_who_is_foreign(city: City) -> None:
    school, foreign = city.schools[0], city.schools[2]
    city.accepted(city.students(1))
    city.students(1, school=2)
    [(_, code, _)] = cards.remind(city.district, [school.id], KIND).refused
    assert code == "SCHOOL_NOT_LATE"
    with pytest.raises(NotFound):
        cards.remind(city.district, [foreign.id], KIND)
    with pytest.raises(Forbidden):
        cards.remind(city.officer, [school.id], KIND)
    assert cards.reminders(city.other_district.scope) == {}


def test_a_reminder_is_never_changed(city: City) -> None:
    city.students(1)
    cards.remind(city.district, [city.schools[0].id], KIND)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE cards_reminder SET text = ''")
