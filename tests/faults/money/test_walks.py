"""Many families walk by chance at once, over ledger, card and order: after each step of all of them
every invariant holds, and a refused step has left its family's rows as they were.

The walks of a crowd share a database, a clock and the books, and nothing else. They are checked together,
since an invariant costs the same for one family and for many. `unit/payments/test_walks.py` and
`unit/cards/test_stateful.py` walk one at a time and shrink what they find.
"""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from tests.support import fake_channel
from tests.support.fake_channel import BANKS
from tests.support.size import dial
from tests.unit.cards.conftest import KIND, NOW, City, build
from tests.unit.payments.conftest import FINANCE, SYSTEM, open_channels
from xueka.contexts.cards import api as cards
from xueka.contexts.ledger import api as ledger
from xueka.contexts.numbers import api as numbers
from xueka.contexts.payments import api as payments
from xueka.contexts.replacements import api as replacements
from xueka.contexts.replacements import jobs
from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE
from xueka.platform.invariants import check

SEED = 20261126
CROWDS, WALKS, STEPS = dial((1, 8, 25), (20, 100, 100))
INVARIANTS = [*ledger.INVARIANTS, *payments.INVARIANTS, *cards.INVARIANTS, *numbers.INVARIANTS,
              *replacements.INVARIANTS]  # fmt: skip

_CLERK = Actor.system("clerk")
_REVIEWER = Actor.system("reviewer")

#: One row a family: everything that is its own, books included.
_STATES = """
WITH o AS (SELECT student_id, id, number, o::text AS t FROM payments_order o)
SELECT s.id, md5(concat_ws('#',
    (SELECT string_agg(o.t, '|' ORDER BY o.id) FROM o WHERE o.student_id = s.id),
    (SELECT string_agg(p::text, '|' ORDER BY p.id) FROM payments_payment p JOIN o ON o.id = p.order_id
      WHERE o.student_id = s.id),
    (SELECT string_agg(r::text, '|' ORDER BY r.id) FROM payments_refund r JOIN o ON o.id = r.order_id
      WHERE o.student_id = s.id),
    (SELECT string_agg(r::text, '|' ORDER BY r.id) FROM replacements_replacement r WHERE r.student_id = s.id),
    (SELECT string_agg(c::text, '|' ORDER BY c.id) FROM cards_card c WHERE c.student_id = s.id),
    (SELECT string_agg(a::text, '|' ORDER BY a.id) FROM cards_application a
       JOIN cards_cardaccount k ON k.id = a.account_id WHERE k.student_id = s.id),
    (SELECT string_agg(k::text, '|' ORDER BY k.id) FROM cards_cardaccount k WHERE k.student_id = s.id),
    (SELECT concat(count(*), '/', sum(l.fen)) FROM ledger_posting l JOIN o ON left(l.reference, 18) = o.number
      WHERE o.student_id = s.id AND l.reference <> ''),
    (SELECT concat(count(*), '/', sum(l.fen)) FROM ledger_posting l WHERE l.reference = 'walk:' || s.id)))
  FROM registry_student s WHERE s.id = ANY(%s)
"""


