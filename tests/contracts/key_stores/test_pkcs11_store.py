"""What is particular to a module: where keys are, what it cannot do, PINs, lost sessions, other tables."""

import stat
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.key_stores.conftest import VENDOR, Shelf
from tests.support.softhsm import LABEL, library
from xueka.contexts.keys.ports import KeySpec, StoredKey
from xueka.kernel.errors import Refused, XuekaError

MASTER = bytes.fromhex("0123456789abcdef23456789abcdef01")


@pytest.fixture(autouse=True)
def needs_softhsm() -> None:
    library()


@pytest.fixture
def shelf(pkcs11) -> Shelf:
    return Shelf(pkcs11)


def code(act: Any, *given: Any) -> str:
    with pytest.raises(XuekaError) as refused:
        act(*given)
    return refused.value.code


def attributes(pkcs11: Any, key: StoredKey) -> dict[str, Any]:
    import PyKCS11

    def read(session: Any) -> dict[str, Any]:
        [found] = session.findObjects([(PyKCS11.CKA_ID, bytes.fromhex(key.handle))])
        names = (
            "CKA_TOKEN",
            "CKA_SENSITIVE",
            "CKA_EXTRACTABLE",
            "CKA_PRIVATE",
            "CKA_VALUE",
            "CKA_CHECK_VALUE",
        )
        values = session.getAttributeValue(found, [getattr(PyKCS11, name) for name in names])
        return dict(zip(names, values, strict=True))

    return pkcs11._sessions.run(read)


def test_a_key_lies_in_the_token_and_cannot_be_read(pkcs11, shelf):
    fixed, loose = shelf.make("control"), shelf.make("control", exportable=True)
    for key, leaves in ((fixed, False), (loose, True)):
        found = attributes(pkcs11, key)
        assert found["CKA_TOKEN"] and found["CKA_SENSITIVE"] and found["CKA_PRIVATE"]
        assert found["CKA_EXTRACTABLE"] == leaves
        assert found["CKA_VALUE"] is None
        assert bytes(found["CKA_CHECK_VALUE"]).hex() == key.kcv
        assert key.block == b""
    assert pkcs11.rewrap(fixed, loose) == fixed


def test_softhsm_knows_no_sm4_and_that_is_said(pkcs11, shelf):
    """Not silently held in software: the refusal names what to do."""
    for name in ("sm4", "sm1"):
        with pytest.raises(Refused) as refused:
            pkcs11.generate(KeySpec("education.mf.control", 1, name, "control", False))
        error = refused.value
        assert error.code == "KEY_ALGORITHM_UNSUPPORTED"
        assert "机制表" in (error.action or "")


def test_a_block_under_sm4_is_not_for_it(pkcs11, shelf, software):
    outside = Shelf(software)
    block = software.export_block(outside.make("control", exportable=True), outside.make("partner", "sm4"))
    assert code(pkcs11.import_block, block, shelf.transport()) == "KEY_ALGORITHM_UNSUPPORTED"


def test_keys_go_from_one_store_to_the_other(pkcs11, shelf, software):
    """Under an AES transport key that the custodians brought into both."""
    outside = Shelf(software)
    here, there = shelf.take("partner", MASTER * 2, "aes"), outside.take("partner", MASTER * 2, "aes")
    key = outside.take("external", MASTER, exportable=True)
    said, inside = pkcs11.import_block(software.export_block(key, there), here)
    assert (said.label, inside.kcv) == ("test.external", key.kcv)
    back, again = software.import_block(pkcs11.export_block(inside, here), there, outside.root)
    assert back == said
    factors = [bytes.fromhex("1000000020260901"), bytes.fromhex("0000000001234567")]
    written = [
        store.diversify(each, factors).plain_write_body(b"")
        for store, each in ((software, key), (pkcs11, inside), (software, again))
    ]
    assert written[0] == written[1] == written[2]


