"""The table of a difference between the two sides: sent again, taken over, left, gone when it is seen no
more.
"""

from xueka.kernel.machine import Machine, State, Transition

OPEN, SENT, TAKEN, LEFT, GONE = "open", "sent", "taken", "left", "gone"
_MANAGE = "city:interop:manage"

DIFFERENCE = Machine(
    "disagreement",
    "核对差异",
    OPEN,
    [
        State(OPEN, "待处理"),
        State(SENT, "已补发，待核对"),
        State(TAKEN, "已采纳对方，待核对"),
        State(LEFT, "不处理"),
        State(GONE, "已一致", final=True),
    ],
    [
        Transition("send", OPEN, SENT, _MANAGE, "补发", "本方有这条记录"),
        Transition("take", OPEN, TAKEN, _MANAGE, "采纳对方", "这类记录可以以对方为准"),
        Transition("leave", OPEN, LEFT, _MANAGE, "不处理", "须写明理由"),
        *(
            Transition("return", state, OPEN, _MANAGE, "仍不一致", "再次核对仍有差异，或内容又变")
            for state in (SENT, TAKEN, LEFT)
        ),
        *(
            Transition("vanish", state, GONE, _MANAGE, "已一致", "再次核对，两边相同")
            for state in (OPEN, SENT, TAKEN, LEFT)
        ),
    ],
)
