"""A class's photos as a school sends them: names, ZIPs that mean harm, and what could not be used."""

import io
import struct
import zipfile
from datetime import timedelta

import pytest
from PIL import Image

from tests.unit.cards.conftest import PORTRAIT, City
from xueka.contexts.cards import api as cards
from xueka.contexts.cards import archives, jobs
from xueka.contexts.cards.domain import photo_names
from xueka.contexts.cards.models import Photo, UnusedPhoto
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound
from xueka.platform.files.models import StoredFile
from xueka.simulation.portraits import draw_portrait


def archive(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return out.getvalue()


def class_of(student: int) -> int:
    return registry.Student.objects.get(id=student).school_class_id


def upload(city: City, students: list[int], content: bytes, name: str = "a.zip") -> list[cards.PhotoOutcome]:
    return cards.upload_photos(city.officer, class_of(students[0]), students, [(name, content)])


def wide() -> bytes:
    image = Image.new("RGB", (900, 500), (215, 225, 240))
    image.paste(Image.open(io.BytesIO(PORTRAIT)), (300, 40))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90)
    return out.getvalue()


def test_a_zip_is_matched_by_education_id_and_each_file_answered(city: City) -> None:
    first, second = students = city.students(2)
    city.students(1)
    content = archive(
        {
            "照片/00000001.jpg": PORTRAIT,
            "照片/00000002.jpg": b"nonsense",
            "照片/00000003.jpg": PORTRAIT,  # of the class, but not applied for
            "照片/小明.jpg": PORTRAIT,
            "__MACOSX/._00000001.jpg": b"x",
            "Thumbs.db": b"x",
        }
    )
    outcomes = {each.file_name: each for each in upload(city, students, content)}
    assert {name: (each.student_id, each.code) for name, each in outcomes.items()} == {
        "照片/00000001.jpg": (first, ""),
        "照片/00000002.jpg": (second, "PHOTO_NOT_JPEG"),
        "照片/00000003.jpg": (None, "PHOTO_STUDENT_UNKNOWN"),
        "照片/小明.jpg": (None, "PHOTO_STUDENT_UNKNOWN"),
    }
    assert Photo.objects.get().id == outcomes["照片/00000001.jpg"].photo_id


def test_files_one_by_one_and_a_second_one_for_the_same_child(city: City) -> None:
    students = city.students(2)
    files = [("00000001_学生1 (2).png", PORTRAIT), ("00000001.jpg", draw_portrait(5))]
    outcomes = cards.upload_photos(city.officer, class_of(students[0]), students, files)
    assert [(each.student_id, each.code) for each in outcomes] == [
        (students[0], ""),
        (students[0], "PHOTO_TWICE"),
    ]
    assert not UnusedPhoto.objects.exists()


def test_chinese_windows_names_its_folders_in_gbk(city: City) -> None:
    students = city.students(1)
    name = "三年级1班/00000001王小明.jpg"
    marked = archive({"@" * len(name.encode("gb18030")): PORTRAIT})
    content = marked.replace(b"@" * len(name.encode("gb18030")), name.encode("gb18030"))
    [outcome] = upload(city, students, content)
    assert (outcome.file_name, outcome.student_id) == (name, students[0])


def patched(content: bytes, at: int, form: str, value: int) -> bytes:
    """The archive with one field of its only central entry changed."""
    place = content.index(b"PK\x01\x02") + at
    return content[:place] + struct.pack(form, value) + content[place + struct.calcsize(form) :]


def broken_lzma() -> bytes:
    """A file compressed as few do it, with its inside altered."""
    content = bytearray(archive({"00000001.jpg": PORTRAIT}, zipfile.ZIP_LZMA))
    content[60:90] = b"\xff" * 30
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (archive({"../../00000001.jpg": PORTRAIT}), "PHOTO_PATH"),
        (archive({"/etc/00000001.jpg": PORTRAIT}), "PHOTO_PATH"),
        (archive({"C:\\x\\00000001.jpg": PORTRAIT}), "PHOTO_PATH"),
        (archive({"00000001.jpg": b"\0" * 9_000_000}, zipfile.ZIP_DEFLATED), "PHOTO_BOMB"),
        (archive({"00000001.jpg": b"\0" * 30_000_000}, zipfile.ZIP_DEFLATED), "PHOTO_FILE_TOO_BIG"),
        (patched(archive({"00000001.jpg": PORTRAIT}), 8, "<H", 1), "PHOTO_ENCRYPTED"),
        (patched(archive({"00000001.jpg": PORTRAIT}), 16, "<I", 7), "PHOTO_DAMAGED"),
        (patched(archive({"00000001.jpg": PORTRAIT}), 10, "<H", 99), "PHOTO_DAMAGED"),
        (broken_lzma(), "PHOTO_DAMAGED"),
        (archive({"00000001.jpg": b"MZ" + b"x" * 999}), "PHOTO_NOT_JPEG"),
        (archive({"00000001.jpg": archive({"00000001.jpg": PORTRAIT})}), "PHOTO_NOT_JPEG"),
    ],
)
def test_what_means_harm_is_refused_file_by_file(city: City, content: bytes, code: str) -> None:
    students = city.students(2)
    [outcome] = upload(city, students, content)
    assert outcome.code == code
    assert outcome.message
    assert not Photo.objects.exists()
    assert not StoredFile.objects.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04nonsense", archive({"a.jpg": PORTRAIT})[:-30]])
