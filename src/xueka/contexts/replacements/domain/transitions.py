"""The table of a replacement. Families ask and cancel; the rest follows from the money and from the card."""

from xueka.kernel.machine import Machine, State, Transition

DRAFT, UNPAID, PAID = "draft", "unpaid", "paid"
MAKING, TO_POST, ON_THE_WAY, HANDED_OUT = "making", "to_post", "on_the_way", "handed_out"
REFUNDING, REFUNDED, CANCELLED = "refunding", "refunded", "cancelled"

#: The promise runs in these.
PROMISED = (PAID, MAKING, TO_POST, ON_THE_WAY)
#: A child has at most one of a card kind in these (database constraint).
OPEN = (DRAFT, UNPAID, *PROMISED)

ASK, READ, POST = "school:replacement:ask", "school:replacement:read", "district:replacement:post"
FOLLOW = "system:replacement:follow"
_BEFORE, _FREE, _MONEY = "还没有开始制卡", "免费的", "已缴费的"

REPLACEMENT = Machine(
    "replacement",
    "补卡换卡",
    DRAFT,
    [
        State(DRAFT, "填写中"),
        State(UNPAID, "待缴费"),
        State(PAID, "已受理"),
        State(MAKING, "制卡中"),
        State(TO_POST, "待邮寄"),
        State(ON_THE_WAY, "配送中"),
        State(HANDED_OUT, "已领卡", final=True),
        State(REFUNDING, "退款中"),
        State(REFUNDED, "已退款", final=True),
        State(CANCELLED, "已取消", final=True),
    ],
    [
        Transition("submit", DRAFT, UNPAID, ASK, "提交", "有应缴费用；选好了送达方式"),
        Transition("submit", DRAFT, PAID, ASK, "提交", "免费；选好了送达方式"),
        Transition("pay", UNPAID, PAID, FOLLOW, "缴费成功", "渠道确认"),
        Transition("cancel", DRAFT, CANCELLED, ASK, "取消"),
        Transition("cancel", UNPAID, CANCELLED, ASK, "取消"),
        Transition("cancel", PAID, CANCELLED, ASK, "取消", f"{_BEFORE}，{_FREE}"),
        Transition("cancel", PAID, REFUNDING, ASK, "取消", f"{_BEFORE}，{_MONEY}"),
        Transition("lapse", DRAFT, CANCELLED, FOLLOW, "久未办完", "30 天没有提交"),
        Transition("lapse", UNPAID, CANCELLED, FOLLOW, "久未办完", "30 天没有缴费"),
        Transition("make", PAID, MAKING, FOLLOW, "开始制卡", "申领进入制卡"),
        Transition("send", MAKING, ON_THE_WAY, FOLLOW, "送出", "卡已发运，或已在柜台制成"),
        Transition("send", TO_POST, ON_THE_WAY, FOLLOW, "送出", "家庭改为到区里领取"),
        Transition("await_post", MAKING, TO_POST, FOLLOW, "制成，待邮寄", "邮寄到家的，卡已在柜台制成"),
        Transition("post", TO_POST, ON_THE_WAY, POST, "寄出", "有承运商和运单号"),
        Transition("bounce", ON_THE_WAY, TO_POST, POST, "退回", "邮寄的卡退回柜台，写明原因"),
        *(
            Transition("redo", state, MAKING, FOLLOW, "重新制卡", "做好的卡丢失或作废")
            for state in (TO_POST, ON_THE_WAY)
        ),
        *(
            Transition("hand_out", state, HANDED_OUT, FOLLOW, "领卡", "卡已发到学生")
            for state in (MAKING, TO_POST, ON_THE_WAY)
        ),
        *(
            Transition("stop", state, target, FOLLOW, "办不成", f"申领被拒绝、撤回或取消；{which}")
            for state in PROMISED
            for target, which in ((CANCELLED, _FREE), (REFUNDING, _MONEY))
        ),
        Transition("refunded", REFUNDING, REFUNDED, FOLLOW, "退款到账", "渠道确认"),
    ],
)
