"""Figures count what happened, in the right place, on the right day, and they add up."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tests.unit.cards.conftest import NOW, City
from xueka.contexts.cards import api as cards
from xueka.contexts.reporting import api as reporting
from xueka.contexts.reporting.jobs import record
from xueka.contexts.reporting.models import DayFigure, RecordedDay
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict, Forbidden
from xueka.platform.identity.scope import Scope

CITY = Scope("city")
TODAY = clock.local(NOW).date()


def later(days: int) -> datetime:
    return NOW + timedelta(days=days)


def test_today_is_counted_live_and_yesterday_from_the_record(city: City) -> None:
    city.active(city.students(3))
    city.drafts(city.students(2, school=2))
    [today] = reporting.throughput(CITY, TODAY, TODAY)
    expected = (3, 3, 3, 3, 3)
    assert (today.submitted, today.accepted, today.made, today.received, today.handed_out) == expected
    with clock.at(later(1)):
        assert reporting.throughput(CITY, TODAY, TODAY)[0].handed_out == 0  # nobody has recorded it yet
        assert record()
        cards.report_lost(city.officer, cards.Card.objects.order_by("id").first().id)
        first, second = reporting.throughput(CITY, TODAY, TODAY + timedelta(days=5))
        assert (first.handed_out, first.lost, second.handed_out, second.lost) == (3, 0, 0, 1)
        assert first.counts == today.counts
        assert reporting.throughput(city.other_district.scope, TODAY, TODAY)[0].counts == {}
        assert reporting.throughput(city.officer.scope, TODAY, TODAY)[0].handed_out == 3


def test_recording_twice_counts_once(city: City) -> None:
    city.active(city.students(3))
    with clock.at(later(40)):
        record()
        before = list(DayFigure.objects.order_by("id").values_list("day", "school_id", "measure", "count"))
        reporting.record_days(TODAY, TODAY + timedelta(days=39))
        after = list(DayFigure.objects.order_by("id").values_list("day", "school_id", "measure", "count"))
        assert sorted(before) == sorted(after) != []
        assert RecordedDay.objects.count() == 40
        assert reporting.recorded_until() == TODAY + timedelta(days=39)


def test_a_day_ends_at_midnight_in_shanghai(city: City) -> None:
    with clock.at(datetime(2026, 9, 7, 15, 59, tzinfo=UTC)):
        city.active(city.students(1))
    with clock.at(datetime(2026, 9, 7, 16, 1, tzinfo=UTC)):
        city.active(city.students(2))
        record()
        days = reporting.throughput(CITY, date(2026, 9, 7), date(2026, 9, 8))
        assert [day.handed_out for day in days] == [1, 2]


def test_schools_and_districts_add_up(city: City) -> None:
    city.active(city.students(3))
    city.at_school(city.students(2, school=1))
    city.drafts(city.students(4, school=2))
    city.students(1, school=2, status="休学")
    schools = reporting.by_school(CITY)
    figures = {place.code: place.figures for place in schools}
    first, second, third = (figures[school.code] for school in city.schools)
    assert (first.students, first.holding, first.without, first.handed_out) == (3, 3, 0, 3)
    assert (second.students, second.at_school, second.percent) == (2, 2, 0)
    assert (third.students, third.applying, third.without_consent, third.without_photo) == (4, 4, 4, 0)
    districts = reporting.by_district(CITY)
    assert reporting.total(districts) == reporting.total(schools)
    assert [(place.code, place.figures.students) for place in districts if place.figures.students] == [
        ("110101", 5),
        ("110102", 4),
    ]
    assert [place.code for place in reporting.by_school(city.officer.scope)] == [city.schools[0].code]
    assert [place.code for place in reporting.by_district(city.other_district.scope)] == ["110102"]


def test_the_count_of_a_large_place_is_the_live_one(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    city.active(city.students(3))
    city.drafts(city.students(4, school=2))
    district = city.other_district.scope
    live, there = reporting.by_school(CITY), reporting.by_school(district)
    record()
    monkeypatch.setattr("xueka.contexts.reporting.queries.standing.LIVE_UP_TO", 3)
    city.students(5)
    city.students(5, school=2)
    assert reporting.by_school(CITY) == live
    assert reporting.by_school(district) == there  # four students, which is more than three
    assert reporting.total(reporting.by_school(city.officer.scope)).students == 8  # a smaller one is live
    assert reporting.as_of(CITY) == reporting.as_of(district) == NOW
    with clock.at(NOW + timedelta(hours=25)):
        assert reporting.total(reporting.by_school(CITY)).students == 17


def test_open_work_by_age(city: City) -> None:
    ids = city.drafts(city.students(2))
    cards.submit(city.officer, ids)
    cards.Application.objects.filter(id=ids[0]).update(submitted_at=later(-20))
    city.at_school(city.students(1))
    review, waiting = reporting.ageing(CITY)
    assert (review.step, review.counts, review.oldest) == ("district_review", (1, 0, 0, 1, 0), later(-20))
    assert (waiting.step, waiting.counts) == ("at_school", (1, 0, 0, 0, 0))
    assert sum(review.counts) == review.total
    assert reporting.ageing(city.other_district.scope) == []


def test_steps_are_counted_in_their_order(city: City) -> None:
    city.drafts(city.students(2))
    city.active(city.students(1))
    assert [(each.machine, each.state, each.count) for each in reporting.step_counts(CITY)] == [
        ("application", "draft", 2),
        ("application", "fulfilled", 1),
        ("card", "active", 1),
    ]


def test_how_long_a_step_took(city: City) -> None:
    ids = city.drafts(city.students(3))
    cards.submit(city.officer, ids)
    for hours, application in zip((5, 30, 100), ids, strict=True):
        with clock.at(NOW + timedelta(hours=hours, minutes=20)):
            assert cards.approve(city.district, [application]).done
    with clock.at(later(6)):
        assert reporting.turnaround(CITY) == []  # not recorded yet
        record()
        [found] = reporting.turnaround(CITY)
        assert (found.step, found.count, found.median_hours, found.p90_hours) == (
            "district_review",
            3,
            30,
            100,
        )
        assert reporting.turnaround(city.other_district.scope) == []
        assert reporting.turnaround(CITY, "2025-2") == []


def test_replacements_by_reason(city: City) -> None:
    students = city.students(4)
    held = city.active(students)
    cards.report_lost(city.officer, held[0])
    cards.submit(city.officer, city.drafts(students[:1], reason="lost"))
    found = {each.reason: each.count for each in reporting.replacements(CITY)}
    assert (found["new"], found["lost"], found["damaged"]) == (4, 1, 0)
    assert reporting.total(reporting.by_school(CITY)).replaced == 1


def test_a_plan_is_shared_by_students_and_spread_over_working_days(city: City) -> None:
    city.students(3)
    city.students(1, school=2)
    operator = city.operator
    reporting.set_plan(operator, "2026-1", {1: 400, 2: 100})
    plan = reporting.term_plan(CITY)
    assert (plan.total, plan.is_set, plan.share) == (500, True, 1.0)
    assert reporting.term_plan(city.other_district.scope).total == 125
    spread = plan.by_day()
    assert (spread[date(2026, 9, 1)], spread[date(2026, 9, 7)]) == (100.0, 20.0)
    assert date(2026, 9, 5) not in spread and sum(spread.values()) == 500
    [today] = reporting.throughput(CITY, TODAY, TODAY)
    assert today.planned == 20.0
    city.active(city.students(2))
    second = reporting.plan_progress(CITY)[1]
    assert (second.number, second.planned, second.handed_out) == (2, 100, 2)


def test_what_is_no_plan(city: City) -> None:
    for weeks in ({99: 1}, {1: -1}, {1: 3_000_000}):
        with pytest.raises(BadInput):
            reporting.set_plan(city.operator, "2026-1", weeks)
    with pytest.raises(Forbidden):
        reporting.set_plan(city.officer, "2026-1", {1: 1})
    assert not reporting.term_plan(CITY).is_set


def test_terms_do_not_overlap(city: City) -> None:
    reporting.set_term(city.operator, "2026-1", date(2026, 8, 31), date(2027, 1, 20))
    assert reporting.term().begins == date(2026, 8, 31)
    with pytest.raises(Conflict, match="重叠"):
        reporting.set_term(city.operator, "2026-2", date(2027, 1, 20), date(2027, 7, 10))
    assert reporting.term("2026-2").begins == date(2027, 2, 1)
    city.active(city.students(1))
    with clock.at(later(200)):
        assert [each.code for each in reporting.terms()] == ["2026-2", "2026-1"]
