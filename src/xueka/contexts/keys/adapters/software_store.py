"""The sealed software store: local master keys in a file, every other key in a block beneath one of them.

Whoever may read this process's memory while the store is open can see the keys; docs/interfaces/key-scheme.md
says so plainly. Blocks lie outside, with the records (the database); without the file nobody opens them.
"""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from xueka.contexts.keys.adapters import checks, key_blocks
from xueka.contexts.keys.adapters.local_keys import LocalKeys
from xueka.contexts.keys.domain.key_block import DIVERSIFIED, LOCAL, WRAPPING, KeySpec
from xueka.contexts.keys.ports import StoredKey
from xueka.platform.crypto import card_batches, card_ciphers
from xueka.platform.crypto.card_ciphers import CardKey
from xueka.platform.crypto.sealing import KEY_SIZE

_OWNERS = ("local", "kek")  # what our own blocks lie under
_TRAVEL = ("partner",)  # what a block lies under on its way


class SoftwareStore:
    """A KeyStore (ports.py). Safe in threads and forked processes: it holds no state but what a file says."""

    algorithms = frozenset({"3des", "sm4", "aes"})
    wrapping = "sm4"

    def __init__(self, folder: Path, name: str = "software") -> None:
        """`folder` keeps the file of local master keys; it is made when the first one is generated."""
        self.name = name
        self.local = LocalKeys(folder / "local.json", name)

    def __repr__(self) -> str:
        return f"SoftwareStore({self.name!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key store does not leave its process")

    def generate(self, spec: KeySpec, under: StoredKey | None = None) -> StoredKey:
        checks.supported(self.algorithms, spec, place="软件密钥库")
        size = 32 if spec.algorithm == "aes" else KEY_SIZE
        return self._keep(spec, secrets.token_bytes(size), under)

    def import_components(
        self, spec: KeySpec, components: Sequence[bytes], under: StoredKey | None = None
    ) -> StoredKey:
        checks.supported(self.algorithms, spec, place="软件密钥库")
        return self._keep(spec, checks.combined(spec, components), under)

    def import_block(
        self,
        block: bytes,
        transport: StoredKey,
        under: StoredKey | None = None,
        name: tuple[str, int] | None = None,
    ) -> tuple[KeySpec, StoredKey]:
        wrapping, value = self._open(transport)
        checks.kind(wrapping, _TRAVEL, purpose="保护传来的密钥")
        spec, key = key_blocks.unseal(block, value, wrapping.algorithm)
        return spec, self._keep(checks.called(spec, name), key, under)

    def export_block(self, key: StoredKey, transport: StoredKey) -> bytes:
        spec, value = self._open(key)
        checks.exportable(spec)
        wrapping, under = self._open(transport)
        checks.kind(wrapping, _TRAVEL, purpose="保护导出的密钥")
        return key_blocks.seal(spec, value, under, wrapping.algorithm)

    def derive(
        self, key: StoredKey, factor: bytes, spec: KeySpec, under: StoredKey | None = None
    ) -> StoredKey:
        source, value = self._open(key)
        checks.derives(source, spec)
        checks.levels([factor])
        return self._keep(spec, card_ciphers.diversify(source.algorithm, value, factor), under)

    def kcv(self, key: StoredKey) -> str:
        spec, value = self._open(key)
        return card_ciphers.kcv(spec.algorithm, value)

    def destroy(self, key: StoredKey) -> None:
        checks.of_store(self.name, key)
        if key.handle:
            self.local.remove(key.handle)

    def rewrap(self, key: StoredKey, under: StoredKey) -> StoredKey:
        if key.handle:
            checks.of_store(self.name, key)
            return key
        return self._keep(*self._open(key), under)

    def diversify(self, key: StoredKey, factors: Sequence[bytes]) -> CardKey:
        spec, value = self._open(key)
        checks.kind(spec, DIVERSIFIED, purpose="分散卡密钥")
        checks.levels(factors)
        derived = card_ciphers.diversify(spec.algorithm, value, *factors)
        return CardKey(derived, algorithm=spec.algorithm, label=spec.label, version=spec.version)

    def card_key(self, key: StoredKey) -> CardKey:
        spec, value = self._open(key)
        checks.kind(spec, ("blank",), purpose="直接写卡")
        return CardKey(value, algorithm=spec.algorithm, label=spec.label, version=spec.version)

    def diversify_many(self, key: StoredKey, factors: bytes, above: Sequence[bytes] = ()) -> bytes:
        return self._many(key, factors, above)[1]

    def diversify_wrapped(
        self, key: StoredKey, factors: bytes, under: StoredKey, above: Sequence[bytes] = ()
    ) -> tuple[bytes, bytes]:
        spec, keys = self._many(key, factors, above)
        wrapping, value = self._open(under)
        checks.kind(wrapping, ("batch", "partner"), purpose="保护整批卡密钥")
        return card_ciphers.encrypt(wrapping.algorithm, value, keys), card_batches.kcvs(spec.algorithm, keys)

    def _many(self, key: StoredKey, factors: bytes, above: Sequence[bytes]) -> tuple[KeySpec, bytes]:
        spec, value = self._open(key)
        checks.kind(spec, DIVERSIFIED, purpose="分散卡密钥")
        value = card_ciphers.diversify(spec.algorithm, value, *above)
        return spec, card_batches.diversify_many(spec.algorithm, value, factors)

    def _keep(self, spec: KeySpec, value: bytes, under: StoredKey | None) -> StoredKey:
        kcv = card_ciphers.kcv(spec.algorithm, value)
        if under is None:
            checks.kind(spec, (LOCAL,), purpose="直接存放在密钥库中；它须由另一把密钥保护")
            return StoredKey(self.name, self.local.add(spec, value), b"", kcv)
        wrapping, outer = self._open(under)
        checks.kind(wrapping, _OWNERS, purpose="保护本库的密钥")
        return StoredKey(self.name, "", key_blocks.seal(spec, value, outer, wrapping.algorithm), kcv, under)

    def _open(self, key: StoredKey) -> tuple[KeySpec, bytes]:
        checks.of_store(self.name, key)
        if key.handle:
            return self.local.get(key.handle)
        if key.under is None or not key.block:
            raise checks.gone(key.kcv)
        wrapping, outer = self._open(key.under)
        checks.kind(wrapping, WRAPPING, purpose="保护其他密钥")
        return key_blocks.unseal(key.block, outer, wrapping.algorithm)
