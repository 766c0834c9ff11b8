"""The counterparts of the check of agreement, their business, and what both sides hold in the end.

Nobody steps in: what is seen is done by the worker's sweeps alone. Another counterpart is one line in
`PLAYERS`.
"""

import json
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.db import transaction
from django.test import Client

from tests.support.channels_process import Jingtong
from tests.support.couriers import Desk
from tests.unit.couriers.conftest import COUNTER, ready_to_post
from tests.unit.interop.conftest import LIMITS, send
from tests.unit.replacements.conftest import Families
from xueka.contexts.cards import api as cards
from xueka.contexts.couriers import api as couriers
from xueka.contexts.couriers import jobs as courier_jobs
from xueka.contexts.couriers.models import TrackingEvent, Waybill
from xueka.contexts.families import api as families
from xueka.contexts.families.adapters import jingtong as jingtong_adapter
from xueka.contexts.interop import api as interop
from xueka.contexts.transit import api as transit
from xueka.contexts.welfare import jobs as welfare_jobs
from xueka.contexts.welfare.models import Entitlement
from xueka.kernel import clock
from xueka.platform.exchange.applying import Message as Heard
from xueka.platform.exchange.applying import apply_due
from xueka.platform.exchange.counterparts import counterpart
from xueka.platform.exchange.models import Attempt, Incoming, Outgoing
from xueka.platform.identity.actor import Actor
from xueka.platform.mail import jobs as mail_jobs
from xueka.platform.mail import services as mails
from xueka.platform.mail.models import Mail
from xueka.platform.messages import jobs as message_jobs
from xueka.platform.messages import services as messages
from xueka.platform.messages.models import Message
from xueka.sandbox.couriers import __main__ as couriers_house
from xueka.sandbox.exchange import __main__ as exchange_house
from xueka.sandbox.jingtong import __main__ as jingtong_house
from xueka.sandbox.mail import __main__ as mail_house
from xueka.sandbox.messages import __main__ as messages_house

SYSTEM = Actor.system("test")
SITE = "http://127.0.0.1:9"
STEP = timedelta(minutes=20)
HEARD: dict[str, list[int]] = {}


@dataclass
class World:
    """The small city, its clock, one's own dice, and where counterparts keep their things."""

    family: Families
    folder: Path
    settings: Any
    seed: int
    things: int
    chance: random.Random = field(default_factory=random.Random)
    desk: Desk | None = None  # of the couriers, whose house is kuaidi100's too


@dataclass(frozen=True, slots=True)
class Line:
    """One counterpart in the report. `refused`: calls and letters that the dial or a rule turned away."""

    counterpart: str
    sent: int
    kept: int
    repeated: int
    refused: int
    compared: int
    differing: int
    faults: int


class Player(ABC):
    """One counterpart in this process, on a port of its own: `act` is business, `sweep` the worker's part."""

    name: ClassVar = ""
    house: Any

    def __init__(self, world: World) -> None:
        self.world = world

    def options(self, folder: Path, *more: str) -> list[str]:
        return ["--home", str(folder), "--seed", str(self.world.seed), *more]

    def keep_time(self) -> None:
        self.house.clock.set(clock.local(clock.now()).isoformat())

    def heavy(self) -> None:
        self.house.dial.turn({"preset": "heavy", "delay_ms": 1})

    def calm(self) -> None:
        self.house.dial.turn({"preset": "none"})

    def faults(self) -> int:
        return len(self.house.dial.recorded())

    def close(self) -> None:
        self.house.stop()

    @abstractmethod
    def act(self, number: int) -> None: ...

    @abstractmethod
    def sweep(self) -> None: ...

    @abstractmethod
    def line(self) -> Line: ...


