"""How much of what goes wrong reconciliation finds.

`python -m tests.faults.reconciliation --seeds 8 --payments 25000`: a town's payments are made up, then faults
are planted in one side or another. What was planted, and under which number, is written down by the planter,
who knows the kinds of break and nothing of the matcher. One line of JSON a seed: recall and precision over
(kind, key), and how many lines were linked to a payment that is not theirs. Exit code 1 below 99.5 % or with
a wrong link.
"""

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

FIRST = date(2026, 10, 12)
DAYS = 7
CHANNELS = ("wechat", "alipay", "unionpay", "nontax")
RATE = 0.03
Row = dict[str, Any]


class World:
    """Four sides that agree, until `plant`. `truth` is what must be found, `belongs` whose each line is."""

    def __init__(self, seed: int, payments: int) -> None:
        self.dice = Random(seed)
        self.ours: list[Row] = []
        self.theirs: list[Row] = []
        self.confirmed: list[Row] = []
        self.booked: list[Row] = []
        self.truth: set[tuple[str, str]] = set()
        self.belongs: dict[str, str] = {}
        self.planted: Counter[str] = Counter()
        for n in range(payments):
            self._payment(n)
        self.by_number: dict[str, dict[str, Row | None]] = {}
        sides = {"line": self.theirs, "conf": self.confirmed, "book": self.booked}
        for o in self.ours:
            self.by_number[o["number"]] = {"ours": o}
        for name, rows in sides.items():
            for row in rows:
                self.by_number[row["owner"]][name] = row

    def _payment(self, n: int) -> None:
        channel = self.dice.choices(CHANNELS, (5, 3, 1, 2))[0]
        day = FIRST + timedelta(days=self.dice.randrange(DAYS))
        self._made(channel, "payment", f"XK{n:012d}P01", f"42{self.dice.randrange(10**14):014d}{n:08d}",
                   f"XK{n:012d}", self.dice.choice((1500, 2000, 3500)), day)  # fmt: skip
        if channel != "nontax" and self.dice.random() < 0.05:
            number = f"XK{n:012d}R01"
            back = min(day + timedelta(days=self.dice.randrange(3)), FIRST + timedelta(days=DAYS - 1))
            self._made(channel, "refund", number, number, f"XK{n:012d}", 500, back)

    def _made(self, channel: str, kind: str, number: str, id_: str, order: str, fen: int, day: date) -> None:
        direct = channel == "nontax"
        code = f"11000026{len(self.ours):012d}" if direct else ""
        common = {"channel": channel, "kind": kind, "number": number, "fen": fen, "day": day, "owner": number}
        self.ours.append(
            common
            | {
                "id": id_,
                "order": order,
                "state": "succeeded",
                "settlement": "direct" if direct else "merchant",
                "pay_code": code,
                "second": False,
            }
        )
        self.theirs.append(common | {"id": id_})
        self.booked.append(dict(common))
        if direct:
            told = {
                "pay_code": code,
                "tra_no": f"T{number}",
                "id": id_,
                "fen": fen,
                "day": day,
                "owner": number,
            }
            self.confirmed.append(told)

    def plant(self) -> None:
        faults = self.faults()
        for o in self.dice.sample(self.ours, int(len(self.ours) * RATE)):
            kind = self.dice.choice(faults)
            if getattr(self, kind)(self.by_number[o["number"]]):
                self.planted[kind] += 1
        self.number_lines()
        self.quiet_day()

    @classmethod
    def faults(cls) -> list[str]:
        return sorted(name for name in dir(cls) if name.startswith("fault_"))

    def plant_one(self, kind: str) -> None:
        """One fault in a world that agrees otherwise."""
        any(getattr(self, kind)(self.by_number[o["number"]]) for o in list(self.ours))
        self.number_lines()

    def number_lines(self) -> None:
        for place, line in enumerate(self.theirs):
            line["place"] = place

    def quiet_day(self) -> None:
        """Money on a day on which nobody ordered anything."""
        day = FIRST + timedelta(days=DAYS)
        for n in range(3):
            id_ = f"quiet{n}"
            line = {
                "channel": "wechat",
                "kind": "payment",
                "number": f"old{n}",
                "id": id_,
                "fen": 2000,
                "day": day,
            }
            self.theirs.append(line | {"owner": "", "place": len(self.theirs)})
            self.say("only_channel", id_)
        self.say("day_without_orders", f"wechat {day}")

    def say(self, kind: str, key: str) -> bool:
        self.truth.add((kind, key))
        return True

    def fault_lost_line(self, them: dict[str, Any]) -> bool:
        o = them["ours"]
        if o["settlement"] == "direct":
            return False
        self.theirs.remove(them["line"])
        return self.say("refund_only_ours" if o["kind"] == "refund" else "only_ours", o["number"])

    def fault_lost_payment(self, them: dict[str, Any]) -> bool:
        """We know nothing of it at all: no order, no entry."""
        o = them["ours"]
        if o["settlement"] == "direct":
            return False
        self.ours.remove(o)
        self.booked.remove(them["book"])
        return self.say("refund_only_channel" if o["kind"] == "refund" else "only_channel", o["id"])

    def fault_line_amount(self, them: dict[str, Any]) -> bool:
        o = them["ours"]
        them["line"]["fen"] += self.dice.choice((-100, 1, 100))
        return self.say("refund_amount" if o["kind"] == "refund" else "amount_differs", o["number"])

    def fault_notice_lost(self, them: dict[str, Any]) -> bool:
        return self._unsettled(them, "waiting", "not_credited")

    def fault_paid_late(self, them: dict[str, Any]) -> bool:
        return self._unsettled(them, "ended", "paid_after_close")

    def _unsettled(self, them: dict[str, Any], state: str, kind: str) -> bool:
        o = them["ours"]
        if o["settlement"] == "direct":
            return False
        o["state"] = state
        if o["kind"] == "payment":
            o["id"] = ""
        self.booked.remove(them["book"])
        return self.say("refund_not_booked" if o["kind"] == "refund" else kind, o["number"])

    def fault_other_number(self, them: dict[str, Any]) -> bool:
        o = them["ours"]
        if o["kind"] == "refund":
            return False
        o["id"] = f"x{o['id']}"
        if them.get("conf"):
            them["conf"]["id"] = o["id"]
        return self.say("number_differs", o["number"])

    def fault_charged_twice(self, them: dict[str, Any]) -> bool:
        line = them["line"]
        if line["kind"] == "refund":
            return False
        self.theirs.append(line | {"id": f"2{line['id']}", "owner": ""})
        return self.say("charged_twice", f"2{line['id']}")

    def fault_line_twice(self, them: dict[str, Any]) -> bool:
        self.theirs.append(dict(them["line"]))
        return self.say("line_twice", them["line"]["id"])

    def fault_other_day(self, them: dict[str, Any]) -> bool:
        day = them["ours"]["day"]
        moved = day + timedelta(days=3 if day < FIRST + timedelta(days=3) else -3)
        them["line"]["day"] = moved
        return self.say("other_day", them["ours"]["number"])

    def fault_not_confirmed(self, them: dict[str, Any]) -> bool:
        if not them.get("conf"):
            return False
        self.confirmed.remove(them["conf"])
        return self.say("finance_missing", them["ours"]["number"])

    def fault_confirmed_amount(self, them: dict[str, Any]) -> bool:
        if not them.get("conf"):
            return False
        them["conf"]["fen"] += 100
        return self.say("finance_amount", them["ours"]["number"])

    def fault_confirmed_twice(self, them: dict[str, Any]) -> bool:
        if not them.get("conf"):
            return False
        again = them["conf"] | {"tra_no": f"{them['conf']['tra_no']}x", "id": "again"}
        self.confirmed.append(again)
        return self.say("finance_twice", again["tra_no"])

    def fault_confirmed_nobodys(self, them: dict[str, Any]) -> bool:
        tra = f"N{them['ours']['number']}"
        day = them["ours"]["day"]
        self.confirmed.append(
            {"pay_code": f"9{them['ours']['number']}", "tra_no": tra, "id": "", "fen": 2000, "day": day}
        )
        return self.say("finance_only", tra)

    def fault_merchant_confirmed(self, them: dict[str, Any]) -> bool:
        o = them["ours"]
        if o["settlement"] == "direct" or o["kind"] == "refund":
            return False
        o["pay_code"] = f"88{o['number']}"
        told = {
            "pay_code": o["pay_code"],
            "tra_no": f"M{o['number']}",
            "id": "",
            "fen": o["fen"],
            "day": o["day"],
        }
        self.confirmed.append(told)
        return self.say("finance_model", told["tra_no"])

    def fault_not_booked(self, them: dict[str, Any]) -> bool:
        self.booked.remove(them["book"])
        return self.say("ledger_missing", them["ours"]["number"])

    def fault_booked_amount(self, them: dict[str, Any]) -> bool:
        them["book"]["fen"] += 1
        return self.say("ledger_amount", them["ours"]["number"])

    def fault_booked_nothing(self, them: dict[str, Any]) -> bool:
        ghost = dict(them["book"]) | {"number": f"G{them['book']['number']}"}
        self.booked.append(ghost)
        return self.say("ledger_only", ghost["number"])


