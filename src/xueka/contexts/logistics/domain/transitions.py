"""The tables of a delivery and of its boxes."""

from xueka.kernel.machine import Machine, State, Transition

PACKING = "packing"
PACKED = "packed"
IN_TRANSIT = "in_transit"
RECEIVED = "received"
LOST = "lost"
CANCELLED = "cancelled"

DELIVERY = Machine(
    "delivery",
    "配送单",
    PACKING,
    [
        State(PACKING, "装箱中"),
        State(IN_TRANSIT, "运输中"),
        State(RECEIVED, "已收货", final=True),
        State(LOST, "全部丢失", final=True),
        State(CANCELLED, "已取消", final=True),
    ],
    [
        Transition("dispatch", PACKING, IN_TRANSIT, "city:delivery:dispatch", "发运", "每箱都已封箱"),
        Transition(
            "complete", IN_TRANSIT, RECEIVED, "school:delivery:receive", "收货完成", "每箱都已收到或登记丢失"
        ),
        Transition("lose", IN_TRANSIT, LOST, "city:delivery:report_lost", "全部丢失", "每箱都登记丢失"),
        Transition("cancel", PACKING, CANCELLED, "city:delivery:pack", "取消"),
    ],
)

BOX = Machine(
    "box",
    "卡箱",
    PACKED,
    [
        State(PACKED, "已封箱"),
        State(IN_TRANSIT, "运输中"),
        State(RECEIVED, "已收货", final=True),
        State(LOST, "已丢失", final=True),
        State(CANCELLED, "已拆箱", final=True),
    ],
    [
        Transition("dispatch", PACKED, IN_TRANSIT, "city:delivery:dispatch", "发运"),
        Transition("receive", IN_TRANSIT, RECEIVED, "school:delivery:receive", "签收"),
        Transition("lose", IN_TRANSIT, LOST, "city:delivery:report_lost", "登记丢失", "须写明理由"),
        Transition("unpack", PACKED, CANCELLED, "city:delivery:pack", "拆箱"),
    ],
)
