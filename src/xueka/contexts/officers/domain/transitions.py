"""The table of a hand-over: both sides confirm, then the work changes hands on its day."""

from xueka.kernel.machine import Machine, State, Transition

ASKED, AGREED, CANCELLED = "asked", "agreed", "cancelled"
PERMISSION = "school:officer:substitute"

HAND_OVER = Machine(
    "hand_over",
    "工作交接",
    ASKED,
    [
        State(ASKED, "待双方确认"),
        State(AGREED, "已交接", final=True),
        State(CANCELLED, "已取消", final=True),
    ],
    [
        Transition("agree", ASKED, AGREED, PERMISSION, "交接成立", "移交人和接手人都已确认"),
        Transition("cancel", ASKED, CANCELLED, PERMISSION, "取消"),
    ],
)
