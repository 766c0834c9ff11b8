"""Fiscal e-receipts: numbers, issue with seals and a detached SM2 signature, red ones (nontax.md §8)."""

import base64
import binascii
import re
import sqlite3
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path

from xueka.sandbox.common import openssl
from xueka.sandbox.finance.office import Office, Refused, fen_of

SEAL_ID, SEAL_NAME = "11000000000001", "样例市财政局财政票据监制章"
MAIN = (
    *("EInvoiceName", "EInvoiceCode", "EInvoiceNumber", "RandomNumber", "EInvoiceSpecimenCode"),
    *("SupervisorAreaCode", "TotalAmount", "IssueDate", "IssueTime", "InvoicingParty", "PayerParty"),
    *("PayMode", "MainExt"),
)
STOCK = 1_000_000
FAILS = 3


class Receipts:
    def __init__(self, office: Office, key: Path) -> None:
        self._office, self._store, self._key = office, office.store, key

    def draw(self, fields: Mapping[str, str]) -> dict[str, str]:
        """8999: the number for a payment code, or a stock of numbers."""
        code = fields.get("EInvoiceCode", "")
        if not re.fullmatch(r"\d{8}", code):
            raise Refused("10001", "EInvoiceCode 应为 8 位数字")
        if fields.get("Draw"):
            count = int(fields["Draw"]) if re.fullmatch(r"[1-9]\d{0,5}", fields["Draw"]) else 0
            if not count:
                raise Refused("10001", "Draw 应为 1 到 999999")
            return {"Information": self._take(code, count), "Count": str(count)}
        pay_code, red = fields.get("PayCode", ""), fields.get("Red") == "1"
        self._office.known(pay_code)
        with self._store.work():
            found = self._store.one(
                "select number from receipt where pay_code = ? and red = ? and content is null", pay_code, red
            ) or (
                None
                if red
                else self._store.one("select number from receipt where pay_code = ? and red = 0", pay_code)
            )
            if found:
                return {"Information": found["number"]}
            number = self._take(code, 1)
            drawn = self._office.clock.now().isoformat()
            self._store.insert("receipt", code=code, number=number, pay_code=pay_code, red=red, drawn=drawn)
            return {"Information": number}

    def _take(self, code: str, count: int) -> str:
        """The first of so many numbers."""
        left = self._store.get("stock", STOCK)
        if left < count or self._office.dial.strikes("stock_empty", f"{code}/{left}"):
            raise Refused("20001", "票号库存不足")
        self._store.put("stock", left - count)
        first = int(self._store.get(f"next.{code}", 13_933_922))
        self._store.put(f"next.{code}", first + count)
        return f"{first:010d}"

    def issue(self, fields: Mapping[str, str]) -> dict[str, str]:
        """8981: sealed and signed; the same again is answered the same."""
        code, number = fields.get("EInvoiceCode", ""), fields.get("EInvoiceNumber", "")
        pay_code, red = fields.get("PayCode", ""), fields.get("Red") == "1"
        check = fields.get("RandomNumber", "")
        document = _document(fields.get("EInvoice", ""))
        collected = fields.get("Collected") == "1"
        with self._store.work():
            total = self._check(document, fields)
            sealed = self._sealed(document)
            found = self._store.one("select * from receipt where code = ? and number = ?", code, number)
            if found and found["content"] is not None:
                if bytes(found["content"]) != sealed or found["pay_code"] != pay_code:
                    raise Refused("20003", "票号已用于另一张票据")
                return {"Information": "已开具"}
            if found and (found["pay_code"], bool(found["red"])) != (pay_code, red):
                raise Refused("20003", "票号是为另一缴款码领取的")
            if not collected:
                self._office.known(pay_code)
            elif self._office.bill(pay_code):
                raise Refused("10001", "该缴款码由财政收款，不是单位代收")
            self._bounds(pay_code, total, fields, red=red, collected=collected)
            self._stall(code, number)
            signature = self._signature(sealed)
            drawn = self._office.clock.now().isoformat()
            if found is None:
                self._store.insert(
                    "receipt", code=code, number=number, pay_code=pay_code, red=red, drawn=drawn
                )
            self._store.run(
                "update receipt set fen = ?, check_code = ?, content = ?, signature = ? "
                "where code = ? and number = ?",
                *(total, check, sealed, signature, code, number),
            )
        return {"Information": "开具成功"}

    def _stall(self, code: str, number: str) -> None:
        if self._office.dial.strikes("receipt_fails", number):
            tries = int(self._store.get(f"fails.{code}.{number}", 0))
            if tries < FAILS:
                raise Stalled(code, number)

    def stalled(self, code: str, number: str) -> None:
        """Counted outside the work that was given up."""
        self._store.put(f"fails.{code}.{number}", int(self._store.get(f"fails.{code}.{number}", 0)) + 1)
        self._office.dial.record("receipt_fails", "nontax", number)

    def _check(self, document: ET.Element, fields: Mapping[str, str]) -> int:
        """What the document says against the fields beside it; its total in fen."""
        main = document.find("EInvoiceData/Main")
        if main is None or document.find("EInvoiceData/Details/Item") is None:
            raise Refused("10001", "EInvoice 缺 Main 或 Item")
        for name in MAIN:
            if main.find(name) is None:
                raise Refused("10001", f"EInvoice 缺 {name}")
        for name in ("EInvoiceCode", "EInvoiceNumber", "RandomNumber"):
            if main.findtext(name) != fields.get(name):
                raise Refused("10001", f"{name} 与票据内容不一致")
        if not re.fullmatch(r"\d{8}-\d{10}-\d{6}", _three(fields)):
            raise Refused("10001", "票据代码、号码或校验码格式不对")
        wanted = f"{fields['EInvoiceNumber'][::-1]}-{fields['EInvoiceCode'][::-1]}"
        if document.findtext("Header/EInvoiceID") != wanted:
            raise Refused("10001", f"EInvoiceID 应为 {wanted}")
        if main.findtext("MainExt/PayCode") != fields.get("PayCode"):
            raise Refused("10001", "PayCode 与票据内容不一致")
        total = _signed_fen(main.findtext("TotalAmount") or "")
        items = [_signed_fen(each.text or "") for each in document.iter("ItemAmount")]
        if sum(items) != total:
            raise Refused("10001", "各项金额之和不等于合计")
        return total

    def _bounds(
        self, pay_code: str, total: int, fields: Mapping[str, str], *, red: bool, collected: bool
    ) -> None:
        """Of money that the agency collected itself, finance knows no more than its receipts."""
        payments = self._office.payments(pay_code)
        if not payments and not collected:
            raise Refused("20002", "缴款码尚未缴款")
        issued = self._store.all("select * from receipt where pay_code = ? and content is not null", pay_code)
        if not red:
            paid = sum(each["fen"] for each in payments)
            blue = sum(each["fen"] for each in issued if not each["red"])
            if total <= 0 or (blue if collected else blue + total > paid):
                raise Refused("20003", "开具金额超过确认金额")
            return
        related = (fields.get("RelatedInvoiceCode"), fields.get("RelatedInvoiceNumber"))
        blue_one = next((each for each in issued if (each["code"], each["number"]) == related), None)
        if blue_one is None or blue_one["red"]:
            raise Refused("20004", "没有对应的蓝票")
        reversed_already = -sum(each["fen"] for each in issued if each["red"])
        returned = sum(self._office.refunded(each["tra_no"]) for each in payments)
        if total >= 0 or reversed_already - total > blue_one["fen"]:
            raise Refused("20003", "冲红金额超过原票金额")
        if not collected and reversed_already - total > returned:
            raise Refused("20005", "没有对应的退付")

    def _sealed(self, document: ET.Element) -> bytes:
        main = document.find("EInvoiceData/Main")
        assert main is not None
        digest = openssl.sm3(ET.tostring(document, encoding="utf-8"))
        for name in ("InvoicingPartySeal", "SupervisorPartySeal"):
            seal = ET.SubElement(main, name)
            for part, text in (("SealId", SEAL_ID), ("SealName", SEAL_NAME), ("SealHash", digest)):
                ET.SubElement(seal, part).text = text
        return ET.tostring(document, encoding="utf-8", xml_declaration=True)

    def _signature(self, content: bytes) -> bytes:
        value = base64.b64encode(openssl.sign(self._key, content)).decode("ascii")
        moment = f"{self._office.clock.now():%Y%m%d%H%M%S}"
        head = f"<Format>DETACH</Format><Algorithm>SM3withSM2</Algorithm><Time>{moment}</Time>"
        return f"<Signature>{head}<Value>{value}</Value></Signature>".encode()

    def find(self, code: str, number: str) -> sqlite3.Row:
        found = self._store.one(
            "select * from receipt where code = ? and number = ? and content is not null", code, number
        )
        if found is None:
            raise Refused("20004", "没有这张票据")
        return found

    def download(self, fields: Mapping[str, str], pages: str) -> dict[str, str]:
        """8982."""
        found = self.find(fields.get("EInvoiceCode", ""), fields.get("EInvoiceNumber", ""))
        if found["pay_code"] != fields.get("PayCode"):
            raise Refused("20004", "没有这张票据")
        code, number = found["code"], found["number"]
        return {
            "Information": "成功",
            "FileName": f"{code}_{number}.xml",
            "FileContent": base64.b64encode(found["content"]).decode("ascii"),
            "Signature": base64.b64encode(found["signature"]).decode("ascii"),
            "PageUrl": f"{pages}/receipt?code={code}&number={number}&check={found['check_code']}",
        }

    def issued_for(self, pay_code: str) -> sqlite3.Row | None:
        """The blue receipt of a payment code."""
        return self._store.one(
            "select * from receipt where pay_code = ? and red = 0 and content is not null", pay_code
        )


class Stalled(Exception):
    """The receipt platform does not get to it."""

    def __init__(self, code: str, number: str) -> None:
        super().__init__(number)
        self.code, self.number = code, number


def _document(text: str) -> ET.Element:
    try:
        content = base64.b64decode(text, validate=True).decode("utf-8")
        if "<!" in content:
            raise ValueError
        document = ET.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", content))  # noqa: S314 - no DTD, no entities
    except (ValueError, binascii.Error, ET.ParseError):
        raise Refused("10001", "EInvoice 不是 base64 的 XML") from None
    if document.tag != "EInvoice":
        raise Refused("10001", "EInvoice 的根元素不对")
    return document


def _three(fields: Mapping[str, str]) -> str:
    return "-".join(fields.get(name, "") for name in ("EInvoiceCode", "EInvoiceNumber", "RandomNumber"))


def _signed_fen(text: str) -> int:
    return -fen_of(text[1:]) if text.startswith("-") else fen_of(text)
