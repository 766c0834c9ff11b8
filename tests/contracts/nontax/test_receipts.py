"""E-receipts at the finance office's simulator, a process of its own: numbers, issue, original, reversal."""

import hashlib
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import transaction
from django.utils import timezone

from tests.support.channels_process import Finance
from tests.support.offices import open_account, paid_by_code, process
from tests.unit.cards.conftest import build
from tests.unit.payments.conftest import FEN, FINANCE, Cashier, in_memory, open_channels
from xueka.contexts.payments import api as payments
from xueka.contexts.receipts import api as receipts
from xueka.contexts.receipts import calling
from xueka.contexts.receipts.domain.einvoice import read_signature
from xueka.contexts.receipts.jobs import open_due
from xueka.contexts.receipts.models import Receipt, Seal
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.platform.crypto.sm2 import PrivateKey
from xueka.platform.identity.scope import EVERYWHERE
from xueka.platform.invariants import check

__all__ = ["in_memory", "process"]


@pytest.fixture
def finance(process: Finance, settings, in_memory: None, transactional_db: None) -> Finance:
    """The real line to the office; WeChat Pay lives in memory."""
    settings.PAYMENT_CHANNELS |= {"nontax": "xueka.contexts.payments.adapters.nontax.connect"}
    settings.RECEIPTS_STOCK_DRAW = 0
    process.put("stock", left=1_000_000)
    process.dial(preset="none")
    open_channels()
    open_account(settings, process.folder, process.card["agency_code"])
    return process


@pytest.fixture
def cashier(finance: Finance) -> Cashier:
    return Cashier(build())


def hurry(times: int = 1) -> None:
    """Everything that is due later is due now."""
    for _ in range(times):
        Receipt.objects.exclude(next_try_at=None).update(next_try_at=timezone.now())
        payments.sweep()
        receipts.sweep()


def holds() -> None:
    for invariant in receipts.INVARIANTS:
        found = check(invariant)
        assert found.violated == 0, found


def test_a_paid_code_has_its_receipt_by_itself(cashier: Cashier, finance: Finance, tmp_path: Path) -> None:
    order = paid_by_code(cashier, finance)
    hurry()
    [found] = receipts.receipts_of(EVERYWHERE, order.id)
    assert (found.state, found.amount_fen, found.pay_code) == (
        "kept",
        FEN,
        payments.payments_of(order)[0].out_trade_no,
    )
    original = receipts.download(EVERYWHERE, found.id, "xml")
    assert original.name == f"{found.code}_{found.number}.xml"
    said = next(each for each in finance.get("receipts") if each["number"] == found.number)
    assert (said["pay_code"], said["fen"], said["red"]) == (found.pay_code, FEN, 0)
    verified = receipts.verify(EVERYWHERE, found.id)
    assert verified.good and verified.seal == finance.card["seal_name"], verified
    page = receipts.download(EVERYWHERE, found.id)
    assert page.kind == "application/pdf" and page.content.startswith(b"%PDF")
    _openssl_agrees(finance, tmp_path, original.content, bytes(found.signature))
    assert receipts.lacking(EVERYWHERE, clock.today(), clock.today()) == []
    assert receipts.issued(EVERYWHERE, clock.today(), clock.today()).get() == found
    holds()


def test_what_we_collected_takes_a_number_that_was_drawn(cashier: Cashier, finance: Finance) -> None:
    order = cashier.paid()
    hurry()
    [waits] = receipts.receipts_of(EVERYWHERE, order.id)
    assert (waits.state, waits.last_error) == ("due", "领取的票号用完了")
    [lacks] = receipts.lacking(EVERYWHERE, clock.today(), clock.today() + timedelta(days=1))
    assert (lacks.order, lacks.amount_fen, lacks.why) == (order.number, FEN, "待领票号：领取的票号用完了")
    drawn = receipts.draw_stock(FINANCE, 5)
    assert (drawn.count, drawn.used, receipts.stock(EVERYWHERE).left) == (5, 0, 5)
    hurry()
    [found] = receipts.receipts_of(EVERYWHERE, order.id)
    assert (found.state, found.number, found.pay_code[8:10]) == ("kept", f"{drawn.first:010d}", "31")
    assert receipts.verify(EVERYWHERE, found.id).good
    assert (receipts.stock(EVERYWHERE).left, receipts.stock(EVERYWHERE).used) == (4, 1)
    holds()


@pytest.mark.parametrize("parts", [[FEN], [500, 700]])
def test_a_refund_reverses_its_receipt(cashier: Cashier, finance: Finance, parts: list[int]) -> None:
    order = cashier.paid()
    receipts.draw_stock(FINANCE, 5)
    for place, fen in enumerate(parts):
        with transaction.atomic():
            payments.refund(FINANCE, order.id, fen, "x", f"k{place}")
        payments.sweep()
    hurry(3)
    blue, *reds = receipts.receipts_of(EVERYWHERE, order.id)
    assert [blue.state, *(each.state for each in reds)] == ["kept"] * (1 + len(parts))
    assert [each.amount_fen for each in reds] == [-fen for fen in parts]
    assert {each.blue_id for each in reds} == {blue.id}
    assert f"<RelatedInvoiceNumber>{blue.number}<".encode() in bytes(reds[0].draft)
    assert receipts.verify(EVERYWHERE, reds[0].id).good
    holds()


