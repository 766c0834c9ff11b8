"""The counterparts beside cards: what moves between each and the city, what both hold then, and the report.

A simulated year and the check of agreement (tests/faults/agreeing.py), which adds business of its own, are
over the same sides. Nobody steps in: `sweep` is the worker's part, and letters that the counterpart has for
us, carried by hand.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import transaction

from xueka.contexts.couriers import api as couriers
from xueka.contexts.interop import api as interop
from xueka.contexts.payments import api as payments
from xueka.contexts.receipts import api as receipts
from xueka.contexts.transit import api as transit
from xueka.contexts.welfare import api as welfare
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict, Refused
from xueka.platform.exchange import receiving
from xueka.platform.exchange.applying import apply_due
from xueka.platform.exchange.counterparts import counterpart
from xueka.platform.exchange.models import Attempt, Incoming, Outgoing
from xueka.platform.exchange.sending import Sender
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE
from xueka.platform.mail import jobs as mail_jobs
from xueka.platform.mail.models import QUEUED as MAIL_QUEUED
from xueka.platform.mail.models import Mail
from xueka.platform.messages import jobs as message_jobs
from xueka.platform.messages.models import ENDED, FAILED, WITHHELD, Message
from xueka.simulation.beside import Counterpart
from xueka.simulation.registry_side import Registry
from xueka.simulation.sides import Line, Side, differing

WORKER = Actor.system("worker")
SILENCE = timedelta(hours=6)  # their days are minutes here (`counterparts.SPEED`)


class Exchanging(Side):
    """A counterpart of the data exchange; every dataset that it names is compared."""

    rounds = 2_000  # of sending in one sweep; far more than any of them needs

    def __init__(self, card: Mapping[str, Any]) -> None:
        super().__init__(card)
        self.name = str(card["code"])
        self.turned_away = 0
        self._sender = Sender()

    def close(self) -> None:
        self._sender.close()
        super().close()

    def sweep(self) -> None:
        interop.follow_all()
        with transaction.atomic():
            transit.follow(WORKER)
            welfare.follow()
            welfare.walk()
        for _ in range(self.rounds):
            if not self._sender.turn():
                break
        for letter, raw in self.letters():
            self.answer(letter, self._receive(letter["headers"], raw))
        while apply_due():
            pass

    def _receive(self, headers: Mapping[str, str], raw: bytes) -> int:
        """As our door does (entrypoints/rest/interop.py): the status that it answers with."""
        given = {name.lower(): value for name, value in headers.items()}
        try:
            with transaction.atomic():
                return 200 if receiving.receive(counterpart(self.name), given, raw).again else 202
        except Refused:
            status = 401
        except Conflict:
            status = 409
        except BadInput:
            status = 400
        self.turned_away += 1
        return status

    def waiting(self) -> int:
        ours = Outgoing.objects.filter(stream__counterpart=self.name, state="queued").count()
        theirs = Incoming.objects.filter(counterpart=self.name, state="waiting").count()
        return ours + theirs + self.told()["waiting"]

    def line(self) -> Line:
        partner = counterpart(self.name)
        done = [interop.reconcile(WORKER, partner, each) for each in partner.datasets]
        ours = Outgoing.objects.filter(stream__counterpart=self.name)
        heard = Incoming.objects.filter(counterpart=self.name)
        refused = Attempt.objects.filter(outgoing__in=ours).exclude(code="").count()
        [counts] = self.control("GET", "counts")
        unended = ours.exclude(state="delivered").count() + heard.exclude(state="applied").count()
        silent = sum(bool(each.problem) for each in done)
        return Line(
            self.name,
            ours.count() + self.told()["told"],
            counts["applied"] + heard.count(),
            counts["again"],
            refused + self.turned_away,
            sum(each.both for each in done),
            sum(each.differing + each.on_the_way for each in done) + unended + silent,
            self.faults(),
        )


class Messages(Side):
    """Each text once, and both sides know the same end of it."""

    name = "messages"

    def sweep(self) -> None:
        message_jobs.send_messages()

    def waiting(self) -> int:
        return Message.objects.exclude(state__in=ENDED).count()

    def line(self) -> Line:
        rows = dict(Message.objects.values_list("key", "state"))
        never = {key for key, state in rows.items() if state in (FAILED, WITHHELD)}
        theirs = {each["key"]: each["state"] for each in self.control("GET", "messages")}
        ours = {key: state for key, state in rows.items() if key in theirs or key not in never}
        faults = self.faults()
        return Line(
            self.name, len(rows), len(theirs), 0, faults, len(theirs), differing(ours, theirs), faults
        )


class Mails(Side):
    """Each mail in its box once, or known not to be."""

    name = "mail"

    def sweep(self) -> None:
        mail_jobs.send_mails()

    def waiting(self) -> int:
        return Mail.objects.filter(state=MAIL_QUEUED).count()

    def line(self) -> Line:
        rows = dict(Mail.objects.values_list("token", "state"))
        gone = {token for token, state in rows.items() if state in ("sent", "delivered")}
        theirs = {
            each["message_id"].strip("<>").split("@")[0]: each["copies"]
            for each in self.control("GET", "mails")
        }
        faults = self.faults()
        return Line(
            self.name, len(rows), len(theirs), sum(theirs.values()) - len(theirs), faults, len(rows),
            len(gone ^ theirs.keys()) + self.waiting(), faults,
        )  # fmt: skip


def tell_couriers(home: Path) -> None:
    """Where they push to: nobody listens there, since it is fetched."""
    (home / "city").mkdir(parents=True, exist_ok=True)
    (home / "city" / "push.json").write_text(json.dumps({"sf": "http://127.0.0.1:9/api/couriers/sf/push"}))


class Couriers(Side):
    """Parcels by SF: its pushes are lost, doubled and lied; only what it answers when asked is believed."""

    name = "couriers"

    def __init__(self, card: Mapping[str, Any]) -> None:
        super().__init__(card)
        self.pushed = self.turned_away = 0

    def sweep(self) -> None:
        for _ in range(2):
            for letter, raw in self.letters():
                kind = letter["headers"].get("Content-Type", "")
                status, said, _, believed = couriers.take_push(letter["channel"], kind, raw)
                self.pushed += 1
                self.turned_away += not believed
                self.answer(letter, status, said)
            couriers.sweep()
        couriers.watch()

    def waiting(self) -> int:
        """One of which nothing is heard for hours is a person's affair."""
        rows = couriers.rows(EVERYWHERE)
        moving = rows.filter(state__in=couriers.FOLLOWED, state_at__gt=clock.now() - SILENCE)
        return rows.filter(state="asked").count() + moving.count() + self.told()["waiting"]

    def line(self) -> Line:
        sent = list(couriers.rows(EVERYWHERE).filter(courier="sf").prefetch_related("waybills"))
        ours = {
            waybill.number: {
                (f"{clock.local(each.at):%Y-%m-%d %H:%M:%S}", each.code)
                for each in couriers.events(shipment)
                if each.waybill_id == waybill.id and each.confirmed_at and each.code
            }
            for shipment in sent
            for waybill in shipment.waybills.all()
        }
        theirs = {
            each["waybill"]: {(step["acceptTime"], step["opCode"]) for step in each["routes"]}
            for each in self.control("GET", "parcels")
            if each["order_id"]
        }
        told = self.told()["told"]
        return Line(
            self.name, len(sent) + told, len(theirs) + self.pushed - self.turned_away,
            max(self.pushed - told, 0), self.turned_away, len(theirs), differing(ours, theirs), self.faults(),
        )  # fmt: skip


