"""The table of a transfer between schools. It closes once both sides have confirmed."""

from xueka.kernel.machine import Machine, State, Transition

OPEN = "open"
CLOSED = "closed"
REJECTED = "rejected"
WITHDRAWN = "withdrawn"

TRANSFER = Machine(
    "transfer",
    "转学",
    OPEN,
    [
        State(OPEN, "待双方确认"),
        State(CLOSED, "已转学", final=True),
        State(REJECTED, "已退回", final=True),
        State(WITHDRAWN, "已撤回", final=True),
    ],
    [
        Transition("close", OPEN, CLOSED, "school:transfer:confirm", "确认转学", "转出方和转入方都已确认"),
        Transition("reject", OPEN, REJECTED, "school:transfer:confirm", "退回", "须写明理由"),
        Transition(
            "withdraw",
            OPEN,
            WITHDRAWN,
            "school:transfer:ask",
            "撤回",
            "由申请的一方撤回，或新名册不再显示学生在转入学校",
        ),
    ],
)
