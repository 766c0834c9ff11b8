"""The key file: made once, readable by its owner, refused when damaged."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from xueka.kernel.errors import XuekaError
from xueka.platform.crypto import fields, keyring, sealed_files
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


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("xueka.platform.database.home.keys_directory", lambda: tmp_path)
    return tmp_path


def test_a_version_is_made_once_and_the_ones_before_stay(folder: Path) -> None:
    first = keyring.keyring()
    sealed = fields.seal_bytes(b"one")
    second = keyring.make_version(2)
    assert keyring.make_version(2) == second == keyring.keyring()
    assert (second.present, second.fields[1], second.index) == (2, first.fields[1], first.index)
    assert second.fields[2] not in first.fields.values()
    assert (fields.open_bytes(sealed), fields.seal_bytes(b"two")[:3]) == (b"one", fields.head(2))
    assert [each.present for each in second.entries() if each.label == "platform.fields"] == [False, True]
    assert [each.version for each in sealed_files.entries(folder / "fields.json")] == [1, 2, 1]
    assert (folder / "fields.json").stat().st_mode & 0o777 == 0o600
    with pytest.raises(ValueError, match="another number"):
        keyring.make_version(4)
    assert keyring.keyring() == second


def test_another_process_made_a_version(folder: Path) -> None:
    keyring.keyring()
    assert keyring.keyring().present == 1
    code = "from xueka.platform.crypto import keyring; keyring.make_version(2)"
    environment = {**os.environ, "XUEKA_HOME": str(folder / "home")}
    (folder / "home").mkdir()
    (folder / "home" / "keys").symlink_to(folder)
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert keyring.keyring().present == 2


def test_a_file_that_goes_away_while_we_run_is_not_made_anew(folder: Path) -> None:
    keyring.keyring()
    held = keyring.keyring()
    sealed = fields.seal_bytes(b"one")
    (folder / "fields.json").unlink()
    assert keyring.keyring() == held
    assert fields.open_bytes(sealed) == b"one"
    assert not (folder / "fields.json").exists()


def test_versions_made_at_once_agree(folder: Path) -> None:
    keyring.keyring()
    threads = [threading.Thread(target=keyring.make_version, args=(2,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(keyring.keyring().fields) == [1, 2]


def test_a_broken_change_leaves_the_file(folder: Path) -> None:
    keyring.keyring()
    before = (folder / "fields.json").read_bytes()

    def work(content: bytes) -> bytes:
        return b"{}"

    with pytest.raises(XuekaError):
        sealed_files.change(
            folder / "fields.json", work, lambda content: keyring._read(content, _broken).entries()
        )
    assert (folder / "fields.json").read_bytes() == before


def _broken() -> XuekaError:
    return XuekaError("X", "坏了")
