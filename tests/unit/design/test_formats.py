from datetime import UTC, date, datetime, timedelta

import pytest

from xueka.entrypoints.design import formats
from xueka.kernel import clock

NOW = datetime(2024, 9, 14, 1, 30, tzinfo=UTC)  # Saturday 09:30 in Shanghai


@pytest.fixture(autouse=True)
def _still():
    with clock.at(NOW):
        yield


def test_days_are_those_of_shanghai() -> None:
    late = datetime(2024, 9, 1, 16, 5, tzinfo=UTC)  # already Monday there
    assert formats.day(late) == "2024年9月2日 周一"
    assert formats.moment(late) == "2024年9月2日 周一 00:05"
    assert formats.compact(late) == "2024-09-02 00:05"
    assert formats.compact(date(2024, 9, 2)) == "2024-09-02"


def test_the_year_is_left_out_only_where_it_is_this_one() -> None:
    assert formats.short_day(date(2024, 9, 16)) == "9月16日 周一"
    assert formats.short_day(date(2025, 1, 1)) == "2025年1月1日 周三"
    assert formats.about(date(2024, 9, 16)) == "9月16日 周一"
    assert formats.about(date(2025, 3, 14)) == "2025年3月"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (59, "不到 1 分钟"),
        (60, "1 分钟"),
        (3599, "59 分钟"),
        (7200, "2 小时"),
        (86_399, "23 小时"),
        (259_200, "3 天"),
    ],
)
def test_spans_are_rounded_down(seconds: int, text: str) -> None:
    assert formats.span(timedelta(seconds=seconds)) == text
    assert formats.age(NOW - timedelta(seconds=seconds)) == text
    assert formats.seconds(seconds) == text


def test_age_of_a_day() -> None:
    assert formats.age(date(2024, 9, 14)) == "今天"
    assert formats.age(date(2024, 9, 11)) == "3 天"


@pytest.mark.parametrize(
    ("day", "text"),
    [(date(2024, 9, 17), "还有 3 天"), (date(2024, 9, 14), "今天到期"), (date(2024, 9, 12), "已过 2 天")],
)
def test_due(day: date, text: str) -> None:
    assert formats.due(day) == text


@pytest.mark.parametrize(
    ("fen", "text"), [(2000, "¥20.00"), (123_456_789, "¥1,234,567.89"), (-5, "−¥0.05"), (0, "¥0.00")]
)
def test_money(fen: int, text: str) -> None:
    assert formats.yuan(fen) == text


def test_numbers_and_sizes() -> None:
    assert formats.count(1_302_177) == "1,302,177"
    assert formats.number("¥20.00") == "¥20.00"
    assert formats.groups("1000751200384417") == "1000 7512 0038 4417"
    assert formats.groups("12345") == "1234 5"
    assert [formats.size(n) for n in (0, 1023, 63_488, 1_468_006)] == [
        "0 字节",
        "1023 字节",
        "62 KB",
        "1.4 MB",
    ]


def test_all_of_it_is_needed_for_a_hundred_percent() -> None:
    assert formats.percent(999_999, 1_000_000) == "99%"
    assert formats.percent(0, 0) == "—"


def test_nothing_reads_as_a_dash() -> None:
    names = (
        "day",
        "short_day",
        "about",
        "moment",
        "compact",
        "age",
        "due",
        "yuan",
        "count",
        "groups",
        "size",
    )
    assert {getattr(formats, name)(None) for name in names} == {"—"}
