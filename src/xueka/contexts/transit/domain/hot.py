"""Which cards the transit company must not accept, and why (docs/interfaces/transit.md §6)."""

import hashlib
from collections.abc import Sequence

LOST, CANCELLED = "lost", "cancelled"
REASONS = {LOST: "挂失", CANCELLED: "注销"}

#: State of a card → the reason on the hot-list; others are not on it.
HOT = {"lost": LOST, "cancelled": CANCELLED, "destroyed": CANCELLED, "void": CANCELLED}


def reason_of(state: str) -> str:
    return HOT.get(state, "")


def record_of(card: str, transit_number: str, reason: str) -> str:
    return f"{card}|{transit_number}|{reason}"


def digest_of(lines: Sequence[str]) -> str:
    """SHA-256 of the lines, sorted by their bytes, each with a line feed."""
    return hashlib.sha256("".join(f"{line}\n" for line in sorted(lines)).encode()).hexdigest()
