"""The tables of what partners have: units, grants, secure access modules, risks, stock-takes, credentials."""

from xueka.kernel.machine import Machine, State, Transition

IN_USE, CLOSED = "in_use", "closed"

PROPOSED, AGREED, IN_FORCE, SUSPENDED = "proposed", "agreed", "in_force", "suspended"
EXPIRED, REVOKED, RELEASED, REFUSED, WITHDRAWN = "expired", "revoked", "released", "refused", "withdrawn"

IN_STOCK, LOADED, ISSUED, RETURNED, LOST, DESTROYED = (
    "in_stock",
    "loaded",
    "issued",
    "returned",
    "lost",
    "destroyed",
)
OPEN, SETTLED, SIGNED, CANCELLED = "open", "settled", "signed", "cancelled"
ACTIVE, ENDING, ENDED = "active", "ending", "ended"

#: Whatever has been on a card keeps its place there until the city says that it is free again.
HOLDING = (PROPOSED, AGREED, IN_FORCE, SUSPENDED, EXPIRED, REVOKED)
#: Where a module is somebody's responsibility.
KEPT = (IN_STOCK, LOADED, ISSUED, RETURNED)

_UNIT, _PROPOSE, _APPROVE = "city:unit:manage", "city:card_grant:propose", "city:card_grant:approve"
_SYSTEM, _SAM, _CREDENTIAL = "system:multiapp:run", "city:sam:manage", "city:credential:manage"
_OTHER = "批准人不是提出人"
_ASKED = "有人提出，由另一人批准"
_WHY = "须写明理由"

UNIT = Machine(
    "unit",
    "应用单位",
    IN_USE,
    [State(IN_USE, "合作中"), State(CLOSED, "已终止合作")],
    [
        Transition("close", IN_USE, CLOSED, _UNIT, "终止合作", "没有占用卡片空间的授权和在外的安全模块"),
        Transition("reopen", CLOSED, IN_USE, _UNIT, "恢复合作"),
    ],
)

CARD_GRANT = Machine(
    "card_grant",
    "卡上授权",
    PROPOSED,
    [
        State(PROPOSED, "待批准"),
        State(AGREED, "已批准，未到期起"),
        State(IN_FORCE, "有效"),
        State(SUSPENDED, "已暂停"),
        State(EXPIRED, "已到期，空间仍占用"),
        State(REVOKED, "已收回，空间仍占用"),
        State(RELEASED, "空间已腾出", final=True),
        State(REFUSED, "不予批准", final=True),
        State(WITHDRAWN, "已撤回", final=True),
    ],
    [
        Transition("approve", PROPOSED, AGREED, _APPROVE, "批准", _OTHER),
        Transition("refuse", PROPOSED, REFUSED, _APPROVE, "不予批准", _WHY),
        Transition("withdraw", PROPOSED, WITHDRAWN, _PROPOSE, "撤回"),
        Transition("start", AGREED, IN_FORCE, _SYSTEM, "生效", "已到期起日"),
        # Stopping is at once and by one person; whatever gives more needs two.
        Transition("suspend", IN_FORCE, SUSPENDED, _PROPOSE, "暂停", _WHY),
        *[
            Transition("expire", state, EXPIRED, _SYSTEM, "到期", "已过期止日")
            for state in (AGREED, IN_FORCE, SUSPENDED)
        ],
        *[
            Transition(event, state, state, permission, label, guard)
            for state in (AGREED, IN_FORCE, SUSPENDED, EXPIRED, REVOKED)
            for event, permission, label, guard in (
                ("ask", _PROPOSE, "提出变更", "没有待批准的变更"),
                ("decline", _APPROVE, "不予变更", None),
            )
        ],
        *[
            Transition("renew", state, state, _APPROVE, "续期", _ASKED)
            for state in (AGREED, IN_FORCE, SUSPENDED)
        ],
        Transition("renew", EXPIRED, IN_FORCE, _APPROVE, "续期", _ASKED),
        Transition("resume", SUSPENDED, IN_FORCE, _APPROVE, "恢复", _ASKED),
        *[
            Transition("revoke", state, REVOKED, _APPROVE, "收回", _ASKED)
            for state in (AGREED, IN_FORCE, SUSPENDED)
        ],
        *[
            Transition("release", state, RELEASED, _APPROVE, "腾出空间", "卡上文件已清除，由另一人确认")
            for state in (EXPIRED, REVOKED)
        ],
    ],
)

SAM = Machine(
    "sam",
    "安全模块",
    IN_STOCK,
    [
        State(IN_STOCK, "在库，未装密钥"),
        State(LOADED, "在库，已装密钥"),
        State(ISSUED, "已发出"),
        State(RETURNED, "已退回，待处理"),
        State(LOST, "已丢失"),
        State(DESTROYED, "已销毁", final=True),
    ],
    [
        Transition("load", IN_STOCK, LOADED, _SAM, "装入密钥", "每个密钥一个版本"),
        Transition("issue", LOADED, ISSUED, _SAM, "发出", "双方签字；单位有有效的授权"),
        Transition("hand_over", ISSUED, ISSUED, _SAM, "转交", "双方签字"),
        Transition("give_back", ISSUED, RETURNED, _SAM, "退回", "双方签字"),
        Transition("wipe", RETURNED, IN_STOCK, _SAM, "清除密钥", _WHY),
        Transition("wipe", LOADED, IN_STOCK, _SAM, "清除密钥", _WHY),
        Transition("restock", RETURNED, LOADED, _SAM, "退库", "密钥版本仍在用"),
        *[
            Transition("lose", state, LOST, _SAM, "登记丢失", "随即登记泄露风险")
            for state in (IN_STOCK, LOADED, ISSUED, RETURNED)
        ],
        Transition("find", LOST, RETURNED, _SAM, "找回", _WHY),
        *[
            Transition("destroy", state, DESTROYED, _SAM, "销毁", "销毁人和两位监销人是三个人")
            for state in (IN_STOCK, LOADED, RETURNED)
        ],
    ],
)

RISK = Machine(
    "sam_risk",
    "泄露风险",
    OPEN,
    [State(OPEN, "未处置"), State(SETTLED, "已处置", final=True)],
    [Transition("settle", OPEN, SETTLED, _SAM, "处置", "处置人不是登记人；须写明办法")],
)

STOCK_TAKE = Machine(
    "stock_take",
    "盘点",
    OPEN,
    [State(OPEN, "盘点中"), State(SIGNED, "已签认", final=True), State(CANCELLED, "已取消", final=True)],
    [
        Transition("sign", OPEN, SIGNED, _SAM, "签认", "签认人不是盘点人"),
        Transition("cancel", OPEN, CANCELLED, _SAM, "取消", _WHY),
    ],
)

CREDENTIAL = Machine(
    "credential",
    "接口凭证",
    ACTIVE,
    [
        State(ACTIVE, "使用中"),
        State(ENDING, "换发中，到期失效"),
        State(ENDED, "已失效", final=True),
        State(REVOKED, "已吊销", final=True),
    ],
    [
        Transition("rotate", ACTIVE, ENDING, _CREDENTIAL, "换发", "新旧凭证并用到交替日"),
        *[Transition("end", state, ENDED, _SYSTEM, "到期失效") for state in (ACTIVE, ENDING)],
        *[Transition("revoke", state, REVOKED, _CREDENTIAL, "吊销", _WHY) for state in (ACTIVE, ENDING)],
    ],
)
