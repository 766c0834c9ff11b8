"""When a message may go: quiet hours, limits, and the family's wish."""

from datetime import datetime, time, timedelta
from typing import Any

import pytest
from django.db import connection

from tests.support.messages import Fake
from xueka.kernel import clock
from xueka.kernel.clock import SHANGHAI
from xueka.kernel.errors import BadInput
from xueka.platform.exchange.standing import GOOD, Standing, told
from xueka.platform.invariants import check
from xueka.platform.messages import opting, queries, rules, sending, templates
from xueka.platform.messages.invariants import INVARIANTS
from xueka.platform.messages.models import Message, OptOut
from xueka.platform.messages.ports import NotTaken, Unreachable
from xueka.platform.messages.services import index_of, send
from xueka.platform.messages.standing import standings

NIGHT = rules.Hours(time(21), time(8))
EVENING = datetime(2026, 11, 26, 22, 30, tzinfo=SHANGHAI)
NOON = datetime(2026, 11, 26, 12, tzinfo=SHANGHAI)
PHONE = "13800000001"
ARRIVED = {"child": "王*", "place": "一小", "number": "R1"}
STOPPED = {"child": "王*", "what": "补卡", "number": "R1", "reason": "x", "money": "y"}


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-11-26T20:59", None),
        ("2026-11-26T21:00", "2026-11-27T08:00"),
        ("2026-11-27T00:00", "2026-11-27T08:00"),
        ("2026-11-27T07:59", "2026-11-27T08:00"),
        ("2026-11-27T08:00", None),
    ],
)
def test_the_night_goes_over_midnight(at: str, until: str | None) -> None:
    found = rules.quiet_until(datetime.fromisoformat(at).replace(tzinfo=SHANGHAI), NIGHT)
    assert (found and found.strftime("%Y-%m-%dT%H:%M")) == until


def test_a_rest_in_the_day_and_none_at_all() -> None:
    noon = rules.hours("12:00-13:30")
    assert rules.quiet_until(NOON, noon) == NOON.replace(hour=13, minute=30)
    assert rules.quiet_until(NOON - timedelta(seconds=1), noon) is None
    assert rules.hours("") is None and rules.quiet_until(NOON, None) is None
    for wrong in ("21", "25:00-08:00", "08:00-08:00"):
        with pytest.raises(ValueError):
            rules.hours(wrong)


def test_parts_are_counted_as_carriers_do() -> None:
    assert [templates.parts("字" * n) for n in (1, 70, 71, 134, 135)] == [1, 1, 2, 2, 3]
    assert templates.parts("𬍛" * 36) == 2  # two units each


def test_versions_have_names_of_their_own_and_the_old_text_stays() -> None:
    now = templates.current("REPLACEMENT_ARRIVED")
    assert now.wire == f"REPLACEMENT_ARRIVED_V{now.version}"
    assert templates.version("REPLACEMENT_ARRIVED", 1).wire == "REPLACEMENT_ARRIVED"
    assert templates.version("REPLACEMENT_ARRIVED", 1).text != now.text


@pytest.mark.django_db
def test_at_night_only_codes_go(settings: Any) -> None:
    settings.MESSAGE_QUIET = "21:00-08:00"
    gateway = Fake()
    with clock.at(EVENING) as moment:
        send(PHONE, "REPLACEMENT_STOPPED", STOPPED, "news")
        send(PHONE, "SIGN_IN_CODE", {"code": "123456", "minutes": "10"}, "code")
        assert sending.send_due(gateway) == 1 and set(gateway.kept) == {"code"}
        waiting = Message.objects.get(key="news")
        assert waiting.problem == "夜间不打扰，8:00 后发送。" and waiting.tried_at is None
        moment.set(datetime(2026, 11, 27, 8, 0, 1, tzinfo=SHANGHAI))
        assert sending.send_due(gateway) == 1 and set(gateway.kept) == {"code", "news"}


