"""退付 at the finance office by message 8991 (docs/interfaces/nontax.md §9)."""

from xueka.contexts.payments import api as payments
from xueka.kernel.money import format_yuan

_STATES = {"0": "waiting", "1": "succeeded", "2": "failed"}
#: Unknown code or payment, more than is left: the office has decided, nothing was done.
_NO = ("10002", "10009")
_MOST = 80


def pay_back(refund: payments.Refund) -> payments.ToldRefund:
    """Ask for it, or hear what became of it: the same number and amount are the same question.

    Raises ChannelUnavailable where there is no answer that can be trusted.
    """
    payment = refund.payment
    voucher = {
        "PayCode": payment.out_trade_no[:20],
        "TraNoBus": payment.channel_id,
        "RefundNo": refund.number,
        "RefundAmt": format_yuan(refund.amount_fen).lstrip("¥").replace(",", ""),
        "Reason": refund.reason,
        "ReceiverName": refund.order.student.name,
        "ReceiverAcct": "",
        "ReceiverOpBk": "",
    }
    [answer] = payments.ask_finance(payments.finance_card(), "8991", "5001", voucher) or [{}]
    result, word = answer.get("Result", ""), answer.get("Information", "")[:_MOST]
    if result in ("", payments.FINANCE_BUSY):
        raise payments.ChannelUnavailable("FINANCE_BUSY", "财政非税平台忙。")
    if result in _NO:
        return payments.ToldRefund("failed", word=word)
    state = _STATES.get(answer.get("RefundState", "")) if result == payments.FINANCE_DONE else "abnormal"
    match state:
        case "succeeded":
            return payments.ToldRefund("succeeded", refund.amount_fen, refund.number, None, word)
        case "waiting" | "failed" | "abnormal":
            return payments.ToldRefund(state, word=word)
    raise payments.ChannelUnavailable("CHANNEL_ANSWER", "财政非税平台对退付的回答不完整。")
