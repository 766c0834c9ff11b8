"""The table of an initialisation order: blanks that the transit company initialises by schedule (排产)."""

from xueka.kernel.machine import Machine, State, Transition

PLANNED = "planned"
AT_COMPANY = "at_company"
RECEIVED = "received"
SHORT = "short"
CANCELLED = "cancelled"

_MANAGE = "city:range:manage"
_HANDED_OVER = "双方签字的交接记录"
_BEGUN = (AT_COMPANY, RECEIVED, SHORT)

INITIALISATION = Machine(
    "initialisation",
    "排产单",
    PLANNED,
    [
        State(PLANNED, "已排期"),
        State(AT_COMPANY, "已送出，初始化中"),
        State(RECEIVED, "已全部收回"),
        State(SHORT, "短少结单"),
        State(CANCELLED, "已取消", final=True),
    ],
    [
        Transition("reschedule", PLANNED, PLANNED, _MANAGE, "改期", "须写明理由"),
        Transition("cancel", PLANNED, CANCELLED, _MANAGE, "取消", "须写明理由"),
        Transition("send", PLANNED, AT_COMPANY, _MANAGE, "送出", _HANDED_OVER),
        Transition("send", AT_COMPANY, AT_COMPANY, _MANAGE, "送出", _HANDED_OVER),
        Transition("receive", AT_COMPANY, AT_COMPANY, _MANAGE, "收回", _HANDED_OVER),
        Transition("receive", AT_COMPANY, RECEIVED, _MANAGE, "收回", "收回与送出相等"),
        Transition("receive", SHORT, SHORT, _MANAGE, "收回", _HANDED_OVER),
        Transition("receive", SHORT, RECEIVED, _MANAGE, "收回", "收回与送出相等"),
        Transition("settle", AT_COMPANY, SHORT, _MANAGE, "短少结单", "须写明理由"),
        # A hand-over that was written down wrongly is replaced by another one, and the order follows.
        *[
            Transition("correct", source, target, _MANAGE, "更正交接", "须写明理由")
            for source in _BEGUN
            for target in (PLANNED, AT_COMPANY, RECEIVED)
        ],
    ],
)


def standing(sent: int, back: int) -> str:
    """The state that follows from how many left and how many came back (good or rejected)."""
    if sent == 0:
        return PLANNED
    return RECEIVED if back == sent else AT_COMPANY
