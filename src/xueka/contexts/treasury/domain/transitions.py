"""The table of a break: explained by one person, signed by another, gone when it is seen no more."""

from xueka.kernel.machine import Machine, State, Transition

OPEN, EXPLAINED, SIGNED, GONE = "open", "explained", "signed", "gone"
_RUN, _EXPLAIN, _SIGN = (
    "city:reconciliation:run",
    "city:reconciliation:explain",
    "city:reconciliation:sign",
)

BREAK = Machine(
    "break",
    "对账差错",
    OPEN,
    [
        State(OPEN, "待处理"),
        State(EXPLAINED, "已说明，待签认"),
        State(SIGNED, "已签认"),
        State(GONE, "已消除", final=True),
    ],
    [
        *(Transition("explain", state, EXPLAINED, _EXPLAIN, "说明") for state in (OPEN, EXPLAINED)),
        Transition("sign", EXPLAINED, SIGNED, _SIGN, "签认", "签认人不是说明人"),
        *(
            Transition("change", state, OPEN, _RUN, "内容变化", "再次对账，金额或内容不同：说明作废")
            for state in (OPEN, EXPLAINED, SIGNED)
        ),
        *(
            Transition("vanish", state, GONE, _RUN, "消除", "再次对账，已不存在")
            for state in (OPEN, EXPLAINED, SIGNED)
        ),
    ],
)
