"""The card faces (卡面版式) by template and version (folder data/faces): one SVG each, its fields marked.

Version 1 has a front alone. From version 2 on a file holds both sides as nested `<svg data-side="front">` and
`"back"`, so that one digest covers what a card looks like. An element with `data-field` is filled in: a
`<text>` with that field, at most `data-width` wide and at the least `data-least` large; a `<rect>` with a
picture: `photo`, `qr_code` or `bar_code` of the field `data-content`. The fill of a `stage_colour` follows
the stage of the student. Every other text is printed as it stands.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import NamedTuple

from xueka.kernel.errors import Refused
from xueka.platform.crypto import sm3

_NAME = re.compile(r"([A-Za-z0-9._-]{1,32})\.v(\d{1,4})\.svg")
_SVG = "http://www.w3.org/2000/svg"
_INHERITED = ("font-size", "font-weight", "font-family", "text-anchor", "fill")


class Template(NamedTuple):
    """`digest` is the SM3 (64 hex) of the artwork file, as the bureau knows it."""

    code: str
    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that is drawn over the artwork, in units of the side's view box.

    `field` is empty for a text that always stands there (`text`). A picture has a box, a text a base line.
    """

    field: str
    text: str
    x: float
    y: float
    width: float
    height: float
    size: int
    least: int
    anchor: str
    fill: str
    style: str
    content: str


@dataclass(frozen=True, slots=True)
class Layout:
    """One side: the artwork without texts (SVG) in the colour of the stage, and the marks over it."""

    artwork: str
    marks: tuple[Mark, ...]
    width: float
    height: float


@cache
def templates() -> list[Template]:
    """Every version of every template."""
    return [
        Template(match[1], int(match[2]), sm3.hexdigest(file.read_bytes()))
        for file in sorted(_folder().iterdir(), key=lambda file: file.name)
        if (match := _NAME.fullmatch(file.name))
    ]


@cache
def template(code: str, version: int | None = None) -> Template:
    """That version of a template, or the newest. Raises Refused `FACE_UNKNOWN`."""
    found = [each for each in templates() if each.code == code and version in (None, each.version)]
    if not found:
        raise Refused(
            "FACE_UNKNOWN",
            f"没有卡面版式“{code}”。" if version is None else f"没有卡面版式“{code}”第 {version} 版。",
            found=code,
            action="请核对卡种设置中的卡面版式。",
        )
    return max(found, key=lambda each: each.version)


@cache
def layout(of: Template, side: str, stage: str) -> Layout | None:
    """A side of a template in the colour of a stage; None where it has no such side."""
    root = ET.fromstring(_folder().joinpath(f"{of.code}.v{of.version}.svg").read_bytes())  # noqa: S314 - ours
    sides = {each.get("data-side"): each for each in root.findall(f"{{{_SVG}}}svg")}
    found = sides.get(side) if sides else (root if side == "front" else None)
    if found is None:
        return None
    marks = tuple(_take_marks(found, {}, stage))
    for attribute in ("x", "y", "data-side"):
        found.attrib.pop(attribute, None)
    _, _, width, height = map(float, found.get("viewBox", "").split())
    ET.register_namespace("", _SVG)
    return Layout(ET.tostring(found, encoding="unicode"), marks, width, height)


def _folder() -> Traversable:
    return resources.files("xueka.contexts.printing").joinpath("data/faces")


def _take_marks(parent: ET.Element, above: dict[str, str], stage: str) -> Iterator[Mark]:
    """Take the texts and the boxes to fill out of the tree; colour what follows the stage."""
    here = above | {name: parent.attrib[name] for name in _INHERITED if name in parent.attrib}
    for child in list(parent):
        field = child.get("data-field", "")
        if field == "stage_colour":
            child.set("fill", child.get(f"data-{stage}", child.get("fill", "")))
        elif child.tag == f"{{{_SVG}}}text" or field:
            yield _mark(child, here | dict(child.attrib))
            if child.tag.endswith("text") or "fill" not in child.attrib:
                parent.remove(child)  # a box with a fill is artwork behind the picture
        else:
            yield from _take_marks(child, here, stage)


def _mark(element: ET.Element, attributes: dict[str, str]) -> Mark:
    def number(name: str, otherwise: float = 0) -> float:
        return float(attributes.get(name, otherwise))

    size = round(number("font-size", 24))
    mono = attributes.get("font-family") == "monospace"
    bold = attributes.get("font-weight") == "bold"
    return Mark(
        element.get("data-field", ""),
        (element.text or "").strip(),
        number("x"),
        number("y"),
        number("data-width" if element.tag.endswith("text") else "width"),
        number("height"),
        size,
        round(number("data-least", size)),
        attributes.get("text-anchor", "start"),
        attributes.get("fill", "#000000"),
        "mono" if mono else "bold" if bold else "regular",
        attributes.get("data-content", ""),
    )
