"""Which backups are kept, and when the next one is due."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from xueka.platform.backup.retention import Retention, is_due, kept

NOW = datetime(2026, 11, 25, 18, 0, tzinfo=UTC)


def test_a_year_of_nightly_backups_leaves_days_weeks_and_months() -> None:
    nightly = [NOW - timedelta(days=days) for days in range(400)]
    keep = kept(nightly, Retention(7, 4, 12))
    assert set(nightly[:7]) <= keep
    assert len(keep) <= 7 + 4 + 12
    assert min(keep) > NOW - timedelta(days=366) and min(keep) < NOW - timedelta(days=300)


def test_clearing_every_night_ends_in_the_same_set() -> None:
    present: set[datetime] = set()
    for days in range(400, -1, -1):
        present = kept(present | {NOW - timedelta(days=days)}, Retention(7, 4, 12))
    assert len(present) <= 7 + 4 + 12
    assert min(present) < NOW - timedelta(days=300)


@given(st.sets(st.integers(0, 5000), max_size=60), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
def test_the_newest_is_never_removed(hours: set[int], daily: int, weekly: int, monthly: int) -> None:
    moments = [NOW - timedelta(hours=hour) for hour in hours]
    keep = kept(moments, Retention(daily, weekly, monthly))
    assert keep <= set(moments)
    if moments:
        assert max(moments) in keep


def test_due_once_after_the_hour() -> None:
    two = datetime(2026, 11, 24, 18, 0, tzinfo=UTC)  # two o'clock in Shanghai
    assert is_due(None, two, 2)
    assert is_due(two - timedelta(hours=24), two, 2)
    assert not is_due(two, two + timedelta(hours=23, minutes=59), 2)
    assert is_due(two, two + timedelta(hours=24), 2)
    assert not is_due(two - timedelta(hours=20), two - timedelta(minutes=1), 2)
