"""Four sides of one day, through the database: what agrees, what breaks, what stays signed."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.utils import Error

from tests.faults import reconciliation as planted
from tests.support import statements as made
from tests.support.commands import Run, xueka
from tests.support.machines import assert_every_pair
from tests.support.size import dial
from tests.unit.payments.conftest import Cashier
from tests.unit.treasury.conftest import DAY, ONE, OTHER, confirm, finance, kinds, line, statement, take, week
from tests.unit.treasury.test_posting import flow
from xueka.contexts.payments import api as payments
from xueka.contexts.treasury import api as treasury
from xueka.contexts.treasury.models import BreakRow, StatementLine
from xueka.contexts.treasury.services import reconciling
from xueka.contexts.treasury.services.posting import WORKER
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.platform.history import services as history
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE, Scope
from xueka.platform.invariants import check

__all__ = ["xueka"]

Town = tuple[Cashier, list[payments.Payment], list[made.Cells]]


def test_a_sound_day_has_no_break(town: Town) -> None:
    _, _, rows = town
    take(statement(rows))
    found = week()
    assert (found.orders, found.matched, found.breaks) == (6, 6, [])


def test_each_side_is_missed(town: Town) -> None:
    _, paid, rows = town
    take(statement([*rows[1:], line("XKNOBODYS1", "T-unknown", 1500)]))
    confirm("11000026300000009999", "B2", 2000)
    week()
    assert kinds() == [
        ("finance_only", "B2", 2000),
        ("only_channel", "T-unknown", 1500),
        ("only_ours", paid[0].out_trade_no, -2000),
    ]


def test_other_amounts_other_numbers_and_a_second_charge(town: Town) -> None:
    _, paid, rows = town
    rows[0] |= {"订单金额": "20.01", "应结订单金额": "20.01"}
    rows[1] |= {"微信订单号": "T-other"}
    rows.append(line(paid[2].out_trade_no, "T-second", 2000))
    take(statement(rows))
    week()
    assert kinds() == [
        ("amount_differs", paid[0].out_trade_no, 1),
        ("charged_twice", "T-second", 2000),
        ("number_differs", paid[1].out_trade_no, 0),
    ]


def test_a_notice_that_never_came(town: Town) -> None:
    cashier, _, rows = town
    with clock.at(cashier.time.now() - timedelta(days=1)):  # type: ignore[attr-defined]
        unheard = cashier.paid_at_channel(cashier.order())
    take(statement([*rows, line(unheard.out_trade_no, "T-unheard", 2000)]))
    week()
    assert kinds() == [("not_credited", unheard.out_trade_no, 2000)]


def test_a_day_with_money_and_no_order(town: Town) -> None:
    cashier, _, rows = town
    take(statement(rows))
    quiet = DAY + timedelta(days=1)
    cashier.time.advance(timedelta(days=1))  # type: ignore[attr-defined]
    take(statement([line("XKLOST1", "T-lost", 2000, quiet)]), quiet)
    week(DAY, quiet)
    assert kinds() == [
        ("day_without_orders", f"wechat {quiet}", 2000),
        ("only_channel", "T-lost", 2000),
    ]


def test_without_a_statement_the_day_is_one_break(town: Town) -> None:
    _, _, rows = town
    week()
    assert kinds() == [("statement_missing", f"wechat {DAY}", -10000)]
    broken = take(statement(rows).replace(b"20.00", b"2x.00", 1))
    assert (broken.usable, StatementLine.objects.count()) == (False, 0)
    assert broken.errors[0]["code"] == "LINE_AMOUNT"
    week()
    assert kinds() == [("statement_wrong", f"wechat {DAY}", -10000)]
    assert take(b"not a statement").errors[0]["code"] == "STATEMENT_HEADER"
    take(statement(rows))
    assert week().breaks == []
    assert kinds() == []


def test_ten_runs_say_the_same_and_keep_what_was_signed(town: Town) -> None:
    cashier, paid, rows = town
    take(statement(rows[1:]))
    first = week()
    row = treasury.open_breaks(EVERYWHERE).get()
    with transaction.atomic():
        treasury.assign(ONE, row.id, "one")
        treasury.explain(ONE, row.id, "渠道次日补账")
    with pytest.raises(Refused) as refused, transaction.atomic():
        treasury.sign_off(ONE, row.id)
    assert refused.value.code == "SECOND_PERSON"
    with transaction.atomic():
        treasury.sign_off(OTHER, row.id)
    for _ in range(10):
        cashier.time.advance(timedelta(hours=1))  # type: ignore[attr-defined]
        again = week()
        assert (again.run.digest, again.breaks) == (first.run.digest, first.breaks)
    row.refresh_from_db()
    assert (row.state, row.signed_by, row.owner) == ("signed", "other", "one")
    assert row.since == first.run.at
    cashier.time.advance(timedelta(days=1))  # type: ignore[attr-defined]
    rows[0] |= {"订单金额": "20.01", "应结订单金额": "20.01"}
    take(statement(rows))
    week()
    replaced = ("statement_replaced", f"wechat trade {DAY}", 0)
    assert kinds() == [("amount_differs", paid[0].out_trade_no, 1), replaced]
    row.refresh_from_db()
    assert row.state == "gone"


def test_an_explanation_is_void_when_the_amount_is_another(town: Town) -> None:
    _, _, rows = town
    rows[0] |= {"订单金额": "20.01", "应结订单金额": "20.01"}
    take(statement(rows))
    week()
    row = treasury.open_breaks(EVERYWHERE).get(kind="amount_differs")
    with transaction.atomic():
        treasury.explain(ONE, row.id, "差一分")
        treasury.sign_off(OTHER, row.id)
    rows[0] |= {"订单金额": "20.02", "应结订单金额": "20.02"}
    take(statement(rows))
    week()
    row.refresh_from_db()
    assert (row.state, row.fen, row.explanation, row.signed_by) == ("open", 2, "", "")


def test_a_statement_put_in_the_place_of_another_is_for_two_people(town: Town) -> None:
    """No break goes away by one person's file; the channel's own one counts again when it is brought."""
    _, _, rows = town
    true, false = statement(rows[1:]), statement(rows)
    with transaction.atomic():
        kept = treasury.take_statement(WORKER, "wechat", "trade", DAY, true)
    week()
    assert [kind for kind, *_ in kinds()] == ["only_ours"]
    wrong = take(false)
    week()
    [row] = treasury.open_breaks(EVERYWHERE)
    assert (row.kind, row.key, row.number) == (
        "statement_replaced", f"wechat trade {DAY}", str(wrong.id),
    )  # fmt: skip
    assert row.detail == "one 上传：原 4 笔，收 8000 分，退 0 分；现 5 笔，收 10000 分，退 0 分"
    assert take(false).id == wrong.id
    again = take(true)
    assert again.id > wrong.id > kept.id
    assert take(true).id == again.id
    week()
    assert [kind for kind, *_ in kinds()] == ["only_ours"]


def test_the_statement_of_another_merchant_is_not_used(town: Town) -> None:
    _, _, rows = town
    for row in rows:
        row["商户号"] = "1900000110"
    kept = take(statement(rows))
    assert (kept.usable, kept.errors[0]["code"]) == (False, "STATEMENT_MERCHANT")
    assert kept.errors[0]["found"] == "1900000110"
    week()
    assert [kind for kind, *_ in kinds()] == ["statement_wrong"]


def test_a_run_claims_only_what_it_has_read(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its moment lies before the first read."""
    cashier, _, rows = town
    take(statement(rows))
    right = reconciling.find

    def slow(*given: Any) -> Any:
        cashier.time.advance(timedelta(minutes=5))  # type: ignore[attr-defined]
        return right(*given)

    began = clock.now()
    monkeypatch.setattr(reconciling, "find", slow)
    assert week().run.at == began


