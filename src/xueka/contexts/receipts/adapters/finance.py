"""The receipt desk of the finance office on the non-tax platform (docs/interfaces/nontax.md §8)."""

import base64
import binascii
from collections.abc import Mapping
from datetime import date
from typing import Any

from xueka.contexts.payments import api as payments
from xueka.contexts.receipts.domain.einvoice import Terms
from xueka.contexts.receipts.models import Draw, Receipt
from xueka.contexts.receipts.ports import Downloaded, Office, OfficeRefused, OfficeUnavailable, SealKey


def connect() -> Office:
    try:
        return Desk(payments.finance_card())
    except payments.ChannelUnavailable as error:
        raise OfficeUnavailable(error.code, error.message) from None
    except (KeyError, StopIteration, TypeError):
        raise OfficeUnavailable("OFFICE_CARD", "财政部门的参数文件缺少电子票据的内容。") from None


class Desk:
    """One agency at the receipt desk."""

    def __init__(self, card: Mapping[str, Any]) -> None:
        account = card["account"]
        item = next(each for each in card["items"] if not each.get("fine"))
        fine: Mapping[str, str] = next((each for each in card["items"] if each.get("fine")), {})
        self._card = card
        self.terms = Terms(
            name=card["receipt_name"],
            code=card["receipt_code"],
            specimen=card["specimen_code"],
            division=card["division"],
            agency_code=card["agency_code"],
            agency_name=card["agency_name"],
            account_name=account["name"],
            account_number=account["number"],
            bank=account["bank"],
            item_code=item["code"],
            item_name=item["name"],
            item_unit=item["unit"],
            fine_code=fine.get("code", ""),
            fine_name=fine.get("name", ""),
            fine_unit=fine.get("unit", ""),
        )
        self.seal = SealKey(card["seal_certificate"], card["seal_id"], card["seal_name"])

    def number(self, receipt: Receipt) -> str:
        asked = {
            **self._agency(),
            "PayCode": receipt.pay_code,
            "Red": _flag(receipt.refund_id is not None),
        }
        return self._ask("8999", asked)["Information"]

    def draw(self, draw: Draw) -> int:
        asked = {**self._agency(), "EInvoiceCode": draw.code, "Draw": str(draw.count)}
        said = self._ask("8999", asked, msg_id=draw.msg_id, day=draw.day)
        if said.get("Count") != str(draw.count) or not said.get("Information", "").isdecimal():
            raise OfficeRefused("OFFICE_ANSWER", "财政部门给的票号段不完整，没有入库。")
        return int(said["Information"])

    def issue(self, receipt: Receipt) -> None:
        blue = receipt.blue
        self._ask(
            "8981",
            {
                "PayCode": receipt.pay_code,
                "EInvoiceCode": receipt.code,
                "EInvoiceNumber": receipt.number,
                "RandomNumber": receipt.check_code,
                "Red": _flag(receipt.refund_id is not None),
                "RelatedInvoiceCode": blue.code if blue else "",
                "RelatedInvoiceNumber": blue.number if blue else "",
                "Collected": _flag(receipt.payment.settlement == payments.MERCHANT),
                "EInvoice": base64.b64encode(bytes(receipt.draft)).decode("ascii"),
            },
        )

    def download(self, receipt: Receipt) -> Downloaded:
        asked = {
            "PayCode": receipt.pay_code,
            "EInvoiceCode": receipt.code,
            "EInvoiceNumber": receipt.number,
        }
        said = self._ask("8982", asked)
        try:
            content = base64.b64decode(said["FileContent"], validate=True)
            signature = base64.b64decode(said["Signature"], validate=True)
        except (KeyError, ValueError, binascii.Error):
            raise OfficeUnavailable("OFFICE_ANSWER", "财政部门给的票据不完整。") from None
        return Downloaded(content, signature, said.get("PageUrl", ""))

    def _agency(self) -> dict[str, str]:
        return {
            "AdmDivCode": self._card["division"],
            "AgencyCode": self._card["agency_code"],
            "EInvoiceCode": self.terms.code,
        }

    def _ask(
        self, number: str, fields: Mapping[str, str], *, msg_id: str = "", day: date | None = None
    ) -> Mapping[str, str]:
        try:
            found = payments.ask_finance(self._card, number, "5001", fields, msg_id=msg_id, day=day)
        except payments.ChannelUnavailable as error:
            raise OfficeUnavailable(error.code, error.message) from None
        said = found[0] if found else {}
        result, words = said.get("Result", ""), said.get("Information", "")
        if result in ("", payments.FINANCE_BUSY) or (result == payments.FINANCE_DONE and not words):
            raise OfficeUnavailable("OFFICE_BUSY", f"财政非税平台忙。{words[:80]}")
        if result != payments.FINANCE_DONE:
            raise OfficeRefused(result, f"财政非税平台：{words[:120]}")
        return said


def _flag(value: bool) -> str:
    return "1" if value else "0"
