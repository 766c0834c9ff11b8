"""How interfaces stand and what is kept of them by the hour."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.unit.interop.conftest import CODE, SYSTEM, City, Tong, send
from tests.unit.transit.test_pages import operator
from xueka.contexts.couriers.models import Push
from xueka.contexts.families import api as families
from xueka.contexts.interop import api as interop
from xueka.contexts.interop.services.sampling import sample_all
from xueka.contexts.multiapp.models import ApiCall, Credential, Unit
from xueka.contexts.payments import api as payments
from xueka.contexts.production.models import Partner
from xueka.contexts.receipts.models import Draw
from xueka.contexts.registry import api as registry
from xueka.contexts.registry.fetched import OneRosterFetch
from xueka.contexts.treasury.models import Fetch
from xueka.kernel import clock
from xueka.platform.audit.services import record
from xueka.platform.crypto.fields import seal
from xueka.platform.exchange import queries
from xueka.platform.exchange.services import post
from xueka.platform.exchange.standing import BROKEN, GOOD, SLOW, Standing
from xueka.platform.identity.actor import Actor

__all__ = ["operator"]
pytestmark = pytest.mark.django_db


def of(code: str) -> Standing:
    return interop.standing_of(SYSTEM, code)


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


def test_the_others_are_seen_too(city: City, tmp_path: Path, settings: Any) -> None:
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
    assert dict(found["pay-wechat"].notes) == {"最近通知": None, "对账单到": "还没有"}
    assert {"sms", "mail"} <= set(found) and not {"bureau", "jingtong", "receipts"} & set(found)


def test_couriers_are_seen_with_what_waits_for_them(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xueka.contexts.couriers.calling.has_account", lambda name: True)
    now = clock.now()
    Push.objects.create(
        courier="sf", digest="1", received_at=now, last_at=now, outcome="refused", judged_at=now
    )
    assert (of("courier-sf").received, of("courier-sf").failed, of("courier-sf").waiting) == (1, 1, 0)
    assert (of("courier-kuaidi100").received, of("courier-kuaidi100").health) == (0, (GOOD, ""))


def test_the_registry_says_when_it_is_asked_next(city: City, settings: Any) -> None:
    settings.ONEROSTER_HOUR = "4"
    night = datetime(2026, 9, 8, 4, 0, tzinfo=clock.SHANGHAI)
    with clock.at(night + timedelta(hours=6)):
        fetch = OneRosterFetch.objects.create(
            full=True, asked_by="t", started_at=night, fetched_at=night + timedelta(minutes=3), waits=True
        )
        assert dict(of("oneroster").notes)["下次获取"] == "等人处理" and of("oneroster").dead == 1
        fetch.waits, fetch.ended_at = False, clock.now()
        fetch.save()
        told = dict(of("oneroster").notes)
        assert told["最近获取"] == night + timedelta(minutes=3)
        assert told["下次获取"] == night + timedelta(days=1)
    with clock.at(night + timedelta(hours=-1, days=1)):
        assert dict(of("oneroster").notes)["下次获取"] == night + timedelta(days=1)
    settings.ONEROSTER_HOUR = "off"
    assert dict(of("oneroster").notes)["下次获取"] == "没有定时"


def test_a_statement_that_did_not_come_is_seen_at_its_channel(city: City) -> None:
    for code in ("wechat", "alipay"):
        payments.set_channel(
            SYSTEM,
            code,
            settlement="direct",
            fee_bearer="none",
            gateway="https://pay.example",
            merchant_id="1",
        )
    day = clock.today() - timedelta(days=2)
    Fetch.objects.create(
        channel="wechat", kind="trade", day=day, tries=3, next_try_at=clock.now(), last_error="没有回应"
    )
    assert of("pay-wechat").health == (SLOW, f"{day} 的对账单没有取到：没有回应")
    assert of("pay-alipay").health == (GOOD, "")


def test_the_bureau_is_there_from_its_first_day_in_use(city: City) -> None:
    then = clock.now() - timedelta(minutes=3)
    key = dict.fromkeys(("host_key", "signing_key", "encryption_key"), "x")
    prints = {"signing_fingerprint": "a", "encryption_fingerprint": "b"}
    Partner.objects.create(
        code="bureau", name="甲卡厂", host="h", port=22, username="u", entered_by="a", entered_at=then,
        confirmed_by="b", confirmed_at=then, in_use=True, last_contact_at=then, **key, **prints,
    )  # fmt: skip
    assert (of("bureau").health, of("bureau").answered_at) == ((GOOD, ""), then)
    Partner.objects.update(failures=4, last_error="卡厂的服务器连不上。")
    assert of("bureau").health == (SLOW, "连不上，已试 4 次：卡厂的服务器连不上。")


def test_what_jingtong_let_in_and_why_it_did_not(city: City, tmp_path: Path, settings: Any) -> None:
    settings.JINGTONG_PARTNER = tmp_path / "partner.json"
    settings.JINGTONG_PARTNER.write_text("{}", "utf-8")
    nobody = Actor.nobody("10.0.0.1")
    silent = families.SignOnFailed("SIGN_ON_SILENT", "京通没有回应。")
    start = clock.now()
    with clock.at(start) as time:
        assert of("jingtong").health == (GOOD, "")
        assert families.not_signed_on(nobody, silent)
        time.advance(timedelta(seconds=30))
        assert not families.not_signed_on(nobody, silent)  # anybody can try, as often as he likes
        assert not families.not_signed_on(nobody, families.SignOnFailed("SIGN_ON_STATE", "x"))
        assert of("jingtong").health == (SLOW, "最近一次没有登录成：京通没有回应。")
        time.advance(timedelta(seconds=31))
        record(nobody, "family.sign_on", "family_account", 1)
        record(nobody, "family.sign_on", "family_account", "", result="refused")
        now = of("jingtong")
        assert (now.received, now.failed, now.health, now.answered_at) == (1, 2, (GOOD, ""), clock.now())
        time.advance(timedelta(days=1))
        later = of("jingtong")
        assert (later.received, later.failed, later.answered_at) == (0, 0, start + timedelta(seconds=61))


def test_a_partner_that_is_refused_too_often_is_seen(city: City) -> None:
    now = clock.now()
    unit = Unit.objects.create(
        code="tiyu",
        name="体质测试",
        kind="application",
        purpose="x",
        whole_city=True,
        state="in_use",
        contract="1",
        contract_from=clock.today(),
        contract_until=clock.today(),
        contacts=seal({"contacts": []}),
        created_at=now,
        created_by="t",
    )
    key = Credential.objects.create(
        key_id="k",
        unit=unit,
        secret=b"",
        state="active",
        state_at=now,
        per_minute=60,
        expires_at=now,
        made_at=now,
        made_by="t",
    )
    assert (of("unit-tiyu").received, of("unit-tiyu").answered_at) == (0, None)
    old = now - timedelta(days=2)
    calls = [(old, 500)] + [(now, 200)] * 15 + [(now, 404)] * 5
    ApiCall.objects.bulk_create(
        ApiCall(at=at, credential=key, what="card", status=status) for at, status in calls
    )
    found = of("unit-tiyu")
    assert (found.received, found.failed, found.answered_at) == (20, 5, now)
    assert found.health == (SLOW, "今天 25% 的调用被拒")
    assert dict(found.notes) == {"4xx": "5 次，25.0%", "5xx": "0 次，0.0%"}


def test_receipts_that_the_office_does_not_issue_are_seen(city: City) -> None:
    Draw.objects.create(
        msg_id="1", day=clock.today(), code="1", count=5, first=1, asked_at=clock.now(), asked_by="t",
        drawn_at=clock.now(),
    )  # fmt: skip
    assert [each for each in interop.standings(SYSTEM) if each.code == "receipts"] == []


def test_the_page_asks_the_database_seldom(
    city: City, tong: Tong, operator: Client, tmp_path: Path, settings: Any
) -> None:
    settings.JINGTONG_PARTNER = tmp_path / "jingtong.json"
    settings.JINGTONG_PARTNER.write_text("{}", "utf-8")
    operator.get(reverse("city:interfaces"))
    with CaptureQueriesContext(connection) as seen:
        page = operator.get(reverse("city:interfaces")).content.decode()
    assert "京通登录" in page
    assert len(seen) <= 30, len(seen)
