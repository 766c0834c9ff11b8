"""A receipt as a page to look at. The original is the signed document; the page says so."""

import json
from pathlib import Path

import typst
from django.conf import settings

from xueka.contexts.receipts.domain import einvoice
from xueka.kernel.money import capitals, format_yuan

_TEMPLATE = Path(__file__).with_name("receipt.typ")


def pdf(content: bytes, page_url: str, seal: str) -> bytes:
    """One page A5 from the document as it was received."""
    said = einvoice.read(content)
    red = said.total_fen < 0
    data = {
        "title": said.name,
        "kind": "红字票据（冲红）" if red else "",
        "code": said.code,
        "number": said.number,
        "check_code": said.check_code,
        "day": f"{said.issued_on.year}年{said.issued_on.month}月{said.issued_on.day}日",
        "payer": said.payer,
        "agency": said.agency_name,
        "item": said.item_name,
        "unit": said.item_unit,
        "amount": format_yuan(said.total_fen),
        "capitals": ("负" if red else "") + capitals(abs(said.total_fen)),
        "pay_code": said.pay_code,
        "remark": said.remark,
        "related": said.related_number,
        "seal": seal,
        "page": page_url,
    }
    fonts = Path(settings.NODE_MODULES).joinpath("@expo-google-fonts", "noto-sans-sc")
    return typst.compile(
        str(_TEMPLATE),
        font_paths=[str(fonts)] if fonts.is_dir() else [],
        sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
    )