class Exchanging(Player):
    """A counterpart of the data exchange; its own letters are carried to our door by hand."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        folder = world.settings.EXCHANGE_PARTNERS / self.name
        given = self.options(folder, "--code", self.name, "--limits", LIMITS)
        self.house = exchange_house.House(exchange_house.parser().parse_args(given))
        self.house.start()
        self.house.notices.stop()
        self.turned_away = 0

    def sweep(self) -> None:
        interop.follow_all()
        send(4)
        for row, letter in self.house.notices.take(all=True):
            headers = {name: value for name, value in letter.headers.items() if name.startswith("webhook-")}
            door = urlsplit(letter.url).path
            answer = Client().post(door, letter.body, content_type="application/json", headers=headers)
            self.turned_away += answer.status_code >= 400
            self.house.notices.answered(row["id"], answer.status_code, answer.content)
        apply_due()

    def told(self, compared: int, differing: int) -> Line:
        ours = Outgoing.objects.filter(stream__counterpart=self.name)
        tries = Attempt.objects.filter(outgoing__in=ours)
        heard = Incoming.objects.filter(counterpart=self.name)
        twice = self.house.store.one("select coalesce(sum(times - 1), 0) n from applied")["n"]
        kept = self.house.store.one("select count(*) n from applied")["n"]
        open_ones = ours.exclude(state="delivered").count() + heard.exclude(state="applied").count()
        return Line(
            self.name,
            ours.count() + self.house.store.get("number.told", 0),
            kept + heard.count(),
            twice,
            tries.exclude(code="").count() + self.turned_away,
            compared,
            differing + open_ones,
            self.faults(),
        )


class BeijingTong(Exchanging):
    """Card status out, messages of theirs in; what it forgets, the daily comparison tells it again."""

    name = "beijing-tong"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        HEARD.clear()
        world.settings.EXCHANGE_HANDLERS = {
            **world.settings.EXCHANGE_HANDLERS,
            f"{self.name}/trial.told": f"{__name__}.hear",
        }
        interop.follow_all()
        self.ids = world.family.city.active(world.family.city.students(world.things))
        for each in cards.Card.objects.filter(id__in=self.ids):
            each.beijing_tong_number = f"BJT{each.id:010d}"
            each.save(update_fields=["beijing_tong_number"])
        self.said: dict[str, list[int]] = {}

    def act(self, number: int) -> None:
        card = cards.Card.objects.get(id=self.world.chance.choice(self.ids))
        if card.state == "active":
            cards.report_lost(SYSTEM, card.id)
        else:
            cards.lift(SYSTEM, card.id)
        key = f"card:{self.world.chance.randrange(3)}"
        self.said.setdefault(key, []).append(number)
        self.house._tell({"key": key, "kind": "trial.told", "data": {"n": number}})

    def line(self) -> Line:
        done = interop.reconcile(SYSTEM, counterpart(self.name), interop.CARD_STATUS)
        assert not done.problem, done.problem
        unheard = sum(HEARD.get(key) != numbers for key, numbers in self.said.items())
        return self.told(done.both + sum(map(len, self.said.values())), done.differing + unheard)


def hear(actor: Actor, message: Heard) -> None:
    """Handler of what the Beijing-Tong of this check says."""
    HEARD.setdefault(message.key, []).append(message.data["n"])


class Transit(Exchanging):
    """The company tells validity of fares; ours is what it last said."""

    name = "transit"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        ids = world.family.city.active(world.family.city.students(max(world.things // 2, 2)))
        self.cards = list(cards.Card.objects.filter(id__in=ids).order_by("id"))

    def act(self, number: int) -> None:
        card = self.world.chance.choice(self.cards)
        until = (clock.today() + timedelta(days=100 + number)).isoformat()
        self.house.desk.put_fare(card.number, card.transit_number, "student", until, tell=True)

    def line(self) -> Line:
        known = transit.known_of([each.id for each in self.cards])
        ours = {
            each.number: str(known[each.id].validity.valid_until) for each in self.cards if each.id in known
        }
        found = self.house.store.all("select card, valid_until from fare")
        theirs = {row["card"]: row["valid_until"] for row in found}
        return self.told(len(theirs), differing(ours, theirs))


WELFARE_SETS = ("entitled-cards", "entitlements")


class Welfare(Exchanging):
    """Cards are lost, found and called off; the platform follows with entitlements, and moves some itself."""

    name = "welfare"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        ids = world.family.city.active(world.family.city.students(max(world.things // 2, 2)))
        self.cards = list(cards.Card.objects.filter(id__in=ids).order_by("id"))

    def options(self, folder: Path, *more: str) -> list[str]:
        return super().options(folder, *more, "--datasets", ",".join(WELFARE_SETS))

    def act(self, number: int) -> None:
        card = self.world.chance.choice(self.cards)
        card.refresh_from_db()
        if card.state == "active":
            cards.report_lost(SYSTEM, card.id)
        else:
            cards.lift(SYSTEM, card.id)
        days = (f"{clock.today()}", f"{clock.today() + timedelta(days=100 + number)}")
        state, reason = (("active", ""), ("suspended", "核查"), ("ended", "到期"))[number % 3]
        self.house.grants.put(card.number, card.beijing_tong_number, "park", state, reason, days=days)

    def sweep(self) -> None:
        welfare_jobs.follow_cards()
        welfare_jobs.walk_cards()
        super().sweep()

    def line(self) -> Line:
        ours = {
            (each.card.number, each.kind): (each.state, f"{each.valid_until}", each.version)
            for each in Entitlement.objects.select_related("card")
        }
        found = self.house.store.all("select * from entitlement")
        theirs = {
            (row["card"], row["kind"]): (row["state"], row["valid_until"], row["version"]) for row in found
        }
        done = [interop.reconcile(SYSTEM, counterpart(self.name), each) for each in WELFARE_SETS]
        assert not any(each.problem for each in done), [each.problem for each in done]
        return self.told(
            sum(each.both for each in done),
            differing(ours, theirs) + sum(each.differing for each in done),
        )


class Messages(Player):
    """Each text once, and both sides know the same end of it."""

    name = "messages"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        folder = world.folder / self.name
        self.house = messages_house.House(messages_house.parser().parse_args(self.options(folder)))
        self.house.start()
        world.settings.MESSAGE_PARTNER = folder / "partner.json"

    def act(self, number: int) -> None:
        for each in range(3):
            phone = f"139{number:05d}{each:03d}"
            messages.send(
                phone, "SIGN_IN_CODE", {"code": "123456", "minutes": "10"}, f"trial.{number}.{each}"
            )

    def sweep(self) -> None:
        self.house.gateway.settle()
        message_jobs.send_messages()

    def line(self) -> Line:
        rows = list(Message.objects.all())
        ours = {each.key: each.state for each in rows}
        theirs = {row["key"]: row["state"] for row in self.house.store.all("select key, state from message")}
        tries = sum(each.attempts for each in rows)
        return Line(
            self.name, len(ours), len(theirs), max(tries - len(ours), 0), self.faults(), len(theirs),
            differing(ours, theirs), self.faults(),
        )  # fmt: skip


class Mails(Player):
    """Each mail in its box once, or known not to be."""

    name = "mail"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        folder = world.folder / self.name
        self.house = mail_house.House(mail_house.parser().parse_args(self.options(folder)))
        self.house.start()
        world.settings.MAIL_PARTNER = folder / "partner.json"

    def act(self, number: int) -> None:
        mails.send(SYSTEM, f"p{number}@example.cn", "答复", "正文", f"trial.{number}", purpose="试发")

    def sweep(self) -> None:
        mail_jobs.send_mails()

    def line(self) -> Line:
        ours = {each.token: each for each in Mail.objects.filter(key__startswith="trial.")}
        kept = self.house.store.all("select message_id, copies from mail")
        theirs = {row["message_id"].strip("<>").split("@")[0]: row["copies"] for row in kept}
        gone = {token for token, each in ours.items() if each.state in ("sent", "delivered")}
        return Line(
            self.name, len(ours), len(theirs), sum(theirs.values()) - len(theirs), self.faults(), len(ours),
            len(gone ^ theirs.keys()) + sum(each.state == "queued" for each in ours.values()), self.faults(),
        )  # fmt: skip


class Couriers(Player):
    """Parcels by SF: its pushes are lost, doubled and lied; only what it answers when asked is believed."""

    name = "couriers"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        folder = world.folder / self.name
        self.house = couriers_house.House(couriers_house.parser().parse_args(self.options(folder)))
        self.house.listen()
        world.settings.COURIER_PARTNER, world.settings.COURIER_SITE = folder / "partner.json", SITE
        (folder / "city").mkdir(exist_ok=True)
        (folder / "city" / "push.json").write_text(json.dumps({"sf": f"{SITE}/api/couriers/sf/push"}))
        self.desk = world.desk = Desk(self.house, None)
        self.most, self.sent, self.answers = max(world.things // 3, 2), 0, list[str]()

    def act(self, number: int) -> None:
        if self.sent < self.most:
            made, _ = ready_to_post(self.world.family)
            couriers.ask_home(COUNTER, made.number)
            self.sent += 1

    def sweep(self) -> None:
        for _ in range(2):
            self.answers += self.desk.push()
            courier_jobs.sweep()
        courier_jobs.watch()

    def line(self) -> Line:
        ours = {each.number: steps_of(each) for each in Waybill.objects.filter(shipment__courier="sf")}
        theirs = {
            row["waybill"]: {(each["acceptTime"], each["opCode"]) for each in self.house.parcels.routes(row)}
            for row in self.desk.parcels()
            if row["order_id"]
        }
        refused = sum(not each.endswith(("0000", "200")) for each in self.answers)
        pushes = self.house.store.one("select count(*) n from notice where forged = ''")["n"]
        return Line(
            self.name, self.sent + pushes, len(theirs), max(len(self.answers) - pushes, 0), refused,
            len(theirs), differing(ours, theirs), self.faults(),
        )  # fmt: skip


class Kuaidi100(Player):
    """Numbers typed by hand: it tells what it follows by itself, and nobody can ask it. What it lost for good
    is a parcel that waits for a person; nothing is believed that did not happen.
    """

    name = "kuaidi100"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        assert world.desk is not None
        self.desk, self.house = world.desk, world.desk.house
        world.settings.COURIER_SILENCE = 12
        self.most, self.sent = max(world.things // 6, 2), 0

    def act(self, number: int) -> None:
        if self.sent < self.most:
            made, _ = ready_to_post(self.world.family)
            couriers.post_by_hand(COUNTER, made.number, "中通快递", f"ZT{number:010d}")
            self.sent += 1

    def sweep(self) -> None:
        """The couriers' player does it for both."""

    def line(self) -> Line:
        ours = {each.number: each for each in Waybill.objects.filter(shipment__courier="hand")}
        theirs = {row["waybill"]: row for row in self.desk.parcels() if not row["order_id"]}
        wrong = len(ours.keys() ^ theirs.keys())
        for number in ours.keys() & theirs.keys():
            told = {each["acceptTime"] for each in self.house.parcels.routes(theirs[number])}
            known = {at for at, _ in steps_of(ours[number])}
            asked = ours[number].shipment.problems.filter(kind="stuck", closed_at=None).exists()
            wrong += not known <= told or not (known == told or asked)
        pushes = self.house.store.all("select forged from notice where channel = 'kuaidi100'")
        refused = sum(bool(row["forged"]) for row in pushes)
        return Line(
            self.name, self.sent + len(pushes), len(ours), 0, refused, len(theirs), wrong, self.faults()
        )

    def faults(self) -> int:
        return sum(each["channel"] == "kuaidi100" for each in self.house.dial.recorded())

    def close(self) -> None:
        """The house is the couriers'."""


