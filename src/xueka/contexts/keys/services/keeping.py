"""Between the record and the store: what a version's row says, as the store understands it, and back."""

from collections.abc import Sequence

from xueka.contexts.keys.domain import vocabulary as v
from xueka.contexts.keys.models import FILES, Key, KeyVersion
from xueka.contexts.keys.ports import KeySpec, KeyStore, StoredKey
from xueka.contexts.keys.services import finding, stores
from xueka.kernel.errors import Refused, XuekaError
from xueka.platform.crypto.card_ciphers import FACTOR_SIZE, KCV_SIZE, CardKey

PROBES = 64  # cards of a batch whose check value is computed a second time, on the way of a single card


def spec_of(key: Key, number: int) -> KeySpec:
    usage = f"{key.level}.{key.kind}" if key.level in (v.CITY, v.ISSUER) else key.kind
    return KeySpec(key.label, number, key.algorithm, usage, v.EXPORT in key.usages)


def stored(version: KeyVersion) -> StoredKey:
    """The version as its store knows it, with what it is wrapped by, up to the local master key."""
    above = stored(version.wrapped_by) if version.wrapped_by else None
    return StoredKey(version.store, version.handle, bytes(version.block or b""), version.kcv, above)


def generate(key: Key, number: int) -> tuple[StoredKey, KeyVersion | None]:
    """A new random key and the version it is wrapped by."""
    above = _above(key)
    store = stores.for_new(key)
    _clear(store, key, number)
    return store.generate(spec_of(key, number), stored(above) if above else None), above


def derived(key: Key, number: int, source: KeyVersion) -> tuple[StoredKey, KeyVersion | None]:
    """The next version of a key as its source gives it by the key's factor."""
    above = _above(key)
    store = stores.for_new(key)
    under = stored(above) if above else None
    return store.derive(stored(source), bytes.fromhex(key.factor), spec_of(key, number), under), above


def derived_kcv(version: KeyVersion, source: KeyVersion) -> str:
    """The check value of what the source gives today; what was made for it is taken away again."""
    store = _store(source)
    under = stored(version.wrapped_by) if version.wrapped_by else None
    factor = bytes.fromhex(version.key.factor)
    made = store.derive(stored(source), factor, spec_of(version.key, version.number), under)
    store.destroy(made)
    return made.kcv


def from_components(
    key: Key, number: int, components: Sequence[bytes], kcv: str
) -> tuple[StoredKey, KeyVersion | None]:
    """The key that the components make together; its check value has to be `kcv`."""
    above = _above(key)
    store = stores.for_new(key)
    _clear(store, key, number)
    made = store.import_components(spec_of(key, number), components, stored(above) if above else None)
    _same(key, kcv, made.kcv)
    return made, above


def take_in(
    key: Key, number: int, block: str, kcv: str, transport: KeyVersion
) -> tuple[StoredKey, KeyVersion | None]:
    """A key that arrives in a block under `transport`. What its head says must be what was registered."""
    above = _above(key)
    said, made = stores.for_new(key).import_block(
        block.strip().encode(), stored(transport), stored(above) if above else None, (key.label, number)
    )
    wanted = spec_of(key, number)
    if (said.algorithm, said.usage) != (wanted.algorithm, wanted.usage):
        raise Refused(
            "KEY_BLOCK_OTHER",
            "密钥块里的密钥不是登记的那一种，没有导入。",
            where=key.label,
            found=f"{said.usage} / {said.algorithm}",
            expected=f"{wanted.usage} / {wanted.algorithm}",
            action="请核对密钥块，或请对方重新导出。",
        )
    _same(key, kcv, made.kcv)
    return made, above


def expected(key: Key, kcv: str, made: StoredKey) -> None:
    """Raises XuekaError `KCV_DIFFERS` where a reviewed file says another check value; it may say none."""
    if kcv:
        _same(key, kcv, made.kcv)


def rewrap(version: KeyVersion, target: KeyVersion) -> bytes:
    """The version's key in a block under another wrapping key; its check value is computed anew."""
    store = stores.named(version.store)
    made = store.rewrap(stored(version), stored(target))
    _same(version.key, version.kcv, store.kcv(made))
    return made.block


