"""Statements are asked for until they are here, and weeks compared without anybody's asking."""

from datetime import date, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.support import statements as made
from tests.support.fake_channel import BANKS, MERCHANT
from tests.unit.payments.conftest import FINANCE, SYSTEM, Cashier, books, everything_holds
from tests.unit.treasury.conftest import DAY, ONE, OTHER, kinds, line, statement, week
from tests.unit.treasury.test_posting import flow
from xueka.contexts.payments import api as payments
from xueka.contexts.treasury import api as treasury
from xueka.contexts.treasury.models import BreakRow, Confirmation, ConfirmationWord, Fetch, Run, Statement
from xueka.contexts.treasury.quality import QUALITY
from xueka.contexts.treasury.services import fetching, watching
from xueka.kernel import clock
from xueka.kernel.errors import BadInput
from xueka.platform.identity.scope import EVERYWHERE

Town = tuple[Cashier, list[payments.Payment], list[made.Cells]]


def at(cashier: Cashier, hour: int, minute: int = 0) -> None:
    time = cashier.time  # type: ignore[attr-defined]
    now = time.now()
    local = now.astimezone(clock.SHANGHAI)
    time.advance(local.replace(hour=hour, minute=minute, second=0, microsecond=0) - local)


def row(channel: str = "wechat", kind: str = "trade", day: date = DAY) -> Fetch:
    return Fetch.objects.get(channel=channel, kind=kind, day=day)


def test_not_before_ten_then_half_hourly(town: Town) -> None:
    cashier, _, rows = town
    with clock.at(cashier.time.now() - timedelta(minutes=1)):  # type: ignore[attr-defined]
        fetching.fetch_due()
    assert not Statement.objects.exclude(channel="nontax").exists()
    assert {(each.kind, each.done_at is None) for each in Fetch.objects.filter(channel="wechat")} == {
        ("trade", True),
        ("fund", True),
    }
    BANKS["wechat"].late = {DAY}
    at(cashier, 10, 1)
    fetching.fetch_due()
    assert (row().tries, row().last_error) == (1, "账单生成中。")
    asked = fetching.fetch_due()
    assert asked == 0
    BANKS["wechat"].late = set()
    BANKS["wechat"].statements["trade", DAY] = statement(rows)
    at(cashier, 10, 32)
    fetching.fetch_due()
    assert row().done_at is not None
    taken = Statement.objects.get(channel="wechat", kind="trade")
    assert (taken.usable, taken.rows, taken.by) == (True, 5, "system:treasury")
    empty = Statement.objects.get(channel="wechat", kind="fund")
    assert (empty.usable, empty.rows) == (True, 0)
    assert fetching.fetch_due() == 0


def test_a_wrong_statement_is_kept_and_asked_for_again(town: Town) -> None:
    cashier, _, rows = town
    at(cashier, 10, 1)
    BANKS["wechat"].statements["trade", DAY] = b"x"
    fetching.fetch_due()
    assert row().done_at is None
    assert "账单有误" in row().last_error
    [lacking] = [
        each
        for each in treasury.lacking_statements(EVERYWHERE, DAY, DAY)
        if (each.channel, each.kind) == ("wechat", "trade")
    ]
    assert (lacking.state, lacking.said) == ("wrong", row().last_error)
    BANKS["wechat"].statements["trade", DAY] = statement(rows)
    at(cashier, 10, 31)
    fetching.fetch_due()
    assert row().done_at is not None
    assert treasury.lacking_statements(EVERYWHERE, DAY, DAY) == []


def test_one_broken_channel_keeps_no_other_one_waiting(town: Town, monkeypatch) -> None:
    cashier, _, rows = town
    at(cashier, 10, 1)
    BANKS["wechat"].statements["trade", DAY] = statement(rows)
    right = payments.statement

    def broken(channel: str, day: date, kind: str) -> bytes | None:
        if channel == "alipay":
            raise KeyError("x")
        return right(channel, day, kind)

    monkeypatch.setattr(fetching.payments, "statement", broken)
    fetching.fetch_due()
    assert row("alipay").last_error.startswith("取回时出现意外错误")
    assert row("alipay").done_at is None
    assert row().done_at is not None


def voucher(code: str, tra_no: str, yuan: str = "20.00") -> dict[str, str]:
    return {"PayCode": code, "TraNoBus": tra_no, "CfmDate": f"{DAY:%Y%m%d}", "CfmTime": "102030", "Amt": yuan}


def test_confirmations_of_a_day_are_asked_for(town: Town) -> None:
    code = payments.Payment.objects.get(channel="nontax").out_trade_no
    others = [voucher(code, "B1", "20.01"), voucher("9" * 20, "B8")]
    BANKS["nontax"].confirmed[DAY] = [voucher(code, "B7"), *others]
    fetching.fetch_due()
    assert {*Confirmation.objects.values_list("tra_no", flat=True)} == {"B1", "B7", "B8"}
    assert (row("nontax", "confirm").last_error, row("nontax", "confirm").done_at is None) == ("", False)
    week()
    assert [each for each in kinds() if each[0] == "finance_differs"] == [("finance_differs", "B1", 1)]