COLUMNS = {
    "ours": (
        "channel",
        "kind",
        "id",
        "number",
        "order",
        "fen",
        "day",
        "state",
        "settlement",
        "pay_code",
        "second",
    ),
    "theirs": ("channel", "kind", "id", "number", "fen", "day", "place"),
    "confirmed": ("pay_code", "tra_no", "id", "fen", "day"),
    "booked": ("channel", "kind", "number", "fen", "day"),
}
TYPES = {"fen": "bigint", "day": "date", "second": "boolean", "place": "bigint"}


def load(world: World) -> Any:
    """The sides as temporary tables; answers where the matcher finds them."""
    from django.db import connection

    from xueka.contexts.treasury.adapters.set_matching import Sides
    from xueka.platform.database.copy import copy_rows

    for side, columns in COLUMNS.items():
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS pg_temp.try_{side}")
            shape = ", ".join(f'"{name}" {TYPES.get(name, "text")}' for name in columns)
            cursor.execute(f"CREATE TEMP TABLE try_{side} ({shape})")
        rows = getattr(world, side)
        copy_rows(connection, f"try_{side}", columns, ([row[name] for name in columns] for row in rows))
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE try_{side}")
    return Sides(*(f"SELECT * FROM try_{side}" for side in COLUMNS))


def judged(sides: Any) -> Any:
    """What reconciliation says of the week and the day after it."""
    from xueka.contexts.treasury.services.finding import find

    last = FIRST + timedelta(days=DAYS)
    covered = {(c, FIRST + timedelta(days=n)) for c in CHANNELS[:3] for n in range(DAYS + 1)}
    return find(sides, FIRST, last, covered, last)


