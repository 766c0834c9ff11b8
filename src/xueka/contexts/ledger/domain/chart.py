"""The chart of accounts (docs/ledger.md). Signed fen: debit +, credit −."""

from dataclasses import dataclass

CHANNELS = {"wechat": "微信支付", "alipay": "支付宝", "unionpay": "银联", "nontax": "非税缴款码"}

ASSET, LIABILITY, EXPENSE = "asset", "liability", "expense"
KINDS = {ASSET: "资产", LIABILITY: "负债", EXPENSE: "费用"}

BANK, TREASURY, INCOME, FINES = "bank", "treasury", "income", "fines"
PAYERS, REFUNDS, FEES, BREAKS = "payers", "refunds", "fees", "breaks"


@dataclass(frozen=True, slots=True)
class Account:
    """`bounded`: what is owed under one reference is never paid out twice; the database holds it."""

    code: str
    title: str
    kind: str
    bounded: bool = False


def clearing(channel: str) -> str:
    """The account of what a channel holds for us."""
    return f"clearing.{channel}"


#: Every account by its code, in the order of the books.
ACCOUNTS: dict[str, Account] = {
    account.code: account
    for account in (
        *(Account(clearing(code), f"渠道清算—{title}", ASSET) for code, title in CHANNELS.items()),
        Account(BANK, "归集户存款", ASSET),
        Account(TREASURY, "已缴国库", ASSET),
        Account(INCOME, "应缴非税收入", LIABILITY),
        Account(FINES, "应缴罚没收入", LIABILITY),
        Account(PAYERS, "应退缴款人", LIABILITY, bounded=True),
        Account(REFUNDS, "退款在途", LIABILITY, bounded=True),
        Account(FEES, "渠道手续费", EXPENSE),
        Account(BREAKS, "待查长短款", LIABILITY),
    )
}
#: Which accounts an event moves (docs/ledger.md); `clearing` stands for that of any channel.
MOVES = {
    "payment": ("clearing", INCOME, FINES, PAYERS),
    "unknown_payment": ("clearing", BREAKS),
    "refund_ask": (INCOME, FINES, PAYERS, REFUNDS),
    "refund_done": (REFUNDS, INCOME, FINES, PAYERS, "clearing", TREASURY),  # what had failed is owed by these
    "refund_failed": (REFUNDS, INCOME, FINES, PAYERS),
    "settlement": ("clearing", BANK),
    "settlement_fees": (FEES, BANK),
    "fees_paid": (BANK, FEES),
    "confirmation": ("clearing", TREASURY),
    "break": ("clearing", TREASURY, BREAKS),
    "remittance": (BANK, TREASURY),
    "returned": (BANK, TREASURY),
}
#: Accounts whose balance under one reference never turns into a debit.
BOUNDED = tuple(code for code, account in ACCOUNTS.items() if account.bounded)
