"""A card's two sides as pictures at 300 dpi, and as the document that goes to the printer."""

import io
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import barcode
import segno
import typst
from PIL import Image, ImageDraw, ImageOps

from xueka.contexts.printing.adapters import fonts
from xueka.contexts.printing.adapters.templates import Layout, Mark, Template, layout
from xueka.contexts.printing.domain.faces import (
    DPI,
    FIELDS,
    HEIGHT,
    HEIGHT_MM,
    SIDES,
    WIDTH,
    WIDTH_MM,
    Contents,
    fitted,
)
from xueka.kernel.errors import Refused, XuekaError

_ART = """
#set page(width: {width}pt, height: {height}pt, margin: 0pt, fill: white)
#image(bytes(sys.inputs.svg), format: "svg", width: 100%, height: 100%, fit: "stretch")
"""
_PAGE = """
#set document(date: none)
#set page(width: {width}mm, height: {height}mm, margin: 0mm)
{images}
"""
_ANCHORS = {"start": 0.0, "middle": 0.5, "end": 1.0}
#: Pixels of the narrowest bar: 3 are 0.254 mm; below 2 a scanner reads a card printer's bars badly.
_BAR_PIXELS = (4, 3, 2)
_QUIET_BARS, _QUIET_MODULES = 10, 4


def draw(template: Template, contents: Contents, sides: Sequence[str] = SIDES) -> dict[str, Image.Image]:
    """The sides, 1011 × 638 pixels; one that the template has not is white. All of its text is checked.

    Raises Refused `GLYPH_MISSING`, `FACE_TEXT_TOO_LONG`, `FACE_PHOTO_MISSING`, `FACE_BAR_CODE`, or
    `FONT_MISSING`.
    """
    layouts = {side: layout(template, side, contents.stage) for side in SIDES}
    _check_glyphs([found for found in layouts.values() if found], contents)
    return {side: _side(layouts[side], contents) for side in sides}


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", dpi=(DPI, DPI), optimize=False)
    return out.getvalue()


