"""WeChat Pay's notices (channels.md §2.7), forged ones too."""

import json
import sqlite3
from datetime import timedelta
from typing import Any

from xueka.sandbox.channels import keys as k
from xueka.sandbox.channels.book import Book
from xueka.sandbox.channels.wechat_answers import CHANNEL, MCHID, WORDS, amount, order, refunded, signature
from xueka.sandbox.common.notices import Letter

GAPS = (15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600)


class WeChatNotices:
    def __init__(self, book: Book, keys: k.Keys, *, signs_by_key: bool) -> None:
        self._book, self._keys, self._signs_by_key = book, keys, signs_by_key

    def letter(self, row: sqlite3.Row, tries: int) -> Letter:
        """A notice, signed anew for this try; a forged one as its manner says."""
        content, forged = json.loads(row["content"]), row["forged"]
        event, resource = self._event(content, forged)
        nonce = k.nonce(12)
        kind = "refund" if event.startswith("REFUND") else "transaction"
        plain = json.dumps(resource, ensure_ascii=False).encode()
        apiv3_key = k.nonce(32) if forged == "key" else self._keys.apiv3_key
        now = self._book.clock.now() - (timedelta(days=1) if forged == "replay" else timedelta())
        body = json.dumps(
            {
                "id": row["id"],
                "create_time": now.isoformat(),
                "event_type": event,
                "resource_type": "encrypt-resource",
                "summary": "支付成功" if kind == "transaction" else "退款结果",
                "resource": {
                    "algorithm": "AEAD_AES_256_GCM",
                    "original_type": kind,
                    "associated_data": kind,
                    "nonce": nonce,
                    "ciphertext": k.seal(apiv3_key, nonce, kind, plain),
                },
            },
            ensure_ascii=False,
        ).encode()
        headers = signature(self._keys, body, now, by_key=self._signs_by_key)
        if forged in ("key", "serial"):
            stamp, word = headers["Wechatpay-Timestamp"], headers["Wechatpay-Nonce"]
            text = f"{stamp}\n{word}\n".encode() + body + b"\n"
            headers["Wechatpay-Signature"] = k.sign(self._keys.stranger, text)
        if forged == "serial":
            headers["Wechatpay-Serial"] = f"{'PUB_KEY_ID_' if self._signs_by_key else ''}{'7' * 20}"
        if forged == "altered":
            body = body.replace(b"encrypt-resource", b"encrypt-resource ", 1)
        return Letter(row["url"], {"Content-Type": "application/json; charset=utf-8", **headers}, body)

    def _event(self, content: dict[str, Any], forged: str) -> tuple[str, dict[str, Any]]:
        if content["kind"] == "refund":
            return self._refund_event(content)
        if content.get("forged_for"):
            trade = self._book.known(CHANNEL, content["forged_for"])
            resource = order(self._book, trade)
            resource |= {"trade_state": "SUCCESS", "trade_state_desc": WORDS["SUCCESS"]}
            resource |= {"transaction_id": f"4200009{'0' * 21}", "trade_type": "JSAPI", "bank_type": "OTHERS"}
            resource |= {"success_time": self._book.clock.now().isoformat(), "amount": amount(trade["fen"])}
            if forged == "merchant":
                resource["mchid"] = "1900000999"
            return "TRANSACTION.SUCCESS", resource
        charge = self._book.charge(content["channel_id"])
        resource = order(self._book, self._book.known(CHANNEL, charge["number"]), charge)
        resource |= {"trade_state": "SUCCESS", "trade_state_desc": WORDS["SUCCESS"]}
        if content["wrong_amount"]:
            resource["amount"] = amount(other_amount(charge["fen"]))
        return "TRANSACTION.SUCCESS", resource

    def _refund_event(self, content: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        found = self._book.store.one("select * from refund where refund_id = ?", content["refund_id"])
        assert found is not None
        answer = refunded(self._book, found)
        amount = {name: answer["amount"][name] for name in ("total", "refund", "payer_total", "payer_refund")}
        if content["wrong_amount"]:
            amount["refund"] = other_amount(amount["refund"])
        names = ("out_trade_no", "transaction_id", "out_refund_no", "refund_id", "success_time")
        resource = {name: answer[name] for name in names if name in answer}
        resource |= {"mchid": MCHID, "refund_status": answer["status"], "amount": amount}
        resource["user_received_account"] = answer["user_received_account"]
        return f"REFUND.{answer['status']}", resource


def accepted(status: int, body: bytes) -> bool:
    return status in (200, 204)


def other_amount(fen: int) -> int:
    """Wrong, and possible."""
    return fen + 1 if fen % 2 else max(1, fen - 1)
