"""Beyond the books: direct SQL as the application's own role against orders, payments, refunds,
notices. Everything that would let money out twice, or deny that it came, is refused.
"""

from typing import Any

import psycopg
from django.db import connection

from tests.faults.money.test_attacks import attack
from tests.unit.payments.test_invariants import everything
from xueka.contexts.ledger import api as ledger
from xueka.platform.identity.scope import EVERYWHERE

__all__ = ["everything"]

_PAID = "(SELECT min(id) FROM payments_order WHERE state = 'paid')"
_CREDITED = f"(SELECT id FROM payments_payment WHERE credited AND order_id = {_PAID})"
_REFUND = (
    "INSERT INTO payments_refund (order_id, payment_id, number, key, amount_fen, source, way, reason,"
    " state, state_at, channel_id, asked_at, asked_by, tries, last_error)"
    " SELECT order_id, id, 'X' || n, 'X' || n, {fen}, '{source}', 'channel', 'x', '{state}', now(), '',"
    " now(), 'x', 0, '' FROM payments_payment, generate_series(1, {times}) n WHERE id = {payment}"
)


def refund(
    fen: int, *, source: str = "income", payment: str = _CREDITED, state: str = "asked", times: int = 1
):
    return [_REFUND.format(fen=fen, source=source, payment=payment, state=state, times=times)]


_LATE = "(SELECT id FROM payments_payment WHERE stray = 'late')"
_ATTEMPT = (
    "INSERT INTO payments_payment (order_id, attempt, channel, settlement, fee_bearer, out_trade_no,"
    " amount_fen, state, state_at, start, asked_id, channel_id, received_fen, success_at, credited, stray,"
    " stray_fen, remitted_in, created_at, created_by, tries, last_error)"
    " SELECT order_id, 9, channel, settlement, fee_bearer, out_trade_no || 'Z', amount_fen, 'succeeded',"
    " now(), start, '', {id}, received_fen, success_at, {credited}, '', {stray}, '', now(), 'x', 0, ''"
    f" FROM payments_payment WHERE id = {_CREDITED}"
)

#: There is an order paid, one refunded whole, one paid after it was closed.
ATTACKS: dict[str, list[str]] = {
    "another price": ["UPDATE payments_order SET amount_fen = 1"],
    "a fine made a fee": ["UPDATE payments_order SET fine = NOT fine"],
    "another child's order": ["UPDATE payments_order SET student_id = student_id + 1"],
    "a price below nothing": ["UPDATE payments_order SET amount_fen = -2000"],
    "paid without money": ["UPDATE payments_order SET state = 'paid' WHERE state = 'closed'"],
    "open again": [f"UPDATE payments_order SET state = 'open' WHERE id = {_PAID}"],
    "closed although paid": [f"UPDATE payments_order SET state = 'closed' WHERE id = {_PAID}"],
    "refunded orders paid again": ["UPDATE payments_order SET state = 'paid' WHERE state = 'refunded'"],
    "a state that is none": [f"UPDATE payments_order SET state = 'free' WHERE id = {_PAID}"],
    "another time of payment": [f"UPDATE payments_order SET success_at = now() WHERE id = {_PAID}"],
    "an order deleted": ["DELETE FROM payments_order"],
    "orders emptied": ["TRUNCATE payments_order CASCADE"],
    "more received": [f"UPDATE payments_payment SET received_fen = received_fen + 1 WHERE id = {_CREDITED}"],
    "nothing received": [f"UPDATE payments_payment SET received_fen = NULL WHERE id = {_CREDITED}"],
    "another number at the channel": [f"UPDATE payments_payment SET channel_id = 'x' WHERE id = {_CREDITED}"],
    "another channel": [f"UPDATE payments_payment SET channel = 'alipay' WHERE id = {_CREDITED}"],
    "another settlement": [f"UPDATE payments_payment SET settlement = 'direct' WHERE id = {_CREDITED}"],
    "late money credited": ["UPDATE payments_payment SET credited = true WHERE stray = 'late'"],
    "a payment failed after all": [f"UPDATE payments_payment SET state = 'failed' WHERE id = {_CREDITED}"],
    "an order credited twice": [_ATTEMPT.format(id="'T-new'", credited="true", stray="0")],
    "one payment of the channel for two": [
        _ATTEMPT.format(id="channel_id", credited="false", stray="received_fen").replace(
            "false, ''", "false, 'double'"
        )
    ],
    "money that is nobody's": [_ATTEMPT.format(id="'T-new'", credited="false", stray="0")],
    "stray money remitted": ["UPDATE payments_payment SET remitted_in = 'W1' WHERE NOT credited"],
    "remitted twice": [
        f"UPDATE payments_payment SET remitted_in = 'W1' WHERE id = {_CREDITED}",
        f"UPDATE payments_payment SET remitted_in = 'W2' WHERE id = {_CREDITED}",
    ],
    "a payment deleted": ["DELETE FROM payments_payment"],
    "payments emptied": ["TRUNCATE payments_payment CASCADE"],
    "a refund beyond what came": refund(2001),
    "two refunds beyond what came": refund(1001, times=2),
    "a refund of less than nothing": refund(-1),
    "a refund of nothing": refund(0),
    "a refund of money that is not stray": refund(1, source="payers"),
    "a refund from nowhere": refund(1, source="bank"),
    "late money sent back twice": refund(2000, source="payers", payment=_LATE),
    "a refund done without a time": refund(2000, state="succeeded"),
    "a refund enlarged": ["UPDATE payments_refund SET amount_fen = 9000"],
    "a refund begun again": ["UPDATE payments_refund SET state = 'asked' WHERE state = 'succeeded'"],
    "a refund failed after all": ["UPDATE payments_refund SET state = 'failed' WHERE state = 'succeeded'"],
    "a refund of another payment": [f"UPDATE payments_refund SET payment_id = {_CREDITED}"],
    "a refund deleted": ["DELETE FROM payments_refund"],
    "a notice rewritten": ["UPDATE payments_notice SET raw = 'x'::bytea"],
    "a judgement reversed": ["UPDATE payments_notice SET outcome = 'refused' WHERE outcome = 'applied'"],
    "a notice deleted": ["DELETE FROM payments_notice"],
    "what was told taken back": ["DELETE FROM payments_settled"],
    "a tariff rewritten": ["UPDATE payments_tariffversion SET content = '{}'"],
    "the guard taken off": ["ALTER TABLE payments_refund DISABLE TRIGGER USER"],
}


def _everything() -> list[Any]:
    with connection.cursor() as cursor:
        found = []
        for table in ("order", "payment", "refund", "notice", "settled"):
            cursor.execute(f"SELECT md5(string_agg(t::text, '|' ORDER BY id)) FROM payments_{table} t")
            found.append(cursor.fetchone())
    return [*found, ledger.check_books(EVERYWHERE)]


def test_the_attacker_may_do_what_is_right(everything: None) -> None:
    assert attack(refund(2000, times=1)) is None


def test_every_attack_is_refused_and_changes_nothing(everything: None) -> None:
    assert len(ATTACKS) >= 30
    before = _everything()
    succeeded, blunders = [], {}
    for name, statements in ATTACKS.items():
        error = attack(statements)
        if error is None:
            succeeded.append(name)
        elif isinstance(error, psycopg.errors.SyntaxErrorOrAccessRuleViolation) and not isinstance(
            error, psycopg.errors.InsufficientPrivilege
        ):
            blunders[name] = str(error)
        assert _everything() == before, name
    assert (succeeded, blunders) == ([], {})
