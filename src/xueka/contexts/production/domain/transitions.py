"""The table of a production batch."""

from xueka.kernel.machine import Machine, State, Transition

OPEN = "open"
LOCKED = "locked"
APPROVED = "approved"
READY = "ready"
SENT = "sent"
ACKNOWLEDGED = "acknowledged"
BOUNCED = "bounced"
RECONCILING = "reconciling"
CLOSED = "closed"
DISSOLVED = "dissolved"

BATCH = Machine(
    "batch",
    "制卡批次",
    OPEN,
    [
        State(OPEN, "组批中"),
        State(LOCKED, "已锁定，待复核"),
        State(APPROVED, "已复核，生成文件中"),
        State(READY, "文件已备，待传送"),
        State(SENT, "已传送，待卡厂确认"),
        State(BOUNCED, "卡厂拒收"),
        State(ACKNOWLEDGED, "卡厂已确认，制卡中"),
        State(RECONCILING, "回盘核对中"),
        State(CLOSED, "已结批", final=True),
        State(DISSOLVED, "已解散", final=True),
    ],
    [
        Transition("lock", OPEN, LOCKED, "city:batch:lock", "锁定", "批次不为空，号码足够"),
        Transition("unlock", LOCKED, OPEN, "city:batch:lock", "解锁"),
        Transition("approve", LOCKED, APPROVED, "city:batch:approve", "复核通过", "复核人不是锁定人"),
        Transition("build", APPROVED, READY, "city:batch:approve", "生成文件"),
        Transition("send", READY, SENT, "city:batch:approve", "传送"),
        Transition("acknowledge", SENT, ACKNOWLEDGED, "city:batch:reconcile", "卡厂确认"),
        Transition("bounce", SENT, BOUNCED, "city:batch:reconcile", "卡厂拒收"),
        Transition("rebuild", BOUNCED, APPROVED, "city:batch:approve", "重新生成文件"),
        Transition("return", ACKNOWLEDGED, RECONCILING, "city:batch:reconcile", "收到回盘"),
        Transition("return", SENT, RECONCILING, "city:batch:reconcile", "收到回盘", "回盘先于确认到达"),
        Transition("close", RECONCILING, CLOSED, "city:batch:close", "结批", "每张卡都有结果，问题都已处理"),
        Transition("dissolve", OPEN, DISSOLVED, "city:batch:lock", "解散"),
        Transition("dissolve", APPROVED, DISSOLVED, "city:batch:approve", "解散", "文件无法生成"),
        Transition("dissolve", BOUNCED, DISSOLVED, "city:batch:approve", "解散"),
    ],
)
