"""The table of a take-over: files that came in, what was decided about them, and the way back."""

from xueka.kernel.machine import Machine, State, Transition

CHECKED = "checked"
APPROVED = "approved"
LOADED = "loaded"
BACK_ASKED = "back_asked"
TAKING_BACK = "taking_back"
TAKEN_BACK = "taken_back"
SETTLED = "settled"
DROPPED = "dropped"
COMPARED = "compared"

_LOAD, _APPROVE = "city:takeover:load", "city:takeover:approve"

TAKEOVER = Machine(
    "takeover",
    "接管",
    CHECKED,
    [
        State(CHECKED, "已试算，待批准"),
        State(APPROVED, "载入中"),
        State(LOADED, "已载入"),
        State(BACK_ASKED, "待批准收回"),
        State(TAKING_BACK, "收回中"),
        State(TAKEN_BACK, "已收回", final=True),
        State(SETTLED, "已定案", final=True),
        State(DROPPED, "已放弃", final=True),
        State(COMPARED, "已比对", final=True),
    ],
    [
        Transition("recheck", CHECKED, CHECKED, _LOAD, "重新试算"),
        Transition("approve", CHECKED, APPROVED, _APPROVE, "批准载入", "控制总数相符，批准人不是提交人"),
        Transition("drop", CHECKED, DROPPED, _LOAD, "放弃"),
        Transition("compare", CHECKED, COMPARED, _LOAD, "比对", "只用来与旧系统比对的一套文件"),
        Transition("finish", APPROVED, LOADED, _LOAD, "载入完成"),
        Transition("ask_back", APPROVED, BACK_ASKED, _LOAD, "申请收回", "须写明理由"),
        Transition("ask_back", LOADED, BACK_ASKED, _LOAD, "申请收回", "须写明理由；未过收回期限"),
        Transition("refuse_back", BACK_ASKED, APPROVED, _APPROVE, "不予收回", "尚未载入完"),
        Transition("refuse_back", BACK_ASKED, LOADED, _APPROVE, "不予收回", "已载入完"),
        Transition(
            "approve_back", BACK_ASKED, TAKING_BACK, _APPROVE, "批准收回", "批准人不是申请人；未过收回期限"
        ),
        Transition("finish_back", TAKING_BACK, TAKEN_BACK, _LOAD, "收回完成"),
        Transition("settle", LOADED, SETTLED, _LOAD, "定案", "收回期限已过"),
    ],
)
