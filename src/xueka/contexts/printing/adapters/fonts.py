"""Which font draws a character. What none of them has is an error before printing, never a box on a card."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from django.conf import settings
from fontTools.ttLib import TTCollection, TTFont
from PIL import ImageFont

from xueka.kernel.errors import Refused

STYLES = ("regular", "bold", "mono")
_ENDINGS = {".ttf", ".ttc", ".otf"}


@dataclass(frozen=True, slots=True)
class Face:
    """One face of a font file; `covers` are the code points that it has a glyph for."""

    path: Path
    index: int
    covers: frozenset[int]


def runs(text: str, style: str) -> list[tuple[Face, str]]:
    """The text in pieces, each with the face that draws it.

    Raises Refused `FONT_MISSING` where the machine has no font for the style at all, `GLYPH_MISSING` (detail
    `characters`) for characters that no font has.
    """
    faces = faces_of(style)
    pieces: list[tuple[Face, str]] = []
    missing: list[str] = []
    for char in text:
        face = next((each for each in faces if ord(char) in each.covers), None)
        if face is None:
            missing.append(char)
        elif pieces and pieces[-1][0] == face:
            pieces[-1] = (face, pieces[-1][1] + char)
        else:
            pieces.append((face, char))
    if missing:
        raise missing_glyphs(missing)
    return pieces


def missing_glyphs(characters: Iterable[str], where: str | None = None) -> Refused:
    """The refusal that names characters and code points."""
    found = list(dict.fromkeys(characters))
    named = "、".join(f"“{char}”（U+{ord(char):04X}）" for char in found)
    packages = "、".join(dict.fromkeys(each["package"] for each in _listed() if each["style"] == "any"))
    return Refused(
        "GLYPH_MISSING",
        f"没有字体能印出 {named}，本卡不能打印。",
        where=where,
        found="、".join(f"U+{ord(char):04X}" for char in found),
        action=f"请安装生僻字字体（{packages}），或把含此字的字体放进数据目录的 fonts 文件夹，再打印。",
        characters=[f"U+{ord(char):04X}" for char in found],
    )


@cache
def faces_of(style: str) -> list[Face]:
    """The faces of a style in the order in which they are tried. Raises Refused `FONT_MISSING`."""
    wanted = [each for each in _listed() if each["style"] == style]
    found = [_face(path, each.get("face", "")) for each in wanted for path in _files(each["file"])]
    if not found:
        raise Refused(
            "FONT_MISSING",
            "本机没有中文字体，不能画卡面。",
            expected=wanted[0]["package"],
            action=f"请安装 {wanted[0]['package']}。",
        )
    own = [_face(path, "") for path in sorted(_own().glob("*")) if path.suffix.lower() in _ENDINGS]
    rare = [_face(path, "") for each in _listed() if each["style"] == "any" for path in _files(each["file"])]
    return [*found, *own, *rare]


@cache
def sized(face: Face, pixels: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(face.path), pixels, face.index, layout_engine=ImageFont.Layout.BASIC)


@cache
def _face(path: Path, name: str) -> Face:
    if path.suffix.lower() != ".ttc":
        with TTFont(path, lazy=True) as font:
            return Face(path, 0, frozenset(font.getBestCmap() or ()))
    with TTCollection(path, lazy=True) as collection:
        names = [str(font["name"].getDebugName(1)) for font in collection.fonts]
        index = names.index(name) if name in names else 0
        return Face(path, index, frozenset(collection.fonts[index].getBestCmap() or ()))


@cache
def _listed() -> list[dict[str, str]]:
    file = resources.files("xueka.contexts.printing").joinpath("data/fonts.toml")
    listed: list[dict[str, str]] = tomllib.loads(file.read_text("utf-8"))["font"]
    return listed


@cache
def _files(name: str) -> list[Path]:
    """The first file of that name in the folders, or nothing."""
    folders = [Path(each).expanduser() for each in settings.CARD_FONT_FOLDERS]
    return next(([path] for folder in folders for path in sorted(folder.rglob(name))), [])


def _own() -> Path:
    return Path(settings.XUEKA_HOME) / "fonts"


def forget() -> None:
    """Look at the folders anew (tests; a font that was just installed)."""
    for kept in (faces_of, sized, _face, _files):
        kept.cache_clear()
