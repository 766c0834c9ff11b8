"""What the database refuses by itself, and invariants that catch what it could not."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.db.utils import Error

from tests.unit.closing.conftest import FEN, MONDAY, NEXT, Office, refused
from xueka.contexts.closing import api as closing
from xueka.contexts.closing.adapters import signing
from xueka.contexts.payments import api as payments
from xueka.platform.database import address
from xueka.platform.database.address import Role
from xueka.platform.identity.scope import EVERYWHERE
from xueka.platform.invariants import check

pytestmark = pytest.mark.django_db(transaction=True)

_CLOSE = (
    "INSERT INTO closing_close (number, monday, sunday, due, state, state_at, prepared, prepared_by,"
    " prepared_at,"
    " to_remit_fen, confirmed_fen, previous, digest, signature, fingerprint, signed_by, seq, document_id,"
    " signed_at) SELECT '2026-W99-1', monday + 70, sunday + 70, due + 70, state, now(), 'x',"
    " prepared_by, now(),"
    " 0, 0, {previous}, 'd', 's', 'f', signed_by, {seq}, document_id, now() FROM closing_close LIMIT 1"
)
_PART = (
    "INSERT INTO closing_part (close_id, channel, settlement, orders, gross_fen, refunded_fen, to_remit_fen,"
    " confirmed_fen, fees_fen, fee_bearer) SELECT close_id, 'unionpay', {model}, 0, {gross}, 0, {remit},"
    " {confirmed}, 0, 'none' FROM closing_part LIMIT 1"
)
_LINE = (
    "INSERT INTO closing_line (part_id, payment_id, channel, settlement, gross_fen, refunded_fen, remit_fen,"
    " confirmed_fen) SELECT part_id, payment_id, channel, settlement, gross_fen, refunded_fen, remit_fen,"
    " confirmed_fen FROM closing_line WHERE settlement = 'merchant' LIMIT 1"
)
ATTACKS = {
    "a payment in two closes": _LINE,
    "a close without the one before": _CLOSE.format(seq=7, previous="'nobody'"),
    "a second beginning": _CLOSE.format(seq=2, previous="''"),
    "another close of the week": (
        "INSERT INTO closing_close (number, monday, sunday, due, state, state_at, prepared, prepared_by,"
        " prepared_at, to_remit_fen, confirmed_fen, previous, digest, signature, fingerprint, signed_by)"
        " SELECT '2026-W37-2', monday, sunday, due, 'prepared', now(), 'x', 'y', now(), 0, 0, '',"
        " '', '', '', ''"
        " FROM closing_close LIMIT 1"
    ),
    "a week from Tuesday": "UPDATE closing_close SET monday = monday + 1",
    "another amount": "UPDATE closing_close SET to_remit_fen = to_remit_fen - 1",
    "another signature": "UPDATE closing_close SET signature = 'x'",
    "one person": "UPDATE closing_close SET signed_by = prepared_by",
    "unsigned": "UPDATE closing_close SET state = 'prepared'",
    "dropped after signing": "UPDATE closing_close SET state = 'dropped'",
    "gone": "DELETE FROM closing_close",
    "emptied": "TRUNCATE closing_close CASCADE",
    "both models in one": _PART.format(model="'merchant'", gross=100, remit=100, confirmed=100),
    "direct money remitted": _PART.format(model="'direct'", gross=100, remit=100, confirmed=0),
    "netted": _PART.format(model="'merchant'", gross=100, remit=90, confirmed=0),
    "added to a signed close": _PART.format(model="'merchant'", gross=0, remit=0, confirmed=0),
    "a line changed": "UPDATE closing_line SET remit_fen = 0, refunded_fen = gross_fen",
    "a line taken out": "DELETE FROM closing_line",
    "a channel changed": "UPDATE closing_part SET fees_fen = 1",
    "remitted in part": (
        'INSERT INTO closing_remittance (part_id, slip_number, "on", amount_fen, at, by)'
        " SELECT p.id, 'JK9', c.sunday + 1, 1, now(), 'x' FROM closing_part p JOIN closing_close c"
        " ON c.id = p.close_id WHERE p.settlement = 'merchant' LIMIT 1"
    ),
    "confirmed money remitted": (
        'INSERT INTO closing_remittance (part_id, slip_number, "on", amount_fen, at, by)'
        " SELECT p.id, 'JK9', c.sunday + 1, p.confirmed_fen, now(), 'x' FROM closing_part p JOIN"
        " closing_close c"
        " ON c.id = p.close_id WHERE p.settlement = 'direct' LIMIT 1"
    ),
    "remitted in two closes": "UPDATE payments_payment SET remitted_in = 'other' WHERE remitted_in <> ''",
    "receipts rewritten": "UPDATE closing_receiptcollection SET lacking = 0",
    "receipts lacking without a word": (
        "INSERT INTO closing_receiptcollection (monday, drawn, issued, issued_fen, red, red_fen,"
        " lacking, note, at,"
        " by) SELECT monday, 0, 0, 0, 0, 0, 1, '', now(), 'x' FROM closing_close LIMIT 1"
    ),
    "a back payment of nothing": (
        "INSERT INTO closing_backpayment (refund_id, settlement, document_number, registered_at, tries, said,"
        " ended_by) VALUES (0, 'direct', '', now(), 0, '', '')"
    ),
}


GUARDED = ("closing_close", "closing_part", "closing_line", "closing_remittance", "closing_backpayment",
           "payments_payment", "payments_refund", "ledger_closing", "files_storedfile")  # fmt: skip


@contextmanager
def as_owner() -> Iterator[psycopg.Connection[Any]]:
    """As whoever owns the database may: without the guards, which are put back before it commits."""
    with psycopg.connect(**address.parameters(Role.OWNER, connection.settings_dict["NAME"])) as owner:
        for table in GUARDED:
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield owner
        for table in GUARDED:
            owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


@pytest.fixture
def closed(office: Office) -> Office:
    """A signed week with both models, and another that is prepared."""
    office.paid()
    office.paid(channel="nontax")
    office.to(NEXT)
    office.close()
    return office


def test_what_the_database_refuses_whoever_writes(closed: Office) -> None:
    assert len(ATTACKS) == 25
    held = []
    for name, attack in ATTACKS.items():
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(attack)
                touched = cursor.rowcount
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                transaction.set_rollback(True)
        except Error:
            held.append(name)
        else:
            assert touched, name
    assert held == list(ATTACKS)


def test_invariants_are_checked_and_broken_ones_caught(closed: Office) -> None:
    [signed] = closing.closes(EVERYWHERE)
    [payment] = [each for each in closing.proposal(EVERYWHERE, MONDAY).payments if each.channel == "wechat"]
    closed.remit(signed)
    coded = [each for each in closing.proposal(EVERYWHERE, MONDAY).payments if each.channel == "nontax"]
    rows = payments.payment_rows(EVERYWHERE)
    closed.refund(rows.get(id=coded[0].payment_id), FEN)
    closing.register_back_payments()
    results = {each.name: check(each) for each in closing.INVARIANTS}
    assert all(each.checked and not each.violated for each in results.values()), results
    spoil = {
        "close_state_equals_last_history_row": "UPDATE closing_close SET state = 'signed'",
        "close_steps_allowed": (
            "INSERT INTO history_transition (machine, object_id, seq, event, from_state, to_state, at, actor,"
            f" reason, detail) VALUES ('close', {signed.id}, 9, 'drop', 'signed', 'dropped', now(),"
            f" 'x', '', '{{}}')"
        ),
        "closes_follow_each_other": "UPDATE closing_close SET previous = 'x'",
        "closes_add_up": "UPDATE closing_part SET orders = orders + 1",
        "payments_are_remitted_once": "UPDATE payments_payment SET remitted_in = 'other' WHERE"
        " remitted_in <> ''",
        "nothing_goes_two_ways": (
            "INSERT INTO payments_refund (order_id, payment_id, number, key, amount_fen, source,"
            " way, reason, state,"
            " state_at, asked_at, asked_by, channel_id, tries, last_error) SELECT order_id, id,"
            " 'R9', 'k9', 1,"
            f" 'income', 'channel', '', 'asked', now(), now(), 'x', '', 0, '' FROM payments_payment"
            f" WHERE id = {payment.payment_id}"
        ),
        "remittances_are_in_the_books": "DELETE FROM closing_remittance",
        "signed_weeks_are_closed_in_the_books": "DELETE FROM ledger_closing",
        "back_payments_end_with_their_refund": "UPDATE closing_backpayment SET ended_at = now(),"
        " next_try_at = NULL",
    }
    assert {*spoil} == {*results}
    for invariant in closing.INVARIANTS:
        with as_owner() as owner:
            assert owner.execute(spoil[invariant.name]).rowcount > 0, invariant.name
            row = owner.execute(invariant.sql).fetchone()
            owner.rollback()
        assert row and 0 < row[1] <= row[0], invariant.name


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("UPDATE closing_close SET digest = repeat('0', 64)", "摘要不符"),
        (
            "UPDATE closing_close SET signature = substr(signature, 1, length(signature) - 2) || '00'",
            "签名不符",
        ),
        ("UPDATE closing_close SET previous = 'x'", "不相接"),
        ("UPDATE closing_close SET seq = 2", "不连续"),
        (
            "UPDATE closing_part SET gross_fen = 1, to_remit_fen = 1 WHERE settlement = 'merchant'",
            "与签名文件不符",
        ),
        ("UPDATE closing_close SET signed_by = 'nobody'", "与签名文件不符"),
        ("UPDATE closing_close SET to_remit_fen = to_remit_fen - 1", "与签名文件不符"),
        (
            "UPDATE closing_line SET refunded_fen = 1, remit_fen = gross_fen - 1"
            " WHERE settlement = 'merchant'",
            "与签名文件不符",
        ),
        ("UPDATE files_storedfile SET content = 'x' WHERE name LIKE '周结%'", "摘要"),
    ],
)
def test_the_chain_is_checked(closed: Office, spoil: str, said: str) -> None:
    good = closing.check_chain(EVERYWHERE)
    assert (good.closes, good.ok, good.problems) == (1, True, [])
    with as_owner() as owner:
        assert owner.execute(spoil).rowcount > 0
    found = closing.check_chain(EVERYWHERE)
    assert not found.ok and any(said in each for each in found.problems), found.problems


def test_a_lost_key_is_not_replaced(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking makes no key; what was signed is verified by its own document; signing waits."""
    folder = tmp_path / "keys"
    monkeypatch.setattr(signing, "keys_directory", lambda: folder)
    assert (closing.check_chain(EVERYWHERE).fingerprint, folder.exists()) == ("", False)
    office.paid()
    office.to(NEXT)
    office.close()
    key = folder / "closing" / signing.SIGNING
    before = closing.check_chain(EVERYWHERE)
    assert before.ok and key.exists()
    lost = key.rename(tmp_path / "lost")
    assert closing.check_chain(EVERYWHERE) == before
    office.to(NEXT + timedelta(days=7))
    office.ready(NEXT)
    prepared = office.prepare(NEXT)
    assert refused(lambda: office.sign(prepared)) == "CLOSE_KEY_LOST"
    assert not key.exists()
    lost.rename(key)
    assert office.sign(prepared).seq == 2
    assert closing.check_chain(EVERYWHERE).ok


def test_openssl_agrees(closed: Office, tmp_path: Path) -> None:
    [signed] = closing.closes(EVERYWHERE)
    document = closing.document(EVERYWHERE, signed.id)
    (tmp_path / "key.pem").write_text(closing.check_chain(EVERYWHERE).public_pem)
    (tmp_path / "sig").write_bytes(bytes.fromhex(signed.signature))
    command = ["openssl", "dgst", "-sm3", "-sigopt", "distid:1234567812345678", "-verify", "key.pem"]
    for text, code in ((document, 0), (document + b" ", 1)):
        done = subprocess.run([*command, "-signature", "sig"], input=text, cwd=tmp_path, capture_output=True)
        assert done.returncode == code
