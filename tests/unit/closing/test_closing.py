"""A week from the first payment to the 一般缴款书."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.db import transaction

from tests.support.commands import Run, xueka
from tests.support.fake_channel import BANKS
from tests.support.machines import assert_every_pair
from tests.unit.closing.conftest import FEN, MONDAY, NEXT, ONE, OTHER, SUNDAY, Office, codes, refused
from tests.unit.payments.conftest import books, everything_holds
from tests.unit.treasury.conftest import confirm, finance, line, statement
from xueka.contexts.closing import api as closing
from xueka.contexts.ledger import api as ledger
from xueka.contexts.payments import api as payments
from xueka.contexts.treasury import api as treasury
from xueka.kernel import clock
from xueka.platform.files import services as files
from xueka.platform.history import services as history
from xueka.platform.identity import accounts
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE, Scope
from xueka.platform.invariants import check

__all__ = ["xueka"]

pytestmark = pytest.mark.django_db


def holds() -> None:
    everything_holds()
    for invariant in closing.INVARIANTS:
        found = check(invariant)
        assert found.violated == 0, found


def test_a_week_is_closed_and_remitted(office: Office) -> None:
    two = [office.paid(), office.paid()]
    coded = office.paid(channel="nontax")
    back = office.paid()
    office.refund(back, 500)
    office.to(NEXT)
    office.ready()
    found = closing.proposal(EVERYWHERE, MONDAY)
    assert (found.blocks, found.state, found.name) == ((), "open", "2026-W37")
    by = {each.channel: each for each in found.channels}
    assert (by["wechat"].orders, by["wechat"].gross_fen, by["wechat"].refunded_before_fen) == (
        3,
        3 * FEN,
        500,
    )
    assert (by["wechat"].to_remit_fen, by["wechat"].confirmed_fen) == (3 * FEN - 500, 0)
    assert (by["nontax"].to_remit_fen, by["nontax"].confirmed_fen) == (0, FEN)
    prepared = office.prepare()
    assert office.prepare() == prepared
    assert refused(lambda: closing.sign(ONE, prepared.id)) == "SECOND_PERSON"
    signed = office.sign(prepared)
    assert (signed.state, signed.seq, signed.previous) == ("signed", 1, "")
    assert ledger.closed_until(EVERYWHERE) == SUNDAY
    paid = payments.payment_rows(EVERYWHERE).filter(remitted_in=signed.number)
    assert set(paid) == {*two, back}
    said = json.loads(closing.document(EVERYWHERE, signed.id))
    assert (said["to_remit_fen"], said["confirmed_fen"], len(said["payments"])) == (5500, FEN, 4)
    assert said["signed_by"] == "other"
    made = office.remit(signed)
    assert office.remit(signed) == made
    signed.refresh_from_db()
    assert signed.state == "remitted"
    assert books(signed.number) == {"treasury": 5500, "bank": -5500}
    assert closing.check_chain(EVERYWHERE).ok
    assert [each.state for each in closing.weeks(EVERYWHERE)] == ["remitted"]
    assert coded.remitted_in == ""
    holds()


def test_everything_that_blocks_is_named(office: Office) -> None:
    payment = office.paid()
    assert codes() == ["WEEK_RUNNING", "STATEMENT_MISSING", "STATEMENT_MISSING", "NOT_RECONCILED",
                       "RECEIPTS_NOT_COLLECTED"]  # fmt: skip
    office.to(NEXT)
    office.forget = {payment.out_trade_no}
    office.statements()
    assert codes() == ["NOT_RECONCILED", "RECEIPTS_NOT_COLLECTED"]
    office.reconcile()
    assert codes() == ["BREAK_UNSIGNED", "RECEIPTS_NOT_COLLECTED"]
    assert refused(lambda: closing.prepare(ONE, MONDAY)) == "CLOSE_BLOCKED"
    office.sign_breaks()
    assert refused(lambda: closing.collect_receipts(ONE, MONDAY)) == "RECEIPTS_LACKING"
    kept = office.collect(note="票据系统停机")
    assert (kept.lacking, kept.issued, kept.note) == (1, 0, "票据系统停机")
    assert codes() == []
    office.to(NEXT + timedelta(days=7))
    assert "WEEK_BEFORE_OPEN" in codes(NEXT)
    assert refused(lambda: closing.proposal(EVERYWHERE, SUNDAY)) == "WEEK_INVALID"
    assert refused(lambda: closing.proposal(Scope("school", "1"), MONDAY)) == "WEEK_NOT_FOUND"


def test_a_change_between_the_two_people_is_seen(office: Office) -> None:
    payment = office.paid()
    office.to(NEXT)
    office.ready()
    prepared = office.prepare()
    office.refund(payment, 500)
    assert refused(lambda: closing.sign(OTHER, prepared.id)) == "CLOSE_CHANGED"
    assert payments.payment_rows(EVERYWHERE).get().remitted_in == ""
    again = office.prepare()
    assert (again.number, again.to_remit_fen) == ("2026-W37-2", 0)
    prepared.refresh_from_db()
    assert prepared.state == "dropped"
    # The refund has no answer yet: its payment is carried to the next week.
    found = closing.proposal(EVERYWHERE, MONDAY)
    assert [each.carried for each in found.carried] == ["退款尚无结果"]
    signed = office.sign(again)
    assert signed.state == "remitted"  # there is nothing to remit
    office.to(NEXT + timedelta(days=7))
    second = office.close(NEXT)
    assert (second.to_remit_fen, second.seq, second.previous) == (1500, 2, signed.digest)
    holds()


def test_late_money_goes_into_the_week_that_is_open(office: Office) -> None:
    """Paid on Sunday, heard of after the close: the next week has it, once."""
    office.to(SUNDAY)
    payment = office.cashier.paid_at_channel(office.cashier.order())
    office.forget = {payment.out_trade_no}
    office.cashier.time.advance(timedelta(days=1))  # type: ignore[attr-defined]
    first = office.close()
    assert (first.to_remit_fen, first.state) == (0, "remitted")
    office.cashier.notice(payment)
    [entry] = ledger.entries_of(EVERYWHERE, payment.out_trade_no)
    assert entry.on == NEXT
    office.to(NEXT + timedelta(days=7))
    office.forget = set()
    office.statements()  # WeChat gives Sunday's statement again, whole
    second = office.close(NEXT)
    assert (second.to_remit_fen, second.seq) == (FEN, 2)
    holds()


def test_refunds_after_signing_go_by_the_treasury(office: Office) -> None:
    payment, coded = office.paid(), office.paid(channel="nontax")
    office.to(NEXT)
    signed = office.close()
    office.remit(signed, slip="JK-1")
    mine, theirs = office.refund(payment, 700), office.refund(coded, FEN)
    assert (mine.way, theirs.way) == ("payback", "payback")
    office.to(NEXT + timedelta(days=1))
    asked: list[str] = []

    def pay_back(refund: payments.Refund) -> payments.ToldRefund:
        asked.append(refund.number)
        if len(asked) == 1:
            raise payments.ChannelUnavailable("CHANNEL_SILENT", "没有回应。")
        done = "waiting" if len(asked) == 2 else "succeeded"
        return payments.ToldRefund(done, refund.amount_fen, refund.number, None, "已退付")

    office.pay_back(pay_back)
    for _ in range(4):
        closing.sweep()
        office.cashier.time.advance(timedelta(minutes=1))  # type: ignore[attr-defined]
    assert asked == [theirs.number] * 3
    rows = {each.refund_number: each for each in closing.back_payments(EVERYWHERE)}
    assert (rows[theirs.number].state, rows[theirs.number].said) == ("succeeded", "已退付")
    assert (rows[mine.number].state, rows[mine.number].slip_number) == ("asked", "JK-1")
    assert (rows[mine.number].close, rows[mine.number].settlement) == (signed.number, "merchant")
    today = clock.today()

    def end(
        refund: payments.Refund, number: str = "退1", on: date = today, paid: bool = True
    ) -> closing.BackPayment:
        return closing.end_back_payment(ONE, refund.id, paid=paid, document_number=number, on=on)

    assert refused(lambda: end(theirs)) == "BACK_PAYMENT_BY_MESSAGE"
    assert refused(lambda: end(mine, "")) == "DOCUMENT_NUMBER"
    assert refused(lambda: end(mine, on=today + timedelta(days=1))) == "BACK_PAYMENT_DAY"
    with transaction.atomic():
        end(mine)
        end(mine)
    assert refused(lambda: end(mine, "退2")) == "BACK_PAYMENT_ENDED"
    assert refused(lambda: end(mine, paid=False)) == "BACK_PAYMENT_ENDED"
    assert books()["treasury"] == FEN - 700 - FEN
    holds()


def test_a_stray_part_of_a_remitted_payment_goes_back_by_the_channel(office: Office) -> None:
    order = office.cashier.order()
    payment = office.cashier.paid_at_channel(order, FEN + 300)
    BANKS["wechat"].refuse_refunds = True
    payments.sweep()
    office.cashier.time.advance(timedelta(minutes=1))  # type: ignore[attr-defined]
    payments.sweep()
    payment.refresh_from_db()
    assert (payment.stray, payment.stray_fen) == ("over", 300)
    office.to(NEXT)
    signed = office.close()
    assert signed.to_remit_fen == FEN
    [failed] = payments.refund_rows(EVERYWHERE)
    assert failed.state == "failed"
    with transaction.atomic():
        again = payments.refund_again(ONE, failed.id)
    assert again.way == "channel"


def test_remittances_are_recorded_once(office: Office) -> None:
    office.paid()
    office.to(NEXT)
    office.ready()
    prepared = office.prepare()
    assert refused(lambda: office.remit(prepared)) == "TRANSITION_NOT_ALLOWED"
    signed = office.sign(prepared)

    def remit(channel: str = "wechat", slip: str = "JK1", on: date = NEXT) -> closing.Remittance:
        return closing.record_remittance(ONE, signed.id, channel, slip, on)

    assert refused(lambda: remit("nontax")) == "NOTHING_TO_REMIT"
    assert refused(lambda: remit(slip=" ")) == "SLIP_NUMBER"
    assert refused(lambda: remit(on=SUNDAY)) == "REMITTANCE_DAY"
    assert refused(lambda: remit(on=NEXT + timedelta(days=1))) == "REMITTANCE_DAY"
    with transaction.atomic():
        made = remit()
    assert (made.amount_fen, remit()) == (FEN, made)
    assert refused(lambda: remit(slip="JK2")) == "REMITTED_ALREADY"
    assert refused(lambda: closing.drop(ONE, signed.id, "x")) == "TRANSITION_NOT_ALLOWED"
    assert refused(lambda: closing.prepare(ONE, MONDAY)) == "CLOSE_SIGNED"
    office.paid()
    office.to(NEXT + timedelta(days=7))
    second = office.close(NEXT)
    assert refused(lambda: closing.record_remittance(ONE, second.id, "wechat", "JK1", clock.today())) == (
        "SLIP_NUMBER_USED"
    )


def test_what_lies_before_the_first_signed_week_stops_no_other(office: Office) -> None:
    """An older statement comes after the first close: its week is never closed, and none waits for it."""
    office.paid()
    office.to(NEXT)
    signed = office.close()
    early = date(2026, 8, 31)
    with transaction.atomic():
        treasury.take_statement(ONE, "wechat", "trade", early, statement([line("X1", "T-X1", FEN, early)]))
    assert [each.name for each in closing.weeks(EVERYWHERE)] == ["2026-W37"]
    assert "WEEK_PASSED" in codes(early)
    assert refused(lambda: closing.prepare(ONE, early)) == "CLOSE_BLOCKED"
    office.to(NEXT + timedelta(days=7))
    office.ready(NEXT)
    assert codes(NEXT) == []
    second = office.sign(office.prepare(NEXT))
    assert (second.seq, second.previous) == (2, signed.digest)
    assert "WEEK_PASSED" not in codes(NEXT)


def test_the_books_are_closed_before_they_are_read(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is posting when the week is signed ends first: the document says what the books say."""
    office.paid()
    office.to(NEXT)
    office.ready()
    prepared = office.prepare()
    close_period = ledger.close_period

    def after_whoever_posts(actor: Actor, until: date) -> ledger.Closing:
        sides = [
            ledger.Posting(ledger.BANK, 700, "wechat", "late"),
            ledger.Posting(ledger.clearing("wechat"), -700, "wechat", "late"),
        ]
        ledger.post(ONE, "late", "settlement", SUNDAY, sides, {})
        return close_period(actor, until)

    monkeypatch.setattr(ledger, "close_period", after_whoever_posts)
    signed = office.sign(prepared)
    said = json.loads(closing.document(EVERYWHERE, signed.id))["books"]
    assert said == ledger.balances(EVERYWHERE, SUNDAY)
    assert said["bank"] == 700


