"""The counterparts of the check of agreement, their business, and what both sides hold in the end.

Nobody steps in: what is seen is done by the worker's sweeps alone. What is swept and compared is that of a
simulated year (`xueka.simulation.agreement`); here the simulators are in this process, and business is added.
Another counterpart is one line in `PLAYERS`.
"""

import importlib
import json
import random
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from django.db import transaction

from tests.support.channels_process import Jingtong
from tests.support.registry import SCHOOLS, clean, load_schools
from tests.support.rosters import COLUMN
from tests.support.student_registry import person, students
from tests.unit.cards.conftest import KIND
from tests.unit.couriers.conftest import COUNTER, ready_to_post
from tests.unit.interop.conftest import LIMITS
from tests.unit.production.conftest import FIRST, SECOND
from tests.unit.replacements.conftest import Families
from tests.unit.transit.conftest import documented
from xueka.contexts.cards import api as cards
from xueka.contexts.couriers import api as couriers
from xueka.contexts.couriers.models import TrackingEvent, Waybill
from xueka.contexts.families import api as families
from xueka.contexts.families.adapters import jingtong as jingtong_adapter
from xueka.contexts.interop import api as interop
from xueka.contexts.production import api as production
from xueka.contexts.registry import jobs as registry_jobs
from xueka.contexts.registry.models import ImportRun, OneRosterFetch
from xueka.contexts.registry.oneroster import fetching
from xueka.kernel import clock
from xueka.kernel.errors import Conflict
from xueka.platform.exchange.applying import Message as Heard
from xueka.platform.identity.actor import Actor
from xueka.platform.mail import services as mails
from xueka.platform.messages import services as messages
from xueka.simulation import agreement, bureau
from xueka.simulation.counterparts import SIMULATORS
from xueka.simulation.sides import Line, Side, differing

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
    houses: dict[str, Any] = field(default_factory=dict)

    def cards_of(self, number: int) -> list[cards.Card]:
        """In the hands of children who have documents."""
        students = self.family.city.students(max(number, 2))
        documented(students)
        ids = self.family.city.active(students)
        return list(cards.Card.objects.filter(id__in=ids).order_by("id"))

    def lose_or_find(self, some: list[cards.Card]) -> cards.Card:
        card = self.chance.choice(some)
        card.refresh_from_db()
        (cards.report_lost if card.state == "active" else cards.lift)(SYSTEM, card.id)
        return card


class Player(Protocol):
    """One counterpart: `act` is business, the rest as `sides.Side` says."""

    name: str

    def keep_time(self) -> None: ...
    def turn(self, **values: object) -> None: ...
    def act(self, number: int) -> None: ...
    def sweep(self) -> None: ...
    def line(self) -> Line: ...
    def close(self) -> None: ...


class Housed(Side):
    """A simulator in this process, on a port of its own; `setting` names its visiting card to us."""

    setting = ""
    options: tuple[str, ...] = ()

    def __init__(self, world: World) -> None:
        self.world, simulator = world, SIMULATORS[self.name]
        folder = world.folder / (simulator.folder or self.name)
        module = importlib.import_module(f"xueka.sandbox.{simulator.module or self.name}.__main__")
        given = ["--home", str(folder), "--seed", str(world.seed), "--notices", "pull"]
        self.house = module.House(module.parser().parse_args([*given, *simulator.options, *self.options]))
        world.houses[self.name] = self.house
        self.house.start()
        if self.setting:
            setattr(world.settings, self.setting, folder / "partner.json")
        super().__init__(json.loads((folder / "partner.json").read_text("utf-8")))
        self.keep_time()  # what is there from the beginning is dated by our clock

    def close(self) -> None:
        super().close()
        self.house.stop()


class Exchanging(Housed, agreement.Exchanging):
    """A counterpart of the data exchange; not all is sent in one sweep."""

    options = ("--limits", LIMITS)
    rounds = 4


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
        self.cards = world.cards_of(world.things)
        for each in self.cards:
            each.beijing_tong_number = f"BJT{each.id:010d}"
            each.save(update_fields=["beijing_tong_number"])
        self.said: dict[str, list[int]] = {}

    def act(self, number: int) -> None:
        self.world.lose_or_find(self.cards)
        key = f"card:{self.world.chance.randrange(3)}"
        self.said.setdefault(key, []).append(number)
        self.house._tell({"key": key, "kind": "trial.told", "data": {"n": number}})

    def line(self) -> Line:
        done = super().line()
        unheard = sum(HEARD.get(key) != numbers for key, numbers in self.said.items())
        compared = done.compared + sum(map(len, self.said.values()))
        return replace(done, compared=compared, differing=done.differing + unheard)


