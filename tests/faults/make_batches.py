"""`python -m tests.faults.make_batches …`: batches are made while processes are killed; prints a JSON report.

Everything happens in the present XUEKA_HOME, which must be new. Operators work through the pages, the bureau
is the simulator behind a slow line. Batches go on until the last kill has been done; then everything must be
as if nobody had been killed.
"""

import argparse
import contextlib
import http.client
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

#: Seconds in which the next step must come by itself: more than the longest pause between two tries to send.
PATIENCE = 900.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cards", type=int, default=200)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--pause", type=float, default=1.0, help="mean seconds between kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--rate", type=float, default=200_000, help="bytes per second of the line to the bureau"
    )
    parser.add_argument("--boundaries", action="store_true", help="one batch with a death at every commit")
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
        sys.stdout.write(json.dumps(run(options)) + "\n")


def run(options: argparse.Namespace) -> dict[str, Any]:
    from tests.faults.factory_floor import Floor, Killer
    from xueka.platform.database import home

    began = time.monotonic()
    floor = Floor(home.home(), options.rate)
    line = Line(floor, options.cards)
    deaths = home.home() / "deaths"
    try:
        line.open()
        killer = Killer(floor, options.kills, options.seed, options.pause)
        while killer.left or not line.batches:
            line.make_batch(killer.tick)
        if options.boundaries:
            floor.children["worker"].command = [
                *(sys.executable, "-m", "tests.faults.dying_worker"),
                str(deaths),
            ]
            floor.kill("worker")
            floor.killed["worker"] -= 1  # it only changes shifts
            line.make_batch(lambda: None)
        found = line.account()
    finally:
        floor.end()
    boundaries = Counter(deaths.read_text("ascii").splitlines()) if deaths.exists() else Counter()
    return {
        "cards": options.cards * len(line.batches),
        "batches": len(line.batches),
        "kills": dict(sorted(floor.killed.items())),
        "boundaries": dict(sorted(boundaries.items())),
        "seed": options.seed,
        "seconds": round(time.monotonic() - began),
        **found,
    }