@pytest.mark.django_db
def test_what_waits_for_the_morning_is_no_trouble(settings: Any) -> None:
    settings.MESSAGE_QUIET = "21:00-08:00"

    def standing() -> Standing:
        return told([standings], clock.now() - timedelta(days=1))[0]

    gateway = Fake(Unreachable("短信网关没有应答。"))
    with clock.at(EVENING.replace(hour=20, minute=59)) as moment:
        send(PHONE, "REPLACEMENT_STOPPED", STOPPED, "tried")
        sending.send_due(gateway)
        assert (standing().waiting, standing().failing, bool(standing().problem)) == (1, 1, True)
        moment.set(EVENING)
        send("13900000002", "REPLACEMENT_STOPPED", STOPPED, "news")
        sending.send_due(gateway)
        assert set(Message.objects.values_list("problem", flat=True)) == {"夜间不打扰，8:00 后发送。"}
        now = standing()
        assert (now.waiting, now.failing, now.problem, now.health) == (0, 0, "", (GOOD, ""))
        moment.set(datetime(2026, 11, 27, 8, 0, 3, tzinfo=SHANGHAI))
        assert (standing().waiting, standing().oldest_seconds) == (2, 3)
        since = queries.oldest_waiting()
        assert since is not None and clock.now() - since == timedelta(seconds=3)


@pytest.mark.django_db
def test_what_is_too_old_to_be_sent_neither_waits_nor_failed_and_is_counted_apart() -> None:
    """A demo city wakes up with texts of last year: nobody is to look for a gateway that is slow."""

    def standing() -> Standing:
        return told([standings], clock.now() - timedelta(days=1))[0]

    with clock.at(NOON) as moment:
        send(PHONE, "REPLACEMENT_STOPPED", STOPPED, "tried")
        sending.send_due(Fake(Unreachable("短信网关没有应答。")))
        send("13900000002", "REPLACEMENT_STOPPED", STOPPED, "untried")
        moment.advance(timedelta(minutes=10))
        waiting = standing()
        assert (waiting.waiting, waiting.failing, waiting.notes) == (2, 1, [])
        assert waiting.health[0] != GOOD
        moment.advance(timedelta(days=200))
        old = standing()
        assert (old.waiting, old.failing, old.oldest_seconds, old.failed) == (0, 0, 0, 0)
        assert (old.health, old.notes) == ((GOOD, ""), [("过期未发", "2 条")])
        assert queries.oldest_waiting() is None
        assert sending.give_up_late() == 2
        ended = standing()
        assert (ended.waiting, ended.failed, ended.notes) == (0, 0, [("过期未发", "2 条")])
        send("13900000003", "REPLACEMENT_STOPPED", STOPPED, "refused")
        sending.send_due(Fake(NotTaken("空号")))
        assert (standing().failed, standing().notes) == (1, [("过期未发", "2 条")])


@pytest.mark.django_db
def test_a_phone_is_not_flooded_and_codes_do_not_count(settings: Any) -> None:
    settings.MESSAGE_PHONE_DAY = 2
    gateway = Fake()
    with clock.at(NOON) as moment:
        send(PHONE, "SIGN_IN_CODE", {"code": "123456", "minutes": "10"}, "code")
        for number in range(3):
            send(PHONE, "REPLACEMENT_STOPPED", STOPPED, f"news{number}")
        send("13900000002", "REPLACEMENT_STOPPED", STOPPED, "other")
        assert sending.send_due(gateway) == 4
        assert "明天再发" in Message.objects.get(state="queued").problem
        moment.set(datetime(2026, 11, 27, 0, 0, 1, tzinfo=SHANGHAI))
        assert sending.send_due(gateway) == 1


