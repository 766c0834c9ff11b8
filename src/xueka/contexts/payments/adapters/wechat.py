"""WeChat Pay APIv3 on the SDK `wechatpayv3` (docs/interfaces/channels.md §2)."""

import contextlib
import gzip
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

import requests
from cryptography.exceptions import InvalidTag
from wechatpayv3 import WeChatPay, WeChatPayType

from xueka.contexts.payments.adapters import cards
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
from xueka.kernel.foreign import json_of

_TIMEOUT = (3, 10)  # seconds, to connect and to read
#: A notice whose timestamp is further away than this from when it came is a replay.
REPLAY_SECONDS = 300
#: Answers after which nothing is known: the work may be done all the same.
_UNKNOWN = {"SYSTEM_ERROR", "FREQUENCY_LIMITED", "BIZERR_NEED_RETRY"}
_STATES = {
    "SUCCESS": "succeeded",
    "REFUND": "succeeded",
    "NOTPAY": "waiting",
    "USERPAYING": "waiting",
    "CLOSED": "closed",
    "REVOKED": "closed",
    "PAYERROR": "failed",
}
_REFUNDS = {"SUCCESS": "succeeded", "PROCESSING": "waiting", "CLOSED": "failed", "ABNORMAL": "abnormal"}


def connect(account: ChannelAccount) -> Channel:
    return WeChat(account, cards.card())


class WeChat:
    """One merchant account; every answer's signature is checked by the SDK."""

    def __init__(self, account: ChannelAccount, card: Mapping[str, Any]) -> None:
        self._account = account
        self._card = card["wechat"]
        self._key_id = self._card["public_key_id"]
        self._sdk = WeChatPay(
            wechatpay_type=WeChatPayType.JSAPI,
            mchid=self._card["mchid"],
            private_key=cards.private_key("wechat-merchant"),
            cert_serial_no=cards.serial("wechat-merchant"),
            appid=self._card["appid"],
            apiv3_key=self._card["apiv3_key"],
            notify_url=account.notify_url or None,
            public_key=self._card["public_key"],
            public_key_id=self._key_id,
            timeout=_TIMEOUT,
        )
        self._sdk._core._gate_way = self._card["gateway"].rstrip("/")  # the SDK has no setting for it

    def start(self, payment: Payment, openid: str, back: str) -> Started:
        found = self._call(
            self._sdk.pay,
            description=payment.order.title,
            out_trade_no=payment.out_trade_no,
            amount={"total": payment.amount_fen, "currency": "CNY"},
            payer={"openid": openid or "anonymous"},
            time_expire=clock.local(payment.order.expires_at).isoformat(timespec="seconds"),
        )
        package = f"prepay_id={found['prepay_id']}"
        stamp, nonce = str(int(clock.now().timestamp())), secrets.token_hex(16)
        signed = self._sdk.sign([self._card["appid"], stamp, nonce, package])
        data = {
            "appId": self._card["appid"],
            "timeStamp": stamp,
            "nonceStr": nonce,
            "package": package,
            "signType": "RSA",
            "paySign": signed,
        }
        return Started("jsapi", {**data, "cashier": self._card.get("cashier", "")})

    def ask(self, payment: Payment) -> Told:
        named = (
            {"transaction_id": payment.asked_id}
            if payment.asked_id
            else {"out_trade_no": payment.out_trade_no}
        )
        try:
            return _told(self._call(self._sdk.query, **named))
        except ChannelRefused as error:
            if error.code in ("ORDER_NOT_EXIST", "RESOURCE_NOT_EXISTS"):
                return Told("missing", word=error.message)
            raise ChannelUnavailable(error.code, error.message) from None

    def close(self, payment: Payment) -> Told:
        with contextlib.suppress(ChannelRefused):  # paid meanwhile, or closed: asking tells
            self._call(self._sdk.close, out_trade_no=payment.out_trade_no)
        return self.ask(payment)

    def refund(self, refund: Refund) -> ToldRefund:
        payment = refund.payment
        found = self._call(
            self._sdk.refund,
            out_refund_no=refund.number,
            transaction_id=payment.channel_id,
            reason=refund.reason,
            amount={"refund": refund.amount_fen, "total": payment.received_fen, "currency": "CNY"},
            notify_url=self._account.notify_url or None,
        )
        return _told_refund(found, "status")

    def ask_refund(self, refund: Refund) -> ToldRefund:
        try:
            return _told_refund(self._call(self._sdk.query_refund, out_refund_no=refund.number), "status")
        except ChannelRefused as error:
            if error.code == "RESOURCE_NOT_EXISTS":
                return ToldRefund("missing")
            raise ChannelUnavailable(error.code, error.message) from None

    def statement(self, day: date, kind: str) -> bytes | None:
        """`trade` or `fundflow`, unpacked, its digest checked."""
        call = {"trade": self._sdk.trade_bill, "fundflow": self._sdk.fundflow_bill}[kind]
        try:
            told = self._call(call, bill_date=day.isoformat(), tar_type="GZIP")
        except ChannelRefused as error:
            if error.code == "NO_STATEMENT_EXIST":
                return None
            raise ChannelUnavailable(error.code, error.message) from None
        packed = self._raw(self._sdk.download_bill, url=told["download_url"])
        raw = packed if isinstance(packed, bytes) else packed.encode()
        try:
            content = gzip.decompress(raw)
        except (OSError, EOFError):
            raise ChannelUnavailable("STATEMENT_CUT", "账单没有下载完整。") from None
        right = str(told["hash_value"]).lower()
        if hashlib.sha1(content, usedforsecurity=False).hexdigest() != right:
            raise ChannelUnavailable("STATEMENT_DIGEST", "账单摘要不符。", expected=right)
        return content

    def read_notice(self, headers: Mapping[str, str], raw: bytes, received_at: datetime) -> Notice:
        stamp, named = headers.get("wechatpay-timestamp", ""), headers.get("wechatpay-serial", "")
        if not stamp.isdigit() or abs(int(stamp[:12]) - received_at.timestamp()) > REPLAY_SECONDS:
            raise NoticeRefused("NOTICE_AGE", "通知的时间戳与收到的时间相差太大。", found=stamp[:12])
        if named != self._key_id and named.upper() != str(self._card.get("platform_serial", "")).upper():
            raise NoticeRefused("NOTICE_SERIAL", "通知的签名证书不认识。", found=named[:40])
        try:
            opened = self._sdk.callback(headers, raw)
        except (ValueError, KeyError, TypeError, AttributeError, InvalidTag) as error:
            raise NoticeRefused("NOTICE_FORM", "通知的内容读不出来。", found=type(error).__name__) from None
        except requests.RequestException:
            raise ChannelUnavailable("CHANNEL_SILENT", "取不到平台证书。") from None
        except Exception as error:  # the SDK raises bare ones
            raise NoticeRefused("NOTICE_FORM", "通知的签名方式不对。", found=str(error)[:80]) from None
        if not opened:
            raise NoticeRefused("NOTICE_SIGNATURE", "通知的签名不对。")
        return _notice(opened)

    def answer(self, accepted: bool, raw: bytes) -> tuple[int, bytes, str]:
        if accepted:
            return 204, b"", "application/json"
        body = json.dumps({"code": "FAIL", "message": "验签失败"}, ensure_ascii=False).encode()
        return 401, body, "application/json"

    def _call(self, call: Callable[..., tuple[int, Any]], **arguments: Any) -> dict[str, Any]:
        found = self._raw(call, **arguments)
        try:
            return json_of(found) if found else {}
        except ValueError:
            raise ChannelUnavailable("CHANNEL_ANSWER", "渠道的回答读不出来。") from None

    def _raw(self, call: Callable[..., tuple[int, Any]], **arguments: Any) -> Any:
        try:
            status, found = call(**arguments)
        except (
            Exception
        ) as error:  # transport, or a signature that is not the channel's: bare ones of the SDK
            raise ChannelUnavailable(
                "CHANNEL_SILENT", "微信支付没有回应。", found=type(error).__name__
            ) from None
        if status < 300:
            return found
        try:
            told = json_of(found)
            code, message = str(told["code"])[:40], str(told.get("message", ""))[:120]
        except (ValueError, KeyError, TypeError):
            raise ChannelUnavailable("CHANNEL_ANSWER", f"微信支付回答 {status}。") from None
        if status >= 500 or code in _UNKNOWN or code == "SIGN_ERROR":
            raise ChannelUnavailable(code, f"微信支付：{message}")
        raise ChannelRefused(code, f"微信支付：{message}")


