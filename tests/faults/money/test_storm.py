"""Notices in storms, repeated, shuffled, late, lying, forged, of nobody; the books end as if there
had been none, and the same with tellers killed in the middle of it.
"""

import hashlib
import json
import multiprocessing
import os
import random
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections, transaction

from tests.faults.money.town import Town, come_to_an_end, found
from tests.support import fake_channel
from tests.support.fake_channel import BANKS, MERCHANT
from tests.support.size import dial
from tests.unit.cards.conftest import NOW
from tests.unit.payments.conftest import FEN, SYSTEM, books, everything_holds
from xueka.contexts.ledger.models import Posting
from xueka.contexts.payments import api as payments
from xueka.contexts.payments.ports import Told
from xueka.kernel import clock
from xueka.platform.identity.scope import EVERYWHERE

pytestmark = pytest.mark.django_db(transaction=True)

SEED = 20261126
ORDERS, NOTICES, KILLS, TELLERS = dial((50, 250, 3, 2), (20_000, 100_000, 100, 2))
Delivery = tuple[str, dict[str, str], bytes]


@dataclass
class Storm:
    """What is delivered, and what the one who made it knows of it."""

    deliveries: list[Delivery]
    told: dict[str, Told]
    forged: int
    lies: int
    strangers: int
    nobodys: dict[str, int]


