"""The welfare-card platform beside the exchange: its book of entitlements (docs/interfaces/welfare.md).

A message that was applied comes to `heard`, within the transaction of the book; what it answers are messages
of its own (`tell`).
"""

import hashlib
from collections.abc import Callable
from datetime import date
from typing import Any

from xueka.sandbox.common.control import body
from xueka.sandbox.common.dial import Clock
from xueka.sandbox.common.http import Answer, Request, json_answer
from xueka.sandbox.common.store import Store, rows
from xueka.sandbox.exchange.book import Book

SCHEMA = """
create table if not exists entitlement (
    card text not null, kind text not null, number text not null, state text not null,
    valid_from text not null, valid_until text, reason text not null, version integer not null,
    primary key (card, kind)
);
"""
ENTITLEMENTS = "entitlements"
KINDS = {"transit": "公共交通优惠", "museum": "博物馆"}
LOST, CANCELLED, LEFT = "卡已挂失", "卡已注销", "已离校"


class Grants:
    def __init__(self, store: Store, clock: Clock, book: Book, tell: Callable[[dict[str, Any]], Any]) -> None:
        self._store, self._clock, self._book, self._tell = store, clock, book, tell

    def heard(self, kind: str, data: Any) -> None:
        """What the platform does about a message, within the transaction that applied it."""
        if kind != "holder.changed" or not isinstance(data, dict):
            return
        self._name_kinds()
        card, number = data["card"], data["beijing_tong_number"]
        held = {row["kind"]: row for row in self._of(card)}
        if data["state"] == "active" and data["holder"] == "enrolled":
            before = [row["kind"] for row in self._of(data["replaces"])] if data["replaces"] else []
            for each in sorted({*held} or {*before} or self._granted(card)):
                if each not in held or (held[each]["state"], held[each]["reason"]) in _OURS:
                    self.put(card, number, each, "active", "")
        else:
            lost = data["state"] == "lost" and data["holder"] == "enrolled"
            state = "suspended" if lost else "ended"
            reason = LOST if lost else CANCELLED if data["state"] == "cancelled" else LEFT
            for each, row in held.items():
                if row["state"] not in ("ended", state):
                    self.put(card, number, each, state, reason)

    def put(
        self, card: str, number: str, kind: str, state: str, reason: str, *,
        days: tuple[str, str | None] | None = None, tell: bool = True,
    ) -> None:  # fmt: skip
        """The next version of one entitlement, in the book and, unless it is kept quiet, told."""
        with self._store.work():
            was = self._store.one("select * from entitlement where card = ? and kind = ?", card, kind)
            begins, ends = days or (
                (was["valid_from"], was["valid_until"])
                if was
                else (self._today().isoformat(), self._august())
            )
            version = (was["version"] if was else 0) + 1
            self._store.run(
                "insert or replace into entitlement values (?, ?, ?, ?, ?, ?, ?, ?)",
                card, kind, number, state, begins, ends, reason, version,
            )  # fmt: skip
            parts = (card, kind, state, begins, ends or "", str(version))
            self._book.put(ENTITLEMENTS, f"{card}/{kind}", "|".join(parts))
            if tell:
                told = {
                    "card": card, "beijing_tong_number": number, "kind": kind, "state": state,
                    "valid_from": begins, "valid_until": ends, "reason": reason, "version": version,
                    "as_of": self._clock.now().isoformat(),
                }  # fmt: skip
                self._tell({"kind": "entitlement.changed", "key": f"card:{card}", "data": told})

    def control(self, request: Request) -> Answer | None:
        match request.method, request.path:
            case "PUT", "/_sim/entitlement":
                told = body(request)
                begins = str(told.get("valid_from") or self._today().isoformat())
                self.put(
                    str(told["card"]), str(told["beijing_tong_number"]), str(told["kind"]),
                    str(told.get("state", "active")), str(told.get("reason", "")),
                    days=(begins, told.get("valid_until")), tell=bool(told.get("tell", True)),
                )  # fmt: skip
                return json_answer({})
            case "GET", "/_sim/entitlements":
                return json_answer(rows(self._store.all("select * from entitlement order by card, kind")))
        return None

    def _of(self, card: str) -> list[Any]:
        return self._store.all("select * from entitlement where card = ? order by kind", card)

    def _name_kinds(self) -> None:
        if self._store.get("kinds.named", False):
            return
        self._store.put("kinds.named", True)
        for kind, name in KINDS.items():
            told = {"kind": kind, "name": name, "version": 1}
            self._tell({"kind": "kind.named", "key": f"kind:{kind}", "data": told})

    def _today(self) -> date:
        return self._clock.now().date()

    def _august(self) -> str:
        today = self._today()
        return date(today.year + (today.month > 8), 8, 31).isoformat()

    @staticmethod
    def _granted(card: str) -> set[str]:
        even = hashlib.sha256(card.encode()).digest()[0] % 2 == 0
        return {"transit", "museum"} if even else {"transit"}


#: What a card's own change had brought about, and its next one takes back.
_OURS = {("suspended", LOST), ("ended", CANCELLED), ("ended", LEFT)}
