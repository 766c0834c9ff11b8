"""Keys inside a PKCS#11 module (an HSM): they are made there, used there, and leave wrapped or not at all.

Card keys are the exception that cards ask for: the key of one card comes out to be written onto it, and lives
in this process's memory meanwhile. Keys of a module are its objects, found by CKA_ID; what a key is stands in
its label (`label/version/kind`), its type and CKA_EXTRACTABLE.
"""

import hmac
import secrets
from collections.abc import Sequence
from typing import Any, NoReturn

import PyKCS11
from PyKCS11 import CK_FALSE, CK_TRUE, Mechanism

from xueka.contexts.keys.adapters import checks, key_blocks
from xueka.contexts.keys.adapters.pkcs11_session import Sessions
from xueka.contexts.keys.adapters.pkcs11_table import Algorithm, Module
from xueka.contexts.keys.domain.key_block import (
    AES_BLOCK,
    DERIVING,
    DIVERSIFIED,
    WRAPPING,
    KeySpec,
    broken,
    head_of,
    parse,
)
from xueka.contexts.keys.ports import StoredKey
from xueka.kernel.errors import Refused
from xueka.platform.crypto import card_batches, card_ciphers
from xueka.platform.crypto.card_ciphers import CardKey

_PIECE = 64 * 1024  # bytes in one call: more is no faster, and some modules take no more


