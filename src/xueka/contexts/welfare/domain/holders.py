"""What the platform is told of a card and its holder (docs/interfaces/welfare.md §4)."""

ACTIVE, LOST, CANCELLED = "active", "lost", "cancelled"
STATES = {ACTIVE: "在用", LOST: "挂失", CANCELLED: "注销"}
ENROLLED, LEFT = "enrolled", "left"
HOLDERS = {ENROLLED: "在校", LEFT: "已离校"}

#: State of a card → what it means outside. Others are not handed out: nobody is entitled by them.
OUTSIDE = {
    "active": ACTIVE,
    "lost": LOST,
    "cancelled": CANCELLED,
    "void": CANCELLED,
    "destroyed": CANCELLED,
}


def outside(state: str) -> str:
    """Empty for a state that is not told."""
    return OUTSIDE.get(state, "")


def record_of(card: str, beijing_tong_number: str, state: str, holder: str) -> str:
    """The text that is compared, to the byte."""
    return f"{card}|{beijing_tong_number}|{state}|{holder}"
