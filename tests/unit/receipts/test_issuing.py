"""Receipts follow the money, whatever the finance office does; every (state, event) pair."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from tests.support.machines import assert_every_pair
from tests.unit.payments.conftest import FEN, FINANCE, SYSTEM, Cashier
from tests.unit.receipts.conftest import TERMS, MemoryDesk, back, holds, hurry, of
from xueka.contexts.ledger import api as ledger
from xueka.contexts.payments import api as payments
from xueka.contexts.receipts import api as receipts
from xueka.contexts.receipts import calling
from xueka.contexts.receipts.jobs import keep_stock, open_due
from xueka.contexts.receipts.models import Draw, Receipt, Seal
from xueka.contexts.receipts.quality import QUALITY
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.platform.crypto.sm2 import PublicKey
from xueka.platform.files import services as files
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE, Scope


def quality() -> dict[str, tuple[int, int]]:
    now = clock.now()
    return dict(QUALITY.taken(now - timedelta(hours=12), now + timedelta(hours=12))["receipts"])


class _Undo(Exception):
    """Whatever was tried is taken back."""


def test_every_pair(cashier: Cashier, desk: MemoryDesk) -> None:
    cashier.paid()
    payments.sweep()
    open_due()
    found = Receipt.objects.get()
    file = files.store(SYSTEM, "x", "application/xml", b"x")
    key = PublicKey.from_pem(desk.seal.pem.encode()).fingerprint
    seal = Seal.objects.create(fingerprint=key, pem="", seal_id="1", name="x", since=clock.now())
    before = {
        "number": {"draft": b"x"},
        "issue": {"issued_at": clock.now()},
        "keep": {
            "file": file,
            "seal": seal,
            "signature": b"x",
            "signed_at": clock.now(),
            "next_try_at": None,
        },
    }
    numbered = {"code": "1" * 8, "number": "2" * 10, "check_code": "3" * 6}

    def step(event: str) -> None:
        if receipts.RECEIPT.allows(event, Receipt.objects.get(id=found.id).state):
            Receipt.objects.filter(id=found.id).update(**before[event])
        also = {name: {found.id: value} for name, value in numbered.items()} if event == "number" else None
        apply(receipts.RECEIPT, Receipt, [found.id], event, SYSTEM, also=also)

    def try_event(event: str, source: str, to: str | None) -> str:
        after = ""
        try:
            with transaction.atomic():
                for each in ("number", "issue", "keep"):
                    if Receipt.objects.get(id=found.id).state != source:
                        step(each)
                step(event)
                after = Receipt.objects.get(id=found.id).state
                raise _Undo
        except _Undo:
            return after

    assert assert_every_pair(receipts.RECEIPT, try_event) == (3, 9)


def test_collected_money_takes_numbers_in_their_order(cashier: Cashier, desk: MemoryDesk) -> None:
    orders = [cashier.paid() for _ in range(3)]
    hurry(2)
    kept = [of(order)[0] for order in orders]
    [draw] = Draw.objects.all()
    assert [each.state for each in kept] == ["kept"] * 3
    assert sorted(int(each.number) for each in kept) == [draw.first + place for place in range(3)]
    assert {each.pay_code[8:10] for each in kept} == {"31"}
    stock = receipts.stock(EVERYWHERE)
    assert (stock.left, stock.drawn, stock.used, stock.low) == (7, 10, 3, False)
    holds()


def test_direct_money_takes_its_number_by_its_code(cashier: Cashier, desk: MemoryDesk) -> None:
    order = cashier.paid(channel="nontax")
    hurry()
    [found] = of(order)
    assert (found.state, found.pay_code) == ("kept", payments.payments_of(order)[0].out_trade_no)
    assert desk.given == {(found.pay_code, False): found.number}
    holds()


def test_no_receipt_for_money_that_is_nobodys(cashier: Cashier, desk: MemoryDesk) -> None:
    """Too much, twice, too late: the receipt is over the order's amount, or there is none."""
    over = cashier.order()
    cashier.notice(cashier.paid_at_channel(over, FEN + 500))
    payments.sweep()
    late = cashier.order()
    payment = cashier.paid_at_channel(late)
    with transaction.atomic():
        payments.cancel_order(SYSTEM, late.id)
    cashier.notice(payment)
    for _ in range(3):
        cashier.time.advance(timedelta(minutes=40))  # type: ignore[attr-defined]
        hurry()
    assert [each.amount_fen for each in of(over)] == [FEN]
    assert of(late) == []
    assert payments.refund_rows(EVERYWHERE).filter(state="succeeded").count() == 2, "both went back"
    holds()


