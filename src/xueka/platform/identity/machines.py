"""The table of a request for a role of the city: one administrator asks, another one answers."""

from xueka.kernel.machine import Machine, State, Transition

ASKED, CONFIRMED, REFUSED, WITHDRAWN = "asked", "confirmed", "refused", "withdrawn"

GRANT_REQUEST = Machine(
    "grant_request",
    "授权申请",
    ASKED,
    [
        State(ASKED, "待安全管理员确认"),
        State(CONFIRMED, "已授予", final=True),
        State(REFUSED, "已退回", final=True),
        State(WITHDRAWN, "已撤回", final=True),
    ],
    [
        Transition(
            "confirm", ASKED, CONFIRMED, "city:grant:confirm", "确认授予", "申请人、使用者本人以外的第二人"
        ),
        Transition("refuse", ASKED, REFUSED, "city:grant:confirm", "退回", "须写明理由"),
        Transition("withdraw", ASKED, WITHDRAWN, "city:user:manage", "撤回"),
    ],
)
