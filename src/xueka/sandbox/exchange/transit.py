"""The transit company beside the exchange: its own book of cards (docs/interfaces/transit.md).

A message that was applied comes to `heard`, within the transaction of the book; what it answers are messages
of its own (`tell`). Rules of its own: a card is its customer's only after a binding that it accepts.
"""

import json
from collections.abc import Callable
from datetime import timedelta
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
VALIDITY = "transit-validity"


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
        """Nothing yet: look-ups alone."""

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
