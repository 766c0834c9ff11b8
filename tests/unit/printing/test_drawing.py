"""Card faces, checked by reading them back: size, colours, QR code and bar code, every glyph there."""

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pypdf
import pytest
import zxingcpp
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from PIL import Image

from xueka.contexts.printing.adapters import drawing, fonts
from xueka.contexts.printing.adapters.templates import layout, template, templates
from xueka.contexts.printing.domain.faces import FIELDS, PICTURES, SIDES, STAGE_CODES, Contents, fitted
from xueka.kernel.errors import Refused

RARE = "\U0002a6a5"

#: What went to the bureau under a version never changes; another look is another version.
DIGESTS = {
    ("BJT-STD", 1): "16bab143cbd862dc58159ccdcea87475ef2af7015a9e06b5c825fd530fc3e33a",
    ("BJT-STD", 2): "9dd2b6e6272ad021033b0e52aa4729751321e8d211634c311547c29ed5557188",
    ("XJ-2007", 1): "f7ca7ccb326252c541a317e4edebafea104e83ecd7885bf77f34098cb0836972",
    ("XJ-2007", 2): "643cd1cf775422effe6d88a992a9662728ce7e66ba1141da60fc91ffa35f9567",
    ("ZJ-2007", 1): "16c17d4d3ca95c81e46b17da7628475733d12d71d95be8aa4559233c26408710",
    ("ZJ-2007", 2): "9b340338e22dfe9b9bca91bb10b9284f1266ba01497eaacae2851d85f234a5cf",
}


def _photo() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (358, 441), "#9bb8d8").save(out, "JPEG")
    return out.getvalue()


CONTENTS = Contents(
    {
        "school_name": "北京市东城区史家胡同小学",
        "name": "欧阳·阿依古丽",
        "sex": "女",
        "education_id": "10000017",
        "validity": "2026年9月1日—2038年8月31日",
        "valid_until": "2038年8月31日",
        "card_number": "260000000173",
        "transit_number": "3104911000270001",
        "beijing_tong_number": "BJT0123456789012",
        "hotline": "服务热线 400-000-0000",
    },
    "junior",
    _photo(),
)


@pytest.fixture
def few_fonts(tmp_path: Path, settings: pytest.FixtureRequest) -> Iterator[Path]:
    """Only the first font of each style, and an empty folder for the city's own; returns that folder."""
    folder, home = tmp_path / "system", tmp_path / "home"
    (home / "fonts").mkdir(parents=True), folder.mkdir()
    for style in fonts.STYLES:
        path = fonts.faces_of(style)[0].path
        if not (folder / path.name).exists():
            (folder / path.name).symlink_to(path)
    settings.CARD_FONT_FOLDERS = [str(folder)]  # type: ignore[attr-defined]
    settings.XUEKA_HOME = home  # type: ignore[attr-defined]
    fonts.forget()
    yield home / "fonts"
    fonts.forget()


@pytest.mark.parametrize("of", templates(), ids=lambda of: f"{of.code}.v{of.version}")
def test_every_version_is_drawn_in_every_stage(of: object) -> None:
    for stage in ("", *STAGE_CODES.values()):
        sides = drawing.draw(of, replace(CONTENTS, stage=stage))  # type: ignore[arg-type]
        assert set(sides) == set(SIDES)
        assert {(image.size, image.mode) for image in sides.values()} == {((1011, 638), "RGB")}


def test_a_version_never_changes() -> None:
    assert {(of.code, of.version): of.digest for of in templates()} == DIGESTS


def test_a_template_names_known_fields_only() -> None:
    for of in templates():
        for side in SIDES:
            found = layout(of, side, "primary")
            for mark in found.marks if found else ():
                assert mark.field in {"", *FIELDS, *PICTURES}, (of, mark)
                assert bool(mark.content) == (mark.field in ("qr_code", "bar_code")) or of.version == 1
                assert mark.content in {"", *FIELDS}


@pytest.mark.parametrize(
    ("code", "qr", "bars"), [("BJT-STD", "10000017", "260000000173"), ("ZJ-2007", "10000017", "10000017")]
)
def test_codes_are_read_back(code: str, qr: str, bars: str) -> None:
    sides = drawing.draw(template(code), CONTENTS)
    read = {
        found.format.name: found.text for side in sides.values() for found in zxingcpp.read_barcodes(side)
    }
    assert read == {"QRCode": qr, "Code128": bars}


def test_the_stage_gives_its_colour() -> None:
    corner = {
        stage: drawing.draw(template("ZJ-2007"), replace(CONTENTS, stage=stage))["front"].getpixel((5, 400))
        for stage in STAGE_CODES.values()
    }
    assert corner == {"primary": (242, 217, 116), "junior": (169, 211, 240), "senior": (147, 207, 159)}


def test_the_photo_stands_in_its_box_and_only_where_the_template_says() -> None:
    front = drawing.draw(template("ZJ-2007"), CONTENTS)["front"]
    assert max(abs(a - b) for a, b in zip(front.getpixel((820, 300)), (155, 184, 216), strict=True)) < 4
    with pytest.raises(Refused) as refusal:
        drawing.draw(template("ZJ-2007"), replace(CONTENTS, photo=None))
    assert refusal.value.code == "FACE_PHOTO_MISSING"
    without = drawing.draw(template("BJT-STD"), replace(CONTENTS, photo=None))
    assert without["front"].tobytes() == drawing.draw(template("BJT-STD"), CONTENTS)["front"].tobytes()


