"""The platform's own keys in sealed files: made once, sealed where they lie, opened by the right opener."""

import json
import os
from pathlib import Path

import pytest

from xueka.kernel.errors import XuekaError
from xueka.platform.crypto import sealed_files
from xueka.platform.crypto.keyring import Keyring
from xueka.platform.crypto.sealed_files import Entry
from xueka.platform.database import home

PLANTED = bytes.fromhex("5ec2e7" * 8)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(home, "home", lambda: tmp_path)
    monkeypatch.delenv("XUEKA_KEYS_PASSPHRASE_FILE", raising=False)
    return tmp_path / "keys"


def describe(content: bytes) -> list[Entry]:
    if content[:3] != PLANTED[:3]:
        raise ValueError("not ours")
    return [Entry("platform.test", "试验密钥", "field", "sm4", 1, "abcdef")]


def test_it_is_made_once_and_nothing_of_it_lies_in_clear(own_home: Path) -> None:
    path = own_home / "one"
    assert sealed_files.content(path, lambda: PLANTED, describe) == PLANTED
    assert sealed_files.content(path, lambda: b"other", describe) == PLANTED
    assert path.stat().st_mode & 0o777 == 0o600
    raw = path.read_bytes()
    assert PLANTED not in raw and PLANTED.hex().encode() not in raw
    assert sealed_files.entries(path) == sealed_files.opened_entries(path) == describe(PLANTED)
    assert sorted(each.name for each in own_home.iterdir()) == ["one", "opener"]


def test_a_file_in_clear_is_sealed_where_it_lies(own_home: Path) -> None:
    """Homes of an earlier version keep working, and their keys are in clear no more."""
    own_home.mkdir()
    clear = {"present": 1, "field": {"1": "0f" * 16}, "index": "f0" * 32}
    (own_home / "fields.json").write_text(json.dumps(clear))
    found = Keyring.load_or_create(own_home)
    assert (found.fields, found.index) == ({1: b"\x0f" * 16}, b"\xf0" * 32)
    assert b"0f0f0f" not in (own_home / "fields.json").read_bytes()
    assert Keyring.load_or_create(own_home) == found
    assert [(each.label, each.version, each.present) for each in found.entries()] == [
        ("platform.fields", 1, True),
        ("platform.index", 1, True),
    ]


def test_what_is_no_key_is_not_sealed(own_home: Path) -> None:
    own_home.mkdir()
    (own_home / "one").write_bytes(b"something else")
    with pytest.raises(ValueError):
        sealed_files.content(own_home / "one", lambda: PLANTED, describe)
    assert (own_home / "one").read_bytes() == b"something else"


def test_another_opener_opens_nothing(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = own_home / "one"
    sealed_files.content(path, lambda: PLANTED, describe)
    word = tmp_path / "word"
    word.write_text("some other passphrase\n")
    monkeypatch.setenv("XUEKA_KEYS_PASSPHRASE_FILE", str(word))
    with pytest.raises(XuekaError) as refusal:
        sealed_files.content(path, lambda: PLANTED, describe)
    assert refusal.value.code == "KEY_FILE_LOCKED"
    named = own_home / "two"
    assert sealed_files.content(named, lambda: PLANTED, describe) == PLANTED
    assert not sealed_files.lies_beside_the_data()
    word.write_text("short")
    with pytest.raises(XuekaError) as refusal:
        sealed_files.content(named, lambda: PLANTED, describe)
    assert refusal.value.code == "KEYS_PASSPHRASE_FILE"


@pytest.mark.parametrize("field", ["label", "kcv", "version"])
def test_an_altered_description_does_not_open(own_home: Path, field: str) -> None:
    path = own_home / "one"
    sealed_files.content(path, lambda: PLANTED, describe)
    whole = json.loads(path.read_text())
    whole["entries"][0][field] = 2 if field == "version" else "123456"
    path.write_text(json.dumps(whole))
    with pytest.raises(XuekaError) as refusal:
        sealed_files.opened_entries(path)
    assert refusal.value.code == "KEY_FILE_LOCKED"


def test_every_flipped_bit_of_the_seal_is_refused(own_home: Path) -> None:
    path = own_home / "one"
    sealed_files.content(path, lambda: PLANTED, describe)
    whole = json.loads(path.read_text())
    sealed = bytearray.fromhex(whole["sealed"])
    for place in range(0, 8 * len(sealed), 7):
        altered = bytearray(sealed)
        altered[place // 8] ^= 1 << place % 8
        path.write_text(json.dumps({**whole, "sealed": altered.hex()}))
        with pytest.raises(XuekaError):
            sealed_files.content(path, lambda: PLANTED, describe)


def test_a_draft_is_left_by_nobody(own_home: Path) -> None:
    path = own_home / "one"
    sealed_files.content(path, lambda: PLANTED, describe)
    assert not [name for name in os.listdir(own_home) if name.startswith(".")]