def test_a_red_one_of_direct_money_waits_for_finance(cashier: Cashier, finance: Finance) -> None:
    """Finance takes nothing back that it has not paid back itself (退付)."""
    order = paid_by_code(cashier, finance)
    hurry()
    with transaction.atomic():
        back = payments.refund(FINANCE, order.id, 700, "x", "k")
        payments.hear_refund(back.id, payments.ToldRefund("succeeded", 700, "B1", clock.now()))
    hurry()
    _, red = receipts.receipts_of(EVERYWHERE, order.id)
    assert (red.state, red.refused) == ("numbered", "20005")
    code = payments.payments_of(order)[0].out_trade_no
    asked = {"PayCode": code, "RefundNo": back.number, "RefundAmt": "7.00", "Reason": "x"}
    [said] = payments.ask_finance(payments.finance_card(), "8991", "5001", asked)
    assert said["Result"] == payments.FINANCE_DONE
    hurry()
    red.refresh_from_db()
    assert (red.state, red.amount_fen) == ("kept", -700)
    holds()


def test_the_office_fails_three_times_and_is_dropped_answers(cashier: Cashier, finance: Finance) -> None:
    order = paid_by_code(cashier, finance)
    finance.dial(receipt_fails=1)
    hurry()
    [found] = receipts.receipts_of(EVERYWHERE, order.id)
    assert (found.state, found.refused) == ("numbered", "OFFICE_BUSY")
    before = bytes(found.draft)
    hurry(3)
    found.refresh_from_db()
    assert found.state == "kept" and bytes(found.draft) == before
    finance.dial(preset="none")
    more = [paid_by_code(cashier, finance) for _ in range(3)]
    finance.dial(preset="none", drop=0.5, errors=0.3)
    hurry(12)
    finance.dial(preset="none")
    hurry(2)
    states = [each.state for order in more for each in receipts.receipts_of(EVERYWHERE, order.id)]
    assert states == ["kept"] * 3
    holds()


def test_an_answer_lost_draws_no_second_block(cashier: Cashier, finance: Finance) -> None:
    left = finance.get("stock")["left"]
    finance.dial(drop=1)
    drawn = receipts.draw_stock(FINANCE, 7)
    assert drawn.first is None and receipts.stock(EVERYWHERE).asked == 1
    finance.dial(preset="none")
    receipts.sweep()
    drawn.refresh_from_db()
    assert drawn.first and receipts.stock(EVERYWHERE).left == 7
    assert finance.get("stock")["left"] == left - 7
    holds()


def test_an_empty_office_is_told(cashier: Cashier, finance: Finance, settings) -> None:
    finance.put("stock", left=3)
    drawn = receipts.draw_stock(FINANCE, 7)
    assert drawn.first is None and "票号库存不足" in receipts.stock(EVERYWHERE).last_refusal
    assert receipts.stock(EVERYWHERE).low
    settings.RECEIPTS_STOCK_DRAW = 3
    cashier.paid()
    hurry()
    assert receipts.stock(EVERYWHERE).drawn == 0, "asked again within a quarter of an hour"


def test_no_forged_document_is_kept(cashier: Cashier, finance: Finance) -> None:
    """Another key than the seal's: nothing is kept, the family gets nothing, and it says so."""
    order = paid_by_code(cashier, finance)
    payments.sweep()
    open_due()
    desk = calling.office()
    desk.seal = type(desk.seal)(PrivateKey.generate().public.to_pem().decode(), "1", "x")
    [found] = receipts.receipts_of(EVERYWHERE, order.id)
    calling.work_on(found.id, desk)
    found.refresh_from_db()
    assert (found.state, found.refused, found.file) == ("issued", "RECEIPT_NOT_GENUINE", None)
    assert "签名与内容不符" in found.last_error
    with pytest.raises(Refused):
        receipts.download(EVERYWHERE, found.id)
    hurry()
    found.refresh_from_db()
    assert found.state == "kept" and Seal.objects.count() == 1


def _openssl_agrees(finance: Finance, folder: Path, content: bytes, signature: bytes) -> None:
    """The original and its signature by a stranger's hand."""
    (folder / "seal.pem").write_text(finance.card["seal_certificate"])
    (folder / "sig").write_bytes(read_signature(signature).value)
    command = ["openssl", "dgst", "-sm3", "-sigopt", "distid:1234567812345678", "-verify", "seal.pem"]
    done = subprocess.run([*command, "-signature", "sig"], input=content, cwd=folder, capture_output=True)
    assert done.returncode == 0, (done.stderr, hashlib.sha256(content).hexdigest())