def one(seed: int, payments: int) -> dict[str, Any]:
    world = World(seed, payments)
    world.plant()
    found = judged(load(world))
    said = {(each.kind, each.key) for each in found.breaks}
    hit = len(said & world.truth)
    owners = {line["place"]: line["owner"] for line in world.theirs}
    wrong = [link for link in found.links if owners[link[0]] != link[1]]
    return {
        "seed": seed,
        "payments": payments,
        "planted": len(world.truth),
        "kinds": len({kind for kind, _ in world.truth}),
        "found": len(said),
        "recall": f"{hit * 100 / len(world.truth):.2f}",
        "precision": f"{hit * 100 / max(len(said), 1):.2f}",
        "wrong_links": len(wrong),
        "missed": sorted(world.truth - said)[:5],
        "invented": sorted(said - world.truth)[:5],
    }


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--payments", type=int, default=25_000)
    options = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory(prefix="xueka-reconcile-") as home:
        Path(home).chmod(0o711)
        os.environ["XUEKA_HOME"] = home
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "xueka.config.settings")
        from xueka.entrypoints.cli import common

        with common.database():
            from django.db import transaction

            for seed in range(1, options.seeds + 1):
                with transaction.atomic():
                    result = one(seed, options.payments)
                    transaction.set_rollback(True)
                print(json.dumps(result), flush=True)
                good &= float(min(result["recall"], result["precision"], key=float)) >= 99.5
                good &= result["wrong_links"] == 0
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
