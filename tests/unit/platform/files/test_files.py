"""Files as they came; personal ones sealed; altered ones refused."""

from datetime import UTC, datetime

import pytest

from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.files import services
from xueka.platform.files.models import StoredFile
from xueka.platform.identity.actor import Actor

ACTOR = Actor.command_line("tester")
NOON = datetime(2024, 9, 2, 4, tzinfo=UTC)
CONTENT = "姓名,证件号码\n".encode()


@pytest.mark.django_db
def test_a_file_is_kept_as_it_came() -> None:
    with clock.at(NOON):
        kept = services.store(ACTOR, "名册.csv", "text/csv", CONTENT)
    found = StoredFile.objects.get(pk=kept.pk)
    assert services.read(found) == CONTENT == bytes(found.content)
    assert (found.name, found.media_type, found.size) == ("名册.csv", "text/csv", len(CONTENT))
    assert (found.created_at, found.created_by, found.sealed) == (NOON, "cli:tester", False)
    assert bytes(found.sm3) == services.sm3(CONTENT)


@pytest.mark.django_db
def test_a_personal_file_is_sealed() -> None:
    kept = services.store(ACTOR, "照片.jpg", "image/jpeg", CONTENT, personal=True)
    found = StoredFile.objects.get(pk=kept.pk)
    assert CONTENT not in bytes(found.content)
    assert services.read(found) == CONTENT
    assert found.size == len(CONTENT)
    assert bytes(found.sm3) == services.sm3(CONTENT)


@pytest.mark.django_db
@pytest.mark.parametrize(("personal", "code"), [(False, "FILE_ALTERED"), (True, "ENVELOPE_BROKEN")])
def test_an_altered_file_is_refused(personal: bool, code: str) -> None:
    kept = services.store(ACTOR, "名册.csv", "text/csv", CONTENT, personal=personal)
    content = bytearray(bytes(kept.content))
    content[-1] ^= 1
    StoredFile.objects.filter(pk=kept.pk).update(content=bytes(content))
    with pytest.raises(XuekaError) as refusal:
        services.read(StoredFile.objects.get(pk=kept.pk))
    assert refusal.value.code == code


@pytest.mark.django_db
def test_one_sealed_file_put_in_anothers_place_is_refused() -> None:
    first = services.store(ACTOR, "甲.jpg", "image/jpeg", b"first", personal=True)
    second = services.store(ACTOR, "乙.jpg", "image/jpeg", b"second", personal=True)
    StoredFile.objects.filter(pk=first.pk).update(content=second.content)
    with pytest.raises(XuekaError) as refusal:
        services.read(StoredFile.objects.get(pk=first.pk))
    assert refusal.value.code == "FILE_ALTERED"


@pytest.mark.django_db
def test_an_empty_file_is_a_file() -> None:
    assert services.read(services.store(ACTOR, "空", "text/plain", b"", personal=True)) == b""