def test_a_wrong_pin_a_wrong_token_a_missing_library(softhsm_token, tmp_path):
    from xueka.contexts.keys.adapters.pkcs11_store import Pkcs11Store
    from xueka.contexts.keys.adapters.pkcs11_table import DEFAULT_TABLE, Module, Table

    found, label, pin = softhsm_token
    table = Table.read(DEFAULT_TABLE)
    wrong = tmp_path / "pin"
    wrong.write_text("9999")
    key = StoredKey("pkcs11", "00" * 16, b"", "000000")
    for module, expected in (
        (Module(found, label, wrong, table), "KEY_STORE_LOCKED"),
        (Module(found, label, tmp_path / "nothing", table), "KEY_STORE_LOCKED"),
        (Module(found, "another token", pin, table), "KEY_STORE_FAILED"),
        (Module("/nowhere/lib.so", label, pin, table), "KEY_STORE_FAILED"),
    ):
        assert code(Pkcs11Store(module).kcv, key) == expected
    assert code(Pkcs11Store(Module(found, label, pin, table)).kcv, key) == "KEY_GONE"
    assert stat.S_IMODE(pin.stat().st_mode) == 0o600


def test_a_lost_session_is_opened_again(pkcs11, shelf):
    key = shelf.make("internal")
    pkcs11._sessions.run(lambda session: session.closeSession())
    assert pkcs11.kcv(key) == key.kcv
    pkcs11._sessions.run(lambda session: session.logout())
    pkcs11.close()
    assert pkcs11.kcv(key) == key.kcv


def test_settings(monkeypatch, tmp_path):
    from xueka.contexts.keys.adapters.pkcs11_table import SOFTHSM, Module

    for name in ("MODULE", "TOKEN", "PIN_FILE", "TABLE"):
        monkeypatch.delenv(f"XUEKA_PKCS11_{name}", raising=False)
    assert code(Module.configured) == "PKCS11_SETTINGS"
    monkeypatch.setenv("XUEKA_PKCS11_TOKEN", LABEL)
    monkeypatch.setenv("XUEKA_PKCS11_PIN_FILE", str(tmp_path / "pin"))
    found = Module.configured()
    assert (found.library, found.token, found.table.block) == (SOFTHSM, LABEL, "aes")
    assert "9999" not in repr(found)
    monkeypatch.setenv("XUEKA_PKCS11_TABLE", str(tmp_path / "missing.toml"))
    assert code(Module.configured) == "PKCS11_TABLE"


def test_a_vendor_s_table_brings_sm4(softhsm_token):
    """The table decides. That SoftHSM then fails at the vendor's constant is a failure, no fallback."""
    from xueka.contexts.keys.adapters.pkcs11_store import Pkcs11Store
    from xueka.contexts.keys.adapters.pkcs11_table import Module, Table

    table = Table.read(VENDOR)
    assert (table.algorithms["sm4"].generate, table.algorithms["sm4"].key_size) == (0x80000104, 16)
    found, label, pin = softhsm_token
    store = Pkcs11Store(Module(found, label, pin, table))
    assert "sm4" in store.algorithms
    assert code(store.generate, KeySpec("a.b", 1, "sm4", "control", False)) == "KEY_STORE_FAILED"


@pytest.mark.parametrize(
    "change",
    [
        ('"CKK_DES2"', '"CKM_DES2_KEY_GEN"'),
        ('"CKK_DES2"', '"CKK_NONE"'),
        ("0x80000104", "true"),
        ("[block]", "[blocks]"),
        ('algorithm = "aes"', 'algorithm = "sm4"'),
        ("[algorithms.sm4]", "[algorithms.des]"),
        ("derive = 0x80000106", "another = 0x80000106"),
        ("key_size = 32", "key_size ="),
    ],
)
def test_a_wrong_table_is_refused(tmp_path: Path, change: tuple[str, str]) -> None:
    from xueka.contexts.keys.adapters.pkcs11_table import Table

    path = tmp_path / "vendor.toml"
    path.write_text(VENDOR.read_text().replace(*change))
    assert path.read_text() != VENDOR.read_text()
    assert code(Table.read, path) == "PKCS11_TABLE"
