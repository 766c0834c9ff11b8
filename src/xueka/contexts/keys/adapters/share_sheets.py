"""The sheet that a custodian takes home: the words of her share, numbered, and nothing of any key."""

import json
from collections.abc import Sequence
from pathlib import Path

import typst
from django.conf import settings

from xueka.kernel import clock

_TEMPLATE = Path(__file__).with_name("share_sheet.typ")


def pdf(title: str, person: str, words: str, threshold: int, of: Sequence[str]) -> bytes:
    """One page A4. `words` is her share, `of` the names of all custodians, `threshold` of them are needed."""
    data = {
        "title": title,
        "person": person,
        "words": words.split(),
        "threshold": threshold,
        "people": list(of),
        "day": f"{clock.today():%Y-%m-%d}",
    }
    fonts = Path(settings.NODE_MODULES) / "@expo-google-fonts" / "noto-sans-sc"
    return typst.compile(
        str(_TEMPLATE),
        font_paths=[str(fonts)] if fonts.is_dir() else [],
        sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
    )