def test_the_last_word_of_the_finance_office_is_kept_beside_the_first(town: Town) -> None:
    """What contradicts is asked of it; as long as it stands by the other word, that is a break for two."""
    code = payments.Payment.objects.get(channel="nontax").out_trade_no

    def asked(yuan: str) -> tuple[list[int], str, int]:
        BANKS["nontax"].confirmed[DAY] = [voucher(code, "B1", yuan)]
        fetching.fetch_due()
        treasury.sweep()
        week()
        row = BreakRow.objects.filter(kind="finance_differs").order_by("-id").first()
        words = ConfirmationWord.objects.values_list("amount_fen", flat=True)
        return list(words), row.state if row else "", row.fen if row else 0

    fetching.urge(DAY)
    assert asked("19.00") == ([1900], "open", -100)
    fetching.urge(DAY)
    assert asked("19.00") == ([1900], "open", -100)
    with transaction.atomic():
        treasury.explain(ONE, BreakRow.objects.get(kind="finance_differs").id, "财政来函更正")
        treasury.sign_off(OTHER, BreakRow.objects.get(kind="finance_differs").id)
    treasury.sweep()
    assert books()["treasury"] == 2000  # as it was said first; a signature moves nothing
    # A message that says as the first: the answer decides, not the message.
    fetching.hear_confirmation("M1", voucher(code, "B1"))
    assert row("nontax", "confirm").done_at is not None
    assert asked("19.00") == ([1900, 2000], "gone", -100)
    fetching.urge(DAY)
    assert asked("19.00") == ([1900, 2000, 1900], "open", -100)
    fetching.urge(DAY)
    assert asked("20.00")[1] == "gone"
    assert row("nontax", "confirm").done_at is not None
    everything_holds()


def test_a_message_that_contradicts_is_asked_about(town: Town) -> None:
    code = payments.Payment.objects.get(channel="nontax").out_trade_no
    BANKS["nontax"].confirmed[DAY] = [voucher(code, "B9", "19.00")]
    fetching.fetch_due()
    assert row("nontax", "confirm").done_at is not None
    fetching.hear_confirmation("M1", voucher(code, "B9"))
    assert row("nontax", "confirm").done_at is None
    fetching.fetch_due()
    assert list(ConfirmationWord.objects.values_list("amount_fen", "msg_id")) == [(2000, "M1"), (1900, "")]
    week()
    assert "finance_differs" not in {kind for kind, *_ in kinds()}


def test_all_payments_are_read_only_before_the_first_statement_is_asked_for(town: Town) -> None:
    def oldest() -> list[str]:
        with CaptureQueriesContext(connection) as seen:
            fetching._plan()
        return [each["sql"] for each in seen if 'MIN("payments_payment"."created_at")' in each["sql"]]

    accounts = [each for each in payments.CHANNELS if payments.account_of(each)]
    assert len(oldest()) == len(accounts) > 1
    assert oldest() == []


def test_what_is_pushed_is_kept_only_where_it_says_what_we_expect(town: Town) -> None:
    code = payments.Payment.objects.get(channel="nontax").out_trade_no
    fetching.hear_confirmation("M1", voucher(code, "B2", "21.00"))
    fetching.hear_confirmation("M2", voucher("9" * 20, "B3"))
    assert Confirmation.objects.count() == 1
    assert row("nontax", "confirm").done_at is None
    fetching.hear_confirmation("M3", voucher(code, "B2"))
    assert Confirmation.objects.get(tra_no="B2").msg_id == "M3"
    with pytest.raises(BadInput, match="确认时间"):
        fetching.hear_confirmation("M4", voucher("9" * 20, "B4") | {"CfmDate": "20261340"})


def test_the_first_week_of_an_account_is_fetched_whole(cashier: Cashier) -> None:
    """Opened on a Thursday: its week is closed with seven statements, as every other one."""
    cashier.time.advance(timedelta(days=3))  # type: ignore[attr-defined]
    cashier.paid()
    cashier.time.advance(timedelta(days=1))  # type: ignore[attr-defined]
    fetching.fetch_due()
    days = Fetch.objects.filter(channel="wechat", kind="trade").values_list("day", flat=True)
    assert sorted(days) == [DAY + timedelta(days=n) for n in range(4)]


def test_weeks_are_compared_when_there_is_something_new(town: Town) -> None:
    cashier, paid, rows = town
    at(cashier, 10, 1)
    BANKS["wechat"].statements["trade", DAY] = statement(rows[1:])
    BANKS["wechat"].statements["fundflow", DAY] = flow(paid[1:], fee_fen=0)
    treasury.sweep()
    assert kinds() == [("only_ours", paid[0].out_trade_no, -2000)]
    runs = Run.objects.count()
    assert watching.reconcile_due() == []
    at(cashier, 10, 31)
    assert (DAY, DAY) in watching.reconcile_due()  # once a day, whatever has come
    assert watching.reconcile_due() == []
    assert Run.objects.count() > runs