def _told(found: Mapping[str, Any]) -> Told:
    try:
        state = _STATES[found["trade_state"]]
        word = str(found.get("trade_state_desc", ""))[:100]
        if state != "succeeded":
            return Told(state, word=word)  # type: ignore[arg-type]
        return Told(
            "succeeded",
            _fen(found["amount"]["total"]),
            str(found["transaction_id"]),
            datetime.fromisoformat(found["success_time"]),
            str(found["mchid"]),
            word,
        )
    except (KeyError, TypeError, ValueError):
        raise ChannelUnavailable("CHANNEL_ANSWER", "微信支付的回答不完整。") from None


def _told_refund(found: Mapping[str, Any], field: str) -> ToldRefund:
    try:
        state = _REFUNDS[found[field]]
        at = found.get("success_time")
        return ToldRefund(
            state,  # type: ignore[arg-type]
            _fen(found["amount"]["refund"]),
            str(found["refund_id"]),
            datetime.fromisoformat(at) if at else None,
            str(found[field]),
        )
    except (KeyError, TypeError, ValueError):
        raise ChannelUnavailable("CHANNEL_ANSWER", "微信支付的回答不完整。") from None


def _notice(opened: Mapping[str, Any]) -> Notice:
    try:
        resource = opened["resource"]
        id_, number = str(opened["id"]), str(resource["out_trade_no"])
        if str(opened["event_type"]).startswith("REFUND."):
            told = _told_refund(resource, "refund_status")
            return Notice(id_, number, refund=told, refund_no=str(resource["out_refund_no"]))
        return Notice(id_, number, payment=_told(resource))
    except (KeyError, TypeError, ChannelUnavailable):
        raise NoticeRefused("NOTICE_FORM", "通知的内容不完整。") from None


def _fen(found: object) -> int:
    """WeChat's JSON has whole fen; anything else is no amount."""
    if type(found) is not int:
        raise ValueError(found)
    return found
