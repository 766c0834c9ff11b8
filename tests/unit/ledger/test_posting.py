"""What the books take, and what they know again."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection

from xueka.contexts.ledger import api as ledger
from xueka.contexts.ledger.api import Posting
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Forbidden, Refused
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE, Scope

SYSTEM = Actor.system("test")
FINANCE = Actor.in_role("cw", "财务", "finance", Scope("city"))
OFFICER = Actor.in_role("kg", "老师", "school_officer", Scope("school", "110101", "2111010001"))
NOW = datetime(2026, 9, 7, 2, 0, tzinfo=UTC)
DAY = date(2026, 9, 7)
SALE = [Posting("clearing.wechat", 2000, "wechat", "P1"), Posting("income", -2000, "wechat", "XK1")]


@pytest.fixture(autouse=True)
def september(db: None) -> Iterator[None]:
    with clock.at(NOW):
        yield


def post(key: str = "k", kind: str = "payment", on: date = DAY, postings=SALE, about=None) -> ledger.Entry:
    return ledger.post(SYSTEM, key, kind, on, postings, about or {})


def committed() -> None:
    """What the database checks at the end of a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def test_the_same_again_is_the_same_entry() -> None:
    first = post()
    assert post().id == first.id
    assert [entry.id for entry in ledger.entries_of(EVERYWHERE, "P1")] == [first.id]
    assert ledger.balances(EVERYWHERE)["clearing.wechat"] == 2000
    committed()


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "other"},
        {"on": DAY - timedelta(days=1)},
        {"about": {"order": "XK2"}},
        {
            "postings": [
                Posting("clearing.wechat", 2100, "wechat", "P1"),
                Posting("income", -2100, "wechat", "XK1"),
            ]
        },
        {
            "postings": [
                Posting("clearing.alipay", 2000, "alipay", "P1"),
                Posting("income", -2000, "alipay", "XK1"),
            ]
        },
    ],
)
def test_another_content_under_the_same_key_is_refused(change: dict) -> None:
    post()
    with pytest.raises(Refused) as refusal:
        post(**change)
    assert refusal.value.code == "LEDGER_KEY_REUSED"
    assert sum(ledger.balances(EVERYWHERE).values()) == 0
    assert ledger.balances(EVERYWHERE)["income"] == -2000


@pytest.mark.parametrize(
    ("postings", "code"),
    [
        ([Posting("bank", 1), Posting("income", -2)], "LEDGER_UNBALANCED"),
        ([Posting("bank", 1)], "LEDGER_ONE_SIDED"),
        ([], "LEDGER_ONE_SIDED"),
        ([Posting("bank", 0), Posting("income", 0)], "LEDGER_POSTING"),
        ([Posting("bank", 1.0), Posting("income", -1)], "LEDGER_POSTING"),
        ([Posting("bank", True), Posting("income", -1)], "LEDGER_POSTING"),
        ([Posting("purse", 1), Posting("income", -1)], "LEDGER_POSTING"),
        ([Posting("bank", 1, "cash"), Posting("income", -1)], "LEDGER_POSTING"),
        ([Posting("bank", 10**16), Posting("income", -(10**16))], "LEDGER_POSTING"),
        ([Posting("bank", 1, "", "x" * 65), Posting("income", -1)], "LEDGER_POSTING"),
    ],
)
def test_what_is_no_entry_is_refused(postings: list[Posting], code: str) -> None:
    with pytest.raises(BadInput) as refusal:
        post(postings=postings)
    assert refusal.value.code == code
    assert ledger.check_books(EVERYWHERE).entries == 0


@pytest.mark.parametrize("key", ["", "x" * 121])
def test_a_key_must_be_one(key: str) -> None:
    with pytest.raises(BadInput, match="唯一键"):
        post(key)


def test_tomorrow_is_not_posted() -> None:
    with pytest.raises(BadInput) as refusal:
        post(on=DAY + timedelta(days=1))
    assert refusal.value.code == "LEDGER_DAY"


def test_a_closed_period_takes_nothing_more_but_knows_what_it_has() -> None:
    before = post(on=DAY - timedelta(days=1))
    ledger.close_period(FINANCE, DAY - timedelta(days=1))
    assert ledger.closed_until(EVERYWHERE) == DAY - timedelta(days=1)
    with pytest.raises(Refused) as refusal:
        post("new", on=DAY - timedelta(days=1))
    assert refusal.value.code == "LEDGER_PERIOD_CLOSED"
    assert post(on=DAY - timedelta(days=1)).id == before.id
    assert post("new").on == DAY


def test_a_period_is_closed_once_and_never_today() -> None:
    with pytest.raises(Refused) as today:
        ledger.close_period(FINANCE, DAY)
    ledger.close_period(FINANCE, DAY - timedelta(days=2))
    with pytest.raises(Refused) as again:
        ledger.close_period(FINANCE, DAY - timedelta(days=2))
    assert (today.value.code, again.value.code) == ("LEDGER_PERIOD_OPEN", "LEDGER_PERIOD_CLOSED")


def test_who_may_what() -> None:
    with pytest.raises(Forbidden):
        ledger.post(OFFICER, "k", "payment", DAY, SALE, {})
    with pytest.raises(Forbidden):
        ledger.close_period(OFFICER, DAY - timedelta(days=1))
    post()
    assert ledger.entries_of(OFFICER.scope, "P1") == []
    assert set(ledger.balances(OFFICER.scope).values()) == {0}
    assert ledger.balances_of(FINANCE.scope, "XK1") == {"income": -2000}


def test_the_books_add_up() -> None:
    post()
    post("fee", "fee", DAY, [Posting("fees", 12, "wechat"), Posting("clearing.wechat", -12, "wechat", "P1")])
    found = ledger.check_books(EVERYWHERE)
    assert (found.entries, found.balanced, found.unbalanced) == (2, True, [])
    assert found.accounts["clearing.wechat"] == 1988
    assert ledger.balances(EVERYWHERE, DAY - timedelta(days=1))["income"] == 0
