"""The document of a fiscal e-receipt (docs/interfaces/nontax.md §8): written as it is sent, read as it comes.

Bytes are UTF-8 XML. What comes from outside is read without document types and without entities.
"""

import base64
import binascii
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from datetime import date, datetime

from xueka.kernel.errors import BadInput
from xueka.kernel.money import parse_yuan

VERSION = "1.1.0"
#: Bytes of a document; a larger one is not read.
LIMIT = 1024 * 1024
_TAG_OF = "CZ-EI-{region}"
_SEALS = ("InvoicingPartySeal", "SupervisorPartySeal")
_PERSON = "1"


@dataclass(frozen=True, slots=True)
class Terms:
    """What stands on every receipt of the agency: who issues, for what, by which kind of receipt."""

    name: str
    code: str
    specimen: str
    division: str
    agency_code: str
    agency_name: str
    account_name: str
    account_number: str
    bank: str
    item_code: str
    item_name: str
    item_unit: str
    fine_code: str = ""
    fine_name: str = ""
    fine_unit: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """What is this receipt's own. `total_fen` is below zero on a red one, which names its blue one."""

    number: str
    check_code: str
    pay_code: str
    total_fen: int
    at: datetime
    payer: str
    pay_mode: str = ""
    remark: str = ""
    related_code: str = ""
    related_number: str = ""
    fine: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """What a document says. `seals`: (number, name, digest of the document before the seals) of each."""

    name: str
    code: str
    number: str
    check_code: str
    pay_code: str
    total_fen: int
    issued_on: date
    payer: str
    agency_name: str
    item_name: str
    item_unit: str
    remark: str
    related_number: str
    seals: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """A detached signature document: DER of SM2 with SM3, and when it was made (Beijing)."""

    value: bytes
    at: datetime


def write(terms: Terms, content: Content) -> bytes:
    """The document before it is sealed; the same always gives the same bytes."""
    total = yuan(content.total_fen)
    root = ET.Element("EInvoice")
    _put(
        ET.SubElement(root, "Header"),
        EInvoiceID=f"{content.number[::-1]}-{terms.code[::-1]}",
        EInvoiceTag=_TAG_OF.format(region=terms.division[:2]),
        Version=VERSION,
    )
    data = ET.SubElement(root, "EInvoiceData")
    main = ET.SubElement(data, "Main")
    _put(
        main,
        EInvoiceName=terms.name,
        EInvoiceCode=terms.code,
        EInvoiceNumber=content.number,
        RandomNumber=content.check_code,
        EInvoiceSpecimenCode=terms.specimen,
        SupervisorAreaCode=terms.division,
        TotalAmount=total,
        IssueDate=f"{content.at:%Y%m%d}",
        IssueTime=f"{content.at:%H:%M:%S}",
    )
    _put(
        ET.SubElement(main, "InvoicingParty"),
        InvoicingPartyCode=terms.agency_code,
        InvoicingPartyName=terms.agency_name,
        RecName=terms.account_name,
        RecAcct=terms.account_number,
        RecOpBk=terms.bank,
    )
    _put(
        ET.SubElement(main, "PayerParty"),
        PayerPartyType=_PERSON,
        PayerPartyCode="",
        PayerPartyName=content.payer,
        PayerAcct="",
        PayerOpBk="",
    )
    _put(
        main,
        PayMode=content.pay_mode,
        BizCode="",
        CurrencyType="CNY",
        ExchangeRate="",
        Remark=content.remark,
        HandlingPerson="",
        Checker="",
        SupervisorRemark="",
    )
    _put(
        ET.SubElement(main, "MainExt"),
        PayCode=content.pay_code,
        RelatedInvoiceCode=content.related_code,
        RelatedInvoiceNumber=content.related_number,
    )
    _put(
        ET.SubElement(ET.SubElement(data, "Details"), "Item"),
        ItemCode=terms.fine_code if content.fine else terms.item_code,
        ItemName=terms.fine_name if content.fine else terms.item_name,
        ItemAmount=total,
        ItemStd="",
        ItemUnit=terms.fine_unit if content.fine else terms.item_unit,
        ItemQuantity="1",
        ItemRemark="",
        ItemExt="",
    )
    return bytes(ET.tostring(root, encoding="utf-8"))


