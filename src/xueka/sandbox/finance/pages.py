"""The pay page behind the QR code, and a receipt as people see it (nontax.md §5, §8)."""

import json
import sqlite3
import xml.etree.ElementTree as ET
from urllib.parse import urlencode, urlsplit

from xueka.sandbox.common import pages as p
from xueka.sandbox.common.http import Answer, Request, html_answer, redirect
from xueka.sandbox.finance.office import MODES, Office, Refused
from xueka.sandbox.finance.receipts import Receipts

WHO = "非税收入缴款"
TROUBLES = (
    ("again", "再缴一次"),
    ("late", "作废后仍缴款"),
    ("notice_lost", "丢失通知"),
    ("duplicate", "重复通知"),
    ("wrong_amount", "通知金额不符"),
    ("forged", "伪造通知"),
)
SAID = {
    "paid": ("缴款成功", "good"),
    "already": ("已缴款，没有再次扣款", "good"),
    "closed": ("缴款码已作废或已过期，没有扣款", "bad"),
    "cancelled": ("已取消，没有扣款", ""),
    "again": ("已再次缴款（演示）", "bad"),
    "late": ("作废后仍缴了款（演示）", "bad"),
    "set": ("已设好，下一次缴款时发生（演示）", ""),
    "forged": ("伪造的通知已发出（演示）", ""),
}


class Pages:
    def __init__(self, office: Office, receipts: Receipts) -> None:
        self._office, self._receipts = office, receipts

    def answer(self, request: Request) -> Answer:
        try:
            if request.path == "/receipt":
                return html_answer(self._receipt(request.query))
            return self._pay_page(request)
        except Refused as refused:
            return html_answer(p.page("finance", "查不到", WHO, p.state(refused.information, "bad")), 404)

    def _pay_page(self, request: Request) -> Answer:
        query = request.query
        code, back = query.get("billId", ""), query.get("return_url", "")
        bill = self._office.known(code)
        kept = {"billId": code, **({"return_url": back} if back else {})}
        if request.method == "POST":
            form = request.form
            said = self._press(code, form.get("act", ""), form.get("mode", "04"))
            return redirect(f"/qrcode?{urlencode({**kept, 'said': said})}")
        return html_answer(self._page(bill, f"/qrcode?{urlencode(kept)}", back, query.get("said", "")))

    def _press(self, code: str, act: str, mode: str) -> str:
        try:
            match act:
                case "pay":
                    self._office.pay(code, mode)
                    return "paid"
                case "cancel":
                    return "cancelled"
                case "again" | "late":
                    paid, closed = self._office.payments(code), self._office.closed(self._office.known(code))
                    self._office.pay(code, mode, force=True)
                    return "again" if paid else "late" if closed else "paid"
            self._office.trouble(code, act)
            return "forged" if act == "forged" else "set"
        except Refused as refused:
            if refused.code in ("10004", "10005"):
                return "already" if refused.code == "10004" else "closed"
            raise

    def _page(self, bill: sqlite3.Row, address: str, back: str, said: str) -> str:
        payments = self._office.payments(bill["code"])
        content = json.loads(bill["content"])
        is_open = not payments and not self._office.closed(bill)
        if said in SAID:
            note = p.state(*SAID[said])
        elif payments:
            note = p.state("已缴款", "good")
        elif not is_open:
            note = p.state("已作废" if bill["state"] == "voided" else "已过期", "bad")
        else:
            note = ""
        about = [
            ("执收单位", content["ChgAgenName"]),
            ("收款人", content["RecName"]),
            ("缴款人", bill["payer"]),
            ("缴款码", bill["code"]),
            *(("缴款时间", each["at"][:19].replace("T", " ")) for each in payments),
        ]
        act = ""
        if is_open and said != "cancelled":
            choices = "".join(
                f'<label><input type="radio" name="mode" value="{mode}"{" checked" if mode == "04" else ""}>'
                f"{'现金/POS' if mode == '02' else name}</label>"
                for mode, name in MODES.items()
                if mode in ("04", "05", "06", "02")
            )
            inside = f"<fieldset><legend>缴款方式</legend>{choices}</fieldset>"
            act = p.buttons(address, (("pay", "确认缴款"), ("cancel", "取消")), inside=inside)
        elif said == "cancelled":
            act = p.link(address, "重新缴款", second=True)
        if urlsplit(back).scheme in ("http", "https") and (not is_open or said == "cancelled"):
            act = p.link(back, "返回") + act
        trouble = p.unfold("演示：让财政出错", p.buttons(address, TROUBLES, second=True))
        first = note + p.sum_of(bill["item"], bill["fen"]) + p.facts(about)
        return p.page("finance", f"缴款 · {bill['item']}", WHO, first, act, trouble)

    def _receipt(self, query: dict[str, str]) -> str:
        """Shown to who knows the check code."""
        found = self._receipts.find(query.get("code", ""), query.get("number", ""))
        if found["check_code"] != query.get("check"):
            raise Refused("20004", "票据代码、号码或校验码不对")
        main = ET.fromstring(bytes(found["content"])).find("EInvoiceData/Main")  # noqa: S314 - our own document
        assert main is not None
        pairs = [
            ("票据名称", "EInvoiceName"),
            ("票据代码", "EInvoiceCode"),
            ("票据号码", "EInvoiceNumber"),
            ("校验码", "RandomNumber"),
            ("交款人", "PayerParty/PayerPartyName"),
            ("开票日期", "IssueDate"),
            ("收款单位", "InvoicingParty/InvoicingPartyName"),
        ]
        about = [(label, main.findtext(path) or "") for label, path in pairs]
        kind = "红票（冲红）" if found["red"] else "财政电子票据"
        note = p.state("验真通过，印章与签名有效", "good")
        return p.page(
            "finance", kind, "财政电子票据查验", note + p.sum_of(kind, found["fen"]) + p.facts(about)
        )