def document(sides: Sequence[Image.Image]) -> bytes:
    """A PDF with one page of exactly ID-1 for each side, the pixels without loss."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for number, side in enumerate(sides):
            folder.joinpath(f"{number}.png").write_bytes(png(side))
        images = "\n#pagebreak()\n".join(
            f'#image("{number}.png", width: 100%, height: 100%, fit: "stretch")'
            for number in range(len(sides))
        )
        source = _PAGE.format(width=WIDTH_MM, height=HEIGHT_MM, images=images)
        folder.joinpath("card.typ").write_text(source)
        return bytes(typst.compile(str(folder / "card.typ")))


def _check_glyphs(layouts: Sequence[Layout], contents: Contents) -> None:
    """Every character of every text, before anything is drawn, so that one answer names them all."""
    missing: dict[str, str] = {}
    for mark in (mark for found in layouts for mark in found.marks):
        text = _text(mark, contents)
        faces = fonts.faces_of(mark.style) if text else []
        for char in text:
            if not any(ord(char) in face.covers for face in faces):
                missing.setdefault(char, FIELDS.get(mark.field, "卡面文字"))
    if missing:
        raise fonts.missing_glyphs(missing, "、".join(dict.fromkeys(missing.values())))


def _side(found: Layout | None, contents: Contents) -> Image.Image:
    if found is None:
        return Image.new("RGB", (WIDTH, HEIGHT), "white")
    image = _artwork(found.artwork).copy()
    scale = WIDTH / found.width, HEIGHT / found.height
    for mark in found.marks:
        try:
            _put(image, mark, contents, scale)
        except XuekaError as error:
            error.where = error.where or FIELDS.get(mark.field or mark.content, mark.field)
            raise
    return image


def _put(image: Image.Image, mark: Mark, contents: Contents, scale: tuple[float, float]) -> None:
    if mark.field == "photo":
        _put_photo(image, _box(mark, scale), contents.photo)
    elif mark.field == "qr_code":
        _put_qr(image, _box(mark, scale), contents.texts.get(mark.content, ""))
    elif mark.field == "bar_code":
        _put_bars(image, _box(mark, scale), contents.texts.get(mark.content, ""))
    elif text := _text(mark, contents):
        _put_text(image, mark, text, scale)


def _text(mark: Mark, contents: Contents) -> str:
    return contents.texts.get(mark.field, "") if mark.field else mark.text


def _put_text(image: Image.Image, mark: Mark, text: str, scale: tuple[float, float]) -> None:
    pieces = fonts.runs(text, mark.style)

    def width_at(size: int) -> float:
        pixels = round(size * scale[1])
        return sum(fonts.sized(face, pixels).getlength(piece) for face, piece in pieces)

    room = mark.width * scale[0] or WIDTH
    size = fitted(width_at, mark.size, mark.least, room)
    if size is None:
        raise Refused(
            "FACE_TEXT_TOO_LONG",
            f"“{text}”太长，缩到最小的字也印不下。",
            found=f"{len(text)} 个字",
            expected=f"在最小字号下宽不超过 {room / DPI * 25.4:.1f} 毫米",
            action="请核对名册中的写法；确实如此的，请改卡面版式。",
        )
    pen = ImageDraw.Draw(image)
    x = mark.x * scale[0] - width_at(size) * _ANCHORS[mark.anchor]
    for face, piece in pieces:
        font = fonts.sized(face, round(size * scale[1]))
        pen.text((x, mark.y * scale[1]), piece, fill=mark.fill, font=font, anchor="ls")
        x += font.getlength(piece)


def _put_photo(image: Image.Image, box: tuple[int, int, int, int], photo: bytes | None) -> None:
    if photo is None:
        raise Refused("FACE_PHOTO_MISSING", "卡面要印照片，但没有照片。", action="请先上传照片。")
    left, top, width, height = box
    with Image.open(io.BytesIO(photo)) as opened:
        portrait = ImageOps.fit(opened.convert("RGB"), (width, height), Image.Resampling.LANCZOS)
    image.paste(portrait, (left, top))


def _put_qr(image: Image.Image, box: tuple[int, int, int, int], text: str) -> None:
    if not text:
        return
    left, top, width, height = box
    modules = segno.make(text, error="m", micro=False).matrix
    count = len(modules)
    pixels = min(width, height) // (count + 2 * _QUIET_MODULES)
    pen = ImageDraw.Draw(image)
    pen.rectangle((left, top, left + width - 1, top + height - 1), fill="white")
    x0, y0 = left + (width - count * pixels) // 2, top + (height - count * pixels) // 2
    for row, line in enumerate(modules):
        for column, dark in enumerate(line):
            if dark:
                x, y = x0 + column * pixels, y0 + row * pixels
                pen.rectangle((x, y, x + pixels - 1, y + pixels - 1), fill="black")


def _put_bars(image: Image.Image, box: tuple[int, int, int, int], text: str) -> None:
    if not text:
        return
    left, top, width, height = box
    [bars] = barcode.get("code128", text).build()
    needed = len(bars) + 2 * _QUIET_BARS
    pixels = next((each for each in _BAR_PIXELS if needed * each <= width), None)
    if pixels is None:
        raise Refused(
            "FACE_BAR_CODE",
            "条码的内容太长，印出来扫不了。",
            found=f"{len(text)} 个字符",
            action="请改卡面版式中条码的宽度。",
        )
    pen = ImageDraw.Draw(image)
    pen.rectangle((left, top, left + width - 1, top + height - 1), fill="white")
    x = left + (width - len(bars) * pixels) // 2
    for bar in bars:
        if bar == "1":
            pen.rectangle((x, top, x + pixels - 1, top + height - 1), fill="black")
        x += pixels


def _box(mark: Mark, scale: tuple[float, float]) -> tuple[int, int, int, int]:
    """Left, top, width, height in pixels."""
    left, top = round(mark.x * scale[0]), round(mark.y * scale[1])
    return left, top, round(mark.width * scale[0]), round(mark.height * scale[1])


@cache
def _artwork(svg: str) -> Image.Image:
    source = _ART.format(width=WIDTH, height=HEIGHT)
    drawn = typst.compile(source.encode(), format="png", ppi=72.0, sys_inputs={"svg": svg})
    with Image.open(io.BytesIO(drawn)) as opened:
        return opened.convert("RGB")