def steps_of(waybill: Waybill) -> set[tuple[str, str]]:
    """What we believe of a parcel: time and code of each step that the courier has confirmed."""
    steps = TrackingEvent.objects.filter(waybill=waybill, confirmed_at__isnull=False).exclude(code="")
    return {(f"{clock.local(each.at):%Y-%m-%d %H:%M:%S}", each.code) for each in steps}


class SignOn(Player):
    """Citizens come through Jingtong: no lie lets anybody in, and each is the same citizen on both sides."""

    name = "jingtong"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        folder = world.folder / self.name
        self.house = jingtong_house.House(jingtong_house.parser().parse_args(self.options(folder)))
        self.house.start()
        world.settings.JINGTONG_PARTNER = folder / "partner.json"
        jingtong_adapter._known.clear()
        families.introduce(SYSTEM, SITE)
        self.browser = Jingtong(folder)
        self.back = f"{SITE}/parent/jingtong/back/"
        self.tries = self.let_in = self.refused = 0
        self.known: dict[str, str] = {}
        self.wrong = 0

    def keep_time(self) -> None:
        """Tokens are judged by the real clock."""

    def act(self, number: int) -> None:
        self.come(f"137000{number % 7:05d}")

    def come(self, phone: str) -> None:
        """Some time after the one before: that the platform was silent then is forgotten."""
        for issuer, (_, configuration, _) in list(jingtong_adapter._known.items()):
            if not configuration:
                del jingtong_adapter._known[issuer]
        self.tries += 1
        try:
            asked = families.ask_sign_on(self.back)
            citizen = families.hear_sign_on(asked, self.browser.come_back(asked.url, phone), self.back)
        except families.SignOnFailed:
            self.refused += 1
            return
        self.let_in += 1
        self.wrong += citizen.phone != phone or self.known.get(citizen.subject, phone) != phone
        self.known[citizen.subject] = phone

    def sweep(self) -> None:
        """Nothing is left to do: a sign-on succeeds, or the citizen tries again."""

    def line(self) -> Line:
        for row in self.browser.get("signed-on"):
            self.come(row["phone"])
        theirs = {row["subject"]: row["phone"] for row in self.browser.get("signed-on")}
        return Line(
            self.name, self.tries, self.let_in, self.tries - len(theirs), self.refused, len(theirs),
            differing(self.known, theirs) + self.wrong, self.faults(),
        )  # fmt: skip

    def close(self) -> None:
        self.browser.close()
        super().close()


