"""The table of a fiscal e-receipt. It never goes backwards: a receipt is taken back by a red one."""

from xueka.kernel.machine import Machine, State, Transition

DUE, NUMBERED, ISSUED, KEPT = "due", "numbered", "issued", "kept"
#: The finance office has not issued it yet.
LACKING = (DUE, NUMBERED)
#: Something is still to be done for it.
WAITING = (DUE, NUMBERED, ISSUED)

_RUN = "system:receipts:run"

RECEIPT = Machine(
    "receipt",
    "电子票据",
    DUE,
    [
        State(DUE, "待开具"),
        State(NUMBERED, "已领票号"),
        State(ISSUED, "已开具"),
        State(KEPT, "已归档", final=True),
    ],
    [
        Transition("number", DUE, NUMBERED, _RUN, "领票号", "票面内容在此时定下"),
        Transition("issue", NUMBERED, ISSUED, _RUN, "开具", "财政部门受理"),
        Transition("keep", ISSUED, KEPT, _RUN, "归档", "下载原件，签名与内容相符"),
    ],
)
