"""The table of a matter: put to the other side, answered, done; asked again where the answer was none."""

from xueka.kernel.machine import Machine, State, Transition

OPEN, ASKED, ANSWERED, DONE, CANCELLED = "open", "asked", "answered", "done", "cancelled"
READ, WORK = "city:coordination:read", "city:coordination:work"

MATTER = Machine(
    "matter",
    "协调事项",
    OPEN,
    [
        State(OPEN, "待提出"),
        State(ASKED, "等对方答复"),
        State(ANSWERED, "对方已答复"),
        State(DONE, "已办结", final=True),
        State(CANCELLED, "已取消", final=True),
    ],
    [
        Transition("ask", OPEN, ASKED, WORK, "向对方提出", "写明怎么提出的"),
        Transition("ask", ANSWERED, ASKED, WORK, "向对方提出", "答复没有解决问题"),
        Transition("answer", ASKED, ANSWERED, WORK, "登记答复", "写明对方怎么说"),
        *(Transition("finish", state, DONE, WORK, "办结", "写明结果") for state in (OPEN, ASKED, ANSWERED)),
        *(
            Transition("cancel", state, CANCELLED, WORK, "取消", "写明原因")
            for state in (OPEN, ASKED, ANSWERED)
        ),
    ],
)
ENDED = (DONE, CANCELLED)
