"""What WeChat Pay says of an order and of a refund, and how it signs (channels.md §2)."""

import sqlite3
from datetime import datetime
from typing import Any

from xueka.sandbox.channels import keys as k
from xueka.sandbox.channels.book import Book

CHANNEL, APPID, MCHID = "wechat", "wx8888888888888888", "1900000109"
SCHEME = "WECHATPAY2-SHA256-RSA2048"
WORDS = {"NOTPAY": "订单未支付", "SUCCESS": "支付成功", "REFUND": "转入退款", "CLOSED": "订单已关闭"}
RETURNED_TO = "支付用户零钱"


def signature(keys: k.Keys, body: bytes, now: datetime, *, by_key: bool) -> dict[str, str]:
    stamp = str(int(now.timestamp()))
    nonce = k.nonce()
    key = keys.wechat if by_key else keys.platform
    return {
        "Wechatpay-Timestamp": stamp,
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Signature": k.sign(key, f"{stamp}\n{nonce}\n".encode() + body + b"\n"),
        "Wechatpay-Serial": keys.public_key_id if by_key else keys.platform_serial,
        "Wechatpay-Signature-Type": SCHEME,
        "Request-ID": k.nonce(16),
    }


def order(book: Book, trade: sqlite3.Row, charge: sqlite3.Row | None = None) -> dict[str, Any]:
    charges = book.charges(CHANNEL, trade["number"])
    charge = charge or (charges[0] if charges else None)
    state = {"open": "NOTPAY", "closed": "CLOSED", "paid": "SUCCESS"}[trade["state"]]
    if charge and book.refunds_of(charge):
        state = "REFUND"
    answer = {
        "appid": APPID,
        "mchid": MCHID,
        "out_trade_no": trade["number"],
        "trade_state": state,
        "trade_state_desc": WORDS[state],
        "attach": trade["attach"],
        "payer": {"openid": trade["payer"]},
        "amount": {"total": trade["fen"], "currency": "CNY"},
    }
    if charge:
        answer |= {
            "transaction_id": charge["channel_id"],
            "trade_type": "JSAPI",
            "bank_type": charge["bank"],
            "success_time": charge["at"],
            "amount": amount(charge["fen"]),
        }
    return answer


def refunded(book: Book, refund: sqlite3.Row) -> dict[str, Any]:
    charge = book.charge(refund["channel_id"])
    done = {"success_time": refund["ended"]} if refund["status"] == "SUCCESS" else {}
    fen, total = refund["fen"], charge["fen"]
    return {
        "refund_id": refund["refund_id"],
        "out_refund_no": refund["out_refund_no"],
        "transaction_id": charge["channel_id"],
        "out_trade_no": charge["number"],
        "channel": "ORIGINAL",
        "user_received_account": RETURNED_TO,
        "create_time": refund["created"],
        **done,
        "status": refund["status"],
        "funds_account": "AVAILABLE",
        "amount": {
            "total": total,
            "refund": fen,
            "payer_total": total,
            "payer_refund": fen,
            "settlement_refund": fen,
            "settlement_total": total,
            "discount_refund": 0,
            "currency": "CNY",
        },
    }


def amount(fen: int) -> dict[str, Any]:
    return {"total": fen, "payer_total": fen, "currency": "CNY", "payer_currency": "CNY"}
