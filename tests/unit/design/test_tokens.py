"""Every pair of text and ground of the tokens passes WCAG 2.2 AA, in light and in dark."""

import re
from pathlib import Path

import pytest

from xueka.entrypoints import design
from xueka.entrypoints.design.ui import TONES

SOURCE = Path(design.__file__).with_name("static") / "design/css/tokens.css"
TEXTS = [
    *((text, ground) for text in ("text", "text-2", "text-3") for ground in ("bg", "surface", "sunken")),
    ("link", "bg"),
    ("link", "surface"),
    ("link", "accent-soft"),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    *((f"{tone}-fg", f"{tone}-bg") for tone in TONES),
    *(("text", f"heat-{step}") for step in range(4)),
    *(("heat-dark-text", f"heat-{step}") for step in (4, 5)),
]
#: Edges of fields, the focus ring and parts of pictures need 3 : 1 against what lies beside them.
SHAPES = [
    ("edge", "surface"),
    ("focus", "bg"),
    ("focus", "surface"),
    *((f"{tone}-solid", "surface") for tone in TONES if tone != "ended"),
]


def tokens(theme: str) -> dict[str, str]:
    css = SOURCE.read_text("utf-8")
    block = re.search(rf'\[data-bs-theme="{theme}"\] {{(.*?)}}', css, re.DOTALL)
    assert block
    return dict(re.findall(r"--xk-([a-z0-9-]+): (#[0-9a-f]{6});", block[1]))


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_measure_itself() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("pairs", "least"), [(TEXTS, 4.5), (SHAPES, 3)], ids=["text", "shapes"])
def test_contrast(theme: str, pairs: list[tuple[str, str]], least: float) -> None:
    known = tokens(theme)
    weak = [
        f"{one} on {other}: {contrast(known[one], known[other]):.2f}"
        for one, other in pairs
        if contrast(known[one], known[other]) < least
    ]
    assert weak == []