def test_a_statement_is_kept_once_and_never_changed(town: Town) -> None:
    _, _, rows = town
    raw = statement(rows)
    assert take(raw).id == take(raw).id
    assert StatementLine.objects.count() == 5
    for table in ("statement", "statementline", "confirmation", "run"):
        for attack in (f"UPDATE treasury_{table} SET id = id", f"DELETE FROM treasury_{table}"):
            with pytest.raises(Error), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(attack)
    with pytest.raises(Refused), transaction.atomic():
        treasury.take_statement(ONE, "wechat", "trade", clock.today(), raw)


def test_a_confirmation_that_comes_again_is_the_same(town: Town) -> None:
    known = treasury.confirmations(EVERYWHERE).get()
    assert confirm(known.pay_code, "B1", 2000).id == known.id
    assert (confirm(known.pay_code, "B1", 2001).id, known.words.count()) == (known.id, 1)
    for voucher in ({}, {"PayCode": "1", "TraNoBus": "2", "CfmDate": "20260230", "CfmTime": "1", "Amt": "1"}):
        with pytest.raises(BadInput):
            treasury.take_confirmation(ONE, voucher, "")


def test_strangers_see_and_do_nothing(town: Town) -> None:
    _, _, rows = town
    take(statement(rows[1:]))
    week()
    row = treasury.open_breaks(EVERYWHERE).get()
    school = Actor.in_role("s", "s", "school_officer", Scope("school", "2111010001"))
    assert not treasury.open_breaks(school.scope).exists()
    with pytest.raises(Forbidden):
        treasury.explain(school, row.id, "x")
    with pytest.raises(NotFound):
        treasury.explain(ONE, row.id + 1, "x")
    with pytest.raises(BadInput):
        treasury.explain(ONE, row.id, " ")
    with pytest.raises(BadInput):
        treasury.reconcile(ONE, DAY, clock.today())