def test_what_is_no_zip_is_refused(city: City, content: bytes) -> None:
    with pytest.raises(BadInput) as refusal:
        upload(city, city.students(1), content)
    assert refusal.value.code == "ARCHIVE_UNREADABLE"


def test_a_zip_of_too_many_or_too_much_is_refused(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    students = city.students(1)
    monkeypatch.setattr(archives, "FILES", 1)
    with pytest.raises(BadInput, match="过多"):
        upload(city, students, archive({"1.jpg": PORTRAIT, "2.jpg": PORTRAIT}))
    monkeypatch.setattr(archives, "TOTAL_BYTES", 100)
    with pytest.raises(BadInput, match="过大"):
        upload(city, students, archive({"1.jpg": PORTRAIT}))


CHILDREN = [
    photo_names.Child(1, "20260001", "王子"),
    photo_names.Child(2, "20260002", "王子涵"),
    photo_names.Child(3, "20260093", "李雨桐"),
    photo_names.Child(4, "30000004", "李雨桐"),
]


@pytest.mark.parametrize(
    ("stem", "sure", "guess"),
    [
        ("20260001", 1, None),
        ("20260001_王子涵", 1, 2),
        ("3班-20260002 (1)", 2, None),
        ("王子涵", None, 2),
        ("王子", None, 1),
        ("李雨桐", None, None),  # two of that name
        ("2026093", None, 3),  # one digit missing
        ("20260039", None, 3),  # two exchanged
        ("30000005", None, 4),  # one wrong
        ("99999999", None, None),
        ("20260001 20260002", None, None),
        ("IMG20260001", None, None),
        ("", None, None),
    ],
)
def test_whose_photo_a_name_means(stem: str, sure: int | None, guess: int | None) -> None:
    by_education_id = {child.education_id: child.id for child in CHILDREN}
    assert photo_names.certain(stem, by_education_id) == sure
    if sure is None or guess:
        assert photo_names.likely(stem, CHILDREN) == guess


def test_a_stray_goes_to_its_child_and_nothing_is_left_of_it(city: City) -> None:
    first, second = students = city.students(2)
    upload(city, students, archive({"学生2.jpg": PORTRAIT, "11010120170110123X.jpg": draw_portrait(3)}))
    by_name = {each.file_name: each for each in cards.unused_photos(city.officer, class_of(first))}
    assert set(by_name) == {"学生2.jpg", "110101********123X.jpg"}
    stray = by_name["学生2.jpg"]
    assert stray.likely_id == second
    assert stray.file and bytes(stray.file.content)[:2] != b"\xff\xd8"
    with pytest.raises(NotFound):
        cards.use_photo(city.other_officer, stray.id, second)
    photo = cards.use_photo(city.officer, stray.id, second)
    assert photo.student_id == second
    assert UnusedPhoto.objects.count() == 1
    assert StoredFile.objects.count() == 2  # her photo, and the other stray
    cards.drop_unused(city.officer, by_name["110101********123X.jpg"].id)
    assert StoredFile.objects.get() == photo.file


def test_wrong_proportions_are_cropped_without_sending_again(city: City) -> None:
    [student] = students = city.students(1)
    upload(city, students, wide(), "00000001.jpg")
    upload(city, students, wide(), "00000001.jpg")
    [unused] = cards.unused_photos(city.officer, class_of(student))
    assert (unused.student_id, unused.code) == (student, "PHOTO_RATIO")
    picture, width, height = cards.unused_picture(city.officer, unused.id)
    assert (width, height) == (900, 500)
    assert Image.open(io.BytesIO(picture)).size == (900, 500)
    with pytest.raises(NotFound):
        cards.unused_picture(city.other_officer, unused.id)
    with pytest.raises(BadInput):
        cards.use_photo(city.officer, unused.id, student, cards.Box(0, 0, 900, 500))
    photo = cards.use_photo(city.officer, unused.id, student, cards.Box(300, 40, 358, 441))
    assert "photo_cropped" in [finding["code"] for finding in photo.findings]
    assert not cards.unused_photos(city.officer, class_of(student))


def test_a_good_photo_ends_the_trouble_of_a_bad_one(city: City) -> None:
    students = city.students(1)
    upload(city, students, wide(), "00000001.jpg")
    upload(city, students, PORTRAIT, "00000001.jpg")
    assert not UnusedPhoto.objects.exists()
    assert StoredFile.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_what_nobody_used_is_deleted_after_its_days(city: City) -> None:
    students = city.students(1)
    upload(city, students, archive({"谁.jpg": PORTRAIT}))
    with clock.at(clock.now() + timedelta(days=6)):
        jobs.delete_unused_photos()
    assert UnusedPhoto.objects.count() == 1
    with clock.at(clock.now() + timedelta(days=8)):
        jobs.delete_unused_photos()
    assert not UnusedPhoto.objects.exists()
    assert not StoredFile.objects.exists()


def test_a_strangers_class_is_not_there(city: City) -> None:
    students = city.students(1)
    with pytest.raises(NotFound):
        cards.upload_photos(city.other_officer, class_of(students[0]), [], [("a.jpg", PORTRAIT)])
    assert cards.unused_photos(city.other_officer, class_of(students[0])) == []
