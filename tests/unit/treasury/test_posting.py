"""From channel to bank, from finance office to treasury, from a signed break to its account: once."""

from datetime import timedelta
from itertools import count

import pytest
from django.db import transaction

from tests.support import statements as made
from tests.support.commands import Run, xueka
from tests.support.fake_channel import MERCHANT
from tests.unit.payments.conftest import FINANCE, Cashier, books, everything_holds
from tests.unit.payments.test_paying import settle
from tests.unit.treasury.conftest import DAY, ONE, OTHER, confirm, line, statement, take, week
from xueka.contexts.ledger import api as ledger
from xueka.contexts.payments import api as payments
from xueka.contexts.payments.services import settling
from xueka.contexts.treasury import api as treasury
from xueka.contexts.treasury.models import BreakRow, ToPost
from xueka.contexts.treasury.services import posting
from xueka.entrypoints.portals.finance import stories
from xueka.kernel.errors import Forbidden, NotFound, Refused
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE
from xueka.platform.invariants import check

__all__ = ["xueka"]

Town = tuple[Cashier, list[payments.Payment], list[made.Cells]]


def row(number: str, channel_id: str, what: str, side: str, fen: int) -> made.Cells:
    """A line of a fund flow."""
    cells = dict.fromkeys(made.FLOW, "")
    return cells | {
        "记账时间": f"{DAY} 10:00:00",
        "微信支付业务单号": channel_id,
        "资金流水单号": f"F{next(_SERIAL)}",
        "业务类型": what,
        "收支类型": side,
        "收支金额(元)": made.yuan(fen),
        "账户结余(元)": "0.00",
        "业务凭证号": number,
    }


_SERIAL = count(1)


def flow(paid: list[payments.Payment], fee_fen: int = 12) -> bytes:
    """The fund flow of a day on which these came in, each less a fee."""
    rows = []
    for payment in paid:
        told = (payment.out_trade_no, payment.channel_id)
        rows.append(row(*told, "交易", "收入", payment.received_fen or 0))
        rows.append(row(*told, "扣除交易手续费", "支出", fee_fen))
    return made.fund_flow(rows)


@transaction.atomic
def take_fund(raw: bytes) -> treasury.Statement:
    found = treasury.take_statement(ONE, "wechat", "fund", DAY, raw)
    assert found.usable, found.errors
    return found


def sound() -> None:
    everything_holds()
    for invariant in treasury.INVARIANTS:
        found = check(invariant)
        assert found.violated == 0, found


def signed(kind: str) -> BreakRow:
    row = BreakRow.objects.exclude(state="gone").get(kind=kind)
    with transaction.atomic():
        treasury.explain(ONE, row.id, "已查明")
        treasury.sign_off(OTHER, row.id)
    return row


def test_money_settles_gross_and_fees_stand_under_their_bearer(town: Town) -> None:
    _, paid, _ = town
    take_fund(flow(paid))
    for _ in range(3):
        treasury.post_all()
    assert books() == {"bank": 9940, "fees": 60, "treasury": 2000, "income": -12000}
    assert books("provider") == {"fees": 60}
    assert books(paid[0].out_trade_no) == {}
    entries = ledger.entries_of(EVERYWHERE, f"wechat:{DAY}")
    assert [each.kind for each in entries] == ["settlement", "settlement_fees"]
    assert [p.fen for p in entries[0].postings.all() if p.account == "bank"] == [10000]
    sound()


def test_an_orders_story_holds_its_own_postings_alone(town: Town) -> None:
    _, paid, rows = town
    take(statement(rows))
    take_fund(flow(paid))
    treasury.post_all()
    story = treasury.story_of_order(EVERYWHERE, paid[0].order.number)
    assert [each.kind for each in story.entries] == ["payment", "settlement"]
    assert [each.reference for each in story.entries[1].postings.all()] == [paid[0].out_trade_no]
    shown = {step.label: (step.state, step.note) for step in stories.steps(story)}
    assert shown["渠道账单"] == ("done", "¥20.00"), "the fund flow says the same money once more"


def test_a_corrected_statement_posts_the_difference_alone(town: Town) -> None:
    _, paid, _ = town
    take_fund(flow(paid[:4]))
    treasury.post_all()
    assert books(paid[4].out_trade_no) == {"clearing.wechat": 2000}
    take_fund(flow(paid, fee_fen=11))
    treasury.post_all()
    treasury.post_all()
    assert books() == {"bank": 9945, "fees": 55, "treasury": 2000, "income": -12000}
    sound()