def test_parts_taken_back_never_exceed_the_blue_one(cashier: Cashier, desk: MemoryDesk) -> None:
    order = cashier.paid()
    hurry()
    for place, fen in enumerate((700, 800, 500)):
        back(order, fen, f"k{place}")
    hurry(2)
    blue, *reds = of(order)
    assert [each.amount_fen for each in reds] == [-700, -800, -500] and blue.amount_fen == FEN
    assert {each.state for each in reds} == {"kept"}
    holds()
    now = clock.now()
    one_more = Receipt(
        order=order,
        payment=blue.payment,
        blue=blue,
        refund=back(cashier.paid(), 1, "other"),
        amount_fen=-1,
        pay_code=blue.pay_code,
        since=now,
        state="due",
        state_at=now,
        created_at=now,
    )
    with pytest.raises(DatabaseError, match="takes back"), transaction.atomic():
        one_more.save()


def test_reds_of_direct_money_go_one_after_the_other(cashier: Cashier, desk: MemoryDesk) -> None:
    """The office gives the same number again until it is issued, so the second waits for the first."""
    order = cashier.paid(channel="nontax")
    back(order, 700, "a")
    back(order, 800, "b")
    hurry(3)
    numbers = [each.number for each in of(order)]
    assert len(set(numbers)) == 3 and "" not in numbers
    holds()


def test_silence_loses_nothing_and_does_nothing_twice(cashier: Cashier, desk: MemoryDesk) -> None:
    desk.silent = True
    order = cashier.paid()
    hurry(4)
    [found] = of(order)
    assert (found.state, found.refused) == ("due", "STOCK_EMPTY")
    assert order.state == "paid", "the payment is whole, whatever becomes of the receipt"
    [lacks] = receipts.lacking(EVERYWHERE, clock.today(), clock.today())
    assert (lacks.order, lacks.amount_fen, lacks.receipt_id) == (order.number, FEN, found.id)
    assert len(desk.drawn) == 1, "one block, however often it was asked for"
    desk.silent = False
    hurry(2)
    found.refresh_from_db()
    assert found.state == "kept" and receipts.lacking(EVERYWHERE, clock.today(), clock.today()) == []
    desk.silent = True
    second = cashier.paid()
    hurry(3)
    [waits] = of(second)
    assert (waits.state, waits.number in desk.issued) == ("numbered", True)
    desk.silent = False
    hurry()
    assert of(second)[0].state == "kept" and len(desk.issued) == 2
    holds()


def test_a_refusal_is_shown_and_tried_again_ever_more_seldom(cashier: Cashier, desk: MemoryDesk) -> None:
    desk.refuse = "20003"
    order = cashier.paid(channel="nontax")
    hurry()
    [found] = of(order)
    assert (found.state, found.refused, found.tries) == ("numbered", "20003", 1)
    assert "不予开具" in receipts.why_waiting(found)
    assert quality() == {"complete": (0, 0), "valid": (0, 1), "timely": (0, 0)}
    with clock.at(clock.now() + timedelta(minutes=16)):
        assert quality()["timely"] == (0, 1)
    first = found.next_try_at - clock.now()
    hurry(3)
    found.refresh_from_db()
    assert found.tries == 4 and found.next_try_at - clock.now() > first
    desk.refuse = ""
    with pytest.raises(Forbidden):
        receipts.retry(Actor.in_role("a", "a", "auditor", Scope("city")), found.id)
    with transaction.atomic():
        receipts.retry(FINANCE, found.id)
    receipts.sweep()
    assert of(order)[0].state == "kept"


def test_an_altered_original_is_never_kept(cashier: Cashier, desk: MemoryDesk) -> None:
    desk.altered = True
    order = cashier.paid(channel="nontax")
    hurry(2)
    [found] = of(order)
    assert (found.state, found.refused, found.file) == ("issued", "RECEIPT_NOT_GENUINE", None)
    for words in ("签名与内容不符", "票面与申请开具的不同"):
        assert words in found.last_error
    with pytest.raises(Refused):
        receipts.download(EVERYWHERE, found.id)
    assert not receipts.verify(EVERYWHERE, found.id).good
    assert receipts.lacking(EVERYWHERE, clock.today(), clock.today()) == [], "it is issued all the same"
    with clock.at(clock.now() + timedelta(minutes=16)):
        assert quality() == {"complete": (0, 1), "valid": (1, 1), "timely": (1, 1)}
    desk.altered = False
    hurry()
    assert quality()["complete"] == (1, 1)
    assert receipts.verify(EVERYWHERE, found.id).good