class Family:
    """A child with a card, and what its people, its school, the bank and the makers of cards may do next."""

    def __init__(self, city: City, student: int, chance: random.Random) -> None:
        self.city, self.student, self.chance = city, student, chance
        self.refused = False
        self.serial = 0
        self.place = chance.choice([0, 0, 0, chance.randrange(len(WAY))])
        self.log: list[str] = []

    def step(self) -> None:
        """One act in two goes on along the usual way, so that walks get far; the other is any."""
        act = self.chance.choice(ACTS)
        if self.chance.randrange(2):
            act, self.place = WAY[self.place % len(WAY)], self.place + 1
        self.log.append(act.__name__)
        self.refused = False
        act(self)

    def tried(self, act: Callable[[], Any]) -> Any:
        """What came of it; None where it was refused."""
        try:
            with transaction.atomic():
                found = act()
        except XuekaError:
            self.refused = True
            return None
        self.refused = isinstance(found, cards.BulkResult) and not found.done
        return None if self.refused else found

    def card(self) -> cards.Card | None:
        return self.chance.choice(list(cards.card_rows(EVERYWHERE).filter(student=self.student)) or [None])

    def application(self) -> int:
        rows = cards.application_rows(EVERYWHERE).filter(account__student=self.student)
        return self.chance.choice(list(rows.order_by("id").values_list("id", flat=True)) or [0])

    def replacement(self) -> int:
        rows = replacements.Replacement.objects.filter(student=self.student).order_by("-id")
        return self.chance.choice(list(rows.values_list("id", flat=True)[:2]) or [0])

    def order(self) -> int:
        rows = payments.order_rows(EVERYWHERE).filter(student=self.student).order_by("-id")
        return self.chance.choice(list(rows.values_list("id", flat=True)[:3]) or [0])

    def attempt(self) -> payments.Payment | None:
        rows = payments.payment_rows(EVERYWHERE).filter(order__student=self.student, asked_id="")
        return self.chance.choice(list(rows.order_by("-id")[:3]) or [None])

    # What a family does.

    def loses(self) -> None:
        if card := self.card():
            self.tried(lambda: cards.report_lost(_CLERK, card.id))

    def finds(self) -> None:
        if card := self.card():
            act = self.chance.choice([cards.lift, cards.report_found])
            self.tried(lambda: act(_CLERK, card.id, "找到了"))

    def begins(self) -> None:
        if card := self.card():
            reason = "lost" if card.state == "lost" else "damaged"
            if self.chance.randrange(4) == 0:
                reason = self.chance.choice(["lost", "damaged", "data_change", "hunger"])
            self.tried(lambda: replacements.begin(SYSTEM, card.number, reason))

    def chooses(self) -> None:
        where = self.chance.choice(["school", "school", "district", "moon"])
        self.tried(lambda: replacements.choose_delivery(SYSTEM, self.replacement(), where))

    def hands_in(self) -> None:
        self.tried(lambda: replacements.submit(SYSTEM, self.replacement()))

    def orders_again(self) -> None:
        self.tried(lambda: replacements.order_to_pay(SYSTEM, self.replacement()))

    def calls_off(self) -> None:
        self.tried(lambda: replacements.cancel(SYSTEM, self.replacement()))

    def begins_to_pay(self) -> None:
        channel = self.chance.choice(["wechat", "alipay"])
        BANKS[channel].drop = self.chance.choice([0, 0, 100])
        try:
            payments.pay(SYSTEM, self.order(), channel, openid="o")
        except XuekaError as error:
            self.refused = error.code != "CHANNEL_SILENT"
        BANKS[channel].drop = 0

    def pays(self) -> None:
        if payment := self.attempt():
            off = self.chance.choice([0, 0, 0, 0, -1, 1, 700])
            BANKS[payment.channel].pay(payment, max(1, payment.amount_fen + off))

    def is_told_of(self) -> None:
        payment = self.attempt()
        if payment and (told := BANKS[payment.channel].paid.get(payment.out_trade_no)):
            lie = self.chance.choice([0, 0, 0, 13])
            change = {"fen": told.amount_fen + lie} if lie else {}
            id_ = f"N{payment.id}{self.chance.choice('ab')}{lie}"
            headers, raw = fake_channel.payment_notice(id_, payment.out_trade_no, told, **change)
            if self.chance.randrange(8) == 0:
                raw = raw.replace(b'"fen": 2', b'"fen": 9')
            payments.take_notice(payment.channel, headers, raw)

    def cancels_the_order(self) -> None:
        self.tried(lambda: payments.cancel_order(SYSTEM, self.order()))

    # What finance, the school and the makers do.

    def refunds(self) -> None:
        self.serial += self.chance.randrange(2)
        fen, key = self.chance.choice([-1, 1, 500, 2000, 2001]), f"{self.student}:{self.serial}"
        self.tried(lambda: payments.refund(FINANCE, self.order(), fen, "x", key))

    def refunds_again(self) -> None:
        rows = payments.refund_rows(EVERYWHERE).filter(order__student=self.student, state="failed")
        if failed := rows.first():
            self.tried(lambda: payments.refund_again(FINANCE, failed.id))

    def keeps_books(self) -> None:
        """An entry of the walk's own: right, one-sided, unbalanced, of a closed day, of tomorrow."""
        self.serial += self.chance.randrange(2)
        fen, off = self.chance.randrange(1, 900), self.chance.choice([0, 0, 1])
        day = clock.today() + timedelta(days=self.chance.choice([0, 0, 1, -1, -400]))
        reference = f"walk:{self.student}"
        sides = [
            ledger.Posting("clearing.wechat", fen, "wechat", reference),
            ledger.Posting("breaks", off - fen, "wechat", reference),
        ][: self.chance.choice([1, 2, 2, 2])]
        key = f"walk:{self.student}:{self.serial}"
        self.tried(lambda: ledger.post(SYSTEM, key, "break", day, sides, {}))

    def applies(self) -> None:
        """For a first card: refused while there is one."""
        if made := self.tried(lambda: cards.create_applications(_CLERK, [self.student], KIND, "new")):
            self.tried(lambda: cards.submit(_CLERK, made.done))
            self.refused = False

    def reviews(self) -> None:
        ids = [self.application()]
        act = self.chance.choice(
            [
                lambda: cards.approve(_REVIEWER, ids),
                lambda: cards.approve(_REVIEWER, ids),
                lambda: cards.refuse(_REVIEWER, ids, "data_mismatch"),
                lambda: cards.withdraw(_CLERK, ids),
                lambda: cards.cancel_applications(_CLERK, ids, "理由"),
            ]
        )
        self.tried(act)

    def plans(self) -> None:
        self.tried(lambda: cards.plan_cards(_CLERK, [self.application()]))

    def makes(self) -> None:
        """The next step that the table of cards allows, or, now and then, one that it does not."""
        if card := self.card():
            events = set(cards.CARD.events(card.state))
            if self.chance.randrange(12):
                events -= {"cancel", "void", "fail", "unpack"}  # or few cards would come far
            else:
                events = set(cards.CARD.event_codes)
            if events and (act := self._acts(card.id).get(self.chance.choice(sorted(events)))):
                self.tried(act)

    def _acts(self, card: int) -> dict[str, Callable[[], Any]]:
        return {
            "order": lambda: cards.order_cards(_CLERK, [card]),
            "make": lambda: cards.confirm_made(_CLERK, [(card, f"{card:08X}")]),
            "fail": lambda: cards.fail_cards(_CLERK, [card], "01", "芯片失败"),
            "void": lambda: cards.void_cards(_CLERK, [card], "理由", remake=bool(card % 2)),
            "pack": lambda: cards.pack(_CLERK, [card]),
            "unpack": lambda: cards.unpack(_CLERK, [card]),
            "dispatch": lambda: cards.dispatch(_CLERK, [card]),
            "receive": lambda: cards.receive(_CLERK, [card]),
            "hand_out": lambda: cards.hand_out(_CLERK, [card]),
            "finish": lambda: cards.finish_at_counter(_CLERK, card, f"{card:08X}"),
            "give": lambda: cards.give(_CLERK, card, "student", agreed=True),
            "cancel": lambda: cards.cancel(_CLERK, card, "理由"),
        }


