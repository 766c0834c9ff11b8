"""`python -m tests.faults.write_cards …`: cards are written through server, agent, pcscd and reader; prints a
JSON report.

Everything happens in the present XUEKA_HOME, which must be new. A share of the cards is pulled at a random
command and put back a second later. It goes on until every application has its card.
"""

import argparse
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

#: Seconds in which the next step of a card must come.
PATIENCE = 120.0
#: Commands of the plain way that reach the card: what a pull may hit.
SPAN = 14


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cards", type=int, default=6)
    parser.add_argument("--pull", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--profile", default="bjt_student-1.0.toml")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "xueka.config.settings")
    from xueka.platform.database import server

    with server.hold():
        import django

        django.setup()
        from xueka.config import assets
        from xueka.platform.database import migrate

        migrate.prepare_if_needed()
        assets.collect_if_changed()
        sys.stdout.write(json.dumps(run(options), ensure_ascii=False) + "\n")


def run(options: argparse.Namespace) -> dict[str, Any]:
    from tests.support import pcsc
    from tests.support.agents import AgentProcess
    from xueka.platform.database import home

    folder = home.home() / "counter"
    folder.mkdir()
    began = time.monotonic()
    counter = Line(options, folder)
    counter.prepare()
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    web = subprocess.Popen(
        [sys.executable, "-m", "xueka", "web", "--fd", str(listener.fileno())], pass_fds=[listener.fileno()]
    )
    faults = f"pull={options.pull},span={SPAN},seed={options.seed}"
    try:
        with (
            pcsc.running(folder / "pcscd") as daemon,
            pcsc.CardProcess(
                daemon.port,
                folder,
                [{"uid": uid} for uid in counter.chips],
                folder=folder / "cards",
                faults=faults,
                back=1,
                empty=True,
            ) as hand,
            AgentProcess(address, folder / "agent", "--enrol", counter.code, "--name", "一号柜台") as agent,
        ):
            try:
                counter.work(hand)
            except BaseException:
                sys.stderr.write(agent.said[-4000:])
                raise
    finally:
        web.terminate()
        web.wait(timeout=30)
        listener.close()
    return {"seconds": round(time.monotonic() - began), **counter.account()}


class Line:
    """A small city whose applications wait for a counter, and the clerk who makes their cards one by one."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder
        self.chips: list[str] = []
        self.code = ""
        self.applications: list[int] = []
        self.pulled: Counter[str] = Counter()
        self.laid = 0

    def prepare(self) -> None:
        from django.db import transaction

        from tests.support.blanks import SYSTEM, from_the_maker, initialise
        from tests.unit.cards.conftest import build
        from tests.unit.personalization.conftest import FIRST, in_force
        from xueka.contexts.cards import api as cards
        from xueka.contexts.keys import api as keys
        from xueka.contexts.personalization import api as personalization

        with transaction.atomic():
            keys.make_demo_keys()
        profile = personalization.parse(in_force(self.options.profile).text)
        city = build()
        self.applications = city.accepted(city.students(self.options.cards))
        with transaction.atomic():
            cards.to_counter(SYSTEM, self.applications)
        blanks = self.folder / "cards"
        blanks.mkdir()
        dice = random.Random(self.options.seed)
        for place in range(self.options.cards + self.options.cards // 5 + 4):
            uid = f"04{dice.getrandbits(48):012X}"
            self.chips.append(uid)
            with transaction.atomic():
                initialise(profile, uid, from_the_maker(profile, uid, blanks / f"{place:04}.json"))
        with transaction.atomic():  # last: it holds for ten minutes
            self.code, _ = personalization.make_code(FIRST)

    def work(self, hand: Any) -> None:
        """Every application in its turn; one whose plastic is void gets the next blank."""
        from django.db import transaction

        from tests.support import pcsc
        from tests.support.blanks import SYSTEM
        from tests.support.finishing import finish
        from tests.unit.personalization.conftest import CLERK
        from xueka.contexts.cards import api as cards
        from xueka.contexts.personalization import api as personalization

        def agent() -> Any:
            return next(iter(personalization.working_agents(SYSTEM.scope)), None)

        def ready() -> bool:
            found = agent()
            return found is not None and any(not each.away for each in personalization.readers(found.pk))

        pcsc.until(ready, "the agent does not come", PATIENCE)
        waiting = list(self.applications)
        while waiting:
            application = waiting[0]
            with transaction.atomic():
                card = cards.issue_at_counter(SYSTEM, application)
                session = personalization.open_session(CLERK, card.pk, agent().pk, pcsc.READER)
            hand.say(f"take {self.laid}")
            self.laid += 1
            pcsc.until(partial(self._over, session.pk), "a card does not end", PATIENCE)
            if happened := hand.say("state")["pulled"]:
                self.pulled[happened["effect"]] += 1
            hand.say("pull")
            found = personalization.progress(session.pk)
            if found.state == "verified":
                with transaction.atomic():
                    finish(SYSTEM, card.pk)
                waiting.pop(0)
            if found.state == "failed":
                with transaction.atomic():
                    cards.spoil_at_counter(SYSTEM, card.pk, found.message)

    def _over(self, session_id: int) -> bool:
        from xueka.contexts.personalization import api as personalization

        return personalization.progress(session_id).over

    def account(self) -> dict[str, Any]:
        from django.db.models import Count

        from tests.unit.personalization.test_writing import violated
        from xueka.contexts.cards.models import Card
        from xueka.contexts.personalization.models import CardKeyVersion, Run, Session

        sessions = Session.objects.filter(purpose="make")
        runs = sessions.annotate(number=Count("runs"))
        plain = runs.filter(redone=0, state="verified").exclude(runs__part__in=["look", "new", "old"])
        trips = Counter(number + 1 for number in plain.values_list("number", flat=True))
        every = Counter(number + 1 for number in runs.values_list("number", flat=True))
        keys = CardKeyVersion.objects.filter(session__state="verified")
        return {
            "applications": len(self.applications),
            "plastic": self.laid,
            "pulled": dict(sorted(self.pulled.items())),
            "sessions": dict(sorted(Counter(sessions.values_list("state", flat=True)).items())),
            "cards": dict(sorted(Counter(Card.objects.values_list("state", flat=True)).items())),
            "chips_twice": sessions.exclude(state="failed")
            .values("chip_uid")
            .annotate(n=Count("id"))
            .filter(n__gt=1)
            .count(),
            "keys_of_verified_cards": keys.count(),
            "redone": sessions.filter(redone__gt=0).count(),
            "outcomes": dict(sorted(Counter(Run.objects.values_list("outcome", flat=True)).items())),
            "round_trips_plain": dict(sorted(trips.items())),
            "round_trips_all": dict(sorted(every.items())),
            "violated": violated(),
            "seed": self.options.seed,
        }


if __name__ == "__main__":
    main()