def test_what_moves_nothing_keeps_nothing_waiting(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is judged once; what follows it has its turn."""
    cashier, paid, _ = town
    take_fund(flow(paid))
    treasury.post_all()
    again = take_fund(flow(paid[::-1]))  # the same in another order
    assert again.id == ToPost.objects.get(confirmation=None).statement_id
    cashier.time.advance(timedelta(days=1))  # type: ignore[attr-defined]
    with transaction.atomic():
        raw = made.fund_flow([row("T9", "4209", "交易", "收入", 500)])
        raw = raw.replace(str(DAY).encode(), str(DAY + timedelta(days=1)).encode())
        later = treasury.take_statement(ONE, "wechat", "fund", DAY + timedelta(days=1), raw)
    assert later.usable, later.errors
    monkeypatch.setattr(posting, "_AT_ONCE", 1)
    posting.post_settlements()
    assert ToPost.objects.get(confirmation=None).statement_id == later.id
    posting.post_settlements()
    assert not ToPost.objects.filter(confirmation=None).exists()
    assert books("T9") == {"clearing.wechat": -500}


def test_what_cannot_be_posted_is_tried_later_and_later_and_keeps_nobody_waiting(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    cashier, paid, _ = town
    treasury.post_all()
    broken = take_fund(flow(paid))
    tried: list[int] = []
    true = posting._post_settlement

    def post(statement_id: int) -> None:
        tried.append(statement_id)
        if statement_id == broken.id:
            raise ZeroDivisionError
        true(statement_id)

    monkeypatch.setattr(posting, "_post_settlement", post)
    monkeypatch.setattr(posting, "_AT_ONCE", 1)
    for _ in range(3):
        posting.post_settlements()
    assert tried == [broken.id]
    for seconds, times in ((4, 1), (2, 2), (6, 2), (5, 3), (3600, 4), (599, 5)):
        cashier.time.advance(timedelta(seconds=seconds))  # type: ignore[attr-defined]
        posting.post_settlements()
        assert len(tried) == times, seconds
    [waiting] = ToPost.objects.filter(statement=broken.id)
    assert waiting.post_tries == 5 and waiting.post_after is not None
    [seen] = treasury.unposted(EVERYWHERE)
    assert (seen.about, seen.tries, treasury.unposted_count(EVERYWHERE)) == (broken, 5, 1)
    assert "ZeroDivisionError" in seen.problem and seen.next_at == waiting.post_after
    with pytest.raises(Forbidden):
        treasury.post_now(Actor.nobody(""), seen.kind, seen.id)
    monkeypatch.setattr(posting, "_post_settlement", true)
    posting.post_settlements()
    assert len(tried) == 5  # not its turn
    treasury.post_now(FINANCE, seen.kind, seen.id)
    posting.post_settlements()
    assert treasury.unposted(EVERYWHERE) == []
    with pytest.raises(NotFound):
        treasury.post_now(FINANCE, seen.kind, seen.id)
    treasury.post_all()
    assert not ToPost.objects.filter(statement=broken.id).exists()
    sound()


def test_an_empty_statement_takes_back_and_an_older_one_counts_no_more(town: Town) -> None:
    _, paid, _ = town
    take_fund(flow(paid))
    treasury.post_all()
    with transaction.atomic():
        treasury.take_statement(ONE, "wechat", "fund", DAY, flow(paid[1:]))
        treasury.take_statement(ONE, "wechat", "fund", DAY, b"")
    treasury.post_all()
    assert "bank" not in books()
    assert len(ledger.entries_of(EVERYWHERE, f"wechat:{DAY}")) == 4
    sound()


def test_a_confirmation_is_posted_once_and_looked_at_no_more(town: Town) -> None:
    waiting = confirm("11000026300000009999", "B2", 2000)
    assert ToPost.objects.count() == 2
    for _ in range(2):
        treasury.post_all()
        assert [each.confirmation_id for each in ToPost.objects.all()] == [waiting.id]
    told = payments.Told("succeeded", 2000, "B2", waiting.at, MERCHANT)
    with transaction.atomic():
        settling.keep_unknown("nontax", "11000026300000009999", told)
    treasury.post_all()
    assert not ToPost.objects.exists()
    assert books("11000026300000009999") == {"breaks": -2000, "treasury": 2000}
    sound()


def test_a_refund_takes_back_what_was_settled(town: Town) -> None:
    cashier, paid, _ = town
    payments.refund(FINANCE, paid[0].order_id, 700, "x", "k")
    settle(cashier, 2)
    refund = payments.Refund.objects.get()
    come = row(paid[0].out_trade_no, paid[0].channel_id, "交易", "收入", 2000)
    gone = row(refund.number, paid[0].channel_id, "退款", "支出", 700)
    take_fund(made.fund_flow([come, gone]))
    treasury.post_all()
    assert books(paid[0].out_trade_no) == {}
    assert books(f"wechat:{DAY}") == {"bank": 1300}
    sound()


def test_a_signed_surplus_is_posted_and_taken_back_when_it_is_gone(town: Town) -> None:
    cashier, paid, rows = town
    take(statement([*rows[1:], line("XKNOBODYS1", "T-unknown", 1500)]))
    week()
    treasury.post_all()
    assert "breaks" not in books()
    signed("only_channel")
    signed("only_ours")
    for _ in range(3):
        treasury.post_all()
    assert books("XKNOBODYS1") == {"clearing.wechat": 1500, "breaks": -1500}
    assert books(paid[0].out_trade_no) == {"breaks": 2000}
    sound()
    cashier.time.advance(timedelta(hours=1))  # type: ignore[attr-defined]
    take(statement(rows))
    week()
    treasury.post_all()
    assert "breaks" not in books()
    sound()


def test_what_is_in_the_breaks_account_already_is_not_posted_again(town: Town) -> None:
    """A number that we never gave was booked when its notice came; finance confirms it too."""
    confirm("11000026300000009999", "B2", 2000)
    at = confirm("11000026300000009999", "B3", 100).at
    told = payments.Told("succeeded", 2000, "B2", at, MERCHANT)
    with transaction.atomic():
        settling.keep_unknown("nontax", "11000026300000009999", told)
    week()
    for row in BreakRow.objects.filter(kind="finance_only"):
        with transaction.atomic():
            treasury.explain(ONE, row.id, "已查明")
            treasury.sign_off(OTHER, row.id)
    treasury.post_all()
    treasury.post_all()
    assert books("11000026300000009999") == {"breaks": -2000, "treasury": 2000}
    assert books("B3") == {"breaks": -100, "treasury": 100}
    sound()


def test_a_closed_period_gets_nothing_more(town: Town) -> None:
    _, paid, _ = town
    with transaction.atomic():
        ledger.close_period(FINANCE, DAY)
    take_fund(flow(paid))
    treasury.post_all()
    entries = ledger.entries_of(EVERYWHERE, f"wechat:{DAY}")
    assert {each.on for each in entries} == {DAY + timedelta(days=1)}
    assert entries[0].about["day"] == str(DAY)
    sound()


def test_the_bearer_pays_the_fees_in_once(town: Town, xueka: Run) -> None:
    _, paid, _ = town
    take_fund(flow(paid))
    treasury.post_all()
    words = ("ledger", "fees", "provider", "40", "--slip", "H-1", "--on", str(DAY))
    assert xueka(*words) == (0, {"left_fen": 20})
    assert xueka(*words) == (0, {"left_fen": 20})
    assert books() == {"bank": 9980, "fees": 20, "treasury": 2000, "income": -12000}
    code, found = xueka("ledger", "fees", "provider", "39", *words[4:])
    assert (code, found["error"]["code"]) == (1, "FEES_SLIP_USED")
    for wrong in (("provider", "21"), ("provider", "0"), ("centre", "1"), ("nobody", "1")):
        code, found = xueka("ledger", "fees", *wrong, "--slip", "H-2", "--on", str(DAY))
        assert (code, found["error"]["code"][:5]) == (1, "FEES_"), wrong
    sound()


def test_one_slip_pays_for_one_bearer(town: Town) -> None:
    _, paid, _ = town
    take_fund(flow(paid))
    treasury.post_all()
    with transaction.atomic():
        about = {"slip": "H-1:x"}
        more = [ledger.Posting("fees", 30, "", "centre"), ledger.Posting("bank", -30, "", "x")]
        ledger.post(ONE, "settlement:x:fees", "settlement_fees", DAY, more, about)
    with transaction.atomic():
        treasury.take_fees(ONE, "provider", 20, "H-1:x", DAY)
    with pytest.raises(Refused), transaction.atomic():
        treasury.take_fees(ONE, "centre", 20, "H-1:x", DAY)
    with transaction.atomic():
        assert treasury.take_fees(ONE, "centre", 20, "H-1", DAY) == 10
