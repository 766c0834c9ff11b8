"""The tables of a transfer between schools, and of a student whom the student registry no longer shows."""

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

MISSING, CONFIRMED, LEFT_SCHOOL, RETURNED, KEPT = "missing", "confirmed", "left", "returned", "kept"

_IMPORT, _MOVE = "city:registry:import", "city:student:move"

ABSENCE = Machine(
    "absence",
    "学籍缺失",
    MISSING,
    [
        State(MISSING, "待核实"),
        State(CONFIRMED, "已确认离校"),
        State(LEFT_SCHOOL, "已办离校"),
        State(RETURNED, "又出现", final=True),
        State(KEPT, "仍在校", final=True),
    ],
    [
        Transition("confirm", MISSING, CONFIRMED, _IMPORT, "确认离校", "由人核实"),
        Transition("keep", MISSING, KEPT, _IMPORT, "仍在校", "由人核实，或发现缺失的那次导入被撤回"),
        Transition("keep", CONFIRMED, KEPT, _IMPORT, "仍在校", "由人核实，或发现缺失的那次导入被撤回"),
        Transition("leave", MISSING, LEFT_SCHOOL, _MOVE, "办理离校", "满期限，且不必由人确认"),
        Transition("leave", CONFIRMED, LEFT_SCHOOL, _MOVE, "办理离校", "经人确认"),
        Transition("restore", LEFT_SCHOOL, CONFIRMED, _MOVE, "撤回离校", "离校作业撤回"),
        Transition("return", MISSING, RETURNED, _IMPORT, "又出现", "后来的数据里又有了"),
        Transition("return", CONFIRMED, RETURNED, _IMPORT, "又出现", "后来的数据里又有了"),
        Transition("return", LEFT_SCHOOL, RETURNED, _IMPORT, "又出现", "后来的数据里又有了"),
    ],
)
