"""The table of an export."""

from xueka.kernel.machine import Machine, State, Transition

ASKED = "asked"
APPROVED = "approved"
READY = "ready"
REJECTED = "rejected"
WITHDRAWN = "withdrawn"
FAILED = "failed"
EXPIRED = "expired"

_ASK, _DECIDE, _MAKE = "school:export:ask", "city:export:approve", "system:export:make"

EXPORT = Machine(
    "export",
    "导出",
    ASKED,
    [
        State(ASKED, "待批准"),
        State(APPROVED, "已批准，生成中"),
        State(READY, "可下载"),
        State(REJECTED, "未批准", final=True),
        State(WITHDRAWN, "已撤回", final=True),
        State(FAILED, "生成失败", final=True),
        State(EXPIRED, "已过期，文件已删除", final=True),
    ],
    [
        Transition("approve", ASKED, APPROVED, _DECIDE, "批准", "批准人不是申请人"),
        Transition("reject", ASKED, REJECTED, _DECIDE, "不批准", "须写明理由"),
        Transition("withdraw", ASKED, WITHDRAWN, _ASK, "撤回", "由申请人本人"),
        Transition("make", APPROVED, READY, _MAKE, "生成文件"),
        Transition("fail", APPROVED, FAILED, _MAKE, "生成失败"),
        Transition("expire", READY, EXPIRED, _MAKE, "过期", "到期或次数用完"),
        Transition("revoke", READY, EXPIRED, _DECIDE, "收回", "须写明理由"),
    ],
)