def test_what_is_kept_and_changed_afterwards_is_found(cashier: Cashier, desk: MemoryDesk) -> None:
    order = cashier.paid(channel="nontax")
    hurry()
    [found] = of(order)
    original = receipts.download(EVERYWHERE, found.id, "xml")
    page = receipts.download(EVERYWHERE, found.id)
    assert original.content.startswith(b"<EInvoice>") and page.content.startswith(b"%PDF")
    assert (original.name, page.name) == tuple(f"{found.code}_{found.number}.{x}" for x in ("xml", "pdf"))
    with pytest.raises(BadInput):
        receipts.download(EVERYWHERE, found.id, "doc")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE files_storedfile SET content = content || 'x'::bytea WHERE id = %s", [found.file_id]
        )
    verified = receipts.verify(EVERYWHERE, found.id)
    assert not verified.good and "摘要不符" in verified.problems[0]


def test_a_family_sees_its_own_and_no_other(cashier: Cashier, desk: MemoryDesk) -> None:
    mine, other = cashier.paid(), cashier.paid()
    other_child = other.student_id
    if mine.student_id == other_child:
        [other_child] = cashier.city.students(2)[1:]
    hurry(2)
    own = Scope("guardian", children=frozenset({mine.student_id}))
    stranger = Scope("guardian", children=frozenset({10**9}))
    assert [each.id for each in receipts.receipts_of(own, mine.id)] == [of(mine)[0].id]
    assert receipts.receipts_of(stranger, mine.id) == []
    for ask in (receipts.receipt, receipts.download, receipts.verify):
        with pytest.raises(NotFound):
            ask(stranger, of(mine)[0].id)
    assert receipts.stock(own).drawn == 0 and not receipts.draws(own).exists()


def test_numbers_run_low_and_are_drawn_by_hand(cashier: Cashier, desk: MemoryDesk, settings) -> None:
    settings.RECEIPTS_STOCK_DRAW = 0
    cashier.paid()
    hurry(2)
    assert receipts.stock(EVERYWHERE).low and not Draw.objects.exists()
    for wrong in (0, -1, 10**6, True):
        with pytest.raises(BadInput):
            receipts.draw_stock(FINANCE, wrong)
    with pytest.raises(Forbidden):
        receipts.draw_stock(Actor.in_role("a", "a", "auditor", Scope("city")), 5)
    drawn = receipts.draw_stock(FINANCE, 5)
    assert drawn.first and receipts.drawn(EVERYWHERE, clock.today(), clock.today()).count() == 1
    hurry()
    assert receipts.stock(EVERYWHERE).used == 1
    with pytest.raises(DatabaseError), transaction.atomic():  # no number is given twice
        Draw.objects.create(
            msg_id="x", day=clock.today(), code=drawn.code, count=2, first=drawn.first + 4,
            asked_at=clock.now(), asked_by="x", drawn_at=clock.now(),
        )  # fmt: skip


def test_numbers_of_a_code_that_was_replaced_keep_nobody_from_drawing(
    cashier: Cashier, desk: MemoryDesk
) -> None:
    """The year stands in the code: what is left of the old one is of no use, and the new one is asked for."""
    first = cashier.paid()
    hurry(2)
    desk.terms = replace(TERMS, code="11010127")
    found = receipts.stock(EVERYWHERE)
    assert (found.left, found.old, found.low) == (0, 9, True)
    second = cashier.paid()
    hurry(2)
    assert [of(order)[0].code for order in (first, second)] == ["11010126", "11010127"]
    found = receipts.stock(EVERYWHERE)
    assert (found.left, found.old, found.drawn, found.used, found.low) == (9, 9, 20, 2, False)
    holds()


