"""The fault dial, and the clock. A throw depends on seed, kind and what it strikes alone."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from xueka.sandbox.common.store import Store, rows

BEIJING = timezone(timedelta(hours=8))


class Clock:
    """Beijing time, to the second; stands still when it has been set."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def now(self) -> datetime:
        fixed = self._store.get("clock")
        return datetime.fromisoformat(fixed) if fixed else datetime.now(BEIJING).replace(microsecond=0)

    def set(self, text: str | None) -> None:
        """Raises ValueError on anything but ISO 8601 with an offset, or None."""
        if text is None:
            self._store.put("clock", None)
            return
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("the time has no offset")
        self._store.put("clock", moment.astimezone(BEIJING).replace(microsecond=0).isoformat())


class Dial:
    """Rates and settings by name, kept in the store; a start with other options begins anew."""

    def __init__(
        self, store: Store, clock: Clock, seed: int, presets: Mapping[str, Mapping[str, float]], options: str
    ) -> None:
        """`options` is `PRESET` or `PRESET,NAME=RATE,…`; `presets["settings"]` holds what is no rate."""
        self._store, self._clock, self._seed, self._presets = store, clock, seed, presets
        if store.get("dial.options") != options:
            with store.work():
                self.turn({"preset": "none"})
                preset, *single = options.split(",")
                self.turn({"preset": preset, **{name: float(rate) for name, _, rate in _pairs(single)}})
                store.put("dial.options", options)

    @property
    def values(self) -> dict[str, float]:
        found: dict[str, float] = self._store.get("dial", {})
        return found

    def turn(self, change: Mapping[str, Any]) -> dict[str, float]:
        """Set some; raises ValueError for a name that is none or a value that is no number from 0 on."""
        known = {name for preset in self._presets.values() for name in preset}
        values = dict(self.values)
        if "preset" in change:
            if change["preset"] not in self._presets or change["preset"] == "settings":
                raise ValueError(f"no preset {change['preset']}")
            values = {**self._presets["settings"], **self._presets[change["preset"]]}
        for name, value in change.items():
            if name == "preset":
                continue
            if name not in known or not isinstance(value, int | float) or value < 0:
                raise ValueError(f"no dial {name}={value}")
            values[name] = value
        self._store.put("dial", values)
        return values

    def setting(self, name: str) -> float:
        return self.values.get(name, self._presets["settings"].get(name, 0))

    def throw(self, kind: str, what: object) -> float:
        """A number in [0, 1), always the same for the same seed, kind and thing."""
        digest = hashlib.sha256(f"{self._seed}/{kind}/{what}".encode()).digest()
        return int.from_bytes(digest[:7], "big") / 2**56

    def strikes(self, kind: str, what: object) -> bool:
        """Whether this fault happens to this thing."""
        rate = self.values.get(kind, 0)
        return rate > 0 and self.throw(kind, what) < rate

    def choice(self, kind: str, what: object, options: Sequence[str]) -> str:
        return options[int(self.throw(kind, what) * len(options))]

    def record(self, kind: str, channel: str, reference: object, detail: str = "") -> None:
        at = self._clock.now().isoformat()
        self._store.insert(
            "fault", kind=kind, channel=channel, reference=str(reference), at=at, detail=detail
        )

    def recorded(self) -> list[dict[str, Any]]:
        return rows(self._store.all("select kind, channel, reference, at, detail from fault order by id"))


def _pairs(texts: Sequence[str]) -> list[tuple[str, str, str]]:
    return [text.partition("=") for text in texts if text]