def test_the_present_week_goes_up_to_yesterday() -> None:
    found = watching._weeks(date(2026, 9, 10))  # a Thursday
    assert found[-1] == (date(2026, 9, 7), date(2026, 9, 9), True)
    assert found[-2] == (date(2026, 8, 31), date(2026, 9, 6), True)
    assert [always for *_, always in found] == [False] * 7 + [True] * 2
    assert watching._weeks(date(2026, 9, 7))[-1][1] == date(2026, 9, 6)
    assert all((last - first) == timedelta(days=6) for first, last, _ in found[:-1])


def test_what_a_statement_tells_is_asked_of_the_channel(town: Town) -> None:
    """A lost notice, money of nobody, a second charge, a refund that came to nothing: all are looked into."""
    cashier, paid, rows = town
    bank = BANKS["wechat"]
    with clock.at(cashier.time.now() - timedelta(days=1)):  # type: ignore[attr-defined]
        order = cashier.order()
        unheard = cashier.attempt(order)
        payments.cancel_order(SYSTEM, order.id)
        payments.Payment.objects.update(next_try_at=clock.now())
        payments.sweep()  # closed at the channel; then the payer pays all the same
        bank.closed.clear()
        bank.pay(unheard)
        second = bank.charge_again(paid[0])
        stranger = bank.seconds["T-nobody"] = payments.Told(
            "succeeded", 900, "T-nobody", clock.now(), MERCHANT
        )
        failed = payments.refund(FINANCE, paid[1].order_id, 700, "x", "k")
        payments.hear_refund(failed.id, payments.ToldRefund("failed"))
        bank.refunds[failed.number] = payments.ToldRefund("succeeded", 700, "F1", clock.now())
    back = {"交易状态": "REFUND", "应结订单金额": "0.00", "订单金额": "0.00", "微信退款单号": "F1"}
    back |= {"商户退款单号": failed.number, "退款金额": "7.00", "申请退款金额": "7.00", "退款状态": "SUCCESS"}
    more = [
        line(unheard.out_trade_no, bank.paid[unheard.out_trade_no].channel_id, 2000),
        line(paid[0].out_trade_no, second.channel_id, 2000),
        line("XKNOBODYS1", stranger.channel_id, 900),
        rows[1] | back,
    ]
    bank.statements["trade", DAY] = statement([*rows, *more])
    at(cashier, 10, 1)
    treasury.sweep()
    for _ in range(3):
        payments.sweep()
        cashier.time.advance(timedelta(hours=1))  # type: ignore[attr-defined]
    unheard.refresh_from_db()
    failed.refresh_from_db()
    assert (unheard.state, unheard.stray, failed.state) == ("succeeded", "late", "succeeded")
    assert payments.Payment.objects.get(channel_id=second.channel_id).stray == "double"
    assert books()["breaks"] == -900
    everything_holds()


def quality(day: date | None = None) -> dict[str, tuple[int, int]]:
    first = datetime.combine(day or clock.today(), datetime.min.time(), clock.SHANGHAI)
    return dict(QUALITY.taken(first, first + timedelta(days=1))["pay-wechat"])


def test_how_good_what_a_channel_gives_is(town: Town) -> None:
    cashier, paid, rows = town
    with clock.at(cashier.time.now() - timedelta(minutes=1)):  # type: ignore[attr-defined]
        fetching.fetch_due()
        assert quality()["complete"] == quality()["timely"] == quality()["accurate"] == (0, 0)
    BANKS["wechat"].late = {DAY}
    at(cashier, 10, 1)
    fetching.fetch_due()
    assert (quality()["complete"], quality()["timely"]) == ((0, 2), (0, 0))
    at(cashier, 14, 1)
    assert quality()["timely"] == (0, 2)
    BANKS["wechat"].late = set()
    BANKS["wechat"].statements["trade", DAY] = statement(rows[1:])
    BANKS["wechat"].statements["fundflow", DAY] = flow(paid[1:], fee_fen=0)
    fetching.fetch_due()
    assert (quality()["complete"], quality()["timely"]) == ((2, 2), (0, 2))
    week()
    assert quality()["accurate"] == (4, 5)
    many = payments.Notice.objects.filter(channel="wechat").exclude(outcome="").count()
    assert many and quality(DAY)["valid"] == (many, many)
    at_night = datetime.combine(DAY, datetime.min.time(), clock.SHANGHAI) + timedelta(hours=23)
    payments.Notice.objects.create(
        channel="wechat",
        digest="f" * 64,
        raw=b"forged",
        received_at=at_night,
        last_at=at_night,
        outcome="refused",
        judged_at=at_night,
    )
    assert quality(DAY)["valid"] == (many, many + 1)
