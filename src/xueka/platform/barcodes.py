"""Code 128 as it stands on papers that are scanned."""

import io
from collections.abc import Mapping
from typing import Any

import barcode
from barcode.writer import SVGWriter

#: In millimetres. A line of a list has its number in figures beside the bars, so they bear no text there.
LABEL: Mapping[str, Any] = {
    "module_width": 0.3,
    "module_height": 9.0,
    "font_size": 8,
    "text_distance": 3.5,
    "quiet_zone": 2.0,
}
LINE: Mapping[str, Any] = {
    "module_width": 0.25,
    "module_height": 3.8,
    "quiet_zone": 2.5,
    "write_text": False,
}


def code128(text: str, options: Mapping[str, Any] = LABEL) -> str:
    """The bars as SVG."""
    out = io.BytesIO()
    barcode.get("code128", text, writer=SVGWriter()).write(out, options=dict(options))
    return out.getvalue().decode()
