"""Notices to the other side: kept before they are sent, repeated by a schedule until accepted."""

import json
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from xueka.sandbox.common.dial import Clock, Dial
from xueka.sandbox.common.http import call
from xueka.sandbox.common.store import Store

SCHEMA = """
create table if not exists notice (
    number integer primary key, id text not null unique, channel text not null, url text not null,
    content text not null, forged text not null, due real not null, tries integer not null default 0,
    extra integer not null default 0, state text not null default 'waiting', status integer
);
create index if not exists notice_waiting on notice (due) where state = 'waiting';
"""
LOOK = 0.05  # seconds between two looks for what is due
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Letter:
    """One try: what goes out."""

    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Manner:
    """How a channel makes a letter, knows acceptance, and when it tries again (gaps in seconds)."""

    gaps: Sequence[float]
    write: Callable[[sqlite3.Row, int], Letter]
    accepted: Callable[[int, bytes], bool]
    deliver: Callable[[Letter], tuple[int, bytes] | None] | None = None


class Notices:
    def __init__(self, store: Store, clock: Clock, dial: Dial, speed: float) -> None:
        self._store, self._clock, self._dial, self._speed = store, clock, dial, speed
        self.manners: dict[str, Manner] = {}
        self._stopping = threading.Event()
        self._busy: set[int] = set()
        self._sender: threading.Thread | None = None

    def add(self, channel: str, id: str, url: str, content: dict[str, Any], trouble: Sequence[str]) -> None:
        """Keep a notice; the dial, or `trouble` by name, decides what goes wrong with it."""
        strikes = self._dial.strikes

        def happens(kind: str) -> bool:
            hit = kind in trouble or strikes(kind, id)
            if hit:
                self._dial.record(kind, channel, id, str(content.get("reference", "")))
            return hit

        due = self._clock.now().timestamp()
        lost = happens("notice_lost")
        if not lost and happens("notice_delay"):
            due += self._dial.throw("delayed", id) * 3600 / self._speed
        if not lost and happens("shuffle"):
            due += self._dial.throw("shuffled", id) * 60 / self._speed
        extra = 1 + int(self._dial.throw("copies", id) * 4) if not lost and happens("duplicate") else 0
        content = {**content, "wrong_amount": not lost and happens("wrong_amount")}
        self._insert(channel, id, url, content, "", due, extra, "lost" if lost else "waiting")

    def forge(self, channel: str, id: str, url: str, content: dict[str, Any], manner: str) -> None:
        """A stranger's letter, tried once."""
        self._dial.record("forged", channel, id, f"{manner} {content.get('reference', '')}")
        self._insert(channel, id, url, content, manner, self._clock.now().timestamp(), 0, "waiting")

    def _insert(
        self,
        channel: str,
        id: str,
        url: str,
        content: dict[str, Any],
        forged: str,
        due: float,
        extra: int,
        state: str,
    ) -> None:
        self._store.insert(
            "notice",
            id=id,
            channel=channel,
            url=url,
            content=json.dumps(content, ensure_ascii=False),
            forged=forged,
            due=due,
            extra=extra,
            state=state,
        )

    def waiting(self, *, all: bool = False, limit: int = 500) -> list[sqlite3.Row]:
        now = self._clock.now().timestamp()
        found = self._store.all(
            "select * from notice where state = 'waiting' and (due <= ? or ?) order by due, number limit ?",
            now,
            all,
            limit,
        )
        return [row for row in found if row["number"] not in self._busy]

    def letter(self, row: sqlite3.Row) -> Letter | None:
        """The next try of this notice, counted before it goes out; None when the dial drops it."""
        gaps = self.manners[row["channel"]].gaps
        tries = row["tries"] + 1
        over = row["forged"] or tries > len(gaps)
        wait = 0.0 if over else gaps[tries - 1] / self._speed
        due = self._clock.now().timestamp() + wait
        state = "given_up" if over else "waiting"
        self._store.run(
            "update notice set tries = ?, due = ?, state = ? where number = ?",
            tries,
            due,
            state,
            row["number"],
        )
        if not row["forged"] and self._dial.strikes("notice_drop", f"{row['id']}/{tries}"):
            self._dial.record("notice_drop", row["channel"], row["id"], f"try {tries}")
            return None
        return self.manners[row["channel"]].write(row, tries)

    def answered(self, id: str, status: int, body: bytes) -> bool:
        """What the other side said; whether that is acceptance. Raises LookupError for an unknown id."""
        with self._store.work():
            row = self._store.one("select * from notice where id = ?", id)
            if row is None:
                raise LookupError(id)
            good = self.manners[row["channel"]].accepted(status, body)
            state, extra, due = row["state"], row["extra"], row["due"]
            if row["forged"]:
                state = "accepted" if good else "refused"
            elif good and extra:
                state, extra, due = "waiting", extra - 1, self._clock.now().timestamp() + 1 / self._speed
            elif good:
                state = "accepted"
            self._store.run(
                "update notice set state = ?, extra = ?, due = ?, status = ? where id = ?",
                state,
                extra,
                due,
                status,
                id,
            )
            return good

    def counts(self) -> dict[str, int]:
        """Of our own words, those that a stranger put into our mouth, and what is to be sent yet."""
        found = self._store.one(
            "select count(*) filter (where forged = '') told, count(*) filter (where forged <> '') forged,"
            " count(*) filter (where state = 'waiting') waiting from notice"
        )
        return dict(found) if found else {}

    def start(self) -> None:
        """Send in threads until `stop()`."""
        self._sender = threading.Thread(target=self._run, daemon=True)
        self._sender.start()

    def stop(self) -> None:
        """Nothing goes out by itself any more once this returns."""
        self._stopping.set()
        if self._sender and self._sender is not threading.current_thread():
            self._sender.join()

    def deliver(self) -> tuple[int, int]:
        """Send what waits, whatever its time: letters sent, letters accepted."""
        sent = [self._send(row) for row in self.waiting(all=True)]
        return len(sent), sum(sent)

    def _run(self) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while not self._stopping.wait(LOOK):
                for row in self.waiting(limit=AT_ONCE * 4):
                    self._busy.add(row["number"])
                    pool.submit(self._send_one, row)

    def _send_one(self, row: sqlite3.Row) -> None:
        try:
            self._send(row)
        finally:
            self._busy.discard(row["number"])

    def _send(self, row: sqlite3.Row) -> bool:
        fresh = self._store.one("select * from notice where number = ? and state = 'waiting'", row["number"])
        letter = self.letter(fresh) if fresh else None
        if letter is None:
            return False
        deliver = self.manners[row["channel"]].deliver
        done = deliver(letter) if deliver else call(letter.url, letter.body, letter.headers)
        return self.answered(row["id"], *done) if done else False

    def take(self, *, all: bool) -> list[tuple[sqlite3.Row, Letter]]:
        """For who fetches notices: each counts as a try."""
        found = []
        for row in self.waiting(all=all):
            letter = self.letter(row)
            if letter is not None:
                found.append((row, letter))
        return found
