"""Alipay (WAP) on the SDK `python-alipay-sdk` (docs/interfaces/channels.md §3, docs/adr/0173)."""

import base64
import binascii
import http.client
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from urllib.parse import parse_qsl

from alipay import AliPay, AliPayConfig
from alipay.exceptions import AliPayException, AliPayValidationError
from Cryptodome.Hash import SHA256
from Cryptodome.PublicKey import RSA
from Cryptodome.Signature import pkcs1_15

from xueka.contexts.payments.adapters import cards, downloads
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

_TIMEOUT = 10  # seconds
#: A notice whose own time is further away than this from when it came is a replay.
REPLAY_SECONDS = 300
_FORM = "%Y-%m-%d %H:%M:%S"
_STATES = {
    "WAIT_BUYER_PAY": "waiting",
    "TRADE_SUCCESS": "succeeded",
    "TRADE_FINISHED": "succeeded",
    "TRADE_CLOSED": "closed",
}
_UNKNOWN = {"ACQ.SYSTEM_ERROR", "isp.unknow-error", "isp.unknown-error", "aop.ACQ.SYSTEM_ERROR"}


def connect(account: ChannelAccount) -> Channel:
    return Alipay(account, cards.card())


class Alipay:
    """One application; the SDK verifies answers, we the notices, byte for byte."""

    def __init__(self, account: ChannelAccount, card: Mapping[str, Any]) -> None:
        self._account = account
        self._card = card["alipay"]
        self._sdk = AliPay(
            appid=self._card["app_id"],
            app_notify_url=account.notify_url or None,
            app_private_key_string=cards.private_key("alipay-app"),
            alipay_public_key_string=self._card["alipay_public_key"],
            sign_type="RSA2",
            config=AliPayConfig(timeout=_TIMEOUT),
        )
        self._sdk._gateway = self._card["gateway"]  # the SDK knows only its own two addresses

    def start(self, payment: Payment, openid: str, back: str) -> Started:
        """No call: the payer's own browser brings the trade into being."""
        query = self._sdk.api_alipay_trade_wap_pay(
            subject=payment.order.title,
            out_trade_no=payment.out_trade_no,
            total_amount=_yuan(payment.amount_fen),
            return_url=back or self._account.settings.get("return_url") or None,
            notify_url=self._account.notify_url or None,
            time_expire=clock.local(payment.order.expires_at).strftime(_FORM),
        )
        return Started("redirect", {"url": f"{self._card['gateway']}?{query}"})

    def ask(self, payment: Payment) -> Told:
        named = {"trade_no": payment.asked_id} if payment.asked_id else {"out_trade_no": payment.out_trade_no}
        found = self._call("alipay.trade.query", named)
        if found.get("sub_code") == "ACQ.TRADE_NOT_EXIST":
            return Told("missing", word=str(found.get("sub_msg", ""))[:100])
        _done(found)
        return self._told(found, "send_pay_date", self._card["seller_id"])

    def close(self, payment: Payment) -> Told:
        self._call("alipay.trade.close", {"out_trade_no": payment.out_trade_no})
        return self.ask(payment)

    def refund(self, refund: Refund) -> ToldRefund:
        content = {
            "trade_no": refund.payment.channel_id,
            "refund_amount": _yuan(refund.amount_fen),
            "refund_reason": refund.reason,
            "out_request_no": refund.number,
        }
        _done(self._call("alipay.trade.refund", content))
        return self.ask_refund(refund)  # the answer tells sums of the trade, the question this refund

    def ask_refund(self, refund: Refund) -> ToldRefund:
        content = {
            "trade_no": refund.payment.channel_id,
            "out_request_no": refund.number,
            "query_options": ["gmt_refund_pay"],
        }
        found = self._call("alipay.trade.fastpay.refund.query", content)
        if found.get("sub_code") in ("ACQ.TRADE_NOT_EXIST", "TRADE_NOT_EXIST"):
            return ToldRefund("missing")
        _done(found)
        if "refund_amount" not in found:
            return ToldRefund("missing")
        at = found.get("gmt_refund_pay")
        try:
            return ToldRefund(
                "succeeded"
                if found.get("refund_status") == "REFUND_SUCCESS"  # missing: not done yet
                else "waiting",
                parse_yuan(found["refund_amount"]),
                str(found.get("trade_no", "")),
                _moment(at) if at else None,
                str(found.get("refund_status", "")),
            )
        except (BadInput, ValueError):
            raise ChannelUnavailable("CHANNEL_ANSWER", "支付宝的回答不完整。") from None

    def statement(self, day: date, kind: str) -> bytes | None:
        """`trade` or `fundflow`: the zip as it comes."""
        content = {
            "bill_type": {"trade": "trade", "fundflow": "signcustomer"}[kind],
            "bill_date": day.isoformat(),
        }
        found = self._call("alipay.data.dataservice.bill.downloadurl.query", content)
        if found.get("sub_code") == "isp.bill_not_exist":
            return None
        if found.get("sub_code"):
            raise ChannelUnavailable(str(found["sub_code"]), str(found.get("sub_msg", "")))
        _done(found)
        address = str(found["bill_download_url"])
        if not address.startswith(("https://", "http://127.0.0.1:")):
            raise ChannelUnavailable("CHANNEL_ANSWER", "账单下载地址不对。")
        try:
            return downloads.fetch(address)
        except OSError:
            raise ChannelUnavailable("CHANNEL_SILENT", "账单没有下载到。") from None

    def read_notice(self, headers: Mapping[str, str], raw: bytes, received_at: datetime) -> Notice:
        try:
            form = dict(
                parse_qsl(raw.decode("ascii"), keep_blank_values=True, strict_parsing=True, encoding="utf-8")
            )
            signature = base64.b64decode(form.pop("sign"), validate=True)
            kind = form.pop("sign_type")
        except (ValueError, KeyError, binascii.Error):
            raise NoticeRefused("NOTICE_FORM", "通知的内容读不出来。") from None
        text = "&".join(f"{name}={form[name]}" for name in sorted(form)).encode()
        try:
            pkcs1_15.new(RSA.import_key(self._public_key())).verify(SHA256.new(text), signature)
        except ValueError:
            raise NoticeRefused("NOTICE_SIGNATURE", "通知的签名不对。") from None
        if kind != "RSA2" or form.get("app_id") != self._card["app_id"]:
            raise NoticeRefused("NOTICE_APP", "通知不是发给本应用的。", found=form.get("app_id", "")[:32])
        try:
            age = received_at - _moment(form.get("notify_time", ""))
        except (BadInput, ValueError):
            raise NoticeRefused("NOTICE_FORM", "通知的内容不完整。") from None
        if abs(age.total_seconds()) > REPLAY_SECONDS:
            raise NoticeRefused(
                "NOTICE_AGE", "通知的时间与收到的时间相差太大。", found=form["notify_time"][:19]
            )
        return self._notice(form)

    def answer(self, accepted: bool, raw: bytes) -> tuple[int, bytes, str]:
        return 200, b"success" if accepted else b"failure", "text/plain"

    def _notice(self, form: Mapping[str, str]) -> Notice:
        try:
            id_, number = form["notify_id"], form["out_trade_no"]
            if form.get("out_biz_no"):
                # It tells the sum of all refunds, not this one's amount: asking tells.
                return Notice(id_, number)
            return Notice(id_, number, payment=self._told(form, "gmt_payment", form.get("seller_id", "")))
        except (KeyError, ChannelUnavailable):
            raise NoticeRefused("NOTICE_FORM", "通知的内容不完整。") from None

    def _told(self, found: Mapping[str, Any], time: str, merchant: str) -> Told:
        try:
            state = _STATES[str(found["trade_status"])]
            at = found.get(time)
            if state == "closed" and at:  # closed after it was paid: wholly refunded
                state = "succeeded"
            if state != "succeeded":
                return Told(state, word=str(found["trade_status"]), merchant=merchant)  # type: ignore[arg-type]
            return Told(
                "succeeded",
                parse_yuan(str(found["total_amount"])),
                str(found["trade_no"]),
                _moment(str(at)),
                merchant,
                str(found["trade_status"]),
            )
        except (KeyError, ValueError, BadInput):
            raise ChannelUnavailable("CHANNEL_ANSWER", "支付宝的回答不完整。") from None

    def _call(self, method: str, content: Mapping[str, Any]) -> dict[str, Any]:
        try:
            found = self._sdk.server_api(method, dict(content))
        except (
            OSError,
            http.client.HTTPException,
            AliPayException,
            AliPayValidationError,
            ValueError,
        ) as error:
            raise ChannelUnavailable(
                "CHANNEL_SILENT", "支付宝没有回应。", found=type(error).__name__
            ) from None
        if not isinstance(found, dict):
            raise ChannelUnavailable("CHANNEL_ANSWER", "支付宝的回答读不出来。")
        if str(found.get("code")) == "20000" or found.get("sub_code") in _UNKNOWN:
            raise ChannelUnavailable(str(found.get("sub_code")), str(found.get("sub_msg", ""))[:120])
        return found

    def _public_key(self) -> str:
        return str(self._card["alipay_public_key"])


def _done(found: Mapping[str, Any]) -> None:
    if str(found.get("code")) != "10000":
        code = str(found.get("sub_code") or found.get("code"))[:60]
        raise ChannelRefused(code, f"支付宝：{str(found.get('sub_msg') or found.get('msg'))[:120]}")


def _yuan(fen: int) -> str:
    return format_yuan(fen).lstrip("¥").replace(",", "")


def _moment(text: str) -> datetime:
    return datetime.strptime(text[:19], _FORM).replace(tzinfo=clock.SHANGHAI)
