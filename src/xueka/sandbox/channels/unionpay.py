"""UnionPay's file download (channels.md §4)."""

import base64
import hashlib
import zlib
from datetime import date
from urllib.parse import quote

from xueka.sandbox.channels import keys as k
from xueka.sandbox.channels.book import Book
from xueka.sandbox.channels.statements import UNIONPAY_MERCHANT, NoStatement, NotReady, Statements
from xueka.sandbox.common.http import Answer, Request

CHANNEL = "unionpay"
FIXED = {
    "version": "5.1.0",
    "encoding": "UTF-8",
    "signMethod": "01",
    "txnType": "76",
    "txnSubType": "01",
    "bizType": "000000",
    "accessType": "0",
    "fileType": "00",
}


def signed_text(values: dict[str, str]) -> bytes:
    """The hexadecimal digest that is signed."""
    text = "&".join(f"{name}={values[name]}" for name in sorted(values) if name != "signature")
    return hashlib.sha256(text.encode()).hexdigest().encode()


class UnionPay:
    def __init__(self, book: Book, keys: k.Keys, merchant: k.Merchant, statements: Statements) -> None:
        self._book, self._keys, self._merchant, self._statements = book, keys, merchant, statements

    def answer(self, request: Request) -> Answer:  # noqa: PLR0911
        try:
            values = request.form
            number = int(values.get("certId", ""))
        except ValueError:
            return self._say({"respCode": "10", "respMsg": "报文格式错误"})
        key = self._merchant.certificates(CHANNEL).get(number)
        if key is None or not k.fits(key, signed_text(values), values.get("signature", "")):
            return self._say({"respCode": "11", "respMsg": "验证签名失败"})
        if any(values.get(name) != value for name, value in FIXED.items()):
            return self._say({"respCode": "10", "respMsg": "报文格式错误"})
        if values.get("merId") != UNIONPAY_MERCHANT:
            return self._say({"respCode": "05", "respMsg": "不是本商户的文件"})
        day = self._day(values.get("settleDate", ""))
        if day is None:
            return self._say({"respCode": "10", "respMsg": "清算日期格式错误"})
        try:
            content = self._statements.issued(CHANNEL, "zm", day)
        except NotReady:
            return self._say({"respCode": "03", "respMsg": "文件生成中"})
        except NoStatement:
            return self._say({"respCode": "98", "respMsg": "文件不存在"})
        return self._say(
            {
                "respCode": "00",
                "respMsg": "成功",
                "settleDate": values["settleDate"],
                "fileName": f"{UNIONPAY_MERCHANT}_{day:%Y%m%d}.zip",
                "fileContent": base64.b64encode(zlib.compress(content)).decode(),
            }
        )

    def fault(self, request: Request, *, limited: bool) -> Answer:
        return Answer(429 if limited else 500, b"", {"Content-Type": "text/plain"})

    def _day(self, text: str) -> date | None:
        """The last such day that is not in the future."""
        today = self._book.clock.now().date()
        for year in (today.year, today.year - 1):
            try:
                day = date(year, int(text[:2]), int(text[2:]))
            except ValueError:
                continue
            if day <= today and len(text) == 4:
                return day
        return None

    def _say(self, values: dict[str, str]) -> Answer:
        values = {
            "version": "5.1.0",
            "encoding": "UTF-8",
            "signMethod": "01",
            "merId": UNIONPAY_MERCHANT,
            "signPubKeyCert": self._keys.unionpay_certificate.public_bytes(k.PEM).decode(),
            **values,
        }
        values["signature"] = k.sign(self._keys.unionpay, signed_text(values))
        text = "&".join(f"{name}={quote(value, safe='')}" for name, value in values.items())
        return Answer(200, text.encode(), {"Content-Type": "text/html; charset=utf-8"})
