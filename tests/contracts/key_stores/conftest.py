"""The stores that the contract runs against, each empty at the start of a test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from xueka.contexts.keys.adapters.software_store import SoftwareStore
from xueka.contexts.keys.ports import KeySpec, KeyStore, StoredKey

VENDOR = Path(__file__).parent / "vendor.toml"


@pytest.fixture
def software(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftwareStore:
    (tmp_path / "memory").mkdir()
    monkeypatch.setenv("XUEKA_KEYS_RUNTIME", str(tmp_path / "memory"))
    return SoftwareStore(tmp_path / "store")


@pytest.fixture
def pkcs11(softhsm_token: tuple[str, str, Path]) -> Iterator[KeyStore]:
    from xueka.contexts.keys.adapters.pkcs11_store import Pkcs11Store
    from xueka.contexts.keys.adapters.pkcs11_table import DEFAULT_TABLE, Module, Table

    library, label, pin = softhsm_token
    store = Pkcs11Store(Module(library, label, pin, Table.read(DEFAULT_TABLE)))
    yield store
    store.close()


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> KeyStore:
    """A module whose table brings SM4."""
    pytest.importorskip("PyKCS11")
    from tests.contracts.key_stores.vendor_module import VendorSessions
    from xueka.contexts.keys.adapters import pkcs11_store
    from xueka.contexts.keys.adapters.pkcs11_table import Module, Table

    monkeypatch.setattr(pkcs11_store, "Sessions", lambda module: VendorSessions(module.table))
    return pkcs11_store.Pkcs11Store(Module("vendor.so", "vendor", VENDOR, Table.read(VENDOR)))


@pytest.fixture(params=["software", "pkcs11", "vendor"])
def store(request: pytest.FixtureRequest) -> Iterator[KeyStore]:
    return request.getfixturevalue(request.param)


class Shelf:
    """Makes keys in a store as key management does: what the store does not hold itself lies under `root`."""

    def __init__(self, store: KeyStore) -> None:
        self.store = store
        self.root = self._root()

    def _root(self) -> StoredKey | None:
        if self.store.name != "software":
            return None
        local = self.store.generate(KeySpec("city.local", 1, "sm4", "local", False))
        return self.store.generate(KeySpec("city.kek", 1, "sm4", "kek", False), local)

    def make(
        self, usage: str, algorithm: str = "3des", *, exportable: bool = False, version: int = 1
    ) -> StoredKey:
        return self.store.generate(KeySpec(f"test.{usage}", version, algorithm, usage, exportable), self.root)

    def take(
        self, usage: str, value: bytes, algorithm: str = "3des", *, exportable: bool = False
    ) -> StoredKey:
        mask = bytes(range(1, len(value) + 1))
        components = (mask, bytes(left ^ right for left, right in zip(mask, value, strict=True)))
        spec = KeySpec(f"test.{usage}", 1, algorithm, usage, exportable)
        return self.store.import_components(spec, components, self.root)

    def transport(self, value: bytes | None = None, usage: str = "partner") -> StoredKey:
        if value is None:
            return self.make(usage, self.store.wrapping)
        return self.take(usage, value, self.store.wrapping)


@pytest.fixture
def shelf(store: KeyStore) -> Shelf:
    return Shelf(store)