ACTS = [
    Family.loses, Family.finds, *[Family.begins] * 3, *[Family.chooses] * 3, *[Family.hands_in] * 3,
    Family.orders_again, Family.calls_off, *[Family.begins_to_pay] * 3, *[Family.pays] * 3,
    *[Family.is_told_of] * 4, Family.cancels_the_order, Family.refunds, Family.refunds_again,
    Family.keeps_books, Family.applies, *[Family.reviews] * 3, *[Family.plans] * 2, *[Family.makes] * 5,
]  # fmt: skip


#: A replacement from the loss to the child's hand, and the money beside it.
WAY = [
    Family.loses, Family.begins, Family.chooses, Family.hands_in, Family.begins_to_pay, Family.pays,
    Family.is_told_of, Family.reviews, Family.reviews, Family.plans, *[Family.makes] * 6, Family.refunds,
]  # fmt: skip


def _everybody(chance: random.Random, time: clock.SimulatedClock) -> None:
    """What concerns all at once: sweeps with a channel in good or bad health, time, the end of a period."""
    for bank in BANKS.values():
        bank.refuse_refunds, bank.drop = chance.randrange(4) == 0, chance.choice([0, 0, 50])
    match chance.randrange(5):
        case 0 | 1:
            payments.sweep()
        case 2:
            jobs.follow()
        case 3:
            time.advance(timedelta(minutes=chance.choice([1, 20, 60, 24 * 60])))
        case 4 if chance.randrange(3) == 0:
            try:
                with transaction.atomic():
                    ledger.close_period(FINANCE, clock.today() - timedelta(days=1))
            except XuekaError:
                pass
    for bank in BANKS.values():
        bank.refuse_refunds, bank.drop = False, 0


def _states(students: list[int]) -> dict[int, str]:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        cursor.execute(_STATES, [students])
        return dict(cursor.fetchall())


@pytest.mark.parametrize("crowd", range(CROWDS))
def test_walks_by_chance_over_money_and_cards(db: None, in_memory: None, crowd: int) -> None:
    print(f"seed {SEED}, crowd {crowd}: {WALKS} walks of {STEPS} steps")
    chance = random.Random(f"{SEED}/{crowd}")
    with clock.at(NOW) as time:
        open_channels()
        city = build()
        cards.CardKind.objects.filter(code=KIND).update(photo_required=False)
        students = city.students(WALKS, birth_year=2010)
        city.active(students)
        walks = [Family(city, each, random.Random(f"{SEED}/{crowd}/{each}")) for each in students]
        before, refused, done = _states(students), 0, 0
        for _ in range(STEPS):
            for walk in walks:
                walk.step()
            after = _states(students)
            for walk in walks:
                if walk.refused:
                    assert after[walk.student] == before[walk.student], (walk.student, walk.log)
            refused += sum(walk.refused for walk in walks)
            done += sum(after[each] != before[each] for each in students)
            _everybody(chance, time)
            before = _states(students)
            for each in INVARIANTS:
                result = check(each)
                assert result.violated == 0, (result, [walk.log for walk in walks][:3])
            for payment in payments.payment_rows(EVERYWHERE):
                assert BANKS[payment.channel].sent_back(payment.out_trade_no) <= (payment.received_fen or 0)
        live = cards.card_rows(EVERYWHERE).filter(student__in=students, state__in=cards.LIVE).count()
        paid = payments.order_rows(EVERYWHERE).exclude(success_at=None).count()
        print(f"{done} steps changed something, {refused} were refused, {paid} orders paid, {live} live")
        assert refused and paid
