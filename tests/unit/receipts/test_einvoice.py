"""The document and its signature: what is written is read again; what is broken is named."""

import base64
from dataclasses import replace
from datetime import datetime

import pytest

from tests.unit.receipts.conftest import TERMS
from xueka.contexts.receipts.domain import einvoice
from xueka.contexts.receipts.domain.codes import collection_code
from xueka.contexts.receipts.domain.einvoice import Content
from xueka.kernel.clock import SHANGHAI
from xueka.kernel.errors import BadInput

AT = datetime(2026, 11, 26, 10, 20, 30, tzinfo=SHANGHAI)
CONTENT = Content(
    "0013933922", "012345", "11000026300000000001", -1234, AT, "𠮷<&>娜", "04", "x", "11010126", "9" * 10
)


def test_written_and_read_again() -> None:
    draft = einvoice.write(TERMS, CONTENT)
    assert draft == einvoice.write(TERMS, CONTENT)
    said = einvoice.read(draft)
    assert (said.code, said.number, said.check_code) == ("11010126", "0013933922", "012345")
    assert (said.total_fen, said.payer, said.related_number) == (-1234, "𠮷<&>娜", "9" * 10)
    assert (said.issued_on, said.item_name, said.seals) == (AT.date(), "学生卡补卡工本费", ())
    fine = einvoice.write(replace(TERMS, fine_code="1", fine_name="罚没"), replace(CONTENT, fine=True))
    assert einvoice.read(fine).item_name == "罚没"
    assert b"<EInvoiceID>2293393100-62101011</EInvoiceID>" in draft  # nontax.md §14
    assert b"<EInvoiceTag>CZ-EI-11</EInvoiceTag>" in draft


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<EInvoice>",
        b"<Other/>",
        b"<EInvoice/>",
        b"\xff\xfe",
        b'<!DOCTYPE x [<!ENTITY a "b">]><EInvoice/>',
        einvoice.write(TERMS, CONTENT).replace(b"-12.34", b"twelve"),
        einvoice.write(TERMS, CONTENT).replace(b"20261126", b"20261326"),
        b"<EInvoice>" + b" " * einvoice.LIMIT + b"</EInvoice>",
    ],
)
def test_what_cannot_be_read_is_refused(content: bytes) -> None:
    with pytest.raises(BadInput) as refused:
        einvoice.read(content)
    assert refused.value.code == "RECEIPT_DOCUMENT"


def _signature(**change: str) -> bytes:
    said = {
        "Format": "DETACH",
        "Algorithm": "SM3withSM2",
        "Time": "20261126102030",
        "Value": "QUJD",
        **change,
    }
    inside = "".join(f"<{name}>{text}</{name}>" for name, text in said.items())
    return f"<Signature>{inside}</Signature>".encode()


def test_a_signature_document() -> None:
    found = einvoice.read_signature(_signature())
    assert (found.value, found.at) == (base64.b64decode("QUJD"), AT.replace(tzinfo=None))
    for change in (
        {"Format": "ATTACH"},
        {"Algorithm": "RSA"},
        {"Time": "now"},
        {"Value": "?"},
        {"Value": ""},
    ):
        with pytest.raises(BadInput) as refused:
            einvoice.read_signature(_signature(**change))
        assert refused.value.code == "RECEIPT_SIGNATURE_FORM"


@pytest.mark.parametrize(("fen", "text"), [(0, "0.00"), (5, "0.05"), (-1234, "-12.34"), (100000, "1000.00")])
def test_yuan(fen: int, text: str) -> None:
    assert einvoice.yuan(fen) == text


def test_the_code_of_collected_money() -> None:
    assert collection_code("110100", AT.date(), 7) == "11010026310000000007"
    assert len(collection_code("110100", AT.date(), 10**10 + 7)) == 20
