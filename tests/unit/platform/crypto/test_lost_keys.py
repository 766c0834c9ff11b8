"""Field keys that are gone: refused in words, and nothing is made anew."""

from pathlib import Path

import pytest

from xueka.kernel.errors import XuekaError
from xueka.platform.crypto import fields, lost_keys
from xueka.platform.crypto.keyring import FILE_NAME
from xueka.platform.identity import second_factor, services
from xueka.platform.identity.actor import Actor

pytestmark = pytest.mark.django_db


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(lost_keys.home, "keys_directory", lambda: tmp_path)
    for _ in range(2):  # the first call makes the file, the second one reads it
        fields.seal({})
    (tmp_path / FILE_NAME).unlink()  # the process has its keys in memory by now
    return tmp_path


def test_an_empty_database_may_begin_without_keys(empty: Path) -> None:
    lost_keys.refuse_if_lost()


def test_a_full_database_without_its_keys_is_refused(empty: Path) -> None:
    services.create_user(Actor.system("test"), "zhao", "赵敏", "auditor")
    lost_keys.refuse_if_lost()
    second_factor.enrol_at_once(Actor.system("test"), "zhao")
    with pytest.raises(XuekaError) as refusal:
        lost_keys.refuse_if_lost()
    assert refusal.value.code == "FIELD_KEYS_LOST"
    assert not (empty / FILE_NAME).exists()
    (empty / FILE_NAME).write_text("{}")
    lost_keys.refuse_if_lost()