def test_direct_money_is_confirmed_by_its_number(office: Office) -> None:
    """The code and the amount alone do not confirm a payment: the confirmation is of another one."""
    order = office.cashier.paid(FEN, "nontax")
    [payment] = payments.payments_of(order)
    confirm(payment.out_trade_no, "T-other", FEN, "T-other", MONDAY)
    [carried] = closing.proposal(EVERYWHERE, MONDAY).carried
    assert (carried.payment_id, carried.carried) == (payment.id, "财政尚未确认")
    confirm(payment.out_trade_no, "T-ours", FEN, payment.channel_id, MONDAY)
    assert closing.proposal(EVERYWHERE, MONDAY).carried == ()


def test_weeks_are_counted_and_reported(office: Office) -> None:
    office.paid()
    assert closing.weeks(EVERYWHERE) == []
    office.to(NEXT + timedelta(days=16))
    found = closing.weeks(EVERYWHERE)
    assert [(each.name, each.days_open, each.state) for each in found] == [
        ("2026-W39", 3, "open"),
        ("2026-W38", 10, "open"),
        ("2026-W37", 17, "open"),
    ]
    assert closing.open_weeks(EVERYWHERE) == closing.OpenWeeks(3, 2, 3, 17)
    office.close()
    assert closing.open_weeks(EVERYWHERE).older_than_7_days == 1
    assert closing.weeks(EVERYWHERE)[-1].days_open == 17
    assert closing.weeks(Scope("district", "110108")) == []


