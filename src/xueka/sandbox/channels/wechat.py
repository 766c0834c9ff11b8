"""WeChat Pay APIv3 as channels.md §2 has it."""

import gzip
import hashlib
import json
import re
import time
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from xueka.sandbox.channels import keys as k
from xueka.sandbox.channels.book import Book, Problem
from xueka.sandbox.channels.statements import NoStatement, NotReady, Statements
from xueka.sandbox.channels.wechat_answers import (
    APPID,
    CHANNEL,
    MCHID,
    SCHEME,
    order,
    refunded,
    signature,
)
from xueka.sandbox.common.http import Answer, Request

TOLERANCE = 300  # seconds between the two sides' clocks
BILL_LIFE = timedelta(minutes=5)

#: Problem of the book → status, code, message.
PROBLEMS = {
    "unknown": (404, "ORDER_NOT_EXIST", "订单不存在"),
    "different": (400, "INVALID_REQUEST", "请求重入时，参数与首次请求不一致"),
    "paid": (400, "ORDERPAID", "该订单已支付"),
    "closed": (400, "ORDER_CLOSED", "该订单已关闭"),
    "too_much": (400, "INVALID_REQUEST", "申请退款金额超过可退金额"),
    "too_often": (400, "INVALID_REQUEST", "该订单部分退款已达 50 次"),
    "no_balance": (403, "NOT_ENOUGH", "基本账户余额不足"),
}


