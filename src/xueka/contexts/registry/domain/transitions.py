"""The table of a transfer between districts. It closes once both sides have confirmed."""

from xueka.kernel.machine import Machine, State, Transition

OPEN = "open"
CLOSED = "closed"
REJECTED = "rejected"
WITHDRAWN = "withdrawn"

TRANSFER = Machine(
    "transfer",
    "跨区转学",
    OPEN,
    [
        State(OPEN, "待两区确认"),
        State(CLOSED, "已转学", final=True),
        State(REJECTED, "已退回", final=True),
        State(WITHDRAWN, "已撤回", final=True),
    ],
    [
        Transition("close", OPEN, CLOSED, "district:transfer:confirm", "确认转学", "转出区和转入区都已确认"),
        Transition("reject", OPEN, REJECTED, "district:transfer:confirm", "退回", "须写明理由"),
        Transition(
            "withdraw", OPEN, WITHDRAWN, "city:registry:import", "撤回", "新名册不再显示学生在转入学校"
        ),
    ],
)
