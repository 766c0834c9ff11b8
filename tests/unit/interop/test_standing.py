"""How interfaces stand and what is kept of them by the hour."""

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.interop.conftest import CODE, SYSTEM, City, Tong, send
from xueka.contexts.interop import api as interop
from xueka.contexts.interop.services.sampling import sample_all
from xueka.contexts.payments import api as payments
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.platform.exchange import queries
from xueka.platform.exchange.services import post
from xueka.platform.exchange.standing import BROKEN, GOOD, SLOW

pytestmark = pytest.mark.django_db


def standing() -> Any:
    return interop.standing_of(SYSTEM, CODE)


def test_a_letter_that_is_refused_is_seen_and_the_good_one_is_counted(tong: Tong) -> None:
    assert standing().health == (GOOD, "")
    post(CODE, "card.status", "card:1", {"a": 1})
    assert (standing().waiting, standing().dead) == (1, 0)
    send()
    assert (standing().waiting, standing().sent, standing().health[0]) == (0, 1, GOOD)
    tong.dial(refuse=1)
    post(CODE, "card.status", "card:2", {"a": 1})
    post(CODE, "card.status", "card:2", {"a": 2})
    send()
    now = standing()
    assert (now.dead, now.waiting, now.failed) == (1, 1, 1)
    assert now.health[0] == SLOW and "1 件停下" in now.health[1]
    assert queries.dead_count() == 1


def test_what_waits_too_long_is_late_and_a_broken_way_says_why(tong: Tong) -> None:
    with clock.at(clock.now()) as time:
        post(CODE, "card.status", "card:1", {})
        time.advance(timedelta(hours=1))
        assert standing().health == (SLOW, "最早的已等 1 小时")
    tong.house.stop()
    send(rounds=20)
    assert standing().health[0] == BROKEN


def test_an_hour_keeps_the_most_that_waited_and_is_ended_by_the_next(tong: Tong) -> None:
    start = clock.now().replace(minute=10)
    with clock.at(start) as time:
        post(CODE, "card.status", "card:1", {})
        time.advance(timedelta(minutes=5))
        sample_all()
        send()
        sample_all()
        time.advance(timedelta(minutes=40))
        post(CODE, "card.status", "card:1", {"b": 1})
        send()  # in the first hour still, but after its last sample
        time.advance(timedelta(minutes=10))
        sample_all()
        first, second = interop.hours(SYSTEM, CODE, 2)
        assert (first.sent, first.waiting, first.oldest) == (2, 1, 300)
        assert (second.sent, second.waiting) == (0, 0)
        assert interop.days(SYSTEM, CODE, 1)[0].sent == 2
        assert interop.hours(SYSTEM, CODE, 3)[0].oldest is None


def test_a_file_that_cannot_be_read_is_a_broken_interface(tong: Tong, settings: Any) -> None:
    place = settings.EXCHANGE_PARTNERS / "welfare"
    place.mkdir()
    (place / "partner.json").write_text("{", "utf-8")
    found = {each.code: each for each in interop.standings(SYSTEM)}
    assert found["welfare"].health[0] == BROKEN
    assert found[CODE].health[0] == GOOD
    assert "sms" in found


def test_the_others_are_seen_too(city: City) -> None:
    """Every source answers, with something in it where that is cheap to make."""
    now = clock.now()
    registry.ImportRun.objects.create(
        kind="oneroster", file_name="x.zip", dry_run=False, rows=7, rejected=2, at=now, actor="t"
    )
    payments.set_channel(
        SYSTEM,
        "wechat",
        settlement="direct",
        fee_bearer="none",
        gateway="https://pay.example",
        merchant_id="1",
    )
    found = {each.code: each for each in interop.standings(SYSTEM)}
    assert (found["oneroster"].received, found["oneroster"].failed) == (7, 2)
    assert found["pay-wechat"].health == (GOOD, "")
    assert {"sms", "mail"} <= set(found)
