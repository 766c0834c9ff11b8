"""The table of a weekly close: prepared by one person, signed by another, remitted channel by channel."""

from xueka.kernel.machine import Machine, State, Transition

PREPARED, SIGNED, REMITTED, DROPPED = "prepared", "signed", "remitted", "dropped"

CLOSE = Machine(
    "close",
    "周结",
    PREPARED,
    [
        State(PREPARED, "已拟制，待签署"),
        State(SIGNED, "已签署，待上缴"),
        State(REMITTED, "已上缴", final=True),
        State(DROPPED, "已作废", final=True),
    ],
    [
        Transition("sign", PREPARED, SIGNED, "city:close:sign", "签署", "签署人不是拟制人；内容与拟制时一致"),
        Transition("drop", PREPARED, DROPPED, "city:close:prepare", "作废"),
        Transition("remit", SIGNED, REMITTED, "city:close:remit", "上缴", "每个代收渠道都登记了缴款书"),
    ],
)
