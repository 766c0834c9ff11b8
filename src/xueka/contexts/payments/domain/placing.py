"""Whose is the money that has come: the order's, or the payer's to get back."""

from dataclasses import dataclass

from xueka.contexts.payments.domain.transitions import CLOSED, EXPIRED, OPEN


@dataclass(frozen=True, slots=True)
class Placed:
    """`credited`: it pays the order. `stray_fen` goes back to the payer, for the reason `stray`."""

    credited: bool
    stray: str = ""
    stray_fen: int = 0


def place(order_state: str, due_fen: int, received_fen: int) -> Placed:
    """An order is paid once and in full; anything else is late, double, short or over."""
    if order_state in (CLOSED, EXPIRED):
        return Placed(False, "late", received_fen)
    if order_state != OPEN:
        return Placed(False, "double", received_fen)
    if received_fen < due_fen:
        return Placed(False, "short", received_fen)
    surplus = received_fen - due_fen
    return Placed(True, "over" if surplus else "", surplus)
