"""Portraits: what is accepted, mended, doubted and refused; what is kept of them; a school's ZIP."""

import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.unit.cards.conftest import PORTRAIT, City
from xueka.contexts.cards import api as cards
from xueka.contexts.cards.models import Application, Photo
from xueka.kernel.errors import BadInput, NotFound
from xueka.platform.audit.models import Entry
from xueka.simulation.portraits import draw_portrait

RULE = (358, 441)


def jpeg(image: Image.Image, **more: object) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", **{"quality": 90, **more})
    return out.getvalue()


def portrait(size: tuple[int, int] = RULE) -> Image.Image:
    return Image.open(io.BytesIO(PORTRAIT)).convert("RGB").resize(size)


def noise(size: tuple[int, int] = RULE) -> Image.Image:
    chance = random.Random(1)
    return Image.frombytes(
        "RGB", size, bytes(chance.randrange(150, 256) for _ in range(size[0] * size[1] * 3))
    )


def codes(content: bytes) -> list[str]:
    return [finding["code"] for finding in cards.check_portrait(content).findings]


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize("seed", range(12))
def test_a_drawn_portrait_is_in_order(seed: int) -> None:
    content = draw_portrait(seed)
    assert content == draw_portrait(seed) != draw_portrait(seed + 1)
    assert len(content) <= 60 * 1024
    assert codes(content) == []
    assert opened(cards.check_portrait(content).content).size == RULE


def test_too_many_bytes_are_compressed_and_it_is_said() -> None:
    content = jpeg(noise(), quality=100)
    assert len(content) > 60 * 1024
    checked = cards.check_portrait(content)
    assert len(checked.content) <= 60 * 1024
    said = {finding["code"]: finding["message"] for finding in checked.findings}
    assert said["photo_compressed"] == f"照片 {len(content) / 1024:.0f} KB，超过 60 KB：已自动压缩"