#: Those of money: whoever pays in a year pays at them.
MONEY = ("channels", "finance")


def money(channels: Counterpart, office: Counterpart) -> list[Line]:
    """The counterparts of money (`tills`): what each took and gave back, against what we hold of it."""
    merchants = ("wechat", "alipay")
    taken = {each["channel_id"]: each["fen"] for each in channels.control("GET", "charges")}
    back = {
        each["out_refund_no"]: each["fen"]
        for each in channels.control("GET", "refunds")
        if each["status"] == "SUCCESS"
    }
    paid = {each["tra_no"]: each["fen"] for each in office.control("GET", "payments")}
    theirs = {
        f"{each['code']}/{each['number']}": each["fen"]
        for each in office.control("GET", "receipts")
        if each["fen"] is not None  # else the number was drawn, and nothing was written under it
    }
    written = receipts.rows(EVERYWHERE).filter(state__in=[receipts.ISSUED, receipts.KEPT])
    ours = {f"{each.code}/{each.number}": each.amount_fen for each in written}
    return [
        _money_line(MONEY[0], channels, merchants, {}, {**taken, **back}),
        _money_line(MONEY[1], office, ("nontax",), ours, {**paid, **theirs}),
    ]


def _money_line(
    name: str,
    side: Counterpart,
    channels: Sequence[str],
    receipts_: Mapping[str, int],
    theirs: Mapping[str, int],
) -> Line:
    rows = payments.payment_rows(EVERYWHERE).filter(channel__in=channels)
    ours = dict(rows.exclude(channel_id="").values_list("channel_id", "received_fen"))
    back = payments.refund_rows(EVERYWHERE).filter(payment__channel__in=channels, way="channel")
    ours |= receipts_
    ours |= dict(back.filter(state="succeeded").values_list("number", "amount_fen"))
    heard = payments.Notice.objects.filter(channel__in=channels)
    times = sum(heard.values_list("times", flat=True))
    told = side.control("GET", "told")["told"]
    return Line(
        name, rows.count() + back.count() + len(receipts_) + told, len(theirs) + heard.count(),
        times - heard.count(),
        heard.filter(outcome="refused").count(), len(theirs), differing(ours, theirs),
        len(side.control("GET", "faults")),
    )  # fmt: skip


#: Another one in a simulated year is one line here.
SIDES: Mapping[str, type[Side]] = {
    "beijing-tong": Exchanging,
    "transit": Exchanging,
    "welfare": Exchanging,
    "messages": Messages,
    "mail": Mails,
    "couriers": Couriers,
    "registry": Registry,
}
