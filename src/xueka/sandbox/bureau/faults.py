"""The fault dial: how often a bureau's troubles happen. A throw depends on seed, batch and card alone."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dial:
    """Rates. The first group is per card, the second per return file, the last per package."""

    failed: float = 0.0
    missing: float = 0.0
    late: float = 0.0
    duplicate: float = 0.0
    unknown: float = 0.0
    altered: float = 0.0
    bad_file: float = 0.0
    refuse: float = 0.0


DIALS = {
    "none": Dial(),
    "light": Dial(
        failed=0.005,
        missing=0.0005,
        late=0.002,
        duplicate=0.0005,
        unknown=0.0005,
        altered=0.0005,
        bad_file=0.1,
    ),
    "heavy": Dial(
        failed=0.03,
        missing=0.005,
        late=0.02,
        duplicate=0.01,
        unknown=0.005,
        altered=0.01,
        bad_file=0.6,
        refuse=0.2,
    ),
}

#: Ways in which a whole return file can be wrong.
BAD_FILES = ("wrong_totals", "truncated", "wrong_signature", "wrong_digest", "wrong_batch", "twice")


class Dice:
    """Throws that come out the same whenever and in any order they are asked for; `struck` is what hit."""

    def __init__(self, seed: int, batch: str) -> None:
        self._root = f"{seed}/{batch}"
        self.struck: list[str] = []

    def number(self, purpose: str) -> float:
        """A number in [0, 1)."""
        digest = hashlib.sha256(f"{self._root}/{purpose}".encode()).digest()
        return int.from_bytes(digest[:7], "big") / 2**56

    def happens(self, purpose: str, rate: float) -> bool:
        hit = self.number(purpose) < rate
        if hit:
            self.struck.append(purpose)
        return hit

    def choice(self, purpose: str, options: tuple[str, ...]) -> str:
        return options[int(self.number(purpose) * len(options))]

    def hex(self, purpose: str, length: int) -> str:
        return hashlib.sha256(f"{self._root}/{purpose}".encode()).hexdigest()[:length].upper()