def exported(version: KeyVersion, transport: KeyVersion) -> str:
    """The key block of an exportable version under a transport key."""
    return _store(version).export_block(stored(version), stored(transport)).decode("ascii")


def kcv(version: KeyVersion) -> str:
    """The check value, from the key itself: the block is opened. Raises what the store raises."""
    return stores.named(version.store).kcv(stored(version))


def diversified(version: KeyVersion, factors: Sequence[bytes]) -> CardKey:
    return _right(version, _store(version).diversify(stored(version), factors))


def whole(version: KeyVersion) -> CardKey:
    return _right(version, _store(version).card_key(stored(version)))


def diversified_many(version: KeyVersion, factors: bytes) -> bytes:
    return _store(version).diversify_many(stored(version), factors)


def diversified_wrapped(version: KeyVersion, factors: bytes, under: KeyVersion) -> tuple[bytes, bytes]:
    return _store(version).diversify_wrapped(stored(version), factors, stored(under))


def check_batch(version: KeyVersion, factors: bytes, cryptograms: bytes, kcvs: bytes) -> None:
    """Sizes, and the check values of some cards on the way of a single card; Refused `KEY_BATCH_CHECK`."""
    count = len(factors) // FACTOR_SIZE
    wrong = len(kcvs) != KCV_SIZE * count or len(cryptograms) != 16 * count
    source, store = stored(version), _store(version)
    for place in range(0, count, max(1, count // PROBES)) if not wrong else ():
        factor = factors[FACTOR_SIZE * place : FACTOR_SIZE * (place + 1)]
        found = store.diversify(source, [factor]).kcv
        wrong = wrong or bytes.fromhex(found) != kcvs[KCV_SIZE * place : KCV_SIZE * (place + 1)]
    if wrong:
        raise Refused(
            "KEY_BATCH_CHECK",
            f"整批分散的结果与逐张核对不一致，批次已停止（{version.key.label}）。",
            where=version.key.label,
            action="没有交出任何密钥。请联系密钥管理员核对密钥库。",
        )


def _right(version: KeyVersion, made: CardKey) -> CardKey:
    """The key, when the block's head names the version of the record; two blocks may have been exchanged."""
    if (made.label, made.version) != (version.key.label, version.number):
        raise Refused(
            "KEY_BLOCK_EXCHANGED",
            f"密钥 {version.key.label} 第 {version.number} 版的记录里是另一个密钥块，没有使用。",
            where=version.key.label,
            found=f"{made.label} 第 {made.version} 版",
            action="请密钥管理员运行 xueka keys verify，并从备份核对密钥记录。",
        )
    return made


def _store(version: KeyVersion) -> KeyStore:
    if version.store == FILES:
        raise Refused(
            "KEY_OF_FILES", f"{version.key.title}由系统自己使用，不用于制卡。", where=version.key.label
        )
    return stores.named(version.store)


def _clear(store: KeyStore, key: Key, number: int) -> None:
    """What a ceremony or a rotation that broke off has left in the store's file goes first.

    The file is written before the record: without this the number, which no record has, stayed taken.
    """
    if key.level == v.LOCAL and stores.sealed(store.name) is not None:
        store.destroy(StoredKey(store.name, f"{key.label}/{number}", b"", ""))


def _above(key: Key) -> KeyVersion | None:
    """The version that wraps a new one: the active one of its parent.

    The parent is locked: were it rotated meanwhile, the new block would lie under the version before, and the
    re-wrapping might have ended without it.
    """
    if key.parent is None or not stores.wraps_outside(stores.name_for(drill=key.drill)):
        return None
    finding.locked(key.parent.label)
    return finding.usable(key.parent.label, None)


def _same(key: Key, wanted: str, found: str) -> None:
    if found != wanted:
        raise XuekaError(
            "KCV_DIFFERS",
            f"密钥 {key.label} 的校验值不符，没有继续。",
            where=key.label,
            found=found,
            expected=wanted,
            action="请核对分量、密钥块或密钥库；没有改动任何密钥。",
        )