def test_who_may(office: Office) -> None:
    office.paid()
    office.to(NEXT)
    office.ready()
    prepared = office.prepare()
    operator = Actor.in_role("op", "op", "city_operator", Scope("city"))
    stranger = Actor("s", "s", "finance", Scope("district", "110101"), permissions=ONE.permissions)
    for work in (
        lambda actor: closing.prepare(actor, MONDAY),
        lambda actor: closing.sign(actor, prepared.id),
        lambda actor: closing.drop(actor, prepared.id, "x"),
        lambda actor: closing.record_remittance(actor, prepared.id, "wechat", "1", NEXT),
        lambda actor: closing.collect_receipts(actor, MONDAY),
    ):
        assert refused(lambda work=work: work(operator)) == "PERMISSION_DENIED"
    assert refused(lambda: closing.sign(stranger, prepared.id)) == "CLOSE_NOT_FOUND"
    assert refused(lambda: closing.document(EVERYWHERE, prepared.id)) == "CLOSE_NOT_SIGNED"
    assert refused(lambda: closing.close(stranger.scope, prepared.id)) == "CLOSE_NOT_FOUND"
    assert refused(lambda: closing.drop(ONE, prepared.id, " ")) == "REASON_MISSING"
    with transaction.atomic():
        assert closing.drop(ONE, prepared.id, "填错").state == "dropped"