@pytest.mark.django_db
def test_the_city_has_a_rate_and_codes_come_first(settings: Any) -> None:
    settings.MESSAGE_CITY_MINUTE = 2
    gateway = Fake()
    with clock.at(NOON) as moment:
        for number in range(2):
            send(f"1390000000{number}", "REPLACEMENT_STOPPED", STOPPED, f"news{number}")
        send(PHONE, "SIGN_IN_CODE", {"code": "123456", "minutes": "10"}, "code")
        assert sending.send_due(gateway) == 2 and "code" in gateway.kept
        assert sending.send_due(gateway) == 0
        moment.advance(timedelta(seconds=61))
        assert sending.send_due(gateway) == 1


@pytest.mark.django_db
def test_a_day_that_is_used_up_stops_no_code(settings: Any) -> None:
    settings.MESSAGE_CITY_DAY, settings.MESSAGE_CODES_DAY = 2, 3
    gateway = Fake()
    with clock.at(NOON) as moment:
        for number in range(3):
            send(f"1390000000{number}", "REPLACEMENT_STOPPED", STOPPED, f"news{number}")
        assert (sending.send_due(gateway), sending.send_due(gateway)) == (2, 0)
        for number in range(4):
            code = {"code": "123456", "minutes": "10"}
            send(f"1390000000{number}", "SIGN_IN_CODE", code, f"code{number}")
        assert sending.send_due(gateway) == 3 and {"code0", "code1", "code2"} <= set(gateway.kept)
        assert sending.send_due(gateway) == 0
        moment.set(datetime(2026, 11, 27, 8, 0, 1, tzinfo=SHANGHAI))
        assert sending.send_due(gateway) == 2 and len(gateway.kept) == 7


@pytest.mark.django_db
def test_who_refuses_reminders_gets_everything_else() -> None:
    gateway = Fake()
    assert opting.refuse(index_of(PHONE), "138****0001", "page", opting.CONSENT)
    assert not opting.refuse(index_of(PHONE), "138****0001", "reply", "TD")  # once is enough
    send(PHONE, "REPLACEMENT_ARRIVED", ARRIVED, "reminder")
    send(PHONE, "REPLACEMENT_STOPPED", STOPPED, "news")
    send("13900000002", "REPLACEMENT_ARRIVED", ARRIVED, "other")
    assert sending.send_due(gateway) == 2
    assert Message.objects.get(key="reminder").state == "withheld"
    assert opting.want(index_of(PHONE), "desk", "operator") and not opting.want(index_of(PHONE), "page")
    [kept] = OptOut.objects.all()
    assert (kept.way, kept.ended_way, kept.ended_by) == ("page", "desk", "operator")
    send(PHONE, "REPLACEMENT_ARRIVED", ARRIVED, "again")
    assert sending.send_due(gateway) == 1


@pytest.mark.parametrize(
    ("text", "meaning"),
    [("TD", "refuse"), (" t d。", "refuse"), ("退订", "refuse"), ("dy", "want"), ("谢谢老师", ""), ("", "")],
)
def test_what_a_reply_means(text: str, meaning: str) -> None:
    assert opting.meaning_of(text) == meaning


@pytest.mark.django_db
def test_the_invariant_sees_a_reminder_after_a_refusal() -> None:
    invariant = next(each for each in INVARIANTS if each.name == "reminders_respect_wishes")
    with clock.at(NOON) as moment:
        opting.refuse(index_of(PHONE), "138****0001", "page", opting.CONSENT)
        moment.advance(timedelta(hours=1))
        send(PHONE, "REPLACEMENT_ARRIVED", ARRIVED, "k")
        sending.send_due(Fake())
        assert (check(invariant).checked, check(invariant).violated) == (1, 0)
        values = (
            "state = 'sent', sent_at = created_at, tried_at = created_at, ended_at = NULL, gateway_id = 'G'"
        )
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE outbox_message SET {values}")
    assert check(invariant).violated == 1


def test_hours_that_cannot_be_read_hold_everything_back_and_say_so(settings: Any) -> None:
    settings.MESSAGE_QUIET = "21-8"
    with pytest.raises(BadInput) as refused:
        sending.quiet_hours()
    assert refused.value.code == "MESSAGE_QUIET"
