"""The sealed file of local master keys: who opens it, who does not, and what lies on the disk."""

import json
import os
import random
import stat

import pytest

from tests.contracts.key_stores.conftest import Shelf
from xueka.contexts.keys.adapters import local_keys
from xueka.contexts.keys.adapters.software_store import SoftwareStore
from xueka.contexts.keys.ports import KeySpec
from xueka.kernel.errors import BadInput, Conflict, Refused, XuekaError
from xueka.platform.crypto import sealing

WORDS = "correct horse battery"
LOCAL = KeySpec("city.local", 1, "sm4", "local", False)
PLANTED = bytes.fromhex("5ca1ab1e0ddba11cafe5eed5deadf00d")


@pytest.fixture(autouse=True)
def cheap(monkeypatch):
    monkeypatch.setattr(sealing, "COST", 2**10)


@pytest.fixture
def master(software):
    """A master key under the store's local one, which is a known value."""
    local = software.import_components(LOCAL, [bytes(16), PLANTED])
    return software.generate(KeySpec("test.control", 1, "sm4", "control", False), local)


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def code(act, *given):
    with pytest.raises(XuekaError) as refused:
        act(*given)
    return refused.value.code


def test_a_passphrase_closes_and_opens_it(software, master, tmp_path):
    kcv = software.kcv(master)
    assert software.local.seal_kind == "open"
    software.local.reseal_to_passphrase(WORDS)
    assert software.kcv(master) == kcv  # open until somebody closes it
    software.local.lock()
    assert not software.local.is_open
    assert code(software.kcv, master) == "KEY_STORE_LOCKED"
    assert code(software.generate, KeySpec("city.local", 2, "sm4", "local", False)) == "KEY_STORE_LOCKED"
    assert code(software.local.unlock_with_passphrase, "correct horse batterz") == "KEY_STORE_SECRET"
    assert code(software.local.unlock_with_shares, ["a b c"]) == "KEY_STORE_SECRET"
    assert not software.local.is_open
    software.local.unlock_with_passphrase(WORDS)
    assert software.kcv(master) == kcv
    another_process = SoftwareStore(tmp_path / "store")
    assert another_process.kcv(master) == kcv


def test_a_service_s_credential_opens_it(software, master, tmp_path, monkeypatch):
    software.local.reseal_to_passphrase(WORDS)
    software.local.lock()
    credential = tmp_path / "credential"
    credential.write_text(WORDS + "\n")
    monkeypatch.setenv("XUEKA_KEYS_PASSPHRASE_FILE", str(credential))
    assert software.kcv(master) == master.kcv
    software.local.lock()
    credential.write_text("something else altogether")
    assert code(software.kcv, master) == "KEY_STORE_SECRET"
    credential.unlink()
    assert code(software.kcv, master) == "PASSPHRASE_FILE"


@pytest.mark.parametrize(("needed", "people"), [(k, n) for n in range(2, 8) for k in range(2, n + 1)])
def test_k_of_n_custodians_open_it_and_fewer_do_not(software, master, needed, people):
    chance = random.Random(100 * needed + people)
    shares = software.local.reseal_to_custodians(needed, [f"保管人{place}" for place in range(people)])
    assert len(set(shares)) == people
    software.local.lock()
    chosen = chance.sample(shares, needed)
    assert code(software.local.unlock_with_shares, [*chosen[: needed - 1], chosen[0]]) == "KEY_STORE_SHARES"
    assert code(software.kcv, master) == "KEY_STORE_LOCKED"
    software.local.unlock_with_shares(chosen)
    assert software.kcv(master) == master.kcv


def test_who_opened_it_before_a_new_ceremony_does_not_after(software, master):
    names = ["甲", "乙", "丙"]
    before = software.local.reseal_to_custodians(2, names)
    after = software.local.reseal_to_custodians(2, names)
    software.local.lock()
    assert code(software.local.unlock_with_shares, before[:2]) == "KEY_STORE_SECRET"
    assert code(software.local.unlock_with_shares, [before[0], after[1]]) == "KEY_STORE_SECRET"
    software.local.unlock_with_shares(after[1:])
    software.local.reseal_to_passphrase(WORDS)
    software.local.lock()
    assert code(software.local.unlock_with_shares, after[:2]) == "KEY_STORE_SECRET"
    software.local.unlock_with_passphrase(WORDS)
    assert software.kcv(master) == master.kcv


def test_a_seal_for_a_backup_is_none_for_keys(software, master):
    custody, shares = sealing.make_custody(2, ["甲", "乙"], b"xueka backup")
    software.local.reseal_to_custody(custody)
    software.local.lock()
    assert code(software.local.unlock_with_shares, shares) == "KEY_STORE_SECRET"


def test_resealing_needs_it_open(software, master):
    software.local.reseal_to_passphrase(WORDS)
    software.local.lock()
    for act, given in (
        (software.local.reseal_to_passphrase, [WORDS]),
        (software.local.reseal_to_custodians, [2, ["甲", "乙"]]),
        (software.local.reseal_open, []),
    ):
        assert code(act, *given) == "KEY_STORE_LOCKED"
    assert software.local.seal_kind == "passphrase"
    with pytest.raises(BadInput, match="太短"):
        software.local.reseal_to_passphrase("short")