def brew(town: Town, chance: random.Random) -> Storm:
    """5 % of the orders are closed before, 2 % paid with another amount; of the notices 30 % are the same
    bytes again, 2 % lie about the amount, 1 % are forged, 1 % are of numbers that we never gave.
    """
    told: dict[str, Told] = {}
    first: list[tuple[payments.Payment, Delivery]] = []
    late = {each.id for each in chance.sample(town.attempts, len(town.attempts) // 20)}
    for payment in town.attempts:
        if payment.id in late:
            with transaction.atomic():
                payments.cancel_order(SYSTEM, payment.order_id)
        other = chance.randrange(100) < 2
        fen = chance.choice([1, FEN - 1, FEN + 1, FEN * 10]) if other else FEN
        told[payment.out_trade_no] = BANKS[payment.channel].pay(payment, fen)
        first.append((payment, _notice(payment, told[payment.out_trade_no])))
    made = [delivery for _, delivery in first]
    forged, lies, nobodys, strangers = set[bytes](), set[bytes](), dict[str, int](), 0
    while len(made) < NOTICES:
        payment, (channel, headers, raw) = chance.choice(first)
        kind = chance.randrange(1000)
        if kind < 12:
            body = json.dumps({**json.loads(raw), "fen": 900_000 + len(forged)}).encode()
            forged.add(body)
            made.append((channel, headers, body))
        elif kind < 24:
            fen = chance.choice([1, 1999, 2001, 20000])
            lie = _notice(payment, told[payment.out_trade_no], id=f"L{len(made)}", fen=fen)
            lies.add(lie[2])
            made.append(lie)
        elif kind < 36:
            number = f"XK999999{strangers:09d}0P01"
            strangers += 1
            stranger = Told("succeeded", FEN, f"T{number}", clock.now(), MERCHANT)
            made.append((channel, *fake_channel.payment_notice(f"S{number}", number, stranger)))
            if strangers % 2:  # of every other one the channel itself knows
                BANKS[channel].seconds[stranger.channel_id] = stranger
                nobodys[stranger.channel_id] = FEN
        elif kind < 400:
            made.append((channel, headers, raw))
        else:  # the channel tries again: the same notice, signed anew
            made.append(_notice(payment, told[payment.out_trade_no], sent=len(made)))
    chance.shuffle(made)
    return Storm(made, told, len(forged), len(lies), strangers, nobodys)


def _notice(payment: payments.Payment, told: Told, **change: object) -> Delivery:
    made = fake_channel.payment_notice(f"N{payment.id}", payment.out_trade_no, told, **change)
    return payment.channel, *made


def teller(deliveries: list[Delivery], place: Any, seed: int) -> None:
    """Takes its notices one after another and sweeps in between; `place` says how many were answered."""
    chance = random.Random(seed)
    while place.value < len(deliveries):
        payments.take_notice(*deliveries[place.value])
        place.value += 1
        if chance.randrange(100) == 0:
            payments.sweep()
    connections.close_all()


def rage(storm: Storm, kills: int, chance: random.Random) -> int:
    """All deliveries through TELLERS processes, of which one is killed `kills` times; how often it was.

    What was not answered is delivered again, as a channel does.
    """
    fork = multiprocessing.get_context("fork")
    piles = [storm.deliveries[n::TELLERS] for n in range(TELLERS)]
    places = [fork.RawValue("q", 0) for _ in piles]
    connections.close_all()
    killed, working = 0, dict[int, Any]()

    def start(n: int) -> None:
        working[n] = fork.Process(target=_work, args=(piles[n], places[n], chance.randrange(10**9)))
        working[n].start()

    for n in range(TELLERS):
        start(n)
    # A kill falls after so many answers, wherever the teller is then.
    marks = sorted(chance.sample(range(1, len(storm.deliveries) - TELLERS), kills))
    while working:
        for n, process in list(working.items()):
            done = sum(place.value for place in places)
            if killed < kills and done >= marks[killed] and process.is_alive():
                time.sleep(chance.random() * 0.01)
                process.kill()
                process.join()
                if process.exitcode == 0:  # it had just finished
                    del working[n]
                    continue
                killed += 1
                start(n)
            elif not process.is_alive():
                process.join()
                assert process.exitcode == 0, process.exitcode
                del working[n]
        time.sleep(0.001)
    return killed


def _work(pile: list[Delivery], place: Any, seed: int) -> None:
    code = 1
    with suppress(BaseException):  # a fork of the test run does not run the tests' own ends
        teller(pile, place, seed)
        code = 0
    os._exit(code)


def judge(town: Town, storm: Storm) -> str:
    """What the check asks for; the digest of the end state, the same on every way to it."""
    orders = list(payments.order_rows(EVERYWHERE))
    states = Counter(order.state for order in orders)
    assert set(states) <= {"paid", "closed", "expired"} and sum(states.values()) == ORDERS
    assert sum(books().values()) == 0 and "payers" not in books() and "refunds" not in books()
    assert -books()["income"] == FEN * states["paid"]
    assert -books().get("breaks", 0) == sum(storm.nobodys.values())
    back = _went_back()
    for payment in payments.payment_rows(EVERYWHERE).select_related("order"):
        told = storm.told[payment.out_trade_no]
        kept = FEN if payment.order.state == "paid" else 0
        assert payment.received_fen == told.amount_fen, payment.out_trade_no
        assert back.pop(payment.order.number, 0) == told.amount_fen - kept, payment.out_trade_no
    assert not back
    outcomes = payments.notice_outcomes(EVERYWHERE)
    print(dict(states), outcomes)
    assert "" not in outcomes and outcomes["refused"] == storm.forged
    assert outcomes.get("stray", 0) == storm.strangers
    credited = Posting.objects.filter(account="income").values_list("reference", flat=True)
    assert len(set(credited)) == len(credited) == states["paid"]
    everything_holds()
    return _digest()


def _went_back() -> Counter[str]:
    """Fen that the channels paid back, by order."""
    found = Counter[str]()
    for bank in BANKS.values():
        for number, told in bank.refunds.items():
            found[number[:-3]] += told.amount_fen
    return found


def _digest() -> str:
    """Of every order with its money, and of the balances; not of times, tries or who came first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT concat_ws('|', o.number, o.state, p.state, p.channel_id, p.received_fen, p.credited,
                             p.stray, p.stray_fen, r.number, r.amount_fen, r.state) AS line
              FROM payments_order o JOIN payments_payment p ON p.order_id = o.id
              LEFT JOIN payments_refund r ON r.payment_id = p.id
            UNION ALL SELECT concat_ws('|', account, channel, count(*), sum(fen)) FROM ledger_posting
             GROUP BY account, channel
             ORDER BY line
            """
        )
        whole = hashlib.sha256()
        for (line,) in cursor:
            whole.update(line.encode() + b"\n")
    return whole.hexdigest()


@pytest.fixture(scope="module")
def ends() -> dict[int, str]:
    return {}


@pytest.mark.parametrize("kills", [0, KILLS])
def test_a_storm_of_notices(in_memory: None, tmp_path: Path, ends: dict[int, str], kills: int) -> None:
    chance = random.Random(SEED)
    with clock.at(NOW) as time:
        town = found(time, ORDERS, tmp_path)
        storm = brew(town, chance)
        print(f"seed {SEED}, {ORDERS} orders, {len(storm.deliveries)} notices, {kills} kills")
        assert rage(storm, kills, random.Random(SEED + kills)) == kills
        time.advance(timedelta(minutes=1))
        come_to_an_end(town)
        ends[kills] = judge(town, storm)
    assert len(set(ends.values())) == 1, "killed tellers lead to another end"