#: Another counterpart is one line here.
PLAYERS: tuple[Callable[[World], Player], ...] = (
    BeijingTong,
    Transit,
    Welfare,
    Messages,
    Mails,
    Couriers,
    Kuaidi100,
    SignOn,
)


def differing(ours: Mapping[Any, Any], theirs: Mapping[Any, Any]) -> int:
    return sum(ours.get(key) != theirs.get(key) for key in ours.keys() | theirs.keys())


def play(world: World, rounds: int, rest: int) -> list[Line]:
    """`rounds` under the heavy dial with business, then `rest` without either; what both sides hold then."""
    world.chance.seed(world.seed)
    players = [each(world) for each in PLAYERS]
    try:
        for each in players:
            each.keep_time()
            each.heavy()
        for number in range(rounds):
            for each in players:
                with transaction.atomic():
                    each.act(number)
            turn(world, players)
        for each in players:
            each.calm()
        for number in range(rest):
            turn(world, players)
            if number == rest // 2:
                world.family.time.advance(timedelta(days=1))
                for each in players:
                    each.keep_time()
                interop.compare_daily()
        for each in players:
            each.keep_time()
        return [each.line() for each in players]
    finally:
        for each in players:
            each.close()


def turn(world: World, players: list[Player]) -> None:
    for each in players:
        each.keep_time()
        each.sweep()
    world.family.time.advance(STEP)


def report(lines: list[Line], seed: int, rounds: int) -> str:
    names = ("counterpart", "sent", "kept", "repeated", "refused", "compared", "differing", "faults")
    rows = [names, *(tuple(str(getattr(each, name)) for name in names) for each in lines)]
    table = "\n".join("  ".join(f"{value:>12}" for value in row) for row in rows)
    return f"seed {seed}, {rounds} rounds under the heavy dial, then none\n{table}"
