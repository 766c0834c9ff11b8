"""What the other platforms are told of a card's state (docs/interfaces/beijing-tong.md)."""

BOUND, ACTIVE, LOST, CANCELLED = "bound", "active", "lost", "cancelled"
WORDS = {BOUND: "已绑定号码，未发放", ACTIVE: "正常", LOST: "挂失", CANCELLED: "注销"}

#: State of a card → what it means outside. Others are nobody's affair outside: the card is not made yet.
OUTSIDE = {
    "made": BOUND,
    "ready": BOUND,
    "packed": BOUND,
    "in_transit": BOUND,
    "at_school": BOUND,
    "active": ACTIVE,
    "lost": LOST,
    "cancelled": CANCELLED,
    "destroyed": CANCELLED,
    "failed": CANCELLED,
    "void": CANCELLED,
}


def outside(state: str) -> str:
    """Empty for a state that is not told."""
    return OUTSIDE.get(state, "")


def record_of(number: str, beijing_tong_number: str, status: str) -> str:
    """The text that is compared, to the byte."""
    return f"{number}|{beijing_tong_number}|{status}"
