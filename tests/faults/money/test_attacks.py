"""Direct SQL as the application's own role, committed: what the books must not take is refused."""

from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from django.db import connection, transaction

from tests.unit.ledger.test_posting import DAY, FINANCE, NOW, SALE, SYSTEM
from xueka.contexts.ledger import api as ledger
from xueka.kernel import clock
from xueka.platform.database import address
from xueka.platform.database.address import Role
from xueka.platform.identity.scope import EVERYWHERE

_HEAD = 'INSERT INTO ledger_entry (key, kind, "on", about, digest, at, by, transaction)'
_NEW = _HEAD + " VALUES ('a', 'payment', '2026-09-07', '{}', 'x', '2026-09-07T10:00:00Z', 'x', 0)"
_LINE = "INSERT INTO ledger_posting (entry_id, line, account, fen, channel, reference)"


def entry(*lines: tuple[str, int, str], on: str = "2026-09-07", at: str = "2026-09-07T10:00:00Z") -> str:
    """One statement that makes an entry with these postings (account, fen, reference)."""
    head = f"{_HEAD} VALUES ('a', 'payment', '{on}', '{{}}', 'x', '{at}', 'x', 0)"
    rows = ", ".join(
        f"((SELECT id FROM made), {number}, '{account}', {fen}, '', '{reference}')"
        for number, (account, fen, reference) in enumerate(lines, start=1)
    )
    return f"WITH made AS ({head} RETURNING id) {_LINE} VALUES {rows}" if lines else head


#: The books hold: entry `sale` (wechat 2000 : income −2000), `stray` (wechat 500 : payers −500 of P2), closed
#: until 2026-09-05. Each attack is a transaction of its own.
ATTACKS = {
    "an entry without postings": [_NEW],
    "one posting alone": [entry(("bank", 100, ""))],
    "two postings on one side": [entry(("bank", 100, ""), ("income", 100, ""))],
    "a fen too much": [entry(("bank", 100, ""), ("income", -99, ""))],
    "nothing on either side": [entry(("bank", 0, ""), ("income", 0, ""))],
    "half a fen": [entry(("bank", "0.4", ""), ("income", "-0.4", ""))],
    "an amount beyond all bounds": [entry(("bank", 10**16, ""), ("income", -(10**16), ""))],
    "an account outside the chart": [entry(("purse", 100, ""), ("income", -100, ""))],
    "a channel that is none": [
        entry(("bank", 1, ""), ("income", -1, "")).replace("'bank', 1, ''", "'bank', 1, 'cash'")
    ],
    "a negative amount owed: more back than came": [entry(("payers", 501, "P2"), ("refunds", -501, "R1"))],
    "the same debt paid twice": [
        entry(("payers", 500, "P2"), ("refunds", -500, "R1")),
        entry(("payers", 500, "P2"), ("refunds", -500, "R2")).replace("'a'", "'b'"),
    ],
    "a refund that nobody asked for": [entry(("refunds", 100, "R9"), ("clearing.wechat", -100, ""))],
    "a debt under no reference": [entry(("bank", 100, ""), ("payers", -100, ""))],
    "a key that is used": [entry(("bank", 1, ""), ("income", -1, "")).replace("'a'", "'sale'")],
    "an empty key": [entry(("bank", 1, ""), ("income", -1, "")).replace("'a'", "''")],
    "an empty kind": [entry(("bank", 1, ""), ("income", -1, "")).replace("'payment'", "''")],
    "a closed day": [entry(("bank", 1, ""), ("income", -1, ""), on="2026-09-05")],
    "tomorrow": [entry(("bank", 1, ""), ("income", -1, ""), on="2026-09-08")],
    "an amount altered": ["UPDATE ledger_posting SET fen = fen * 2"],
    "an account altered": ["UPDATE ledger_posting SET account = 'bank' WHERE account = 'income'"],
    "a day altered": ["UPDATE ledger_entry SET \"on\" = '2026-09-06'"],
    "a posting deleted": ["DELETE FROM ledger_posting WHERE account = 'income'"],
    "an entry deleted": ["DELETE FROM ledger_entry"],
    "everything emptied": ["TRUNCATE ledger_entry CASCADE"],
    "a period opened again": ["DELETE FROM ledger_closing"],
    "a period moved": ["UPDATE ledger_closing SET until = '2026-08-01'"],
    "a period closed backwards": [
        "INSERT INTO ledger_closing (until, totals, at, by)"
        " VALUES ('2026-09-01', '{}', '2026-09-07T10:00:00Z', 'x')"
    ],
    "a day closed that is not over": [
        "INSERT INTO ledger_closing (until, totals, at, by)"
        " VALUES ('2026-09-07', '{}', '2026-09-07T10:00:00Z', 'x')"
    ],
    "a balanced pair added to an old entry": [
        f"{_LINE} SELECT id, 3, 'bank', 5, '', '' FROM ledger_entry WHERE key = 'sale'"
        f" UNION ALL SELECT id, 4, 'income', -5, '', '' FROM ledger_entry WHERE key = 'sale'"
    ],
    "a pair moved to an old entry by its transaction": [
        entry(("bank", 1, ""), ("income", -1, "")),
        "UPDATE ledger_entry SET transaction = pg_current_xact_id()::text::bigint",
    ],
    "checked early, then one more line": [
        entry(("bank", 1, ""), ("income", -1, "")),
        "SET CONSTRAINTS ALL IMMEDIATE",
        f"{_LINE} SELECT id, 3, 'bank', 5, '', '' FROM ledger_entry WHERE key = 'a'",
    ],
    "the guard taken off": ["ALTER TABLE ledger_posting DISABLE TRIGGER USER"],
    "the guard dropped": ["DROP TRIGGER ledger_balanced ON ledger_posting"],
    "the guard replaced": [
        "CREATE OR REPLACE FUNCTION ledger_check_entry(entry bigint) RETURNS void LANGUAGE sql AS ''"
    ],
    "triggers switched off": ["SET session_replication_role = replica"],
    "another table in its place": [
        "CREATE TEMPORARY TABLE ledger_posting (entry_id bigint, fen bigint, account text, reference text)",
        _NEW,
        "INSERT INTO pg_temp.ledger_posting SELECT id, 0, '', '' FROM public.ledger_entry,"
        " generate_series(1, 2) WHERE key = 'a'",
    ],
    "the owner's robe": ["SET ROLE xueka_owner"],
}


