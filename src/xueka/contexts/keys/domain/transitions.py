"""The tables of a key version and of a change that two people make."""

from xueka.kernel.machine import Machine, State, Transition

PRE_ACTIVE = "pre_active"
ACTIVE = "active"
VERIFY_ONLY = "verify_only"
RETIRED = "retired"
DESTROYED = "destroyed"

_CONFIRM, _ASK = "city:key:confirm", "city:key:ask"
_TWO = "申请人、确认人是两个人"

KEY_VERSION = Machine(
    "key_version",
    "密钥版本",
    PRE_ACTIVE,
    [
        State(PRE_ACTIVE, "待启用"),
        State(ACTIVE, "使用中"),
        State(VERIFY_ONLY, "仅验证"),
        State(RETIRED, "已停用"),
        State(DESTROYED, "已销毁", final=True),
    ],
    [
        Transition("activate", PRE_ACTIVE, ACTIVE, _CONFIRM, "启用", f"{_TWO}；同名密钥没有别的版本在用"),
        Transition("supersede", ACTIVE, VERIFY_ONLY, _CONFIRM, "转为仅验证", "新版本同时启用"),
        Transition(
            "reinstate", VERIFY_ONLY, ACTIVE, _CONFIRM, "恢复使用", f"{_TWO}；同名密钥没有别的版本在用"
        ),
        Transition("retire", ACTIVE, RETIRED, _CONFIRM, "停用", f"{_TWO}；须写明理由"),
        Transition("retire", VERIFY_ONLY, RETIRED, _CONFIRM, "停用", f"{_TWO}；须写明理由"),
        Transition("destroy", PRE_ACTIVE, DESTROYED, _CONFIRM, "销毁", f"{_TWO}；须写明理由"),
        Transition("destroy", RETIRED, DESTROYED, _CONFIRM, "销毁", f"{_TWO}；须写明理由；没有密钥由它保护"),
    ],
)

PLANNED, SENT, ARRIVED, LOST, CANCELLED = "planned", "sent", "arrived", "lost", "cancelled"

KEY_DELIVERY = Machine(
    "key_delivery",
    "密钥交付",
    PLANNED,
    [
        State(PLANNED, "待交付"),
        State(SENT, "已交出"),
        State(ARRIVED, "已到达", final=True),
        State(LOST, "未到达", final=True),
        State(CANCELLED, "已取消", final=True),
    ],
    [
        Transition("send", PLANNED, SENT, _ASK, "交出", "该版本未停用"),
        Transition("recall", SENT, PLANNED, _ASK, "撤回交出", "须写明理由"),
        Transition("arrive", SENT, ARRIVED, _CONFIRM, "确认到达", "交出人以外的第二人；对方读出的校验值一致"),
        Transition("lose", SENT, LOST, _CONFIRM, "报告未到", "交出人以外的第二人；须写明理由"),
        Transition("cancel", PLANNED, CANCELLED, _ASK, "取消", "须写明理由"),
    ],
)

ASKED, DONE, REFUSED, WITHDRAWN = "asked", "done", "refused", "withdrawn"

KEY_CHANGE = Machine(
    "key_change",
    "密钥变更",
    ASKED,
    [
        State(ASKED, "待第二人确认"),
        State(DONE, "已执行", final=True),
        State(REFUSED, "已退回", final=True),
        State(WITHDRAWN, "已撤回", final=True),
    ],
    [
        Transition("confirm", ASKED, DONE, _CONFIRM, "确认执行", "申请人以外的第二人"),
        Transition("refuse", ASKED, REFUSED, _CONFIRM, "退回", "申请人以外的第二人；须写明理由"),
        Transition("withdraw", ASKED, WITHDRAWN, _ASK, "撤回", "由申请人本人"),
    ],
)
