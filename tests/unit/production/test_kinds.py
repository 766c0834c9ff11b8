"""What a card kind changes: printed photos, blanks that bring their numbers, plain plastic."""

import io
import json
import zipfile

import pytest

from tests.unit.cards.conftest import KIND, PORTRAIT
from tests.unit.production.conftest import FIRST, Line, fresh, items, line, outcomes, the_package
from xueka.contexts.cards import api as cards
from xueka.contexts.numbers import api as numbers
from xueka.contexts.production import api as production
from xueka.contexts.production.models import Batch
from xueka.contexts.production.services.records import contents_of, records_of
from xueka.kernel.errors import Refused
from xueka.platform.files import services as files


def manifest(batch: Batch) -> dict:
    with zipfile.ZipFile(io.BytesIO(files.read(the_package(batch).file))) as archive:
        found: dict = json.loads(archive.read("manifest.json"))
        return found


def test_printed_photos_go_along(made_line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    cards.CardKind.objects.filter(code=KIND).update(photo_required=True, photo_printed=True)
    real = cards.create_applications

    def with_photos(actor: object, students: list[int], *more: str) -> object:
        made = real(actor, students, *more)
        for student in students:
            cards.upload_photo(actor, student, PORTRAIT, "x.jpg")
        return made

    monkeypatch.setattr(cards, "create_applications", with_photos)
    batch = made_line.ready(2)
    said = manifest(batch)
    assert said["counts"] == {"records": 2, "photos": 2}
    assert [member["name"] for member in said["members"]] == ["records.sm4", "photos.sm4"]
    assert said["members"][1]["size"] > 2 * 1000


def test_a_bound_blank_brings_its_number_and_must_be_used(made_line: Line) -> None:
    cards.CardKind.objects.filter(code=KIND).update(transit_source="bind")
    lot = "position,uid,transit_number\r\n" + "".join(
        f"{place},04A1B2C3D4E5{place:02X},99990000000000{place:02d}\r\n" for place in range(1, 4)
    )
    numbers.import_blank_lot(made_line.city.system, lot.encode(), "L-1", "一卡通公司", "张三")
    batch = made_line.acknowledged(2)
    assert [record.blank_uid for record in records_of(batch)] == ["04A1B2C3D4E501", "04A1B2C3D4E502"]
    assert [record.transit_number for record in records_of(batch)] == ["9999000000000001", "9999000000000002"]
    first, second = items(batch)
    report = made_line.take(batch, [line(first, uid="04A1B2C3D4E501"), line(second)])
    assert [error["code"] for error in report.errors] == ["LINE_CHIP_UID_BOUND"]
    assert outcomes(batch) == ["matched", "altered"]


def test_a_kind_without_numbers_is_plain_plastic(made_line: Line) -> None:
    cards.CardKind.objects.filter(code=KIND).update(transit_source="none", beijing_tong_source="none")
    batch = made_line.acknowledged(1)
    assert contents_of(fresh(batch).kind) == (False, "none", "none")
    assert (manifest(batch)["chip"], manifest(batch)["transit"]) == (False, "none")
    made_line.take(batch, [line(items(batch)[0], uid="")])
    assert outcomes(batch) == ["matched"]
    assert items(batch)[0].card.chip_uid == ""


def test_a_kind_without_its_face_stops_at_the_lock(made_line: Line) -> None:
    cards.CardKind.objects.filter(code=KIND).update(face_template="UNKNOWN")
    with pytest.raises(Refused) as refused:
        production.lock(FIRST, made_line.batch(1).id)
    assert refused.value.code == "FACE_UNKNOWN"


def test_every_kind_that_comes_with_the_product_has_its_face(made_line: Line) -> None:
    wanted = set(cards.CardKind.objects.values_list("face_template", flat=True))
    assert wanted <= {found.template for found in production.faces()}
