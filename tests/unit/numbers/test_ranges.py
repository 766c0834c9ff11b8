"""Ranges: taken in without overlap, handed out without a gap, also by many at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from xueka.contexts.numbers import api as numbers
from xueka.contexts.numbers.models import NumberRange, NumberUse
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.kernel.identifiers import check_card_number
from xueka.platform.audit.models import Entry
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE, Scope

pytestmark = pytest.mark.django_db

PREFIX = "10007500"


def add(actor: Actor, first: int = 1, last: int = 10, **more) -> NumberRange:
    given = {"sort": "transit", "issuer": "一卡通公司", "prefix": PREFIX, "width": 8, **more}
    return numbers.add_range(actor, first=first, last=last, **given)


def test_numbers_come_in_order_and_cross_into_the_next_range(operator: Actor) -> None:
    first, second = add(operator, 1, 3), add(operator, 10, 12)
    assert numbers.allocate(operator, "transit", [7, 5]) == [f"{PREFIX}00000001", f"{PREFIX}00000002"]
    crossing = numbers.allocate(operator, "transit", [8, 9])
    assert crossing == [f"{PREFIX}00000003", f"{PREFIX}00000010"]
    uses = {use.number: (use.card_id, use.range_id, use.serial) for use in NumberUse.objects.all()}
    assert uses[f"{PREFIX}00000001"] == (7, first.id, 1)
    assert uses[f"{PREFIX}00000010"] == (9, second.id, 10)


def test_exhaustion_says_how_many_are_missing_and_takes_nothing(operator: Actor) -> None:
    found = add(operator, 1, 3)
    with pytest.raises(Refused) as refusal, transaction.atomic():
        numbers.allocate(operator, "transit", range(5))
    assert (refusal.value.code, refusal.value.detail["missing"]) == ("NUMBERS_EXHAUSTED", 2)
    found.refresh_from_db()
    assert found.next_serial == 1
    assert not NumberUse.objects.exists()


def test_card_numbers_open_a_range_for_each_year(operator: Actor) -> None:
    with clock.at(datetime(2026, 12, 31, 15, 59, tzinfo=UTC)):
        [old] = numbers.allocate(operator, "card", [1])
    with clock.at(datetime(2026, 12, 31, 16, 1, tzinfo=UTC)):
        [new] = numbers.allocate(operator, "card", [2])
    assert (old, new[:11]) == ("260000000010", "27000000001")
    assert check_card_number(new)


def test_a_card_range_may_be_given_instead(operator: Actor) -> None:
    with clock.at(datetime(2026, 9, 1, tzinfo=UTC)):
        add(operator, 500, 500, sort="card", prefix="26", width=9)
        assert numbers.allocate(operator, "card", [1])[0].startswith("26000000500")
        with pytest.raises(Refused, match="还差 1 个"):
            numbers.allocate(operator, "card", [2])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"sort": "sim"}, "RANGE_SORT"),
        ({"issuer": " "}, "RANGE_ISSUER"),
        ({"issuer": "字" * 65}, "RANGE_ISSUER"),
        ({"document": "字" * 101}, "RANGE_ISSUER"),
        ({"low_water": 3_000_000_000}, "RANGE_LOW_WATER"),
        ({"width": 0}, "RANGE_WIDTH"),
        ({"width": 1, "last": 10}, "RANGE_WIDTH"),
        ({"first": -1}, "RANGE_WIDTH"),
        ({"first": 11}, "RANGE_ORDER"),
        ({"low_water": -1}, "RANGE_LOW_WATER"),
        ({"prefix": "12"}, "RANGE_FORM"),
        ({"prefix": "1000750X"}, "RANGE_FORM"),
        ({"sort": "card", "prefix": "2026", "width": 9}, "RANGE_CARD_FORM"),
    ],
)
def test_a_range_that_cannot_be_is_refused(operator: Actor, change: dict, code: str) -> None:
    with pytest.raises(BadInput) as refusal:
        add(operator, **{"first": 1, "last": 10, **change})
    assert refusal.value.code == code
    assert not NumberRange.objects.exists()


def test_overlap_is_refused_however_the_range_is_written(operator: Actor) -> None:
    add(operator, 1, 10)
    add(operator, 1, 10, prefix=PREFIX + "1", width=7)
    for first, last, prefix, width in (
        (10, 20, PREFIX, 8),
        (10000005, 10000005, PREFIX, 8),
        (5, 5, PREFIX + "0", 7),
    ):
        with pytest.raises(Refused) as refusal:
            add(operator, first, last, prefix=prefix, width=width)
        assert refusal.value.code == "RANGE_OVERLAPS"
    add(operator, 11, 20)


def insert_range(**change: object) -> None:
    row = {"sort": "transit", "issuer": "x", "document": "", "prefix": PREFIX, "width": 8, "first": 1}
    row |= {"last": 10, "next_serial": 1, "low_water": 0, "is_open": True, "received_by": "x"}
    row |= {"received_at": clock.now(), **change}
    columns, places = ", ".join(row), ", ".join(["%s"] * len(row))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO numbers_numberrange ({columns}) VALUES ({places})", list(row.values()))


def test_the_database_itself_refuses_an_overlap() -> None:
    insert_range()
    insert_range(first=11, last=20, next_serial=11)
    insert_range(sort="beijing_tong")
    for change in (
        {},
        {"first": 10, "last": 30, "next_serial": 10},
        {"prefix": PREFIX + "0", "width": 7},
        {"prefix": PREFIX[:-1], "width": 9, "first": 5, "last": 5, "next_serial": 5},
    ):
        with pytest.raises(IntegrityError, match="overlaps"):
            insert_range(**change)


def test_the_database_keeps_ranges_and_given_numbers_as_they_are(operator: Actor) -> None:
    add(operator)
    numbers.allocate(operator, "transit", [1, 2])
    numbers.mark_used([1])
    for statement in (
        "DELETE FROM numbers_numberrange",
        "UPDATE numbers_numberrange SET last = 99",
        "UPDATE numbers_numberrange SET next_serial = 1",
        "DELETE FROM numbers_numberuse",
        "UPDATE numbers_numberuse SET card_id = 9 WHERE card_id = 1",
        "UPDATE numbers_numberuse SET number = number || '0'",
        "UPDATE numbers_numberuse SET state = 'assigned' WHERE card_id = 1",
        "UPDATE numbers_numberuse SET state = 'returned' WHERE card_id = 1",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_spoiled_and_returned_numbers_are_kept_and_not_given_again(operator: Actor) -> None:
    add(operator, 1, 3)
    numbers.allocate(operator, "transit", [1, 2])
    numbers.mark_spoiled([1], "芯片坏")
    numbers.mark_returned([2], "批次解锁")
    assert numbers.allocate(operator, "transit", [3]) == [f"{PREFIX}00000003"]
    kept = {use.card_id: (use.state, use.reason) for use in NumberUse.objects.all()}
    assert kept == {1: ("spoiled", "芯片坏"), 2: ("returned", "批次解锁"), 3: ("assigned", "")}
    [fate] = numbers.fate(EVERYWHERE, f"{PREFIX}00000001")
    assert (fate["state"], fate["card_id"], fate["origin"]) == ("spoiled", 1, "一卡通公司")


def test_a_closed_range_gives_nothing_more(operator: Actor) -> None:
    first = add(operator, 1, 3)
    add(operator, 10, 12)
    with pytest.raises(BadInput, match="理由"):
        numbers.close_range(operator, first.id, " ")
    numbers.close_range(operator, first.id, "发号单位收回")
    assert numbers.allocate(operator, "transit", [1]) == [f"{PREFIX}00000010"]
    with pytest.raises(Refused):
        numbers.close_range(operator, first.id, "再次")
    with pytest.raises(NotFound):
        numbers.close_range(operator, 0, "无")


def test_gauges_warn_at_low_water_and_say_until_when_it_lasts(operator: Actor) -> None:
    with clock.at(datetime(2026, 9, 1, tzinfo=UTC)):
        add(operator, 1, 100, low_water=70)
        assert [each.is_low for each in numbers.ranges(EVERYWHERE)] == [False]
        numbers.allocate(operator, "transit", range(30))
        [gauge] = numbers.ranges(EVERYWHERE)
        assert (gauge.given, gauge.remaining, gauge.is_low) == (30, 70, True)
        assert (gauge.first_number, gauge.last_number) == (f"{PREFIX}00000001", f"{PREFIX}00000100")
        [level] = numbers.levels(EVERYWHERE)
        assert (level.remaining, level.is_low, level.pace) == (70, True, 1.0)
        assert level.runs_out_on is not None and level.runs_out_on.isoformat() == "2026-11-10"


def test_no_day_is_named_that_nobody_could_know(operator: Actor) -> None:
    with clock.at(datetime(2026, 9, 1, tzinfo=UTC)):
        add(operator, 1, 4000)
        [unused] = numbers.levels(EVERYWHERE)
        assert (unused.pace, unused.runs_out_on) == (0, None), "nothing was given of late"
        numbers.allocate(operator, "transit", range(30))
        [slow] = numbers.levels(EVERYWHERE)
        assert (slow.pace, slow.runs_out_on) == (1.0, None), "more than ten years ahead"


def test_numbers_are_the_citys_affair(operator: Actor) -> None:
    add(operator)
    school = Scope("school", "110101", "2111010001")
    assert numbers.ranges(school) == numbers.levels(school) == numbers.stock(school) == []
    assert numbers.fate(school, PREFIX + "00000001") == []
    with pytest.raises(Forbidden):
        add(Actor.in_role("t", "t", "school_officer", school), 50, 60)


def test_what_comes_in_is_audited(operator: Actor) -> None:
    made = add(operator)
    numbers.close_range(operator, made.id, "收回")
    assert [entry.action for entry in Entry.objects.order_by("id")] == ["range.add", "range.close"]


@pytest.mark.django_db(transaction=True)
def test_eight_at_once_leave_no_gap_and_no_double(operator: Actor) -> None:
    add(operator, 1, 150)
    add(operator, 1001, 2000)
    start = Barrier(8)

    def take(thread: int) -> list[str]:
        got: list[str] = []
        try:
            start.wait()
            for turn in range(10):
                cards = [thread * 1000 + turn * 10 + place for place in range(5)]
                with transaction.atomic():
                    got += numbers.allocate(operator, "transit", cards)
                try:
                    with transaction.atomic():
                        numbers.allocate(operator, "transit", [thread * 1000 + 500 + turn])
                        raise KeyError("roll back")
                except KeyError:
                    pass
        finally:
            connection.close()
        return got

    with ThreadPoolExecutor(8) as pool:
        taken = [number for got in pool.map(take, range(8)) for number in got]
    assert len(taken) == len(set(taken)) == 400
    expected = [*range(1, 151), *range(1001, 1251)]
    assert sorted(taken) == [f"{PREFIX}{serial:08d}" for serial in expected]
    assert NumberUse.objects.count() == 400


@pytest.mark.django_db(transaction=True)
def test_two_overlapping_ranges_at_once_one_gets_in(operator: Actor) -> None:
    start = Barrier(2)

    def bring(first: int) -> bool:
        try:
            start.wait()
            with transaction.atomic():
                insert_range(first=first, last=first + 100, next_serial=first)
            return True
        except IntegrityError:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(bring, [1, 50])) == [False, True]


@pytest.mark.django_db
def test_a_closed_range_is_opened_again_where_the_rule_allows_it(operator: Actor) -> None:
    made = numbers.add_range(operator, "transit", "一卡通公司", "10005500", 8, 1, 3)
    numbers.allocate(operator, "transit", [1])
    numbers.close_range(operator, made.id, "号段暂停")
    view, why_closed, why_not = numbers.range_(EVERYWHERE, made.id)
    assert (view.is_open, why_closed, why_not) == (False, "号段暂停", "")
    with pytest.raises(BadInput):
        numbers.reopen_range(operator, made.id, " ")
    assert numbers.reopen_range(operator, made.id, "恢复发号").is_open
    assert numbers.allocate(operator, "transit", [2, 3]) == ["1000550000000002", "1000550000000003"]
    assert numbers.use_rows(EVERYWHERE, made.id).count() == 3
    with pytest.raises(Refused):
        numbers.reopen_range(operator, made.id, "再开")
    numbers.close_range(operator, made.id, "发完")
    with pytest.raises(Refused) as refused:
        numbers.reopen_range(operator, made.id, "再开")
    assert refused.value.code == "RANGE_STAYS_CLOSED"
    assert "发完" in refused.value.message
    with pytest.raises(NotFound):
        numbers.reopen_range(operator, 0, "x")


@pytest.mark.django_db
def test_what_another_system_used_up_is_never_opened(operator: Actor) -> None:
    taken = numbers.TakenRange("transit", "一卡通公司", "", "10005600", 8, 1, 9, 9)
    [[used]] = numbers.take_over_ranges(operator, 7, [taken])
    with pytest.raises(Refused) as refused:
        numbers.reopen_range(operator, used, "看看")
    assert "旧系统" in refused.value.message
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE numbers_numberrange SET is_open = true")