@pytest.mark.parametrize("bad", [1000, 10**10 - 1, 10**30])
def test_a_block_that_cannot_be_ours_ends_its_draw_and_not_the_stock(
    cashier: Cashier, desk: MemoryDesk, monkeypatch: pytest.MonkeyPatch, bad: int
) -> None:
    assert receipts.draw_stock(FINANCE, 2).first == 1000
    with monkeypatch.context() as patch:
        patch.setattr(desk, "draw", lambda draw: bad)
        ended = receipts.draw_stock(FINANCE, 2)
    assert ended.first is None and "没有入库" in ended.refused
    assert receipts.draw_stock(FINANCE, 2).first == 1002
    assert receipts.stock(EVERYWHERE).asked == 0
    holds()


def test_a_draw_that_breaks_keeps_no_other_waiting(
    cashier: Cashier, desk: MemoryDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.silent = True
    first, second = receipts.draw_stock(FINANCE, 2), receipts.draw_stock(FINANCE, 2)
    desk.silent = False
    real = desk.draw

    def breaks(draw: Draw) -> int:
        if draw.id == first.id:
            raise KeyError("Information")
        return real(draw)

    monkeypatch.setattr(desk, "draw", breaks)
    keep_stock()
    second.refresh_from_db()
    assert second.first is not None and receipts.stock(EVERYWHERE).asked == 1


def test_what_was_heard_of_late_lacks_its_receipt_on_its_day_in_the_books(
    cashier: Cashier, desk: MemoryDesk
) -> None:
    """As the weekly close counts it: else it would lack one in a week that was signed long ago."""
    order = cashier.order()
    payment = cashier.paid_at_channel(order)
    paid_on = clock.today()
    cashier.time.advance(timedelta(days=1))  # type: ignore[attr-defined]
    with transaction.atomic():
        ledger.close_period(SYSTEM, paid_on)
    cashier.notice(payment)
    order.refresh_from_db()
    assert order.state == "paid"
    assert receipts.lacking(EVERYWHERE, paid_on, paid_on) == []
    [lacks] = receipts.lacking(EVERYWHERE, clock.today(), clock.today())
    assert (lacks.order, clock.local(lacks.since).date()) == (order.number, paid_on)
    desk.silent = True
    hurry()
    refund = back(order, 500, "k")
    [_, red] = receipts.lacking(EVERYWHERE, clock.today(), clock.today())
    assert red.red and red.amount_fen == -500 and refund.state == "succeeded"


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE receipts_receipt SET amount_fen = amount_fen + 1",
        "UPDATE receipts_receipt SET number = '0000000001'",
        "UPDATE receipts_receipt SET draft = 'x'",
        "UPDATE receipts_receipt SET signature = 'x'",
        "UPDATE receipts_receipt SET state = 'issued', file_id = NULL",
        "DELETE FROM receipts_receipt",
        "UPDATE receipts_draw SET used = used - 1",
        "UPDATE receipts_draw SET first = first + 1",
        "DELETE FROM receipts_draw",
        "DELETE FROM receipts_seal",
    ],
)
def test_what_a_receipt_says_does_not_change(cashier: Cashier, desk: MemoryDesk, attack: str) -> None:
    cashier.paid()
    hurry(2)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(attack)


@pytest.mark.django_db(transaction=True)
def test_killed_between_any_two_steps_it_goes_on(cashier: Cashier, desk: MemoryDesk, monkeypatch) -> None:
    """Die after each commit and after each answer; every receipt is issued once, under one number."""

    class Killed(BaseException):
        pass

    orders = [cashier.paid(), cashier.paid(channel="nontax")]
    payments.sweep()
    for name in ("draw", "number", "issue", "download"):
        real = getattr(desk, name)

        def dies(*given: object, real=real) -> object:
            real(*given)
            raise Killed

        monkeypatch.setattr(desk, name, dies)
        with pytest.raises(Killed):
            for _ in range(3):
                hurry()
        monkeypatch.setattr(desk, name, real)
    hurry(3)
    assert [of(order)[0].state for order in orders] == ["kept", "kept"]
    assert len(desk.issued) == 2 and len(desk.drawn) == 1
    holds()


@pytest.mark.django_db(transaction=True)
def test_two_workers_issue_one_receipt(cashier: Cashier, desk: MemoryDesk) -> None:
    order = cashier.paid()
    payments.sweep()
    receipts.draw_stock(FINANCE, 5)
    open_due()
    [found] = of(order)
    barrier = threading.Barrier(4)

    def work() -> None:
        try:
            barrier.wait()
            calling.work_on(found.id, desk)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    found.refresh_from_db()
    assert (found.state, len(desk.issued), receipts.stock(EVERYWHERE).used) == ("kept", 1, 1)
    holds()
