"""The kinds of break between our payments, the channels, the finance office and the books."""

from typing import NamedTuple

ONLY_CHANNEL, ONLY_OURS, AMOUNT, NUMBER = "only_channel", "only_ours", "amount_differs", "number_differs"
NOT_CREDITED, AFTER_CLOSE, CHARGED_TWICE = "not_credited", "paid_after_close", "charged_twice"
LINE_TWICE, OTHER_DAY = "line_twice", "other_day"
REFUND_ONLY_CHANNEL, REFUND_ONLY_OURS = "refund_only_channel", "refund_only_ours"
REFUND_AMOUNT, REFUND_NOT_BOOKED = "refund_amount", "refund_not_booked"
FINANCE_MISSING, FINANCE_ONLY, FINANCE_AMOUNT = "finance_missing", "finance_only", "finance_amount"
FINANCE_TWICE, FINANCE_MODEL, FINANCE_DIFFERS = "finance_twice", "finance_model", "finance_differs"
LEDGER_MISSING, LEDGER_AMOUNT, LEDGER_ONLY = "ledger_missing", "ledger_amount", "ledger_only"
SETTLE_MISSING, SETTLE_ONLY, SETTLE_AMOUNT = "settle_missing", "settle_only", "settle_amount"
SETTLE_FEE, PAYBACK_FINANCE = "settle_fee", "payback_differs"
STATEMENT_MISSING, STATEMENT_WRONG, DAY = "statement_missing", "statement_wrong", "day_without_orders"
STATEMENT_REPLACED = "statement_replaced"

KINDS = {
    ONLY_CHANNEL: "渠道有、我方无",
    ONLY_OURS: "我方有、渠道无",
    AMOUNT: "金额不符",
    NUMBER: "单号不符",
    NOT_CREDITED: "渠道已收、我方未入账",
    AFTER_CLOSE: "订单关闭后收款",
    CHARGED_TWICE: "渠道重复扣款",
    LINE_TWICE: "账单重复行",
    OTHER_DAY: "日期不符",
    REFUND_ONLY_CHANNEL: "渠道有退款、我方无",
    REFUND_ONLY_OURS: "我方有退款、渠道无",
    REFUND_AMOUNT: "退款金额不符",
    REFUND_NOT_BOOKED: "渠道已退、我方未入账",
    FINANCE_MISSING: "财政未确认",
    FINANCE_ONLY: "财政有、我方无",
    FINANCE_AMOUNT: "财政金额不符",
    FINANCE_TWICE: "财政重复确认",
    FINANCE_MODEL: "代收款项被财政确认",
    FINANCE_DIFFERS: "财政前后确认不一",
    LEDGER_MISSING: "未记账",
    LEDGER_AMOUNT: "记账金额不符",
    LEDGER_ONLY: "有账无款",
    SETTLE_MISSING: "交易账单有、资金账单无",
    SETTLE_ONLY: "资金账单有、交易账单无",
    SETTLE_AMOUNT: "结算金额不符",
    SETTLE_FEE: "手续费不符",
    PAYBACK_FINANCE: "退付金额不符",
    STATEMENT_MISSING: "缺账单",
    STATEMENT_WRONG: "账单有误",
    STATEMENT_REPLACED: "账单被替换",
    DAY: "当日有款无订单",
}


#: Money that is, or lacks, at a channel: once signed it stands between clearing and the breaks' account.
AT_CHANNEL = (
    ONLY_CHANNEL, ONLY_OURS, AMOUNT, NOT_CREDITED, AFTER_CLOSE, CHARGED_TWICE,
    REFUND_ONLY_CHANNEL, REFUND_ONLY_OURS, REFUND_AMOUNT, REFUND_NOT_BOOKED,
    SETTLE_MISSING, SETTLE_ONLY, SETTLE_AMOUNT, FINANCE_MISSING, FINANCE_AMOUNT,
)  # fmt: skip
#: Money that the treasury has and nobody of ours paid.
AT_TREASURY = (FINANCE_ONLY, FINANCE_TWICE, FINANCE_MODEL)


class Break(NamedTuple):
    """`fen` is signed: above zero is money that we do not know of (长款), below zero it lacks (短款)."""

    kind: str
    channel: str
    key: str
    day: str
    fen: int
    number: str = ""
    channel_id: str = ""
    detail: str = ""