class Clicking:
    """An operator in a thread of her own who clicks again until it is done; she may be cut off."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self.act = act
        self.thread: threading.Thread | None = None

    def again(self) -> None:
        """Click, unless the last click still waits for its answer."""
        if self.thread is None or not self.thread.is_alive():
            self.thread = threading.Thread(target=self._once, daemon=True)
            self.thread.start()

    def join(self) -> None:
        if self.thread is not None:
            self.thread.join()

    def _once(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):  # it is down just now, or says no
            self.act()


class Line:
    """The production line as its people drive it."""

    def __init__(self, floor: Any, cards: int) -> None:
        from tests.unit.cards.conftest import KIND, build
        from xueka.contexts.cards import api as cards_api
        from xueka.platform.identity import demo

        self.floor, self.cards, self.kind = floor, cards, KIND
        self.city = build()
        self.batches: list[str] = []
        cards_api.CardKind.objects.filter(code=KIND).update(photo_required=False)
        school = self.city.schools[0]
        logins = demo.make_demo_accounts(district=school.district_id, school=school.code)
        self.passwords = {login.username: login.password for login in logins}

    def open(self) -> None:
        """Start everybody; the bureau and the city exchange their keys."""
        from django.db import transaction

        from tests.faults.operators import Browser
        from xueka.contexts.production import api as production
        from xueka.simulation import bureau, staff

        production.write_city_keys(self.floor.home / "bureau" / "city")
        self.floor.supervisor.start()
        card = self.floor.home / "bureau" / "partner.json"
        self._until(card.exists)
        entry = {**json.loads(card.read_text("utf-8")), "port": self.floor.line_port}
        with transaction.atomic():
            bureau.introduce(entry, staff.operator("a"), staff.operator("b"))
        self.first, self.second = (
            Browser(self.floor.address, name, self.passwords[name]) for name in ("operator", "operator2")
        )

    def make_batch(self, meanwhile: Callable[[], None]) -> None:
        """One batch from accepted applications to its close."""
        number = self._compose()
        self.batches.append(number)
        steps: list[tuple[str, Callable[[], Any]]] = [
            ("locked", lambda: self.first.post(f"/city/batches/{number}/lock/")),
            ("approved", lambda: self.second.post(f"/city/batches/{number}/approve/")),
            ("reconciling", lambda: None),
            ("closed", lambda: self.first.post(f"/city/batches/{number}/close/")),
        ]
        order = ["open", "locked", "approved", "ready", "sent", "acknowledged", "reconciling", "closed"]
        for state, act in steps:
            clicking = Clicking(act)

            def reached(state: str = state, clicking: Clicking = clicking) -> bool:
                meanwhile()
                if order.index(self._state(number)) >= order.index(state):
                    return True
                clicking.again()
                return False

            self._until(reached)
            clicking.join()

    def account(self) -> dict[str, Any]:
        """What is there at the end: every invariant, and every card counted on both sides."""
        from django.contrib.postgres.aggregates import StringAgg

        from xueka.contexts.cards import api as cards_api
        from xueka.contexts.operations import api as operations
        from xueka.contexts.production import api as production
        from xueka.platform.audit import chain
        from xueka.platform.history.models import Transition

        chain.seal()
        results = operations.verify()
        histories = (
            Transition.objects.filter(machine="card")
            .values("object_id")
            .annotate(events=StringAgg("event", " ", ordering="seq"))
        )
        steps = Counter(events for _, events in histories.values_list("object_id", "events"))
        out = self.floor.home / "bureau" / "dropbox" / "out"
        returned = sorted(path.name for path in out.glob("XKR_*"))
        made = cards_api.Card.objects.filter(state="made")
        applied = production.ReturnFile.objects.filter(state="applied")
        return {
            "made": made.count(),
            "chips": made.values("chip_uid").distinct().count(),
            "card_histories": dict(steps),
            "packages": production.Package.objects.count(),
            "uploads": sum(production.Package.objects.values_list("tries", flat=True)),
            "returns": {"made": len(returned), "applied": applied.count()},
            "problems": production.Problem.objects.count(),
            "invariants": {
                "checked": sum(result.checked for result in results),
                "violated": [result.name for result in results if result.violated],
                "unchecked": [result.name for result in results if not result.checked],
            },
        }

    def _compose(self) -> str:
        """Accepted applications in an open batch; nobody is killed meanwhile."""
        from django.db import transaction

        from xueka.contexts.cards import api as cards_api
        from xueka.contexts.production import api as production
        from xueka.platform.crypto import fields
        from xueka.platform.identity.actor import Actor
        from xueka.simulation import staff

        with transaction.atomic():
            students = self.city.students(self.cards, envelope=fields.seal({"birth_date": "2015-01-01"}))
            made = cards_api.create_applications(self.city.system, students, self.kind, "new").done
            cards_api.submit(Actor.system("submitter"), made)
            for _ in range(2):
                cards_api.approve(Actor.system("reviewer"), made)
            return production.create_batch(staff.operator("a"), self.kind, made).number

    def _state(self, number: str) -> str:
        from django.db import Error, connection

        from xueka.contexts.production import api as production

        try:
            return production.Batch.objects.get(number=number).state
        except Error:
            connection.close()
            return "open"

    def _until(self, true: Callable[[], bool]) -> None:
        since, killed = time.monotonic(), self.floor.killed.total()
        while True:
            self.floor.tick()
            if true():
                return
            if killed != self.floor.killed.total():
                since, killed = time.monotonic(), self.floor.killed.total()
            if time.monotonic() > since + PATIENCE:
                raise TimeoutError("nothing moves any more")
            time.sleep(0.05)


if __name__ == "__main__":
    main()