def test_another_name_is_another_picture() -> None:
    one = drawing.draw(template("BJT-STD"), CONTENTS)
    other = drawing.draw(template("BJT-STD"), _named("欧阳·阿依古里"))
    assert one["front"].tobytes() != other["front"].tobytes()
    assert one["back"].tobytes() == other["back"].tobytes()


def test_a_long_name_shrinks_and_then_is_refused() -> None:
    drawing.draw(template("BJT-STD"), _named("阿" * 17))
    with pytest.raises(Refused) as refusal:
        drawing.draw(template("BJT-STD"), _named("阿" * 19))
    assert (refusal.value.code, refusal.value.where) == ("FACE_TEXT_TOO_LONG", "姓名")


def test_the_rule_of_shrinking() -> None:
    assert fitted(lambda size: size * 10, 40, 22, 400) == 40
    assert fitted(lambda size: size * 10, 40, 22, 399) == 39
    assert fitted(lambda size: size * 10, 40, 22, 220) == 22
    assert fitted(lambda size: size * 10, 40, 22, 219) is None


def test_a_missing_glyph_stops_the_card_and_is_named(few_fonts: Path) -> None:
    with pytest.raises(Refused) as refusal:
        drawing.draw(template("BJT-STD"), _named(f"王{RARE}\U00031350"))
    error = refusal.value
    assert (error.code, error.where) == ("GLYPH_MISSING", "姓名")
    assert error.detail["characters"] == ["U+2A6A5", "U+31350"]
    assert f"“{RARE}”（U+2A6A5）" in error.message
    assert "fonts-hanazono" in str(error.action)


def test_a_font_of_the_city_draws_the_rare_character(few_fonts: Path) -> None:
    _font(few_fonts / "city.ttf", RARE)
    fonts.forget()
    [(first, _), (second, piece)] = fonts.runs(f"王{RARE}", "bold")
    assert (second.path.name, piece) == ("city.ttf", RARE) and first.path != second.path
    drawn = drawing.draw(template("BJT-STD"), _named(f"王{RARE}"))["front"]
    plain = drawing.draw(template("BJT-STD"), _named("王"))["front"]
    box = (262, 240, 320, 300)  # where the second character stands
    assert (16, 37, 63) in drawn.crop(box).get_flattened_data()
    assert (16, 37, 63) not in plain.crop(box).get_flattened_data()


def test_a_machine_without_a_chinese_font_says_which_package(few_fonts: Path, tmp_path: Path) -> None:
    for link in (tmp_path / "system").iterdir():
        link.unlink()
    fonts.forget()
    with pytest.raises(Refused) as refusal:
        drawing.draw(template("BJT-STD"), CONTENTS)
    assert (refusal.value.code, refusal.value.expected) == ("FONT_MISSING", "fonts-noto-cjk")


def test_the_document_has_both_sides_at_their_size_without_loss() -> None:
    sides = drawing.draw(template("BJT-STD"), CONTENTS)
    pages = pypdf.PdfReader(io.BytesIO(drawing.document([sides[side] for side in SIDES]))).pages
    assert len(pages) == 2
    for page, side in zip(pages, SIDES, strict=True):
        width, height = (float(each) / 72 * 25.4 for each in (page.mediabox.width, page.mediabox.height))
        assert (round(width, 2), round(height, 2)) == (85.6, 53.98)
        [picture] = page.images
        assert picture.image is not None
        assert picture.image.convert("RGB").tobytes() == sides[side].tobytes()


def test_a_png_says_its_resolution() -> None:
    side = drawing.draw(template("BJT-STD"), CONTENTS)["front"]
    with Image.open(io.BytesIO(drawing.png(side))) as read:
        assert tuple(round(each) for each in read.info["dpi"]) == (300, 300)


def test_a_bar_code_that_no_scanner_would_read_is_refused() -> None:
    texts = CONTENTS.texts | {"card_number": "A" * 40}
    with pytest.raises(Refused) as refusal:
        drawing.draw(template("BJT-STD"), replace(CONTENTS, texts=texts))
    assert refusal.value.code == "FACE_BAR_CODE"


def test_an_unknown_template() -> None:
    with pytest.raises(Refused) as refusal:
        template("NOPE")
    assert refusal.value.code == "FACE_UNKNOWN"
    assert template("BJT-STD", 1).version == 1


def _named(name: str) -> Contents:
    return replace(CONTENTS, texts=CONTENTS.texts | {"name": name})


def _font(path: Path, character: str) -> None:
    """A font with one black square for one character."""
    pen = TTGlyphPen(None)
    pen.moveTo((50, 0))
    for point in ((50, 800), (950, 800), (950, 0)):
        pen.lineTo(point)
    pen.closePath()
    square = pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "square"])
    builder.setupCharacterMap({ord(character): "square"})
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "square": square})
    builder.setupHorizontalMetrics({".notdef": (1000, 0), "square": (1000, 50)})
    builder.setupHorizontalHeader(ascent=880, descent=-120)
    builder.setupNameTable({"familyName": "City", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=880, sTypoDescender=-120)
    builder.setupPost()
    builder.save(path)
