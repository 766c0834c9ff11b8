"""The Alipay open gateway as channels.md §3 has it."""

import json
import re
import sqlite3
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from xueka.sandbox.channels import keys as k
from xueka.sandbox.channels.book import Book, Problem
from xueka.sandbox.channels.statements import NoStatement, NotReady, Statements
from xueka.sandbox.channels.tickets import Tickets
from xueka.sandbox.channels.wechat_notices import other_amount
from xueka.sandbox.common.dial import BEIJING
from xueka.sandbox.common.http import Answer, Request, redirect
from xueka.sandbox.common.notices import Letter

CHANNEL, APP_ID, SELLER, BUYER = "alipay", "2021000000000001", "2088123456780156", "2088722000000001"
GAPS = (240, 600, 600, 3600, 7200, 21600, 54000)
BILL_LIFE = timedelta(seconds=30)

PROBLEMS = {
    "unknown": ("ACQ.TRADE_NOT_EXIST", "交易不存在"),
    "different": ("ACQ.CONTEXT_INCONSISTENT", "交易信息被篡改"),
    "paid": ("ACQ.TRADE_HAS_SUCCESS", "交易已被支付"),
    "closed": ("ACQ.TRADE_HAS_CLOSE", "交易已经关闭"),
    "too_much": ("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "退款金额超限"),
    "too_often": ("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "退款次数超限"),
    "no_balance": ("ACQ.SELLER_BALANCE_NOT_ENOUGH", "卖家余额不足"),
    "status": ("ACQ.TRADE_STATUS_ERROR", "交易状态不合法"),
    "form": ("ACQ.INVALID_PARAMETER", "参数无效"),
    "no_bill": ("isp.bill_not_exist", "账单不存在"),
    "not_ready": ("isp.bill_not_ready", "账单尚未生成"),
}


def text_of(values: dict[str, str], *without: str) -> bytes:
    """What is signed: sorted `k=v` of everything that is not empty."""
    left = {name: value for name, value in values.items() if name not in without and value}
    return "&".join(f"{name}={left[name]}" for name in sorted(left)).encode()


class Alipay:
    def __init__(
        self,
        book: Book,
        keys: k.Keys,
        merchant: k.Merchant,
        statements: Statements,
        tickets: Tickets,
        base: str,
    ) -> None:
        self._book, self._keys, self._merchant = book, keys, merchant
        self._statements, self._tickets, self._base = statements, tickets, base

    def answer(self, request: Request) -> Answer:  # noqa: PLR0911
        try:
            values = {**request.query, **request.form}
        except ValueError:
            return self._unsigned("isv.invalid-encoding", "字符编码错误")
        if values.get("app_id") != APP_ID:
            return self._unsigned("isv.invalid-app-id", "无效的AppID参数")
        signed = text_of(values, "sign")
        fits = [k.fits(key, signed, values.get("sign", "")) for key in self._merchant.keys(CHANNEL)]
        if values.get("sign_type") != "RSA2" or not any(fits):
            return self._unsigned("isv.invalid-signature", "无效签名")
        method = values.get("method", "")
        try:
            body = json.loads(values.get("biz_content", ""))
            if not isinstance(body, dict):
                raise ValueError
        except ValueError:
            return self.said(method, {**_failure("form"), "sub_msg": "biz_content 不是 JSON 对象"})
        try:
            if method == "alipay.trade.wap.pay":
                return self._open(values, body)
            act = {
                "alipay.trade.query": self._query,
                "alipay.trade.close": self._close,
                "alipay.trade.refund": self._refund,
                "alipay.trade.fastpay.refund.query": self._refund_query,
                "alipay.data.dataservice.bill.downloadurl.query": self._bill,
            }.get(method)
            if act is None:
                return self._unsigned("isv.invalid-method", "不存在的方法名")
            return self.said(method, {"code": "10000", "msg": "Success", **act(body)})
        except Problem as problem:
            return self.said(method, _failure(problem.code))

    def forged(self, said: Answer) -> Answer:
        """The same words, signed by somebody else."""
        inner, mark, _ = said.body.rpartition(b',"sign":"')
        wrong = k.sign(self._keys.stranger, inner).encode()
        return Answer(said.status, inner + mark + wrong + b'"}', said.headers) if mark else said

    def said(self, method: str, value: dict[str, Any]) -> Answer:
        value = self._book.drifted(CHANNEL, value)
        inner = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        sign = k.sign(self._keys.alipay, inner.encode())
        name = f"{method.replace('.', '_')}_response"
        body = f'{{"{name}":{inner},"sign":"{sign}"}}'.encode()
        return Answer(200, body, {"Content-Type": "text/html;charset=utf-8"})

    def fault(self, request: Request, *, limited: bool) -> Answer:
        try:
            method = {**request.query, **request.form}.get("method", "")
        except ValueError:
            method = ""
        error = {"code": "20000", "msg": "Service Currently Unavailable"}
        word = "isv.app-call-limited" if limited else "ACQ.SYSTEM_ERROR"
        return self.said(method, {**error, "sub_code": word, "sub_msg": "系统繁忙"})

    def _unsigned(self, code: str, message: str) -> Answer:
        error = {"code": "40002", "msg": "Invalid Arguments", "sub_code": code, "sub_msg": message}
        body = json.dumps({"error_response": error}, ensure_ascii=False).encode()
        return Answer(200, body, {"Content-Type": "text/html;charset=utf-8"})

    # ---- orders

    def _open(self, values: dict[str, str], body: dict[str, Any]) -> Answer:
        number = str(body.get("out_trade_no", ""))
        subject = str(body.get("subject", ""))
        fen = _fen(body.get("total_amount"))
        if not re.fullmatch(r"[0-9A-Za-z_]{1,64}", number) or not 1 <= len(subject) <= 256:
            raise Problem("form")
        if body.get("product_code") not in ("QUICK_WAP_WAY", "QUICK_WAP_PAY"):
            raise Problem("form")
        back = values.get("return_url", "")
        try:
            self._book.open_trade(
                CHANNEL,
                number,
                fen,
                subject,
                payer="",
                expires=self._expiry(body),
                notify_url=values.get("notify_url", ""),
                attach=str(body.get("passback_params", "")),
            )
        except Problem as problem:
            if problem.code not in ("paid", "closed"):
                raise
        return redirect(self._tickets.make(CHANNEL, number, back))

    def _expiry(self, body: dict[str, Any]) -> datetime:
        now = self._book.clock.now()
        try:
            if body.get("time_expire"):
                text = str(body["time_expire"])
                return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
            found = re.fullmatch(r"(\d{1,5})([mhd])", str(body.get("timeout_express") or "15d"))
            if found is None:
                raise ValueError
            return now + int(found[1]) * timedelta(
                minutes=1 if found[2] == "m" else 60 if found[2] == "h" else 1440
            )
        except ValueError:
            raise Problem("form") from None

    def back(self, number: str, address: str) -> str:
        """Where the payer returns to, with the signed parameters (no proof of payment)."""
        trade = self._book.known(CHANNEL, number)
        charges = self._book.charges(CHANNEL, number)
        values = {
            "app_id": APP_ID,
            "charset": "utf-8",
            "method": "alipay.trade.wap.pay.return",
            "out_trade_no": number,
            "seller_id": SELLER,
            "sign_type": "RSA2",
            "timestamp": _moment(self._book.clock.now().isoformat()),
            "total_amount": _yuan(trade["fen"]),
            "trade_no": charges[0]["channel_id"] if charges else "",
            "version": "1.0",
        }
        values["sign"] = k.sign(self._keys.alipay, text_of(values, "sign", "sign_type"))
        return f"{address}{'&' if '?' in address else '?'}{urlencode(values)}"

    def _find(self, body: dict[str, Any]) -> tuple[sqlite3.Row, sqlite3.Row | None]:
        """The order and the charge meant."""
        if body.get("trade_no"):
            charge = self._book.charge(str(body["trade_no"]))
            if charge["channel"] != CHANNEL:
                raise Problem("unknown")
            return self._book.known(CHANNEL, charge["number"]), charge
        trade = self._book.known(CHANNEL, str(body.get("out_trade_no", "")))
        charges = self._book.charges(CHANNEL, trade["number"])
        return trade, charges[0] if charges else None

    def _status(self, trade: sqlite3.Row, charge: sqlite3.Row | None) -> str:
        if charge:
            return "TRADE_CLOSED" if self._book.refunded(charge) >= charge["fen"] else "TRADE_SUCCESS"
        return "WAIT_BUYER_PAY" if trade["state"] == "open" else "TRADE_CLOSED"

    def _query(self, body: dict[str, Any]) -> dict[str, Any]:
        trade, charge = self._find(body)
        answer = {
            "trade_no": charge["channel_id"] if charge else "",
            "out_trade_no": trade["number"],
            "buyer_logon_id": "138******01",
            "buyer_user_id": BUYER,
            "trade_status": self._status(trade, charge),
            "total_amount": _yuan(trade["fen"]),
        }
        if charge:
            paid = _yuan(charge["fen"])
            answer |= {"receipt_amount": paid, "buyer_pay_amount": paid, "invoice_amount": paid}
            answer |= {"point_amount": "0.00", "send_pay_date": _moment(charge["at"])}
            answer["fund_bill_list"] = [{"amount": paid, "fund_channel": "ALIPAYACCOUNT"}]
        return answer

    def _close(self, body: dict[str, Any]) -> dict[str, Any]:
        trade, charge = self._find(body)
        if charge:
            raise Problem("status")
        self._book.close(CHANNEL, trade["number"])
        return {"out_trade_no": trade["number"], "trade_no": ""}

    def _refund(self, body: dict[str, Any]) -> dict[str, Any]:
        trade, charge = self._find(body)
        if charge is None:
            raise Problem("status")
        fen = _fen(body.get("refund_amount"))
        number = str(body.get("out_request_no") or trade["number"])[:64]
        made, new = self._book.refund(charge, number, fen, reason=str(body.get("refund_reason", ""))[:256])
        if made["ends"] == "ABNORMAL":
            self._book.settle(number, "ABNORMAL")
            raise Problem("no_balance")
        if new:
            content = {"kind": "refund", "refund_id": made["refund_id"], "reference": number}
            if trade["notify_url"]:
                self._book.notices.add(CHANNEL, f"EV-{made['refund_id']}", trade["notify_url"], content, ())
        return {
            "trade_no": charge["channel_id"],
            "out_trade_no": trade["number"],
            "buyer_logon_id": "138******01",
            "buyer_user_id": BUYER,
            "fund_change": "Y" if new else "N",
            "refund_fee": _yuan(self._book.refunded(charge)),
            "gmt_refund_pay": _moment(made["created"]),
            "send_back_fee": _yuan(fen),
        }

    def _refund_query(self, body: dict[str, Any]) -> dict[str, Any]:
        trade, charge = self._find(body)
        number = str(body.get("out_request_no", ""))
        found = self._book.find_refund(CHANNEL, number, trade["number"])
        if found is None or charge is None or found["status"] == "ABNORMAL":
            return {}
        answer = {
            "trade_no": charge["channel_id"],
            "out_trade_no": trade["number"],
            "out_request_no": number,
            "total_amount": _yuan(charge["fen"]),
            "refund_amount": _yuan(found["fen"]),
        }
        if found["status"] == "SUCCESS":
            answer |= {"refund_status": "REFUND_SUCCESS", "gmt_refund_pay": _moment(found["ended"])}
        return answer

    # ---- statements

    def _bill(self, body: dict[str, Any]) -> dict[str, Any]:
        kind = body.get("bill_type")
        try:
            day = date.fromisoformat(str(body.get("bill_date")))
        except ValueError:
            raise Problem("form") from None
        if kind not in ("trade", "signcustomer") or day >= self._book.clock.now().date():
            raise Problem("form")
        try:
            self._statements.issued(CHANNEL, kind, day)
        except NotReady:
            raise Problem("not_ready") from None
        except NoStatement:
            raise Problem("no_bill") from None
        token = k.nonce(40)
        ends = (self._book.clock.now() + BILL_LIFE).isoformat()
        self._book.store.put(f"bill.{token}", [kind, day.isoformat(), ends])
        return {"bill_download_url": f"{self._base}/alipay/bill?token={token}"}

    def bill(self, request: Request) -> Answer:
        kind, day, ends = self._book.store.get(f"bill.{request.query.get('token', '')}") or ("", "", "")
        if not kind or self._book.clock.now() > datetime.fromisoformat(ends):
            return Answer(403, "下载地址已失效".encode(), {"Content-Type": "text/plain; charset=utf-8"})
        content = self._statements.issued(CHANNEL, kind, date.fromisoformat(day))
        return Answer(200, content, {"Content-Type": "application/zip"})

    # ---- notices

    def letter(self, row: sqlite3.Row, tries: int) -> Letter:
        content, forged = json.loads(row["content"]), row["forged"]
        now = self._book.clock.now() - (timedelta(days=1) if forged == "replay" else timedelta())
        values = {
            "notify_time": _moment(now.isoformat()),
            "notify_type": "trade_status_sync",
            "notify_id": row["id"],
            "app_id": APP_ID,
            "charset": "utf-8",
            "version": "1.0",
            "sign_type": "RSA2",
            "seller_id": SELLER,
            "buyer_id": BUYER,
            **self._told(content),
        }
        if forged == "merchant":
            values["seller_id"] = "2088000000000000"
        key = self._keys.stranger if forged in ("key", "serial") else self._keys.alipay
        values["sign"] = k.sign(key, text_of(values, "sign", "sign_type"))
        if forged == "altered":
            values["buyer_pay_amount"] = "0.01"
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        return Letter(row["url"], headers, urlencode(values).encode())

    def _told(self, content: dict[str, Any]) -> dict[str, str]:
        refund = None
        if content.get("forged_for"):
            trade = self._book.known(CHANNEL, content["forged_for"])
            channel_id, fen, at = f"{'9' * 28}", trade["fen"], self._book.clock.now().isoformat()
        else:
            if content["kind"] == "refund":
                refund = self._book.store.one(
                    "select * from refund where refund_id = ?", content["refund_id"]
                )
            charge = self._book.charge(refund["channel_id"] if refund else content["channel_id"])
            trade = self._book.known(CHANNEL, charge["number"])
            channel_id, fen, at = charge["channel_id"], charge["fen"], charge["at"]
        if content.get("wrong_amount"):
            fen = other_amount(fen)
        values = {
            "trade_no": channel_id,
            "out_trade_no": trade["number"],
            "subject": trade["subject"],
            "trade_status": "TRADE_SUCCESS",
            "total_amount": _yuan(fen),
            "receipt_amount": _yuan(fen),
            "buyer_pay_amount": _yuan(fen),
            "gmt_create": _moment(trade["created"]),
            "gmt_payment": _moment(at),
        }
        if trade["attach"]:
            values["passback_params"] = trade["attach"]
        if refund:
            left = self._status(trade, self._book.charge(channel_id))
            values |= {"trade_status": left, "out_biz_no": refund["out_refund_no"]}
            values |= {"refund_fee": _yuan(self._book.refunded(self._book.charge(channel_id)))}
            values |= {"gmt_refund": _moment(refund["created"])}
            if left == "TRADE_CLOSED":
                values["gmt_close"] = _moment(refund["created"])
        return values


def accepted(status: int, body: bytes) -> bool:
    return status == 200 and body.strip() == b"success"


def _failure(code: str) -> dict[str, str]:
    word, message = PROBLEMS[code]
    return {"code": "40004", "msg": "Business Failed", "sub_code": word, "sub_msg": message}


def _fen(text: object) -> int:
    found = re.fullmatch(r"(\d{1,9})(?:\.(\d{1,2}))?", str(text))
    fen = int(found[1]) * 100 + int((found[2] or "0").ljust(2, "0")) if found else 0
    if fen < 1:
        raise Problem("form")
    return fen


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def _moment(at: str) -> str:
    return at[:19].replace("T", " ")