def test_what_lies_on_the_disk(software, master, tmp_path):
    """Open, it is a demo's; sealed, no byte of a key is anywhere, nor readable by anybody else."""
    software.local.reseal_to_passphrase(WORDS)
    card = software.diversify(master, [bytes(8)]).plain_write_body(b"")
    for path in files(tmp_path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        content = path.read_bytes()
        for secret in (PLANTED, card):
            assert secret not in content and secret.hex().encode() not in content.lower()
    software.local.lock()
    assert files(tmp_path / "memory") == []
    assert [path.name for path in files(tmp_path / "store") if not path.name.startswith(".")] == [
        "local.json"
    ]


def test_a_memory_file_that_others_may_read_is_not_believed(software, master, tmp_path):
    software.local.reseal_to_passphrase(WORDS)
    [kept] = files(tmp_path / "memory")
    os.chmod(kept, 0o640)
    assert code(software.kcv, master) == "KEY_STORE_LOCKED"
    os.chmod(kept, 0o600)
    assert software.kcv(master) == master.kcv
    kept.rename(tmp_path / "aside")
    kept.symlink_to(tmp_path / "aside")
    assert code(software.kcv, master) == "KEY_STORE_LOCKED"


def test_a_machine_without_memory_folder_says_so(software, master, monkeypatch):
    monkeypatch.setenv("XUEKA_KEYS_RUNTIME", "/nowhere/at/all")
    assert code(software.local.reseal_to_passphrase, WORDS) == "KEY_STORE_FAILED"
    assert software.local.seal_kind == "open"  # it was not sealed to something that could not stay open
    assert software.kcv(master) == master.kcv


def test_a_changed_file_is_found(software, master, tmp_path):
    path = tmp_path / "store" / "local.json"
    sound = json.loads(path.read_text("utf-8"))
    sealed = sound["keys"]["city.local/1"]["sealed"]
    for change in ({"sealed": sealed[:-2] + "00"}, {"kcv": "000000"}, {"sealed": "zz"}, {"algorithm": "des"}):
        broken = {**sound, "keys": {"city.local/1": {**sound["keys"]["city.local/1"], **change}}}
        path.write_text(json.dumps(broken))
        assert code(software.kcv, master) == "KEY_STORE_BROKEN", change
    for text in ("", "{}", "[]", '{"format": "other", "keys": {}, "seal": {}}'):
        path.write_text(text)
        assert code(software.kcv, master) == "KEY_STORE_BROKEN", text
    # A key put under another's name: its handle is bound to it.
    other = {**sound, "keys": {"city.local/2": sound["keys"]["city.local/1"]}}
    path.write_text(json.dumps(other))
    assert code(software.local.get, "city.local/2") == "KEY_STORE_BROKEN"
    path.unlink()
    assert code(software.kcv, master) == "KEY_GONE"


def test_a_local_key_is_made_once(software, master):
    with pytest.raises(Conflict) as refused:
        software.generate(LOCAL)
    assert refused.value.code == "KEY_EXISTS"


def test_all_blocks_go_under_another_key_and_the_old_one_may_go(software, master):
    other = software.generate(KeySpec("city.local", 2, "sm4", "local", False))
    moved = software.rewrap(master, other)
    assert moved.block != master.block and moved.kcv == master.kcv and moved.under == other
    assert software.kcv(master) == software.kcv(moved) == master.kcv  # until the record changes both open
    software.destroy(master.under)
    assert code(software.kcv, master) == "KEY_GONE"
    assert software.kcv(moved) == master.kcv
    assert software.rewrap(other, other) == other


def test_only_local_keys_stand_in_the_file_and_only_wrapping_ones_wrap(software, master):
    for usage in ("control", "kek", "partner", "blank"):
        assert code(software.generate, KeySpec(f"a.{usage}", 1, "sm4", usage, False)) == "KEY_KIND"
    assert code(software.generate, KeySpec("a.b", 1, "sm4", "internal", False), master) == "KEY_KIND"
    partner = software.generate(KeySpec("a.partner", 1, "sm4", "partner", False), master.under)
    assert code(software.generate, KeySpec("a.b", 1, "sm4", "internal", False), partner) == "KEY_KIND"


def test_a_local_key_is_no_transport_key(software):
    shelf = Shelf(software)
    loose = shelf.make("control", exportable=True)
    assert isinstance(shelf.root, type(loose))
    assert code(software.export_block, loose, shelf.root) == "KEY_KIND"
    assert code(software.export_block, loose, shelf.root.under) == "KEY_KIND"


def test_a_store_of_a_drill_opens_nothing_of_the_live_one(software, master, tmp_path):
    drill = SoftwareStore(tmp_path / "drill", "drill")
    drill.generate(LOCAL)
    assert code(drill.kcv, master) == "KEY_STORE_OTHER"
    with pytest.raises(Refused):
        software.kcv(drill.generate(KeySpec("city.local", 2, "sm4", "local", False)))


def test_a_key_used_by_a_fault_does_not_show_in_the_error(software, master, monkeypatch):
    software.local.reseal_to_passphrase(WORDS)
    monkeypatch.setattr(
        local_keys.sealing, "unbox", lambda key, *_: (_ for _ in ()).throw(ValueError(key.hex()))
    )
    with pytest.raises(XuekaError) as refused:
        software.kcv(master)
    error = refused.value
    shown = f"{error!r} {error.as_dict()} {error.__cause__}"
    assert PLANTED.hex() not in shown
    assert error.__suppress_context__ or error.__context__ is None
