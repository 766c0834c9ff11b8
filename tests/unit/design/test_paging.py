from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from xueka.entrypoints.design import paging
from xueka.kernel.errors import BadInput
from xueka.platform.identity.models import Grant, User


@dataclass(frozen=True)
class Row:
    pk: int
    group: str
    day: date


ROWS = [Row(n, f"{n % 3}", date(2024, 9, 1) + timedelta(days=n % 5)) for n in range(1, 24)]


def walk(rows, order, size=5):
    """All pages forwards, then all the way back."""
    ahead, page = [], paging.page(rows, order, size)
    while True:
        ahead.append(page.rows)
        if not page.after:
            break
        page = paging.page(rows, order, size, after=page.after)
    back = [page.rows]
    while page.before:
        page = paging.page(rows, order, size, before=page.before)
        back.append(page.rows)
    return ahead, back[::-1]


@pytest.mark.parametrize("order", [("pk",), ("-pk",), ("group", "pk"), ("-day", "group", "-pk")])
def test_a_list_forwards_and_back(order) -> None:
    ahead, back = walk(ROWS, order)
    seen = [row for rows in ahead for row in rows]
    assert [len(rows) for rows in ahead] == [5, 5, 5, 5, 3]
    assert sorted(row.pk for row in seen) == [row.pk for row in ROWS]
    assert back == ahead
    assert seen == paging.page(ROWS, order, 100).rows


def test_a_list_goes_on_although_the_row_of_its_mark_is_gone() -> None:
    first = paging.page(ROWS, ("pk",), 5)
    rest = [row for row in ROWS if row.pk != 5]
    assert [row.pk for row in paging.page(rest, ("pk",), 3, after=first.after).rows] == [6, 7, 8]


@pytest.fixture
def users(db):
    start = datetime(2024, 9, 1, tzinfo=UTC)
    made = [
        User(
            username=f"u{n:02d}",
            name=f"n{n % 4}",
            created_at=start + timedelta(hours=n % 6),
            password_changed_at=start,
        )
        for n in range(23)
    ]
    User.objects.bulk_create(made)
    return User.objects.all()


@pytest.mark.parametrize("order", [("pk",), ("-created_at", "pk"), ("name", "-created_at", "-pk")])
def test_a_queryset_forwards_and_back(users, order) -> None:
    ahead, back = walk(users, order)
    seen = [user.pk for rows in ahead for user in rows]
    assert seen == [user.pk for user in users.order_by(*order)]
    assert back == ahead


def test_a_later_page_starts_at_its_key(users) -> None:
    """No OFFSET, and the first field is compared on its own so that an index can serve it."""
    mark = paging.page(users, ("created_at", "pk"), 5).after
    with CaptureQueriesContext(connection) as asked:
        paging.page(users, ("created_at", "pk"), 5, after=mark)
    sql = asked.captured_queries[0]["sql"]
    assert "OFFSET" not in sql
    assert '"created_at" >= ' in sql


def test_a_row_that_came_meanwhile_is_shown_once(users) -> None:
    first = paging.page(users, ("username",), 5)
    now = datetime(2024, 9, 1, tzinfo=UTC)
    User.objects.create(username="u00a", name="neu", created_at=now, password_changed_at=now)
    second = paging.page(users, ("username",), 5, after=first.after)
    assert [user.username for user in second.rows] == ["u05", "u06", "u07", "u08", "u09"]


def test_a_joined_list_in_steps_is_chosen_by_a_narrow_query(users) -> None:
    """The whole list as a file: joined and sorted at once, 1.3 million students took a minute."""
    now = datetime(2024, 9, 1, tzinfo=UTC)
    Grant.objects.bulk_create(
        Grant(user=user, role="auditor", level="city", granted_at=now, granted_by="a") for user in users
    )
    rows = Grant.objects.select_related("user").order_by("user__name", "-pk")
    with CaptureQueriesContext(connection) as asked:
        found = list(paging.rows_in_steps(rows, 20, step=8))
    assert [grant.pk for grant in found] == list(rows.values_list("pk", flat=True)[:20])
    chosen, *steps = [each["sql"] for each in asked.captured_queries]
    assert '"password"' not in chosen
    assert len(steps) == 3
    with CaptureQueriesContext(connection) as asked:
        assert [grant.user.username for grant in found][:2] == ["u20", "u16"]
    assert not asked.captured_queries


@pytest.mark.parametrize("mark", ["x", "%%%", "bnVsbA", "WzEsMl0", "W1tdXQ", "WyIxIl0", "WyIxIl0!!"])
def test_a_mark_that_is_none(mark: str) -> None:
    with pytest.raises(BadInput) as refused:
        paging.page(ROWS, ("pk",), 5, after=mark)
    assert refused.value.code == "PAGE_MARK_UNREADABLE"


def test_a_mark_of_other_types_is_refused_too(users) -> None:
    mark = paging.page(users, ("username",), 5).after
    with pytest.raises(BadInput):
        paging.page(users, ("created_at",), 5, after=mark)
