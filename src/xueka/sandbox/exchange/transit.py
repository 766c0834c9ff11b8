"""The transit company beside the exchange: its own book of cards (docs/interfaces/transit.md).

A message that was applied comes to `heard`, within the transaction of the book; what it answers are messages
of its own (`tell`). Rules of its own: a card is its customer's only after a binding that it accepts.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from xueka.sandbox.common.control import body
from xueka.sandbox.common.dial import Clock, Dial
from xueka.sandbox.common.http import Answer, Request, json_answer
from xueka.sandbox.common.store import Store, rows
from xueka.sandbox.exchange.book import Book, refused

SCHEMA = """
create table if not exists fare (
    card text primary key, transit_number text not null, fare text not null, valid_until text,
    as_of text not null, before text
);
"""
VALIDITY, BINDINGS, HOT_LIST = "transit-validity", "transit-bindings", "transit-hot-list"

#: Dials of this company alone: it refuses a binding, moves a day of the schedule, counts one less.
OWN_FAULTS: dict[str, float] = {"unbound": 0, "moved": 0, "miscounted": 0}


class Desk:
    def __init__(
        self, store: Store, clock: Clock, dial: Dial, book: Book, tell: Callable[[dict[str, Any]], Any]
    ) -> None:
        self._store, self._clock, self._dial, self._book, self._tell = store, clock, dial, book, tell

    # ---- questions that are answered at once

    def look_up(self, request: Request, name: str) -> Answer:
        """§3.2: what the company knows of one card."""
        try:
            asked = json.loads(request.body)
            card, transit_number = str(asked["card"]), str(asked["transit_number"])
        except (ValueError, KeyError, TypeError):
            return refused(400, "QUESTION_WRONG", "问题不对")
        found = self._store.one(
            "select * from fare where card = ? and transit_number = ?", card, transit_number
        )
        if found is None:
            return refused(404, "CARD_UNKNOWN", "没有这张卡")
        told = {key: found[key] for key in ("card", "transit_number", "fare", "valid_until", "as_of")}
        if found["before"] and self._dial.strikes("stale", name):
            self._dial.record("stale", "transit", card)
            told |= json.loads(found["before"])
        else:
            told["as_of"] = self._clock.now().isoformat()
        if self._dial.strikes("drift", name):
            self._dial.record("drift", "transit", card)
            told["validUntil"] = told.pop("valid_until")
        return json_answer(told)

    # ---- what was told

    def heard(self, kind: str, data: Any) -> None:
        """What the company does about a message, within the transaction that applied it."""
        act = {
            "binding.asked": self._bind,
            "binding.release": self._release,
            "hotlist.changed": self._list,
            "hotlist.whole": self._whole_list,
            "extension.asked": self._extend,
            "range.asked": self._grant,
            "schedule.planned": self._schedule,
            "handover.written": self._hand_over,
        }.get(kind)
        if act is not None and isinstance(data, dict):
            act(data)

    def _bind(self, data: dict[str, Any]) -> None:
        card, number = data["card"], data["transit_number"]
        said = {"card": card, "transit_number": number, "ask": data["ask"]}
        if self._dial.strikes("unbound", f"{card}/{data['ask']}"):
            self._dial.record("unbound", "transit", card)
            said |= {"accepted": False, "code": "NAME_MISMATCH", "reason": "姓名与证件号码不一致"}
        else:
            self._book.put(BINDINGS, card, f"{card}|{number}")
            said |= {"accepted": True}
        self._say("binding.answered", f"card:{card}", said)
        if said["accepted"] and not self._store.one("select card from fare where card = ?", card):
            self.put_fare(card, number, "student", self.a_year_on(), tell=True)

    def _release(self, data: dict[str, Any]) -> None:
        card = data["card"]
        self._book.put(BINDINGS, card, "")
        told = {"card": card, "transit_number": data["transit_number"], "ask": data["ask"]}
        self._say("binding.released", f"card:{card}", told)

    def _list(self, data: dict[str, Any]) -> None:
        card, number = data["card"], data["transit_number"]
        self._book.put(HOT_LIST, card, f"{card}|{number}|{data['reason']}" if data["listed"] else "")
        told = {"card": card, "transit_number": number, "version": data["version"]}
        self._say("hotlist.confirmed", f"card:{card}", told | {"in_force_at": self._clock.now().isoformat()})

    def _whole_list(self, data: dict[str, Any]) -> None:
        self._store.run("delete from record where dataset = ?", HOT_LIST)
        for line in data["entries"]:
            self._book.put(HOT_LIST, line.split("|")[0], line)
        whole = "".join(f"{line}\n" for line in sorted(data["entries"]))
        counted = {"count": len(data["entries"]), "digest": hashlib.sha256(whole.encode()).hexdigest()}
        self._answer("hotlist.received", "hot_list", data, counted)

    def _extend(self, data: dict[str, Any]) -> None:
        card, number = data["card"], data["transit_number"]
        said = {"card": card, "transit_number": number, "ask": data["ask"]}
        bound = self._store.one("select key from record where dataset = ? and key = ?", BINDINGS, card)
        if not bound:
            said |= {"granted": False, "code": "NOT_BOUND", "reason": "没有实名，不能延期"}
        else:
            now = self._clock.now().isoformat()
            self.put_fare(card, number, "student", data["until"], tell=False)
            said |= {"granted": True, "valid_until": data["until"], "as_of": now}
        self._say("extension.answered", f"card:{card}", said)

    def _grant(self, data: dict[str, Any]) -> None:
        first = int(self._store.get("granted", 0)) + 1
        self._store.put("granted", first + int(data["count"]) - 1)
        told = {"prefix": "10008800", "width": 8, "first": first, "last": first + int(data["count"]) - 1}
        self._answer("range.granted", "range", data, told | {"document": f"号段批复 {data['number']}"})

    def _schedule(self, data: dict[str, Any]) -> None:
        due = date.fromisoformat(data["due_on"])
        if self._dial.strikes("moved", f"{data['number']}/{data['turn']}"):
            self._dial.record("moved", "transit", data["number"])
            due += timedelta(days=3)
        told = {"quantity": data["quantity"], "planned_on": data["planned_on"], "due_on": due.isoformat()}
        self._answer("schedule.answered", "schedule", data, told)

    def _hand_over(self, data: dict[str, Any]) -> None:
        counted = {name: data[name] for name in ("quantity", "rejected", "digest")}
        if self._dial.strikes("miscounted", data["number"]):
            self._dial.record("miscounted", "transit", data["number"])
            counted["quantity"] -= 1
        self._answer("handover.answered", "hand_over", data, counted)

    def _answer(self, kind: str, about: str, data: dict[str, Any], said: dict[str, Any]) -> None:
        head = {"number": data["number"], "turn": data["turn"], "accepted": True, "note": ""}
        self._say(kind, f"{about}:{data['number']}", head | said)

    def _say(self, kind: str, key: str, data: dict[str, Any]) -> None:
        self._tell({"kind": kind, "key": key, "data": data})

    def put_fare(self, card: str, transit_number: str, fare: str, until: str | None, *, tell: bool) -> None:
        """The book of fares; the company tells us of it, unless it forgets to."""
        with self._store.work():
            was = self._store.one("select fare, valid_until, as_of from fare where card = ?", card)
            before = json.dumps(dict(was)) if was else None
            now = self._clock.now().isoformat()
            self._store.run(
                "insert into fare values (?, ?, ?, ?, ?, ?) on conflict do update set fare = excluded.fare,"
                " valid_until = excluded.valid_until, as_of = excluded.as_of, before = excluded.before",
                card, transit_number, fare, until, now, before,
            )  # fmt: skip
            self._book.put(VALIDITY, card, f"{card}|{transit_number}|{fare}|{until or ''}")
            if tell:
                told = {"card": card, "transit_number": transit_number, "fare": fare, "valid_until": until}
                self._tell({"kind": "validity.changed", "key": f"card:{card}", "data": told | {"as_of": now}})

    # ---- control

    def control(self, request: Request) -> Answer | None:
        match request.method, request.path:
            case "PUT", "/_sim/fare":
                told = body(request)
                self.put_fare(
                    str(told["card"]), str(told["transit_number"]), str(told.get("fare", "student")),
                    told.get("valid_until"), tell=bool(told.get("tell", True)),
                )  # fmt: skip
                return json_answer({})
            case "GET", "/_sim/fares":
                return json_answer(rows(self._store.all("select * from fare order by card")))
        return None

    def a_year_on(self) -> str:
        return (self._clock.now() + timedelta(days=365)).date().isoformat()
