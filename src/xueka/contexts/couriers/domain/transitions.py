"""The table of a shipment. People order, cancel, and say what was lost; the rest follows from the courier."""

from itertools import product

from xueka.contexts.couriers.domain.status import (
    AT_SENDER,
    BACK,
    DELIVERED,
    GOING_BACK,
    LOCKER,
    OFF,
    ON_THE_WAY,
    OUT,
)
from xueka.kernel.machine import Machine, State, Transition

ASKED, ORDERED, CANCELLING = "asked", AT_SENDER, "cancelling"
LOST, FAILED, CANCELLED = "lost", "failed", OFF

#: With the courier, as far as anybody knows.
MOVING = (ON_THE_WAY, OUT, LOCKER, GOING_BACK)
#: The courier is asked about these.
FOLLOWED = (ORDERED, CANCELLING, *MOVING)
OPEN = (ASKED, *FOLLOWED)

SEND, FOLLOW, WORK = "district:parcel:send", "system:parcel:follow", "city:parcel:work"

SHIPMENT = Machine(
    "shipment",
    "运件",
    ASKED,
    [
        State(ASKED, "正在下单"),
        State(ORDERED, "待揽收"),
        State(CANCELLING, "取消中"),
        State(ON_THE_WAY, "运输中"),
        State(OUT, "派送中"),
        State(LOCKER, "已入柜"),
        State(DELIVERED, "已签收", final=True),
        State(GOING_BACK, "退回中"),
        State(BACK, "已退回", final=True),
        State(LOST, "已丢失"),
        State(CANCELLED, "已取消", final=True),
        State(FAILED, "未能下单", final=True),
    ],
    [
        Transition("accept", ASKED, ORDERED, FOLLOW, "取得运单", "承运商给了运单号"),
        Transition("refuse", ASKED, FAILED, FOLLOW, "不予受理", "承运商不收"),
        Transition("cancel", ASKED, CANCELLING, SEND, "取消", "还没有揽收"),
        Transition("cancel", ORDERED, CANCELLING, SEND, "取消", "还没有揽收"),
        Transition("cancelled", CANCELLING, CANCELLED, FOLLOW, "取消完成", "承运商取消了，或没有这单"),
        Transition("cancelled", ORDERED, CANCELLED, FOLLOW, "取消完成", "承运商取消了"),
        *(
            Transition("track", source, target, FOLLOW, "轨迹", "承运商查询证实")
            for source, target in product(FOLLOWED, MOVING)
            if source != target
        ),
        *(
            Transition("deliver", source, DELIVERED, FOLLOW, "签收", "承运商查询证实；入柜不算")
            for source in FOLLOWED
        ),
        *(
            Transition("give_back", source, BACK, FOLLOW, "退回寄件人", "承运商查询证实")
            for source in FOLLOWED
        ),
        *(
            Transition("lose", source, LOST, WORK, "登记丢失", "写明理由；箱里的卡作废重制")
            for source in (ORDERED, *MOVING)
        ),
        Transition("find", LOST, GOING_BACK, WORK, "找到，拦截退回", "承运商受理了拦截"),
    ],
)
