"""What the dial does to a call: one order of events at every counterpart, in the counterpart's own words.

First it may be late, then refused as one too many, then fail before or after the work; what was done may be
answered with a wrong signature, or not at all. Control calls and people's pages are never struck.
"""

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from xueka.sandbox.common.dial import Dial
from xueka.sandbox.common.store import Store

Said = TypeVar("Said")
#: Of calls, for the presets of a counterpart that has no reason for others.
LIGHT = {"drop": 0.01, "errors": 0.01, "delay": 0.02}
HEAVY = {"drop": 0.1, "errors": 0.1, "delay": 0.05, "limited": 0.02}
_PER_START = 10**9


@dataclass(frozen=True)
class Words(Generic[Said]):
    """How a counterpart says it. `failed` is told whether the work was done; None: it has no such word."""

    failed: Callable[[bool], Said]
    hang_up: Said
    limited: Callable[[], Said] | None = None
    forged: Callable[[Said], Said] | None = None


class Calls:
    """Numbers the calls, so that each is another thing to strike; without a write for each of them."""

    def __init__(self, store: Store, dial: Dial) -> None:
        self._dial = dial
        self._first = (store.number("starts") - 1) * _PER_START + 1
        self._counts: dict[str, itertools.count[int]] = {}
        self._lock = threading.Lock()

    def struck(
        self,
        channel: str,
        words: Words[Said],
        work: Callable[[], Said],
        *,
        kind: str = "call",
        detail: str = "",
    ) -> Said:
        """The answer to a call that `work` would carry out; what the dial does to it is on record."""
        dial = self._dial
        if not dial.values:
            return work()
        what = self._name(kind)

        def happens(trouble: str, told: str = detail) -> bool:
            hit = dial.strikes(trouble, what)
            if hit:
                dial.record(trouble, channel, what, told)
            return hit

        if happens("delay"):
            time.sleep(dial.setting("delay_ms") / 1000)
        if words.limited is not None and happens("limited"):
            return words.limited()
        done = dial.throw("errors.before", what) >= 0.5
        if happens("errors", "after" if done else "before"):
            if done:
                work()
            return words.failed(done)
        said = work()
        if words.forged is not None and happens("answer_forged"):
            said = words.forged(said)
        return words.hang_up if happens("drop") else said

    def _name(self, kind: str) -> str:
        with self._lock:
            count = self._counts.setdefault(kind, itertools.count(self._first))
            return f"{kind}/{next(count)}"
