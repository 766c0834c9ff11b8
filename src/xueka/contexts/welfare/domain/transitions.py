"""The table of an entitlement: the platform moves it, by its messages alone."""

from xueka.kernel.machine import Machine, State, Transition

ACTIVE, SUSPENDED, ENDED = "active", "suspended", "ended"
_MANAGE = "city:interop:manage"
ENTITLEMENT = Machine(
    "entitlement",
    "民生卡权益",
    ACTIVE,
    [State(ACTIVE, "有效"), State(SUSPENDED, "暂停"), State(ENDED, "已终止")],
    [
        *(
            Transition("resume", state, ACTIVE, _MANAGE, "恢复", "权益平台的消息")
            for state in (SUSPENDED, ENDED)
        ),
        *(
            Transition("suspend", state, SUSPENDED, _MANAGE, "暂停", "权益平台的消息，带原因")
            for state in (ACTIVE, ENDED)
        ),
        *(
            Transition("end", state, ENDED, _MANAGE, "终止", "权益平台的消息，带原因")
            for state in (ACTIVE, SUSPENDED)
        ),
    ],
)
#: The event that leads to a state, wherever it comes from.
EVENTS = {ACTIVE: "resume", SUSPENDED: "suspend", ENDED: "end"}
