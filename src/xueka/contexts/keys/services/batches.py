"""The card keys of a whole batch as a bureau gets them (docs/interfaces/card-bureau.md §7): all or none.

In one of two ways: enciphered under a transport key that is made for this batch alone; or not at all, the
bureau having the masters, so that only versions and check values are told.
"""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from xueka.contexts.keys.domain import vocabulary as v
from xueka.contexts.keys.domain.factors import SIZE as FACTOR_SIZE
from xueka.contexts.keys.models import KeyVersion
from xueka.contexts.keys.ports import KeySpec, KeyStore, StoredKey
from xueka.contexts.keys.services import keeping, stores
from xueka.contexts.keys.services.using import MasterView, control_sum, permitted, view_of, written
from xueka.kernel.errors import Refused
from xueka.platform.crypto import card_batches, card_ciphers
from xueka.platform.crypto.sm2 import PublicKey
from xueka.platform.identity.actor import Actor

_KEY_SIZES = {"sm4": 16, "aes": 32}


@dataclass(frozen=True, slots=True)
class Wanted:
    """One master key and what its n cards are diversified by: n x 8 bytes, below the levels `above`.

    Empty factors: the city does not know them (a chip's UID), and nothing is diversified.
    """

    label: str
    factors: bytes
    above: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True)
class BatchMaster:
    """`cryptograms` n x 16 bytes under the batch's key, or empty; `kcvs` n x 3; `control` their sum."""

    view: MasterView
    cryptograms: bytes
    kcvs: bytes
    control: str


@dataclass(frozen=True, slots=True)
class BatchTransport:
    """The transport key of one batch on its way: SM2Cipher in base64 (`form` SM2), or a key block (`block`).

    `algorithm` is what enciphers the card keys (ECB), `kcv` its check value, `under` the partner's key that a
    block lies under.
    """

    algorithm: str
    kcv: str
    form: str
    text: str
    under: MasterView | None


@dataclass(frozen=True, slots=True)
class BureauKeys:
    """What was derived for a batch; the transport is None where no key leaves."""

    masters: list[BatchMaster]
    transport: BatchTransport | None


def bureau_keys(
    actor: Actor,
    wanted: Sequence[Wanted],
    under: PublicKey | str | None,
    *,
    purpose: str,
    subject: str,
) -> BureauKeys:
    """Derive the keys of a batch, each master's in one call, and prove them before they are handed out.

    `under`: the bureau's SM2 key, or the label of a transport key that it holds, for the batch's own key;
    None gives no key out. Every cryptogram is opened again and compared, and the check values of up to 64
    cards are computed on the way of a single card. Raises Refused `KEY_BATCH_CHECK`, and as `card_keys`.
    """
    versions = [permitted(actor, each.label, None, v.DIVERSIFY) for each in wanted]
    partner = permitted(actor, under, None, v.WRAP) if isinstance(under, str) else None
    count = max((len(each.factors) // FACTOR_SIZE for each in wanted), default=0)
    written(actor, versions, v.DIVERSIFY, purpose, subject, cards=count)
    if partner is not None:
        written(actor, [partner], v.WRAP, purpose, subject, cards=count)
    if under is None:
        return BureauKeys(
            [_told(version, each) for version, each in zip(versions, wanted, strict=True)], None
        )
    store = stores.named(_one_store([*versions, partner] if partner else versions))
    value = secrets.token_bytes(_KEY_SIZES[store.wrapping])
    batch_key = _taken(store, subject, value, versions[0])
    try:
        masters = [
            _wrapped(store, version, each, batch_key, value)
            for version, each in zip(versions, wanted, strict=True)
        ]
        text = (
            base64.b64encode(under.encrypt(value)).decode("ascii")
            if isinstance(under, PublicKey)
            else store.export_block(batch_key, keeping.stored(_present(partner))).decode("ascii")
        )
    finally:
        store.destroy(batch_key)
    form = "SM2" if isinstance(under, PublicKey) else "block"
    told = view_of(partner) if partner else None
    return BureauKeys(masters, BatchTransport(store.wrapping, batch_key.kcv, form, text, told))


def _taken(store: KeyStore, subject: str, value: bytes, beside: KeyVersion) -> StoredKey:
    """The batch's key inside the store, for as long as the batch is made."""
    mask = secrets.token_bytes(len(value))
    parts = [mask, bytes(left ^ right for left, right in zip(mask, value, strict=True))]
    spec = KeySpec(f"batch.{subject}", 1, store.wrapping, "batch", True)
    return store.import_components(spec, parts, keeping.stored(beside).under)


def _told(version: KeyVersion, wanted: Wanted) -> BatchMaster:
    """Check values alone, for a bureau that diversifies itself and compares."""
    store, key = stores.named(version.store), keeping.stored(version)
    kcvs = b""
    if wanted.factors:
        keys = store.diversify_many(key, wanted.factors, wanted.above)
        kcvs = card_batches.kcvs(version.algorithm, keys)
        _probe(store, version, key, wanted, kcvs)
    return BatchMaster(view_of(version), b"", kcvs, control_sum(kcvs))


def _wrapped(
    store: KeyStore, version: KeyVersion, wanted: Wanted, batch_key: StoredKey, value: bytes
) -> BatchMaster:
    key = keeping.stored(version)
    cryptograms, kcvs = store.diversify_wrapped(key, wanted.factors, batch_key, wanted.above)
    opened = card_ciphers.decrypt(store.wrapping, value, cryptograms)
    if opened != store.diversify_many(key, wanted.factors, wanted.above):
        raise _mismatch(version)
    _probe(store, version, key, wanted, kcvs)
    return BatchMaster(view_of(version), cryptograms, kcvs, control_sum(kcvs))


def _probe(store: KeyStore, version: KeyVersion, key: StoredKey, wanted: Wanted, kcvs: bytes) -> None:
    """Some cards of the batch on the way of a single card. Raises Refused `KEY_BATCH_CHECK`."""
    count = len(wanted.factors) // FACTOR_SIZE
    if len(kcvs) != card_ciphers.KCV_SIZE * count:
        raise _mismatch(version)
    places = range(0, count, max(1, count // keeping.PROBES))
    for place in {*places, count - 1} if count else ():
        factor = wanted.factors[FACTOR_SIZE * place : FACTOR_SIZE * (place + 1)]
        found = store.diversify(key, [*wanted.above, factor]).kcv
        if found != kcvs[card_ciphers.KCV_SIZE * place : card_ciphers.KCV_SIZE * (place + 1)].hex():
            raise _mismatch(version)


def _one_store(versions: Sequence[KeyVersion]) -> str:
    """The batch's key wraps what lies in the same store. Raises Refused `KEY_STORE_OTHER`."""
    names = sorted({version.store for version in versions})
    if len(names) != 1:
        raise Refused(
            "KEY_STORE_OTHER",
            "这批密钥不在同一个密钥库中，不能放进同一份制卡文件。",
            found="、".join(names),
            action="请把所用的密钥放在同一个密钥库，或改用“预先装入”的方式。",
        )
    return names[0]


def _present(version: KeyVersion | None) -> KeyVersion:
    assert version is not None
    return version


def _mismatch(version: KeyVersion) -> Refused:
    return Refused(
        "KEY_BATCH_CHECK",
        f"整批分散的结果与逐张核对不一致，批次已停止（{version.key.label}）。",
        where=version.key.label,
        action="没有交出任何密钥。请联系密钥管理员核对密钥库。",
    )