class Refused(Exception):
    def __init__(self, status: int, code: str, message: str, detail: dict[str, str] | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.body = {"code": code, "message": message, **({"detail": detail} if detail else {})}


def _field(name: str, value: object, issue: str) -> Refused:
    detail = {"field": name, "value": str(value)[:64], "issue": issue}
    return Refused(400, "PARAM_ERROR", f"参数错误：{name} {issue}", detail)


class WeChat:
    def __init__(
        self,
        book: Book,
        keys: k.Keys,
        merchant: k.Merchant,
        statements: Statements,
        base: str,
    ) -> None:
        self._book, self._keys, self._merchant = book, keys, merchant
        self._statements, self._base = statements, base

    # ---- requests

    def answer(self, request: Request) -> Answer:
        """Signed, whatever it says."""
        try:
            self._check_signature(request)
            status, value = self._act(request)
            if isinstance(value, Answer):
                return value
        except Refused as refused:
            status, value = refused.status, refused.body
        except Problem as problem:
            status, code, message = PROBLEMS[problem.code]
            value = {"code": code, "message": message}
        return self.signed(request, status, value)

    def fault(self, request: Request, *, limited: bool) -> Answer:
        if limited:
            return self.signed(request, 429, {"code": "FREQUENCY_LIMITED", "message": "频率超限"})
        return self.signed(request, 500, {"code": "SYSTEM_ERROR", "message": "系统异常，请稍后重试"})

    def forged(self, said: Answer) -> Answer:
        """The same words, signed by somebody else."""
        wrong = k.sign(self._keys.stranger, said.body)
        return Answer(said.status, said.body, {**said.headers, "Wechatpay-Signature": wrong})

    def signed(self, request: Request, status: int, value: Any) -> Answer:
        value = self._book.drifted(CHANNEL, value)
        body = b"" if status == 204 else json.dumps(value, ensure_ascii=False).encode()
        by_key = request.header("Wechatpay-Serial").startswith("PUB_KEY_ID_")
        headers = signature(self._keys, body, self._book.clock.now(), by_key=by_key)
        return Answer(status, body, {"Content-Type": "application/json; charset=utf-8", **headers})

    def _check_signature(self, request: Request) -> None:
        scheme, _, rest = request.header("Authorization").partition(" ")
        given = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        wrong = Refused(401, "SIGN_ERROR", "签名错误")
        try:
            stamp, number = int(given["timestamp"]), int(given["serial_no"], 16)
            nonce, signature, mchid = given["nonce_str"], given["signature"], given["mchid"]
        except (KeyError, ValueError):
            raise wrong from None
        ours = (time.time(), self._book.clock.now().timestamp())
        if scheme != SCHEME or min(abs(stamp - now) for now in ours) > TOLERANCE:
            raise wrong
        key = self._merchant.certificates(CHANNEL).get(number)
        text = f"{request.method}\n{request.target}\n{stamp}\n{nonce}\n".encode() + request.body + b"\n"
        if key is None or not k.fits(key, text, signature):
            raise wrong
        if mchid != MCHID:
            raise Refused(400, "MCH_NOT_EXISTS", "商户号不存在")

    def _act(self, request: Request) -> tuple[int, Any]:  # noqa: PLR0911
        path, found = request.path, None
        match request.method, path:
            case "POST", "/v3/pay/transactions/jsapi":
                return 200, self._prepay(_json(request))
            case "POST", "/v3/refund/domestic/refunds":
                return 200, self._refund(_json(request))
            case "GET", "/v3/certificates":
                return 200, self._certificates()
            case "GET", "/v3/bill/tradebill":
                return 200, self._bill(request, "trade", request.query.get("bill_type") or "ALL")
            case "GET", "/v3/bill/fundflowbill":
                kind = request.query.get("account_type") or "BASIC"
                return 200, self._bill(request, "fundflow", kind)
            case "GET", "/v3/billdownload/file":
                return 200, self._download(request.query.get("token", ""))
        if found := re.fullmatch(r"/v3/pay/transactions/out-trade-no/([^/]+)/close", path):
            if request.method == "POST":
                self._own(_json(request).get("mchid"))
                self._book.close(CHANNEL, found[1])
                return 204, None
        elif found := re.fullmatch(r"/v3/pay/transactions/(out-trade-no|id)/([^/]+)", path):
            self._own(request.query.get("mchid"))
            if found[1] == "id":
                charge = self._book.charge(found[2])
                return 200, order(self._book, self._book.known(CHANNEL, charge["number"]), charge)
            return 200, order(self._book, self._book.known(CHANNEL, found[2]))
        elif found := re.fullmatch(r"/v3/refund/domestic/refunds/([^/]+)", path):
            refund = self._book.find_refund(CHANNEL, found[1])
            if refund is None:
                raise Refused(404, "RESOURCE_NOT_EXISTS", "退款单不存在")
            return 200, refunded(self._book, refund)
        raise Refused(404, "RESOURCE_NOT_EXISTS", "没有这个接口")

    def _own(self, mchid: object) -> None:
        if mchid != MCHID:
            raise _field("mchid", mchid, "与签名商户号不一致")

    # ---- orders

    def _prepay(self, body: dict[str, Any]) -> dict[str, str]:
        if (body.get("appid"), body.get("mchid")) != (APPID, MCHID):
            raise Refused(400, "APPID_MCHID_NOT_MATCH", "appid 和 mchid 不匹配")
        number = _text(body, "out_trade_no", r"[0-9A-Za-z_\-*]{6,32}")
        subject = _text(body, "description", r"(?s).{1,127}")
        notify = _text(body, "notify_url", r"https?://[^?#]{1,240}")
        if notify.startswith("http://") and urlsplit(notify).hostname not in ("127.0.0.1", "localhost"):
            raise _field("notify_url", notify, "必须是 https")
        amount, payer = body.get("amount"), body.get("payer")
        total = amount.get("total") if isinstance(amount, dict) else None
        if type(total) is not int or not 1 <= total <= 100_000_000:
            raise _field("amount.total", total, "必须是正整数，单位分")
        if isinstance(amount, dict) and amount.get("currency", "CNY") != "CNY":
            raise _field("amount.currency", amount["currency"], "只支持 CNY")
        openid = payer.get("openid") if isinstance(payer, dict) else None
        if not isinstance(openid, str) or not 1 <= len(openid) <= 128:
            raise _field("payer.openid", openid, "不能为空")
        trade = self._book.open_trade(
            CHANNEL,
            number,
            total,
            subject,
            payer=openid,
            expires=self._expiry(body.get("time_expire")),
            notify_url=notify,
            attach=str(body.get("attach", ""))[:128],
        )
        return {"prepay_id": trade["prepay"]}

    def _expiry(self, text: object) -> datetime:
        now = self._book.clock.now()
        if text is None:
            return now + timedelta(hours=2)
        try:
            moment = datetime.fromisoformat(str(text))
            if moment.tzinfo is None or moment <= now:
                raise ValueError
        except ValueError:
            raise _field("time_expire", text, "必须是将来的时间，形如 2026-11-26T10:00:00+08:00") from None
        return moment.astimezone(now.tzinfo)

    # ---- refunds

    def _refund(self, body: dict[str, Any]) -> dict[str, Any]:
        number = _text(body, "out_refund_no", r"[0-9A-Za-z_\-|*@]{1,64}")
        if body.get("transaction_id"):
            charge = self._book.charge(str(body["transaction_id"]))
        else:
            trade = self._book.known(CHANNEL, str(body.get("out_trade_no", "")))
            charges = self._book.charges(CHANNEL, trade["number"])
            if not charges:
                raise Refused(400, "INVALID_REQUEST", "订单未支付")
            charge = charges[0]
        amount = body.get("amount")
        if not isinstance(amount, dict):
            raise _field("amount", amount, "不能为空")
        fen = amount.get("refund")
        if type(fen) is not int or fen < 1:
            raise _field("amount.refund", fen, "必须是正整数，单位分")
        if amount.get("total") != charge["fen"]:
            raise Refused(400, "INVALID_REQUEST", "订单金额或退款金额与之前请求不一致")
        notify = str(body.get("notify_url") or "")
        reason = str(body.get("reason") or "")[:80]
        made, _ = self._book.refund(charge, number, fen, notify_url=notify, reason=reason)
        return refunded(self._book, made)

    # ---- certificates and statements

    def _certificates(self) -> dict[str, Any]:
        found, nonce = self._keys.platform_certificate, k.nonce(12)
        text = found.public_bytes(k.PEM)
        return {
            "data": [
                {
                    "serial_no": self._keys.platform_serial,
                    "effective_time": found.not_valid_before_utc.isoformat(),
                    "expire_time": found.not_valid_after_utc.isoformat(),
                    "encrypt_certificate": {
                        "algorithm": "AEAD_AES_256_GCM",
                        "nonce": nonce,
                        "associated_data": "certificate",
                        "ciphertext": k.seal(self._keys.apiv3_key, nonce, "certificate", text),
                    },
                }
            ]
        }

    def _bill(self, request: Request, kind: str, sort: str) -> dict[str, str]:
        allowed = ("ALL", "SUCCESS", "REFUND") if kind == "trade" else ("BASIC", "OPERATION", "FEES")
        if sort not in allowed:
            raise _field("bill_type" if kind == "trade" else "account_type", sort, "不在取值范围内")
        try:
            day = date.fromisoformat(request.query.get("bill_date", ""))
        except ValueError:
            raise _field("bill_date", request.query.get("bill_date"), "必须形如 2026-11-26") from None
        today = self._book.clock.now().date()
        if not today - timedelta(days=92) <= day < today:
            raise Refused(400, "INVALID_REQUEST", "只能下载三个月内、今天以前的账单")
        try:
            content = self._statements.issued(CHANNEL, f"{kind}.{sort}", day)
        except NotReady:
            raise Refused(400, "STATEMENT_CREATING", "账单生成中，请稍后再试") from None
        except NoStatement:
            raise Refused(400, "NO_STATEMENT_EXIST", "账单文件不存在") from None
        token = k.nonce(40)
        ends = (self._book.clock.now() + BILL_LIFE).isoformat()
        zipped = request.query.get("tar_type") == "GZIP"
        self._book.store.put(f"bill.{token}", [f"{kind}.{sort}", day.isoformat(), ends, zipped])
        return {
            "hash_type": "SHA1",
            "hash_value": hashlib.sha1(content, usedforsecurity=False).hexdigest(),
            "download_url": f"{self._base}/v3/billdownload/file?token={token}",
        }

    def _download(self, token: str) -> Answer:
        kind, day, ends, zipped = self._book.store.get(f"bill.{token}") or ("", "", "", False)
        if not kind or self._book.clock.now() > datetime.fromisoformat(ends):
            raise Refused(404, "RESOURCE_NOT_EXISTS", "下载地址已失效")
        content = self._statements.issued(CHANNEL, kind, date.fromisoformat(day))
        if zipped:
            return Answer(200, gzip.compress(content, mtime=0), {"Content-Type": "application/x-gzip"})
        return Answer(200, content, {"Content-Type": "text/plain; charset=utf-8"})


def _json(request: Request) -> dict[str, Any]:
    try:
        value = json.loads(request.body)
    except ValueError:
        raise Refused(400, "PARAM_ERROR", "请求体不是 JSON") from None
    if not isinstance(value, dict):
        raise Refused(400, "PARAM_ERROR", "请求体不是 JSON 对象")
    return value


def _text(body: dict[str, Any], name: str, pattern: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise _field(name, value, "格式不正确")
    return value
