"""The non-tax platform of the finance office as a way to pay: a payment code, and what became of it
(docs/interfaces/nontax.md). The money reaches the treasury itself; it goes back by 退付 only.
"""

import contextlib
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from xueka.contexts.payments.adapters import finance, wechat_nontax
from xueka.contexts.payments.adapters.finance import BUSY, DONE
from xueka.contexts.payments.domain import cnnontax
from xueka.contexts.payments.models import ChannelAccount, Payment, Refund
from xueka.contexts.payments.ports import (
    Channel,
    ChannelRefused,
    ChannelUnavailable,
    Notice,
    NoticeRefused,
    Started,
    Told,
    ToldRefund,
)
from xueka.kernel import clock
from xueka.kernel.errors import BadInput
from xueka.kernel.money import format_yuan, parse_yuan

_UNKNOWN_CODE = "10002"
_MOST_PAGES = 5000  # of 200 confirmations
_PAID, _VOIDED = ("1", "3"), "2"
#: Where the finance office wants a telephone number and we give none of a family's.
_NO_PHONE = "00000000000"


def connect(account: ChannelAccount) -> Channel:
    return Nontax(account, finance.card())


class Nontax:
    """One agency at the platform; frames over TCP, one question a connection."""

    def __init__(self, account: ChannelAccount, found: Mapping[str, Any]) -> None:
        self._account, self._card = account, found

    def start(self, payment: Payment, openid: str, back: str) -> Started:
        answer = self._notice_of(payment, "0")
        url = answer.get("Url") or answer.get("Information", "")
        return Started("code", {"pay_code": payment.out_trade_no, "url": url})

    def ask(self, payment: Payment) -> Told:
        asked = {"AdmDivCode": self._card["division"], "PayCode": _code(payment)}
        found = finance.ask(self._card, "8997", "5997", asked)
        rows = [row for row in found if not payment.asked_id or row.get("TraNoBus") == payment.asked_id]
        if not rows or rows[0].get("Result") == _UNKNOWN_CODE:
            return Told("missing", word="没有这个缴款码")
        paid = [row for row in rows if row.get("PayStats") in _PAID]
        if paid:
            return self._told(paid[0])
        return Told("closed" if rows[0].get("PayStats") == _VOIDED else "waiting")

    def close(self, payment: Payment) -> Told:
        with contextlib.suppress(ChannelRefused):  # paid meanwhile: asking tells
            self._notice_of(payment, "2")
        return self.ask(payment)

    def refund(self, refund: Refund) -> ToldRefund:
        raise ChannelRefused("PAYBACK_ONLY", "直达国库的缴款只能由国库退付。")

    def ask_refund(self, refund: Refund) -> ToldRefund:
        return ToldRefund("missing")

    def statement(self, day: date, kind: str) -> bytes | None:
        """What was paid by WeChat; of everything else the confirmations tell."""
        return wechat_nontax.statement(self._card, day)

    def confirmed(self, day: date) -> list[Mapping[str, str]]:
        asked = {"AdmDivCode": self._card["division"], "CfmDate": f"{day:%Y%m%d}"}
        found: list[Mapping[str, str]] = []
        page = pages = 1
        while page <= pages:
            rows = finance.ask(self._card, "8997", "5997", asked | {"PageNo": str(page)})
            found += rows
            told = rows[0].get("PageCount", "1") if rows else "1"
            pages = min(int(told), _MOST_PAGES) if told.isascii() and told.isdecimal() else 1
            page += 1
        return found

    def confirmation(self, raw: bytes) -> tuple[str, Mapping[str, str]] | None:
        try:
            message = cnnontax.receive(raw, self._card["token"])
        except BadInput:
            return None
        ours = message.msg_no == "5996" and message.destination == self._card["des"]
        return (message.msg_id, message.vouchers[0]) if ours and len(message.vouchers) == 1 else None

    def read_notice(self, headers: Mapping[str, str], raw: bytes, received_at: datetime) -> Notice:
        try:
            message = cnnontax.receive(raw, self._card["token"])
        except BadInput as error:
            raise NoticeRefused(error.code, error.message) from None
        if message.msg_no != "5996" or len(message.vouchers) != 1:
            raise NoticeRefused("NOTICE_FORM", "不是缴款确认。", found=message.msg_no)
        [voucher] = message.vouchers
        try:
            ours = message.destination == self._card["des"]
            told = self._told(voucher, "" if ours else message.destination)
            return Notice(told.channel_id, voucher["PayCode"], payment=told)
        except (KeyError, ChannelUnavailable):
            raise NoticeRefused("NOTICE_FORM", "缴款确认的内容不完整。") from None

    def answer(self, accepted: bool, raw: bytes) -> tuple[int, bytes, str]:
        """The 8001 to a 5996; what was not believed is answered by 5001, as a wrong MAC."""
        try:
            asked = cnnontax.decode(raw, self._card["token"]).message.msg_id
        except BadInput:
            asked = ""
        fields = {
            "OriMsgNo": "5996",
            "Result": DONE if accepted else "18012",
            "Information": "成功" if accepted else "校验码不符",
        }
        said = finance.message(self._card, "8001" if accepted else "5001", fields, about=asked)
        return 200, cnnontax.encode(said, self._card["token"]), "text/plain"

    def _notice_of(self, payment: Payment, state: str) -> Mapping[str, str]:
        """8994, by which a code becomes payable, or void."""
        account, item = self._card["account"], self._item(payment.order.fine)
        amount = format_yuan(payment.amount_fen).lstrip("¥").replace(",", "")
        voucher = {
            "AdmDivCode": self._card["division"],
            "PayCode": payment.out_trade_no,
            "BillDate": f"{clock.local(payment.created_at):%Y%m%d}",
            "ChgAgenCode": self._card["agency_code"],
            "ChgAgenName": self._card["agency_name"],
            "PayerName": payment.order.student.name,
            "Amt": amount,
            "OriAmt": amount,
            "DelayAmt": "0.00",
            "PayStats": state,
            "RecAcctType": "01",
            "RecName": account["name"],
            "RecAcct": account["number"],
            "RecAcctReal": account["number"],
            "RecOpBk": account["bank"],
            "RecBankNo": account["bank_no"],
            "IsInterBank": "0",
            "PayInfo": f"{item['code']}|{item['name']}|{amount}|{item['unit']}|1|不限制|0.0-0.0#",
            "MobilePhone": self._account.settings.get("phone", _NO_PHONE),
            "Hold1": "Y",
            "Hold2": f"{clock.local(payment.order.expires_at):%Y%m%d%H%M%S}",
        }
        [answer] = finance.ask(self._card, "8994", "5001", voucher) or [{}]
        result = answer.get("Result", "")
        if result == BUSY or not result:
            raise ChannelUnavailable("FINANCE_BUSY", "财政非税平台忙。")
        if result != DONE:
            raise ChannelRefused(result, f"财政非税平台：{answer.get('Information', '')[:120]}")
        return answer

    def _item(self, fine: bool) -> Mapping[str, str]:
        for item in self._card["items"]:
            if bool(item.get("fine")) == fine:
                return item  # type: ignore[no-any-return]
        raise ChannelRefused("NONTAX_ITEM", "财政部门的参数文件没有给出罚没收入的项目。")

    def _told(self, voucher: Mapping[str, str], merchant: str = "") -> Told:
        try:
            stamp = voucher["CfmDate"] + voucher["CfmTime"].replace(":", "")
            moment = datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=clock.SHANGHAI)
            amount, number = parse_yuan(voucher["Amt"]), voucher["TraNoBus"]
        except (KeyError, ValueError, BadInput):
            raise ChannelUnavailable("CHANNEL_ANSWER", "财政非税平台的回答不完整。") from None
        return Told("succeeded", amount, number, moment, merchant or self._account.merchant_id)


def _code(payment: Payment) -> str:
    """A second charge stands under the code of the first."""
    return payment.out_trade_no[:20]
