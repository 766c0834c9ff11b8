"""The tables of a difference between the two sides, of numbers that were asked for, and of Beijing-Tong's own
application on a card.
"""

from xueka.kernel.machine import Machine, State, Transition

OPEN, SENT, TAKEN, LEFT, GONE = "open", "sent", "taken", "left", "gone"
_MANAGE = "city:interop:manage"
ASKED, GRANTED, DECLINED = "asked", "granted", "declined"
WORKING, BLOCKED, WITHDRAWN = "working", "blocked", "withdrawn"

DIFFERENCE = Machine(
    "disagreement",
    "核对差异",
    OPEN,
    [
        State(OPEN, "待处理"),
        State(SENT, "已补发，待核对"),
        State(TAKEN, "已采纳对方，待核对"),
        State(LEFT, "不处理"),
        State(GONE, "已一致", final=True),
    ],
    [
        Transition("send", OPEN, SENT, _MANAGE, "补发", "本方有这条记录"),
        Transition("take", OPEN, TAKEN, _MANAGE, "采纳对方", "这类记录可以以对方为准"),
        Transition("leave", OPEN, LEFT, _MANAGE, "不处理", "须写明理由"),
        *(
            Transition("return", state, OPEN, _MANAGE, "仍不一致", "再次核对仍有差异，或内容又变")
            for state in (SENT, TAKEN, LEFT)
        ),
        *(
            Transition("vanish", state, GONE, _MANAGE, "已一致", "再次核对，两边相同")
            for state in (OPEN, SENT, TAKEN, LEFT)
        ),
    ],
)

NUMBER_REQUEST = Machine(
    "number_request",
    "号码申请",
    ASKED,
    [
        State(ASKED, "已申请，待答复"),
        State(GRANTED, "已拨给", final=True),
        State(DECLINED, "未拨给", final=True),
    ],
    [
        Transition("grant", ASKED, GRANTED, _MANAGE, "拨给号段", "对方的答复；号段随即登记"),
        Transition("decline", ASKED, DECLINED, _MANAGE, "不拨给", "对方的答复，带理由"),
    ],
)

TONG_APPLICATION = Machine(
    "tong_application",
    "北京通应用",
    WORKING,
    [State(WORKING, "正常"), State(BLOCKED, "已停用"), State(WITHDRAWN, "号码已收回", final=True)],
    [
        Transition("block", WORKING, BLOCKED, _MANAGE, "停用", "对方的消息"),
        Transition("unblock", BLOCKED, WORKING, _MANAGE, "恢复", "对方的消息"),
        *(
            Transition("withdraw", state, WITHDRAWN, _MANAGE, "收回号码", "对方的消息；准备换卡")
            for state in (WORKING, BLOCKED)
        ),
    ],
)