def read(content: bytes) -> Document:
    """What a document says, sealed or not. Raises BadInput `RECEIPT_DOCUMENT` naming what is missing."""
    root = _parse(content, "EInvoice")
    main = root.find("EInvoiceData/Main")
    if main is None:
        raise _unreadable("Main", None)
    try:
        total = parse_yuan(_text(main, "TotalAmount"))
        day = datetime.strptime(_text(main, "IssueDate"), "%Y%m%d").date()  # noqa: DTZ007 - a day
    except (BadInput, ValueError):
        raise _unreadable("TotalAmount IssueDate", None) from None
    return Document(
        name=_text(main, "EInvoiceName"),
        code=_text(main, "EInvoiceCode"),
        number=_text(main, "EInvoiceNumber"),
        check_code=_text(main, "RandomNumber"),
        pay_code=_text(main, "MainExt/PayCode"),
        total_fen=total,
        issued_on=day,
        payer=_text(main, "PayerParty/PayerPartyName"),
        agency_name=_text(main, "InvoicingParty/InvoicingPartyName"),
        item_name=_text(root, "EInvoiceData/Details/Item/ItemName"),
        item_unit=_text(root, "EInvoiceData/Details/Item/ItemUnit"),
        remark=_text(main, "Remark"),
        related_number=_text(main, "MainExt/RelatedInvoiceNumber"),
        seals=tuple(
            (_text(seal, "SealId"), _text(seal, "SealName"), _text(seal, "SealHash").lower())
            for seal in (main.find(name) for name in _SEALS)
            if seal is not None
        ),
    )


def read_signature(content: bytes) -> Signature:
    """A detached signature document. Raises BadInput `RECEIPT_SIGNATURE_FORM`."""
    root = _parse(content, "Signature")
    said = (_text(root, "Format"), _text(root, "Algorithm"))
    try:
        value = base64.b64decode("".join(_text(root, "Value").split()), validate=True)
        at = datetime.strptime(_text(root, "Time"), "%Y%m%d%H%M%S")  # noqa: DTZ007 - the caller knows where
    except (binascii.Error, ValueError):
        at, value = None, b""
    if said != ("DETACH", "SM3withSM2") or at is None or not value:
        raise BadInput(
            "RECEIPT_SIGNATURE_FORM",
            "票据签名文件的格式不对。",
            found=" ".join(said)[:40],
            expected="DETACH SM3withSM2",
            action="请与财政非税平台核对。",
        )
    return Signature(value, at)


def yuan(fen: int) -> str:
    """12.30, a sign in front of what is below zero."""
    whole, part = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{whole}.{part:02d}"


def _put(parent: ET.Element, **texts: str) -> None:
    for name, text in texts.items():
        ET.SubElement(parent, name).text = text or None


def _text(element: ET.Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _parse(content: bytes, tag: str) -> ET.Element:
    try:
        text = content[: LIMIT + 1].decode("utf-8-sig")
        if len(content) > LIMIT or "<!" in text:  # a document type could make ten bytes into gigabytes
            raise ValueError
        root = ET.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text, count=1))  # noqa: S314 - see above
    except (ValueError, ET.ParseError):
        raise _unreadable(tag, None) from None
    if root.tag != tag:
        raise _unreadable(tag, root.tag[:40])
    return root


def _unreadable(where: str, found: str | None) -> BadInput:
    return BadInput(
        "RECEIPT_DOCUMENT",
        "票据文件读不出来。",
        where=where,
        found=found,
        action="请保留原件，并与财政非税平台核对。",
    )