@pytest.mark.parametrize(
    ("size", "expected"),
    [((716, 882), ["photo_scaled"]), ((718, 880), ["photo_scaled"]), ((300, 370), ["photo_enlarged"])],
)
def test_right_proportions_are_scaled(size: tuple[int, int], expected: list[str]) -> None:
    checked = cards.check_portrait(jpeg(portrait(size)))
    assert [finding["code"] for finding in checked.findings] == expected
    assert (checked.width, checked.height) == opened(checked.content).size == RULE


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (jpeg(portrait((441, 358))), "PHOTO_RATIO"),
        (jpeg(portrait((400, 441))), "PHOTO_RATIO"),
        (jpeg(portrait((179, 220))), "PHOTO_TOO_SMALL"),
        (b"", "PHOTO_NOT_JPEG"),
        (b"GIF89a" + b"\0" * 100, "PHOTO_NOT_JPEG"),
        (PORTRAIT[: len(PORTRAIT) // 2], "PHOTO_NOT_JPEG"),
        (b"\xff\xd8\xff" + b"\0" * 11_000_000, "PHOTO_FILE_TOO_BIG"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(content: bytes, code: str) -> None:
    with pytest.raises(BadInput) as refusal:
        cards.check_portrait(content)
    assert refusal.value.code == code
    assert refusal.value.expected


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def test_a_png_becomes_a_jpeg_and_it_is_said() -> None:
    checked = cards.check_portrait(png(portrait()))
    assert checked.findings[0]["code"] == "photo_converted"
    assert (opened(checked.content).format, opened(checked.content).size) == ("JPEG", RULE)


def test_what_is_transparent_becomes_white() -> None:
    image = portrait().convert("RGBA")
    image.putalpha(Image.new("L", image.size, 0))
    assert opened(cards.check_portrait(png(image)).content).convert("L").getpixel((5, 5)) > 250


@pytest.mark.parametrize(("format", "code"), [("GIF", "PHOTO_NOT_JPEG"), ("BMP", "PHOTO_NOT_JPEG")])
def test_other_pictures_are_refused_whatever_they_are_called(format: str, code: str) -> None:
    out = io.BytesIO()
    portrait().save(out, format)
    with pytest.raises(BadInput, match="JPEG 或 PNG") as refusal:
        cards.check_portrait(out.getvalue())
    assert refusal.value.code == code


def test_a_part_of_a_photo_is_taken() -> None:
    wide = Image.new("RGB", (900, 500), (215, 225, 240))
    wide.paste(portrait(), (300, 40))
    with pytest.raises(BadInput, match="比例"):
        cards.check_portrait(jpeg(wide))
    checked = cards.check_portrait(jpeg(wide), crop=cards.Box(300, 40, *RULE))
    assert [finding["code"] for finding in checked.findings] == ["photo_cropped"]
    assert opened(checked.content).size == RULE
    for wrong in ((-1, 0, *RULE), (600, 40, *RULE), (300, 40, 0, 0), (300, 40, 300, 300)):
        with pytest.raises(BadInput):
            cards.check_portrait(jpeg(wide), crop=cards.Box(*wrong))


def test_the_first_frame_has_the_right_proportions() -> None:
    for size in ((900, 500), (500, 900), (358, 441), (3000, 4000)):
        box = cards.first_box(*size)
        assert box.x >= 0 and box.y >= 0
        assert box.x + box.width <= size[0] and box.y + box.height <= size[1]
        assert abs(box.width / box.height - 358 / 441) < 0.02


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    head = jpeg(portrait((8, 8)))
    frame = head.index(b"\xff\xc0")
    bomb = head[: frame + 5] + b"\xff\xff\xff\xff" + head[frame + 9 :]
    with pytest.raises(BadInput) as refusal:
        cards.check_portrait(bomb)
    assert (refusal.value.code, refusal.value.found) == ("PHOTO_TOO_MANY_PIXELS", "65535×65535")


def test_a_dark_background_is_a_doubt() -> None:
    dark = portrait().point(lambda value: value // 2)
    assert codes(jpeg(dark)) == ["photo_background"]
    assert set(codes(jpeg(dark))) <= set(cards.DOUBTS)


def test_a_patterned_background_is_a_doubt() -> None:
    image = portrait()
    for row in range(0, 441, 40):
        image.paste((40, 40, 40), (0, row, 40, row + 20))
    assert codes(jpeg(image)) == ["photo_busy"]


def test_a_face_in_the_dark_is_a_doubt() -> None:
    image = portrait()
    image.paste((20, 20, 20), (80, 100, 280, 441))
    assert codes(jpeg(image)) == ["photo_dark"]


def test_a_small_figure_is_a_doubt() -> None:
    image = Image.new("RGB", RULE, (215, 225, 240))
    image.paste(portrait((110, 135)), (124, 300))
    assert codes(jpeg(image)) == ["photo_small_face"]


def test_a_gray_photo_is_a_doubt() -> None:
    assert codes(jpeg(portrait().convert("L"))) == ["photo_gray"]
    assert codes(jpeg(portrait().convert("L").convert("RGB"))) == ["photo_gray"]


def test_nothing_but_the_picture_is_kept() -> None:
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    content = jpeg(portrait(), exif=exif, comment=b"SecretComment") + b"SecretTail"
    kept = cards.check_portrait(content).content
    assert b"Secret" not in kept
    assert not opened(kept).getexif()


def test_a_photo_taken_sideways_is_turned() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    checked = cards.check_portrait(jpeg(portrait().rotate(90, expand=True), exif=exif))
    assert [finding["code"] for finding in checked.findings] == ["photo_turned"]
    upright = opened(checked.content).convert("L").resize((8, 8))
    straight = portrait().convert("L").resize((8, 8))
    difference = [abs(a - b) for a, b in zip(upright.tobytes(), straight.tobytes(), strict=True)]
    assert max(difference) < 25


def test_a_print_shop_photo_in_cmyk_is_read() -> None:
    checked = cards.check_portrait(jpeg(portrait().convert("CMYK")))
    assert opened(checked.content).mode == "RGB"


@given(st.binary(max_size=60), st.integers(0, len(PORTRAIT)))
def test_damaged_photos_are_refused_and_never_break_anything(bits: bytes, at: int) -> None:
    damaged = PORTRAIT[:at] + bits + PORTRAIT[at + len(bits) :]
    try:
        assert opened(cards.check_portrait(damaged).content).size == RULE
    except BadInput as refusal:
        assert refusal.code.startswith("PHOTO_")


# --- kept and attached ---


def test_a_photo_is_sealed_and_put_on_open_drafts(city: City) -> None:
    [student] = city.students()
    [one] = city.drafts([student], photos=False)
    photo = cards.upload_photo(city.officer, student, PORTRAIT, "a.jpg")
    assert Application.objects.get(id=one).photo_id == photo.id
    assert photo.file.sealed and bytes(photo.file.content)[:2] != b"\xff\xd8"
    kept = cards.photo_bytes(city.officer, photo.id)
    assert opened(kept).size == RULE
    assert Entry.objects.filter(action="photo.upload", object_id="00000001").count() == 1
    cards.submit(city.officer, [one])
    newer = cards.upload_photo(city.officer, student, draw_portrait(2), "b.jpg")
    assert Application.objects.get(id=one).photo_id == photo.id
    assert cards.latest_photos(city.officer.scope, [student]) == {student: newer}


def test_a_later_application_starts_with_the_photo_on_file(city: City) -> None:
    [student] = city.students()
    photo = cards.upload_photo(city.officer, student, PORTRAIT, "a.jpg")
    [one] = city.drafts([student], photos=False)
    assert Application.objects.get(id=one).photo_id == photo.id


def test_strangers_neither_upload_nor_look(city: City) -> None:
    [student] = city.students()
    photo = cards.upload_photo(city.officer, student, PORTRAIT, "a.jpg")
    with pytest.raises(NotFound):
        cards.upload_photo(city.other_officer, student, PORTRAIT, "a.jpg")
    with pytest.raises(NotFound):
        cards.photo_bytes(city.other_officer, photo.id)


def test_a_refused_photo_names_its_file_and_changes_nothing(city: City) -> None:
    [student] = city.students()
    with pytest.raises(BadInput) as refusal:
        cards.upload_photo(city.officer, student, b"nonsense", "张三.jpg")
    assert refusal.value.where == "张三.jpg"
    assert not Photo.objects.exists()
