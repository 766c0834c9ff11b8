"""Check 12: events of many cards into the outbox, senders killed, a receiver that fails; what the receiver
then holds.

python -m tests.faults.exchange_town --events 100000 --cards 20000 --kills 50 --fails 0.3

Run in an empty XUEKA_HOME. Posters are interleaved with the senders, so that keys grow while they are sent.
Prints one JSON object with what was seen; exit code 1 where anything was lost, doubled or out of order.
"""

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CODE = "beijing-tong"
LIMITS = {
    "per_second": 100_000,
    "at_once": 8,
    "timeout": 3,
    "retry_base": 0.2,
    "retry_most": 5,
    "max_tries": 60,
    "breaker_after": 1_000,
    "breaker_base": 0.5,
    "breaker_most": 2,
}


def main() -> int:
    asked = parser().parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "xueka.config.settings")
    from xueka.platform.database import server

    with server.hold():
        import django

        django.setup()
        from xueka.platform.database import migrate

        migrate.prepare_if_needed()
        result = run(asked)
    sys.stdout.write(json.dumps(result) + "\n")
    return 0 if result["sound"] else 1


def parser() -> argparse.ArgumentParser:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--events", type=int, default=100_000)
    given.add_argument("--cards", type=int, default=20_000)
    given.add_argument("--kills", type=int, default=50)
    given.add_argument("--senders", type=int, default=2)
    given.add_argument("--fails", type=float, default=0.3)
    given.add_argument("--seed", type=int, default=int(time.time()))
    return given


def run(asked: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """What was seen, by a town in the present database; its senders run in `environment`."""
    from django.conf import settings

    chance = random.Random(asked.seed)
    place: Path = settings.EXCHANGE_PARTNERS / CODE
    begun, kills = time.monotonic(), 0
    with receiver(place, asked):
        senders = [start(environment) for _ in range(asked.senders)]
        posted = 0
        piece = max(asked.events // 200, 50)
        # Kills are spread over the work: by what has arrived, whatever the machine is doing besides.
        marks = sorted(chance.uniform(0, 0.97) * asked.events for _ in range(asked.kills))
        try:
            while True:
                if posted < asked.events:
                    posted += post(chance, min(piece, asked.events - posted), posted, asked.cards)
                else:
                    time.sleep(0.05)
                arrived = delivered()
                while marks and arrived >= marks[0]:
                    marks.pop(0)
                    victim = chance.randrange(asked.senders)
                    os.kill(senders[victim].pid, signal.SIGKILL)
                    senders[victim].wait()
                    senders[victim] = start(environment)
                    kills += 1
                for number, each in enumerate(senders):
                    if each.poll() is not None:
                        senders[number] = start(environment)
                if arrived >= asked.events and not marks:
                    break
        finally:
            for each in senders:
                each.terminate()
            for each in senders:
                each.wait()
        seconds = time.monotonic() - begun
        return {
            "seed": asked.seed,
            "kills": kills,
            "seconds": round(seconds, 1),
            **judged(place, asked.events),
        }


def post(chance: random.Random, count: int, first: int, cards: int) -> int:
    """Events in one transaction; one in ten is rolled back first and posted anew."""
    from django.db import transaction

    from xueka.platform.exchange.services import Letter, post_many

    letters = [
        Letter(f"card:{chance.randrange(cards):012d}", "event", {"n": first + number})
        for number in range(count)
    ]
    if chance.random() < 0.1:
        try:
            with transaction.atomic():
                post_many(CODE, letters)
                raise InterruptedError
        except InterruptedError:
            pass
    with transaction.atomic():
        return post_many(CODE, letters)


def delivered() -> int:
    from xueka.platform.exchange.models import Outgoing

    return Outgoing.objects.filter(state="delivered").count()


def start(environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "xueka", "interop", "work"], env=dict(environment))


@contextmanager
def receiver(place: Path, asked: argparse.Namespace) -> Iterator[None]:
    """The simulator as its own process. Half of what fails is applied before it fails."""
    command = [
        sys.executable,
        "-m",
        "xueka.sandbox.exchange",
        "--home",
        str(place),
        "--seed",
        str(asked.seed),
    ]
    command += [
        "--dial",
        f"errors={asked.fails * 2 / 3},drop={asked.fails / 3}",
        "--limits",
        json.dumps(LIMITS),
    ]
    process = subprocess.Popen(command)
    try:
        until = time.monotonic() + 60
        while not (place / "partner.json").exists() and time.monotonic() < until:
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def judged(place: Path, events: int) -> dict[str, Any]:
    """What the receiver holds, beside what was posted; the invariants of our side."""
    from django.db import connection

    from xueka.platform.exchange.invariants import INVARIANTS
    from xueka.platform.exchange.models import Attempt, Outgoing
    from xueka.platform.invariants import check

    held = sqlite3.connect(place / "exchange.sqlite3")
    rows = held.execute("select id, key, seq, body, times from applied order by number").fetchall()
    last: dict[str, int] = {}
    events_of: dict[str, list[int]] = {}
    disordered = 0
    for _, key, seq, body, _ in rows:
        disordered += seq != last.get(key, 0) + 1
        last[key] = seq
        events_of.setdefault(key, []).append(json.loads(body)["data"]["n"])
    disordered += sum(each != sorted(each) for each in events_of.values())
    with connection.cursor() as cursor:
        cursor.execute("SELECT message_id FROM exchange_outgoing")
        ours = {row[0] for row in cursor.fetchall()}
    numbers = sorted(number for each in events_of.values() for number in each)
    violated = [each.name for each in INVARIANTS if check(each).violated]
    found = {
        "events": events,
        "applied": len(rows),
        "lost": events - len({row[0] for row in rows} & ours),
        "twice": len(numbers) - len(set(numbers)),
        "out_of_order": disordered,
        "keys": len(last),
        "came_again": sum(row[4] - 1 for row in rows),
        "tries": Attempt.objects.count(),
        "failed_tries": Attempt.objects.exclude(code="").count(),
        "dead": Outgoing.objects.filter(state="dead").count(),
        "violated": violated,
    }
    whole = numbers == list(range(events)) and len(rows) == events
    found["sound"] = whole and not (
        found["lost"] or found["twice"] or disordered or found["dead"] or violated
    )
    return found


if __name__ == "__main__":
    sys.exit(main())
