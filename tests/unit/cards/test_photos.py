"""Portraits: what is accepted, mended, doubted and refused; what is kept of them; a school's ZIP."""

import io
import random
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.unit.cards.conftest import PORTRAIT, City
from xueka.contexts.cards import api as cards
from xueka.contexts.cards.models import Application, Photo
from xueka.contexts.cards.services import photos
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
    [finding] = checked.findings
    assert finding["code"] == "photo_compressed"
    assert finding["message"] == f"照片 {len(content) / 1024:.0f} KB，超过 60 KB：已自动压缩"


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


def test_a_png_that_calls_itself_jpeg_is_refused() -> None:
    out = io.BytesIO()
    portrait().save(out, "PNG")
    with pytest.raises(BadInput, match="JPEG"):
        cards.check_portrait(out.getvalue())


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


def archive(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return out.getvalue()


def test_a_zip_is_matched_by_education_id_and_each_file_answered(city: City) -> None:
    first, second = city.students(2)
    city.students(1, school=1)
    content = archive(
        {
            "照片/00000001.jpg": PORTRAIT,
            "照片/00000002.jpg": b"nonsense",
            "照片/00000003.jpg": PORTRAIT,
            "照片/小明.jpg": PORTRAIT,
            "__MACOSX/._00000001.jpg": b"x",
            "Thumbs.db": b"x",
        }
    )
    outcomes = {each.file_name: each for each in cards.upload_photo_archive(city.officer, content)}
    assert {name: (each.student_id, each.code) for name, each in outcomes.items()} == {
        "照片/00000001.jpg": (first, ""),
        "照片/00000002.jpg": (second, "PHOTO_NOT_JPEG"),
        "照片/00000003.jpg": (None, "PHOTO_STUDENT_UNKNOWN"),
        "照片/小明.jpg": (None, "PHOTO_STUDENT_UNKNOWN"),
    }
    assert Photo.objects.get().id == outcomes["照片/00000001.jpg"].photo_id
    [only] = cards.upload_photo_archive(city.officer, archive({"00000001.jpg": PORTRAIT}), [second])
    assert only.code == "PHOTO_STUDENT_UNKNOWN"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04nonsense", archive({"a.jpg": PORTRAIT})[:-30]])
def test_what_is_no_zip_is_refused(city: City, content: bytes) -> None:
    with pytest.raises(BadInput) as refusal:
        cards.upload_photo_archive(city.officer, content)
    assert refusal.value.code == "ARCHIVE_UNREADABLE"


def test_a_zip_of_too_many_files_is_refused(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos, "ARCHIVE_FILES", 1)
    with pytest.raises(BadInput, match="过多"):
        cards.upload_photo_archive(city.officer, archive({"1.jpg": PORTRAIT, "2.jpg": PORTRAIT}))


def test_an_enormous_member_is_not_unpacked_whole(city: City) -> None:
    city.students()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("00000001.jpg", b"\0" * (30 * 1024 * 1024))
    [outcome] = cards.upload_photo_archive(city.officer, out.getvalue())
    assert outcome.code == "PHOTO_FILE_TOO_BIG"