def hear(actor: Actor, message: Heard) -> None:
    """Handler of what the Beijing-Tong of this check says."""
    HEARD.setdefault(message.key, []).append(message.data["n"])


class Transit(Exchanging):
    """Cards are bound, listed and found; the company tells validity of fares: ours is what it last said."""

    name = "transit"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.cards = world.cards_of(world.things // 2)

    def act(self, number: int) -> None:
        card = self.world.lose_or_find(self.cards)
        until = (clock.today() + timedelta(days=100 + number)).isoformat()
        self.house.desk.put_fare(card.number, card.transit_number, "student", until, tell=True)


class Welfare(Exchanging):
    """Cards are lost, found and called off; the platform follows with entitlements, and moves some itself."""

    name = "welfare"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.cards = world.cards_of(world.things // 2)

    def act(self, number: int) -> None:
        card = self.world.lose_or_find(self.cards)
        days = (f"{clock.today()}", f"{clock.today() + timedelta(days=100 + number)}")
        state, reason = (("active", ""), ("suspended", "核查"), ("ended", "到期"))[number % 3]
        self.house.grants.put(card.number, card.beijing_tong_number, "park", state, reason, days=days)


class Messages(Housed, agreement.Messages):
    name, setting = "messages", "MESSAGE_PARTNER"

    def act(self, number: int) -> None:
        for each in range(3):
            phone = f"139{number:05d}{each:03d}"
            messages.send(
                phone, "SIGN_IN_CODE", {"code": "123456", "minutes": "10"}, f"trial.{number}.{each}"
            )


class Mails(Housed, agreement.Mails):
    name, setting = "mail", "MAIL_PARTNER"

    def act(self, number: int) -> None:
        mails.send(SYSTEM, f"p{number}@example.cn", "答复", "正文", f"trial.{number}", purpose="试发")


class Couriers(Housed, agreement.Couriers):
    """Parcels that a family asked for."""

    name, setting = "couriers", "COURIER_PARTNER"

    def __init__(self, world: World) -> None:
        agreement.tell_couriers(world.folder / self.name)
        super().__init__(world)
        world.settings.COURIER_SITE = SITE
        self.left = max(world.things // 3, 2)

    def act(self, number: int) -> None:
        if self.left:
            made, _ = ready_to_post(self.world.family)
            couriers.ask_home(COUNTER, made.number)
            self.left -= 1


class Kuaidi100(Side):
    """Numbers typed by hand: it tells what it follows by itself, and nobody can ask it. What it lost for good
    is a parcel that waits for a person; nothing is believed that did not happen. Its house is the couriers'.
    """

    name = "kuaidi100"

    def __init__(self, world: World) -> None:
        self.world, self.house = world, world.houses["couriers"]
        super().__init__(json.loads(self.house.card.read_text("utf-8")))
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
        theirs = {each["waybill"]: each for each in self.control("GET", "parcels") if not each["order_id"]}
        wrong = len(ours.keys() ^ theirs.keys())
        for number in ours.keys() & theirs.keys():
            told = {each["acceptTime"] for each in theirs[number]["routes"]}
            known = steps_of(ours[number])
            asked = ours[number].shipment.problems.filter(kind="stuck", closed_at=None).exists()
            wrong += not known <= told or not (known == told or asked)
        pushes = self.house.store.all("select forged from notice where channel = 'kuaidi100'")
        refused = sum(bool(row["forged"]) for row in pushes)
        return Line(
            self.name, self.sent + len(pushes), len(ours), 0, refused, len(theirs), wrong, self.faults()
        )

    def faults(self) -> int:
        return sum(each["channel"] == "kuaidi100" for each in self.control("GET", "faults"))


def steps_of(waybill: Waybill) -> set[str]:
    """When what we believe of a parcel has happened: only what the courier has confirmed."""
    steps = TrackingEvent.objects.filter(waybill=waybill, confirmed_at__isnull=False).exclude(code="")
    return {f"{clock.local(each.at):%Y-%m-%d %H:%M:%S}" for each in steps}


class SignOn(Housed):
    """Citizens come through Jingtong: no lie lets anybody in, and each is the same citizen on both sides."""

    name, setting = "jingtong", "JINGTONG_PARTNER"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        jingtong_adapter._known.clear()
        families.introduce(SYSTEM, SITE)
        self.browser = Jingtong(world.folder / self.name)
        self.back = f"{SITE}/parent/jingtong/back/"
        self.tries = self.let_in = self.refused = 0
        self.known: dict[str, str] = {}
        self.wrong = 0

    def keep_time(self, now: str | None = "") -> None:
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
        for row in self.control("GET", "signed-on"):
            self.come(row["phone"])
        theirs = {row["subject"]: row["phone"] for row in self.control("GET", "signed-on")}
        return Line(
            self.name, self.tries, self.let_in, self.tries - len(theirs), self.refused, len(theirs),
            differing(self.known, theirs) + self.wrong, self.faults(),
        )  # fmt: skip

    def close(self) -> None:
        self.browser.close()
        super().close()


class StudentRegistry(Housed):
    """Pupils are put right, move, leave, come back and are new there, and we fetch what changed. Each is the
    same on both sides; whoever left there is missing here.
    """

    name, setting = "registry", "ONEROSTER_PARTNER"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        load_schools(SCHOOLS[:2])
        world.settings.ONEROSTER_LIMIT = 20
        self.roll, self.rows, self.changes = self.house.roll, clean(3 * world.things), 0
        for row in self.rows[: world.things * 2]:
            self.roll.put(person(row))

    def act(self, number: int) -> None:
        """Each time another change; now and then somebody asks for everything, else for what changed."""
        dice, there = self.world.chance, self.roll.users()
        everybody = {f"u-{row[COLUMN['教育ID']]}": row for row in self.rows}
        gone = sorted(everybody.keys() - set(there))
        match number % 5:
            case 0:
                self.roll.correct(dice.choice(there), {"name": f"欧阳{dice.choice('文武斌')}"})
            case 1:
                self.roll.move(dice.choice(there), person(dice.choice(self.rows)))
            case 2:
                self.roll.leave(dice.choice(there))
            case 3:
                self.roll.put(person(everybody[dice.choice(gone)]))
            case 4:
                self.roll.correct(dice.choice(there), {"address": f"北京市样例路{number}号"})
        self.changes += 1
        with suppress(Conflict):  # the one before is not over
            fetching.ask(SYSTEM, full=number % 7 == 0)

    def sweep(self) -> None:
        registry_jobs.ask_nightly()
        registry_jobs.fetch()

    def line(self) -> Line:
        mine = {school[0] for school in SCHOOLS[:2]}
        ours = {each[0]: each for each in students() if each[3] in mine}
        theirs = {each[0]: each for each in self.roll.students()}
        runs = ImportRun.objects.filter(kind="oneroster", dry_run=False)
        again, refused = (sum(runs.values_list(each, flat=True)) for each in ("unchanged", "rejected"))
        open_ones = OneRosterFetch.objects.filter(ended_at=None).count()
        return Line(
            self.name, self.world.things * 2 + self.changes, len(ours), again, refused, len(theirs),
            differing(ours, theirs) + open_ones, self.faults(),
        )  # fmt: skip


class Bureau:
    """Batches out and return files in, over a line that breaks. What a file says truly of a card is what we
    hold; where none does a person is asked. A batch that is refused is built again, by people.
    """

    name = "bureau"

    def __init__(self, world: World) -> None:
        self.world, self.folder, self.process = world, world.folder / self.name, ExitStack()
        self.left = max(world.things // 3, 2)
        card = self._start("none", 0)
        with transaction.atomic():
            bureau.introduce(card, FIRST, SECOND)

    def _start(self, faults: str, drop: float) -> dict[str, Any]:
        self.process.close()
        running = bureau.running(self.folder, seed=self.world.seed, faults=faults, drop=drop)
        return self.process.enter_context(running)

    def keep_time(self) -> None:
        """It dates by the package, or by the wall clock."""

    def turn(self, **values: object) -> None:
        self._start(str(values["preset"]), 0.2 if values["preset"] == "heavy" else 0)

    def act(self, number: int) -> None:
        for bounced in production.Batch.objects.filter(state="bounced"):
            production.rebuild(SECOND, bounced.id)
        if self.left:
            accepted = self.world.family.city.accepted(self.world.family.city.students(self.world.things * 2))
            batch = production.create_batch(FIRST, KIND, accepted)
            production.lock(FIRST, batch.id)
            production.approve(SECOND, batch.id)
            self.left -= 1

    def sweep(self) -> None:
        production.sweep()
        patience = time.monotonic() + 120
        while not self._idle():
            assert time.monotonic() < patience, (self.folder / "bureau.log").read_text("utf-8")
            time.sleep(0.02)

    def _idle(self) -> bool:
        waits = [path for path in (self.folder / "dropbox" / "in").iterdir() if path.suffix == ".zip"]
        return not waits and not any((self.folder / "work").iterdir())

    def line(self) -> Line:
        books = [json.loads(path.read_text("utf-8")) for path in (self.folder / "books").iterdir()]
        theirs: dict[str, Any] = {card: said for book in books for card, said in book["cards"].items()}
        theirs |= {card: "asked" for book in books for card in book["untold"]}
        asked = {each.card_id for each in production.Problem.objects.filter(state="open", card__isnull=False)}
        ours: dict[str, Any] = {}
        for item in production.BatchItem.objects.exclude(batch__state="bounced").select_related("card"):
            assert item.card
            if item.made_at:
                transit_number, _, chip, result = item.reported.split("|")
                ours[item.card.number] = [result, chip, transit_number]
            else:
                ours[item.card.number] = "asked" if item.card_id in asked else item.outcome
        packages, files = production.Package.objects.all(), production.ReturnFile.objects.all()
        refused = packages.filter(state="refused").count()
        dropped = self.folder / "dropped"
        faults = sum(len(book["faults"]) for book in books) + refused
        faults += len(dropped.read_text().splitlines()) if dropped.exists() else 0
        under_way = packages.filter(state__in=["stored", "sent"]).count()
        return Line(
            self.name, packages.count() + len(list((self.folder / "dropbox" / "out").glob("XKR_*"))),
            len(books) + files.filter(state="applied").count(), files.filter(state="repeated").count(),
            refused + files.filter(state="refused").count(), len(theirs),
            differing(ours, theirs) + under_way, faults,
        )  # fmt: skip

    def close(self) -> None:
        self.process.close()


#: Another counterpart is one line here.
PLAYERS: Mapping[str, Callable[[World], Player]] = {
    "beijing-tong": BeijingTong,
    "transit": Transit,
    "welfare": Welfare,
    "messages": Messages,
    "mail": Mails,
    "couriers": Couriers,
    "kuaidi100": Kuaidi100,
    "jingtong": SignOn,
    "registry": StudentRegistry,
    "bureau": Bureau,
}


def play(world: World, rounds: int, rest: int) -> list[Line]:
    """`rounds` under the heavy dial with business, then `rest` without either; what both sides hold then."""
    world.chance.seed(world.seed)
    world.settings.EXCHANGE_PARTNERS = world.folder / "exchange"
    players: list[Player] = []
    try:
        for each in PLAYERS.values():
            players.append(each(world))
        for player in players:
            player.turn(preset="heavy", delay_ms=1)
        for number in range(rounds):
            for player in players:
                with transaction.atomic():
                    player.act(number)
            turn(world, players)
        for player in players:
            player.turn(preset="none")
        for number in range(rest):
            turn(world, players)
            if number == rest // 2:
                world.family.time.advance(timedelta(days=1))
                for player in players:
                    player.keep_time()
                interop.compare_daily()
        for player in players:
            player.keep_time()
        return [player.line() for player in players]
    finally:
        for player in reversed(players):
            player.close()


def turn(world: World, players: list[Player]) -> None:
    for each in players:
        each.keep_time()
        each.sweep()
    world.family.time.advance(STEP)
