"""The key file: made once, readable by its owner, refused when damaged."""

import json
import threading
from pathlib import Path

import pytest

from xueka.kernel.errors import XuekaError
from xueka.platform.crypto.keyring import Keyring


def test_the_first_start_makes_keys_for_the_owner_only(tmp_path: Path) -> None:
    made = Keyring.load_or_create(tmp_path / "keys")
    assert Keyring.load_or_create(tmp_path / "keys") == made
    file = tmp_path / "keys" / "fields.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in file.parent.iterdir()] == ["fields.json"]
    assert (made.present, len(made.fields[1]), len(made.index)) == (1, 16, 32)
    assert Keyring.load_or_create(tmp_path / "other") != made


def test_first_starts_at_once_agree(tmp_path: Path) -> None:
    found: list[Keyring] = []
    threads = [
        threading.Thread(target=lambda: found.append(Keyring.load_or_create(tmp_path))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(keys == found[0] for keys in found)


GOOD = {"field": {"1": "00" * 16}, "present": 1, "index": "00" * 32}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "钥匙",
        json.dumps({"present": 1}),
        json.dumps({**GOOD, "present": 2}),
        json.dumps({**GOOD, "field": {"1": "00" * 15}}),
        json.dumps({**GOOD, "field": {"1": "zz" * 16}}),
        json.dumps({**GOOD, "index": "00"}),
    ],
)
def test_a_damaged_file_is_named_and_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "fields.json").write_text(text)
    with pytest.raises(XuekaError) as refusal:
        Keyring.load_or_create(tmp_path)
    assert refusal.value.code == "FIELD_KEYS_BROKEN"
    assert refusal.value.where == str(tmp_path / "fields.json")
    assert (tmp_path / "fields.json").read_text() == text