class Pkcs11Store:
    """A KeyStore (ports.py). One object per process is enough: threads take turns."""

    def __init__(self, module: Module, name: str = "pkcs11") -> None:
        self.name = name
        self.wrapping = module.table.block
        self.algorithms = frozenset(module.table.algorithms)
        self._table = module.table
        self._sessions = Sessions(module)

    def __repr__(self) -> str:
        return f"Pkcs11Store({self.name!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key store does not leave its process")

    def close(self) -> None:
        self._sessions.close()

    def generate(self, spec: KeySpec, under: StoredKey | None = None) -> StoredKey:
        algorithm = self._algorithm(spec)
        template = self._template(spec)
        if algorithm.key_size != 16:
            template.append((PyKCS11.CKA_VALUE_LEN, algorithm.key_size))
        return self._kept(
            spec, template, lambda session, full: session.generateKey(full, Mechanism(algorithm.generate))
        )

    def import_components(
        self, spec: KeySpec, components: Sequence[bytes], under: StoredKey | None = None
    ) -> StoredKey:
        self._algorithm(spec)
        template = [*self._template(spec), (PyKCS11.CKA_VALUE, checks.combined(spec, components))]
        return self._kept(spec, template, lambda session, full: session.createObject(full))

    def import_block(
        self,
        block: bytes,
        transport: StoredKey,
        under: StoredKey | None = None,
        name: tuple[str, int] | None = None,
    ) -> tuple[KeySpec, StoredKey]:
        checks.kind(self._spec(transport), ("partner",), purpose="保护传来的密钥")
        parts = parse(block)
        if parts.form != AES_BLOCK:
            raise Refused(
                "KEY_ALGORITHM_UNSUPPORTED",
                "密码机不能打开 SM4 保护的密钥块。",
                found=f"第 {parts.form} 式",
                expected=f"第 {AES_BLOCK} 式（AES）",
                action="请对方用 AES 传输密钥重新导出，或把密钥导入软件密钥库。",
            )
        self._algorithm(parts.spec)

        def unwrap(session: Any, full: list[tuple[int, Any]]) -> Any:
            wrapping, authentication = self._block_keys(session, transport)
            found = session.sign(authentication, parts.head + parts.cipher, Mechanism(self._table.mac))
            if not hmac.compare_digest(bytes(found), parts.mac):
                raise broken()
            return session.unwrapKey(wrapping, parts.cipher, full, Mechanism(self._table.wrap))

        spec = checks.called(parts.spec, name)
        return parts.spec, self._kept(spec, self._template(spec), unwrap)

    def export_block(self, key: StoredKey, transport: StoredKey) -> bytes:
        spec = self._spec(key)
        checks.exportable(spec)
        checks.kind(self._spec(transport), ("partner",), purpose="保护导出的密钥")

        def wrap(session: Any) -> bytes:
            wrapping, authentication = self._block_keys(session, transport)
            cipher = bytes(session.wrapKey(wrapping, self._found(session, key), Mechanism(self._table.wrap)))
            head = head_of(AES_BLOCK, spec, len(cipher))
            mac = bytes(session.sign(authentication, head + cipher, Mechanism(self._table.mac)))
            return head + (cipher + mac).hex().upper().encode("ascii")

        return self._sessions.run(wrap)

    def derive(
        self, key: StoredKey, factor: bytes, spec: KeySpec, under: StoredKey | None = None
    ) -> StoredKey:
        """Inside the module, where the new key stays; a DES key gets its parity bits, and works the same."""
        checks.derives(self._spec(key), spec)
        checks.levels([factor])
        how = _string_data(card_batches.blocks_of(factor), self._algorithm(spec).derive)
        return self._kept(
            spec,
            self._template(spec),
            lambda session, full: session.deriveKey(self._found(session, key), full, how),
        )

    def kcv(self, key: StoredKey) -> str:
        spec = self._spec(key)
        return self._sessions.run(lambda session: self._kcv(session, spec, self._found(session, key)))

    def destroy(self, key: StoredKey) -> None:
        checks.of_store(self.name, key)

        def remove(session: Any) -> None:
            for found in session.findObjects([(PyKCS11.CKA_ID, bytes.fromhex(key.handle))]):
                session.destroyObject(found)

        self._sessions.run(remove)

    def rewrap(self, key: StoredKey, under: StoredKey) -> StoredKey:
        self._spec(key)
        return key

    def diversify(self, key: StoredKey, factors: Sequence[bytes]) -> CardKey:
        checks.levels(factors)
        spec, value = self._diversified(key, factors[-1], factors[:-1])
        return CardKey(value, algorithm=spec.algorithm, label=spec.label, version=spec.version)

    def card_key(self, key: StoredKey) -> CardKey:
        """Made extractable for this and wrapped on the way: a module gives no value away in clear."""
        spec = self._spec(key)
        checks.kind(spec, ("blank",), purpose="直接写卡")

        def out(session: Any) -> bytes:
            fresh = secrets.token_bytes(32)
            passing = session.createObject(
                [
                    *_session_key(self._algorithm_of("aes").key_type),
                    (PyKCS11.CKA_WRAP, CK_TRUE),
                    (PyKCS11.CKA_VALUE, fresh),
                ]
            )
            try:
                cipher = session.wrapKey(passing, self._found(session, key), Mechanism(self._table.wrap))
            finally:
                session.destroyObject(passing)
            return key_blocks.unwrapped(fresh, bytes(cipher))

        value = self._sessions.run(out)
        return CardKey(value, algorithm=spec.algorithm, label=spec.label, version=spec.version)

    def diversify_many(self, key: StoredKey, factors: bytes, above: Sequence[bytes] = ()) -> bytes:
        return self._diversified(key, factors, above)[1]

    def diversify_wrapped(
        self, key: StoredKey, factors: bytes, under: StoredKey, above: Sequence[bytes] = ()
    ) -> tuple[bytes, bytes]:
        wrapping = self._spec(under)
        checks.kind(wrapping, ("batch", "partner"), purpose="保护整批卡密钥")
        spec, keys = self._diversified(key, factors, above)
        mechanism = self._algorithm_of(wrapping.algorithm).encrypt
        cryptograms = self._sessions.run(
            lambda session: _encrypted(session, self._found(session, under), mechanism, keys)
        )
        return cryptograms, card_batches.kcvs(spec.algorithm, keys)

    # --- inside ---

    def _diversified(self, key: StoredKey, factors: bytes, above: Sequence[bytes]) -> tuple[KeySpec, bytes]:
        """The last level by encryption, which gives the rule's bytes: a derived DES key has parity forced."""
        spec = self._spec(key)
        checks.kind(spec, DIVERSIFIED, purpose="分散卡密钥")
        if above:
            checks.levels(above)
        algorithm = self._algorithm_of(spec.algorithm)
        blocks = card_batches.blocks_of(factors)

        def derive(session: Any) -> bytes:
            found, made = self._found(session, key), []
            try:
                for factor in above:
                    template = [*_session_key(algorithm.key_type), (PyKCS11.CKA_ENCRYPT, CK_TRUE)]
                    template.append((PyKCS11.CKA_DERIVE, CK_TRUE))
                    data = card_batches.blocks_of(factor)
                    found = session.deriveKey(found, template, _string_data(data, algorithm.derive))
                    made.append(found)
                return _encrypted(session, found, algorithm.encrypt, blocks)
            finally:
                for each in made:
                    session.destroyObject(each)

        return spec, self._sessions.run(derive)

    def _block_keys(self, session: Any, transport: StoredKey) -> tuple[Any, Any]:
        """The two keys of a block, derived inside the module; they go with the session."""
        source = self._found(session, transport)
        algorithm = self._algorithm_of(self._table.block)
        size = [(PyKCS11.CKA_VALUE_LEN, 32)]
        made = []
        for data, uses in (
            (key_blocks.AES_ENCRYPTION, (PyKCS11.CKA_WRAP, PyKCS11.CKA_UNWRAP)),
            (key_blocks.AES_MAC, (PyKCS11.CKA_SIGN, PyKCS11.CKA_VERIFY)),
        ):
            template = [*_session_key(algorithm.key_type), *size, *((use, CK_TRUE) for use in uses)]
            made.append(session.deriveKey(source, template, _string_data(data, algorithm.derive)))
        return made[0], made[1]

    def _kept(self, spec: KeySpec, template: list[tuple[int, Any]], make: Any) -> StoredKey:
        handle = secrets.token_bytes(16)

        def keep(session: Any) -> str:
            made = make(session, [*template, (PyKCS11.CKA_ID, handle), (PyKCS11.CKA_MODIFIABLE, CK_FALSE)])
            return self._kcv(session, spec, made)

        return StoredKey(self.name, handle.hex(), b"", self._sessions.run(keep))

    def _template(self, spec: KeySpec) -> list[tuple[int, Any]]:
        wraps = spec.usage in WRAPPING
        # A blank's transport key stands on cards: it is let out, wrapped, to be used there.
        leaves = spec.exportable or spec.usage == "blank"
        return [
            (PyKCS11.CKA_CLASS, PyKCS11.CKO_SECRET_KEY),
            (PyKCS11.CKA_KEY_TYPE, self._algorithm(spec).key_type),
            (
                PyKCS11.CKA_LABEL,
                f"{spec.label}/{spec.version}/{spec.usage}/{'E' if spec.exportable else 'N'}",
            ),
            (PyKCS11.CKA_TOKEN, CK_TRUE),
            (PyKCS11.CKA_PRIVATE, CK_TRUE),
            (PyKCS11.CKA_SENSITIVE, CK_TRUE),
            (PyKCS11.CKA_EXTRACTABLE, CK_TRUE if leaves else CK_FALSE),
            (PyKCS11.CKA_ENCRYPT, CK_TRUE),
            (PyKCS11.CKA_DECRYPT, CK_FALSE),
            (PyKCS11.CKA_DERIVE, CK_TRUE if wraps or spec.usage in DIVERSIFIED | DERIVING else CK_FALSE),
            (PyKCS11.CKA_WRAP, CK_FALSE),
            (PyKCS11.CKA_UNWRAP, CK_FALSE),
            (PyKCS11.CKA_SIGN, CK_FALSE),
        ]

    def _spec(self, key: StoredKey) -> KeySpec:
        checks.of_store(self.name, key)

        def read(session: Any) -> KeySpec:
            asked = [PyKCS11.CKA_LABEL, PyKCS11.CKA_KEY_TYPE]
            text, key_type = session.getAttributeValue(self._found(session, key), asked)
            label, version, usage, export = text.rsplit("/", 3)
            [algorithm] = [name for name, each in self._table.algorithms.items() if each.key_type == key_type]
            return KeySpec(label, int(version), algorithm, usage, export == "E")

        return self._sessions.run(read)

    def _found(self, session: Any, key: StoredKey) -> Any:
        found = session.findObjects([(PyKCS11.CKA_ID, bytes.fromhex(key.handle))]) if key.handle else []
        if not found:
            raise checks.gone(key.kcv)
        return found[0]

    def _kcv(self, session: Any, spec: KeySpec, found: Any) -> str:
        zeros = bytes(card_ciphers.block_size(spec.algorithm))
        mechanism = self._algorithm_of(spec.algorithm).encrypt
        return _encrypted(session, found, mechanism, zeros)[: card_ciphers.KCV_SIZE].hex()

    def _algorithm(self, spec: KeySpec) -> Algorithm:
        checks.supported(self.algorithms, spec, place="这台密码机")
        return self._table.algorithms[spec.algorithm]

    def _algorithm_of(self, name: str) -> Algorithm:
        return self._table.algorithms[name]


def _session_key(key_type: int) -> list[tuple[int, Any]]:
    """A key that lives as long as the session and cannot be read."""
    return [
        (PyKCS11.CKA_CLASS, PyKCS11.CKO_SECRET_KEY),
        (PyKCS11.CKA_KEY_TYPE, key_type),
        (PyKCS11.CKA_TOKEN, CK_FALSE),
        (PyKCS11.CKA_SENSITIVE, CK_TRUE),
        (PyKCS11.CKA_EXTRACTABLE, CK_FALSE),
    ]


def _string_data(data: bytes, mechanism: int) -> Any:
    return PyKCS11.KEY_DERIVATION_STRING_DATA_MechanismBase(data, mechanism)


def _encrypted(session: Any, key: Any, mechanism: int, data: bytes) -> bytes:
    how = Mechanism(mechanism)
    return b"".join(
        bytes(session.encrypt(key, data[place : place + _PIECE], how))
        for place in range(0, len(data), _PIECE)
    )
