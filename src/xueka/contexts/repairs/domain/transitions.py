"""The table of a repair: proposed by one, applied by another, undone by two again."""

from xueka.kernel.machine import Machine, State, Transition

PROPOSED = "proposed"
APPLIED = "applied"
UNDO_ASKED = "undo_asked"
UNDONE = "undone"
REFUSED = "refused"
WITHDRAWN = "withdrawn"

_PROPOSE, _APPROVE = "city:repair:propose", "city:repair:approve"

REPAIR = Machine(
    "repair",
    "差错修复",
    PROPOSED,
    [
        State(PROPOSED, "待批准"),
        State(APPLIED, "已修复"),
        State(UNDO_ASKED, "待批准还原"),
        State(UNDONE, "已还原", final=True),
        State(REFUSED, "不予批准", final=True),
        State(WITHDRAWN, "已撤回", final=True),
    ],
    [
        Transition(
            "apply", PROPOSED, APPLIED, _APPROVE, "批准修复", "批准人不是提出人；对象仍是预览时的样子"
        ),
        Transition("refuse", PROPOSED, REFUSED, _APPROVE, "不予批准", "须写明理由"),
        Transition("withdraw", PROPOSED, WITHDRAWN, _PROPOSE, "撤回"),
        Transition("ask_undo", APPLIED, UNDO_ASKED, _PROPOSE, "申请还原", "须写明理由"),
        Transition("keep", UNDO_ASKED, APPLIED, _APPROVE, "不予还原"),
        Transition("undo", UNDO_ASKED, UNDONE, _APPROVE, "批准还原", "批准人不是申请人；修复后没有变动"),
    ],
)