def test_every_pair_of_the_table(town: Town) -> None:
    _, _, rows = town
    take(statement(rows[1:]))
    week()
    row = treasury.open_breaks(EVERYWHERE).get()

    def attempt(event: str, state: str, to: str | None) -> str:
        with transaction.atomic():
            signed = {"explained_by": "a", "signed_by": "b"} if state == "signed" else {"signed_by": ""}
            BreakRow.objects.filter(id=row.id).update(state=state, **signed)
            if treasury.BREAK.allows(event, state) and event == "sign":
                BreakRow.objects.filter(id=row.id).update(explained_by="a", signed_by="b")
            history.apply(treasury.BREAK, BreakRow, [row.id], event, finance("c"), to=to)
        return BreakRow.objects.get(id=row.id).state

    allowed, refused = assert_every_pair(treasury.BREAK, attempt)
    assert (allowed, refused) == (9, 7)


def entry(key: str, kind: str, account: str, about: str) -> str:
    """SQL that puts one fen from an account into the treasury."""
    return f"""
        WITH e AS (INSERT INTO ledger_entry (key, kind, "on", about, digest, at, by, transaction)
                   SELECT '{key}', '{kind}', "on", '{about}', '', at, by, 0 FROM ledger_entry LIMIT 1
                   RETURNING id)
        SELECT id FROM e;
        INSERT INTO ledger_posting (entry_id, line, account, fen, channel, reference)
        SELECT id, n, a, f, 'wechat', 'x' FROM ledger_entry,
               (VALUES (1, '{account}', -1), (2, 'bank', 1)) AS v (n, a, f) WHERE key = '{key}'"""