@pytest.fixture
def books(transactional_db: None) -> Iterator[None]:
    with clock.at(NOW), transaction.atomic():
        ledger.post(SYSTEM, "sale", "payment", DAY, SALE, {})
        stray = [
            ledger.Posting("clearing.wechat", 500, "wechat", "P2"),
            ledger.Posting("payers", -500, "wechat", "P2"),
        ]
        ledger.post(SYSTEM, "stray", "payment", DAY, stray, {})
        ledger.close_period(FINANCE, DAY - timedelta(days=2))
    yield


def attack(statements: list[str]) -> psycopg.Error | None:
    """One committed transaction of the application's role; why it was refused, None where it was not."""
    attacker = psycopg.connect(**address.parameters(Role.APPLICATION, connection.settings_dict["NAME"]))
    try:
        for statement in statements:
            attacker.execute(statement)
        attacker.commit()
    except psycopg.Error as error:
        return error
    finally:
        attacker.close()
    return None


def test_the_attacker_may_post_what_is_right(books: None) -> None:
    """So the attacks fail for what they do, not for a mistake in their SQL."""
    assert attack([entry(("bank", 1, ""), ("income", -1, ""))]) is None
    assert attack([entry(("payers", 500, "P2"), ("refunds", -500, "R1")).replace("'a'", "'b'")]) is None


def test_every_attack_is_refused_and_leaves_the_books_as_they_were(books: None) -> None:
    assert len(ATTACKS) >= 30
    before = ledger.check_books(EVERYWHERE)
    succeeded, blunders = [], {}
    for name, statements in ATTACKS.items():
        error = attack(statements)
        if error is None:
            succeeded.append(name)
        elif isinstance(error, psycopg.errors.SyntaxErrorOrAccessRuleViolation) and not isinstance(
            error, psycopg.errors.InsufficientPrivilege
        ):
            blunders[name] = str(error)
        after = ledger.check_books(EVERYWHERE)
        assert after == before, name
    assert (succeeded, blunders) == ([], {})
