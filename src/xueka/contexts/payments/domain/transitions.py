"""The tables of an order, of an attempt to pay it, and of a refund. Nothing here ever goes backwards."""

from xueka.kernel.machine import Machine, State, Transition

OPEN, PAID, REFUNDING, REFUNDED, CLOSED, EXPIRED = (
    "open",
    "paid",
    "refunding",
    "refunded",
    "closed",
    "expired",
)
CREATED, PENDING, SUCCEEDED, FAILED, UNKNOWN = "created", "pending", "succeeded", "failed", "unknown"
ASKED, ABNORMAL = "asked", "abnormal"

#: Attempts of which the channel has not told the end.
UNDECIDED = (CREATED, PENDING, UNKNOWN)
#: Refunds of which it has not.
REFUND_UNDECIDED = (ASKED, PENDING, ABNORMAL)

_PAY, _RUN, _REFUND = "school:order:pay", "system:payments:run", "city:refund:ask"

ORDER = Machine(
    "order",
    "缴费订单",
    OPEN,
    [
        State(OPEN, "待缴费"),
        State(PAID, "已缴费"),
        State(REFUNDING, "退款中"),
        State(REFUNDED, "已退款", final=True),
        State(CLOSED, "已取消", final=True),
        State(EXPIRED, "已超时", final=True),
    ],
    [
        Transition("settle", OPEN, PAID, _RUN, "入账", "渠道确认足额收款"),
        Transition("cancel", OPEN, CLOSED, _PAY, "取消"),
        Transition("expire", OPEN, EXPIRED, _RUN, "超时", "过了缴费期限，且每次支付都有了结果"),
        Transition("ask_refund", PAID, REFUNDING, _REFUND, "申请退款", "退款合计不超过实收"),
        Transition("complete_refund", REFUNDING, REFUNDED, _RUN, "全额退款", "渠道确认，合计等于订单金额"),
        Transition("end_refund", REFUNDING, PAID, _RUN, "退款结束", "部分退款已确认，或退款未成"),
    ],
)

PAYMENT = Machine(
    "payment",
    "支付",
    CREATED,
    [
        State(CREATED, "已登记"),
        State(PENDING, "待付款"),
        State(UNKNOWN, "待核实"),
        State(SUCCEEDED, "支付成功", final=True),
        State(FAILED, "支付失败"),
        State(CLOSED, "已关闭"),
    ],
    [
        Transition("start", CREATED, PENDING, _PAY, "渠道受理"),
        *(
            Transition("doubt", state, UNKNOWN, _RUN, "存疑", "渠道没有回应，或通知与登记不符")
            for state in (CREATED, PENDING)
        ),
        Transition("wait", UNKNOWN, PENDING, _RUN, "查明未付", "向渠道查询"),
        *(
            Transition("succeed", state, SUCCEEDED, _RUN, "付款成功", "验签，商户一致；金额不符的先查询")
            for state in (CREATED, PENDING, UNKNOWN, FAILED, CLOSED)
        ),
        *(Transition("fail", state, FAILED, _RUN, "付款失败", "渠道确认") for state in UNDECIDED),
        *(Transition("close", state, CLOSED, _RUN, "关闭", "渠道确认未付并已关单") for state in UNDECIDED),
    ],
)

REFUND = Machine(
    "refund",
    "退款",
    ASKED,
    [
        State(ASKED, "已申请"),
        State(PENDING, "退款处理中"),
        State(ABNORMAL, "退款异常"),
        State(SUCCEEDED, "退款成功", final=True),
        State(FAILED, "退款未成"),
    ],
    [
        Transition("send", ASKED, PENDING, _RUN, "渠道受理"),
        *(
            Transition("stall", state, ABNORMAL, _RUN, "异常", "渠道不能原路退回")
            for state in (ASKED, PENDING)
        ),
        *(Transition("succeed", state, SUCCEEDED, _RUN, "退款成功") for state in REFUND_UNDECIDED),
        Transition(
            "succeed_after_all", FAILED, SUCCEEDED, _RUN, "迟到的退款成功", "没有重办，合计不超过实收"
        ),
        *(
            Transition("fail", state, FAILED, _RUN, "退款未成", "渠道确认没有退")
            for state in REFUND_UNDECIDED
        ),
    ],
)