def test_invariants_are_checked_and_broken_ones_caught(town: Town) -> None:
    _, paid, rows = town
    take(statement(rows[1:]))
    week()
    row = treasury.open_breaks(EVERYWHERE).get()
    with transaction.atomic():
        treasury.explain(ONE, row.id, "x")
        treasury.sign_off(OTHER, row.id)
        funds = treasury.take_statement(ONE, "wechat", "fund", DAY, flow(paid[1:]))
    treasury.post_all()
    results = {each.name: check(each) for each in treasury.INVARIANTS}
    assert all(each.checked and not each.violated for each in results.values()), results
    copied = (
        "INSERT INTO treasury_statementline (statement_id, line, channel, day, kind, key, number, channel_id,"
        " of_number, amount_fen, fee_millifen, at, status, pay_code)"
        " SELECT statement_id, 99, channel, day, kind, key, number, channel_id, of_number, amount_fen,"
        " fee_millifen, at, status, pay_code"
        " FROM treasury_statementline LIMIT 1"
    )
    skipped = (
        "INSERT INTO history_transition (machine, object_id, seq, event, from_state, to_state, at, actor,"
        " reason, detail) VALUES ('break', 999999, 1, 'sign', 'open', 'signed', now(), 'x', '', '{}')"
    )
    spoil = {
        "treasury_statement_lines_are_whole": copied,
        "treasury_breaks_signed_as_the_history_says": "UPDATE treasury_breakrow SET signed_by = 'nobody'",
        "break_state_equals_last_history_row": "UPDATE treasury_breakrow SET state = 'explained'",
        "break_steps_allowed": skipped,
        "treasury_breaks_stand_in_the_books": "UPDATE treasury_breakrow SET posted_fen = 0",
        "treasury_settlements_say_what_the_statement_says": entry(
            f"settlement:wechat:{DAY}:x", "settlement", "clearing.wechat", f'{{"statement": {funds.id}}}'
        ),
        "treasury_confirmed_money_is_in_the_books_once": entry(
            "confirmed:nobody", "confirmation", "clearing.nontax", "{}"
        ),
    }
    assert {*spoil} == {*results}
    for invariant in treasury.INVARIANTS:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(spoil[invariant.name])
            assert check(invariant).violated >= 1, invariant.name
            transaction.set_rollback(True)
    confirm("9" * 20, "B6", 100)
    [posted] = [each for each in treasury.INVARIANTS if each.name.startswith("treasury_confirmed_money_")]
    assert check(posted).violated == 0
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM treasury_topost")
    assert check(posted).violated == 1


def test_the_commands(town: Town, xueka: Run, tmp_path: Path) -> None:
    _, paid, rows = town
    file = tmp_path / "bill.csv"
    file.write_bytes(statement(rows[1:]))
    words = ("statement", "take", str(file), "--channel", "wechat", "--day", str(DAY))
    code, kept = xueka(*words)
    assert (code, kept["usable"], kept["rows"], kept["amount_fen"]) == (0, True, 4, 8000)
    code, found = xueka("reconcile", "--week", "2026-W37")
    assert (code, found["error"]["code"]) == (1, "RECONCILE_DAYS")  # the week is not over
    town[0].time.advance(timedelta(days=7))  # type: ignore[attr-defined]
    code, found = xueka("reconcile", "--week", "2026-W37")
    assert (code, found["orders"], found["matched"]) == (1, 6, 5)
    assert [(each["kind"], each["order"]) for each in found["breaks"]] == [
        ("only_ours", paid[0].order.number)
    ]
    file.write_bytes(b"x")
    code, kept = xueka(*words)
    assert (code, kept["usable"], kept["errors"][0]["code"]) == (1, False, "STATEMENT_HEADER")
    code, found = xueka("reconcile", "--week", "2026-W36")
    assert (code, found["orders"], found["breaks"], found["closed"]) == (0, 0, [], False)
    code, found = xueka("reconcile", "--week", "2026-W99")
    assert (code, found["error"]["code"]) == (2, "WEEK_INVALID")


@pytest.mark.django_db
@pytest.mark.parametrize("seed", [1, 2])
def test_planted_faults_are_found(seed: int) -> None:
    with transaction.atomic():
        found = planted.one(seed, dial(2000, 25_000))
    assert (found["missed"], found["invented"], found["wrong_links"]) == ([], [], 0)
    assert found["kinds"] >= 13