def test_every_pair_of_the_table(office: Office) -> None:
    def attempt(event: str, state: str, to: str | None) -> str:
        with transaction.atomic():
            made = bare(state)
            history.apply(closing.CLOSE, closing.Close, [made.id], event, ONE, to=to)
            made.refresh_from_db()
            reached = made.state
            transaction.set_rollback(True)
        return reached

    assert assert_every_pair(closing.CLOSE, attempt) == (3, 9)


def bare(state: str) -> closing.Close:
    """A close in that state, without the rest of the world; signed fields where the state asks for them."""
    now = clock.now()
    kept = files.store(ONE, "x", "text/plain", b"x")
    filled = {"seq": 1, "digest": "d", "document": kept, "signature": "s", "fingerprint": "f",
              "signed_by": "b", "signed_at": now}  # fmt: skip
    return closing.Close.objects.create(
        number="2026-W37-9", monday=MONDAY, sunday=SUNDAY, due=SUNDAY + timedelta(days=2), state=state,
        state_at=now, prepared="p", prepared_by="a", prepared_at=now, to_remit_fen=0, confirmed_fen=0,
        **(filled if state != "dropped" else {}),
    )  # fmt: skip


def test_the_commands(office: Office, xueka: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "actor_for", finance)
    office.paid()
    office.to(NEXT)
    code, found = xueka("close", "propose", "--week", "2026-W37", "--as", "one")
    assert (code, found["to_remit_fen"], found["channels"][0]["statements_missing"][0]) == (
        1,
        FEN,
        "2026-09-07",
    )
    assert "STATEMENT_MISSING" in [each["code"] for each in found["blocks"]]
    code, found = xueka("close", "prepare", "--week", "2026-W37", "--as", "one")
    assert (code, found["error"]["code"]) == (1, "CLOSE_BLOCKED")
    office.statements()
    code, found = xueka("reconcile", "--week", "2026-W37", "--as", "one")
    assert (code, found["closed"]) == (0, False)
    assert xueka("close", "receipts", "--week", "2026-W37", "--note", "补开", "--as", "one")[0] == 0
    code, found = xueka("close", "prepare", "--week", "2026-W37", "--as", "one")
    number = found["close"]
    assert (code, number, found["state"], found["signed_by"]) == (0, "2026-W37-1", "prepared", "")
    code, found = xueka("close", "sign", number, "--as", "one")
    assert (code, found["error"]["code"]) == (1, "SECOND_PERSON")
    code, found = xueka("close", "sign", number, "--as", "two")
    assert (code, found["state"], found["seq"], found["signed_by"]) == (0, "signed", 1, "two")
    code, found = xueka("reconcile", "--week", "2026-W37", "--as", "one")
    assert (code, found["closed"]) == (0, True)
    words = ("--channel", "wechat", "--slip", "JK1", "--on", str(NEXT))
    code, found = xueka("close", "remit", number, *words, "--as", "one")
    assert (code, found["amount_fen"], found["state"]) == (0, FEN, "remitted")
    code, found = xueka("close", "list")
    assert (code, found["open"], found["open_older_than_7_days"]) == (0, 0, 0)
    assert [(each["week"], each["close"], each["state"]) for each in found["weeks"]] == [
        ("2026-W37", number, "remitted")
    ]
    code, found = xueka("close", "verify", "--export", str(tmp_path))
    assert (code, found["closes"], found["ok"]) == (0, 1, True)
    assert {each.name for each in tmp_path.iterdir()} == {
        "close-sign.pub.pem", f"{number}.json", f"{number}.sig"
    }  # fmt: skip
    assert xueka("close", "back-payments") == (0, {"back_payments": []})
    code, found = xueka("close", "drop", number, "--reason", "x")
    assert (code, found["error"]["code"]) == (1, "TRANSITION_NOT_ALLOWED")
    assert xueka("close", "sign", "nobody")[1]["error"]["code"] == "CLOSE_NOT_FOUND"
    assert xueka("close", "propose", "--week", "2026-W99")[0] == 2
