"""The label of a parcel that goes to a family: who gets it and where, and the number as Code 128."""

import json
from pathlib import Path

import typst
from django.conf import settings

from xueka.contexts.replacements.domain.rules import Address
from xueka.contexts.replacements.models import Replacement
from xueka.platform.barcodes import code128

_TEMPLATE = Path(__file__).with_name("label.typ")


def pdf(replacement: Replacement, address: Address) -> bytes:
    """One page of 100 × 150 mm. It names the receiver, not the child and not what is in it."""
    data = {
        "number": replacement.number,
        "name": address.name,
        "phone": address.phone,
        "address": address.address,
        "sender": f"{replacement.student.school.district.name}学生卡柜台",
        "barcode": code128(replacement.number),
    }
    fonts = Path(settings.NODE_MODULES).joinpath("@expo-google-fonts", "noto-sans-sc")
    return typst.compile(
        str(_TEMPLATE),
        font_paths=[str(fonts)] if fonts.is_dir() else [],
        sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
    )
