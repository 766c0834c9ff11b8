"""Using keys: policy, then the record, then the key. Where the record cannot be written there is no key.

The use and its audit entry are rows of the caller's transaction, as everything that is audited. What a caller
does with a key leaves this process only after that transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import DatabaseError, transaction

from xueka.contexts.keys.domain import policy
from xueka.contexts.keys.domain import vocabulary as v
from xueka.contexts.keys.models import KeyUse, KeyVersion
from xueka.contexts.keys.services import finding, keeping
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.platform.audit.services import record
from xueka.platform.crypto.card_ciphers import FACTOR_SIZE, CardKey
from xueka.platform.identity.actor import Actor

USE = "city:key:use"


@dataclass(frozen=True, slots=True)
class MasterView:
    """What may be known of a version without using it."""

    label: str
    version: int
    algorithm: str
    kcv: str
    state: str


@dataclass(frozen=True, slots=True)
class BatchKeys:
    """The keys of a whole batch under one transport key, by label.

    `cryptograms[label]` holds n x 16 bytes, `kcvs[label]` n x 3, `versions[label]` the version used;
    `transport` names the key they are under, `controls[label]` is the control sum of the check values
    (exclusive or of all, 6 hexadecimal digits).
    """

    count: int
    transport: MasterView
    versions: dict[str, int]
    cryptograms: dict[str, bytes]
    kcvs: dict[str, bytes]
    controls: dict[str, str]


def active(label: str) -> MasterView:
    """The version in use. Raises NotFound `KEY_NOT_FOUND`, Refused `KEY_FOREIGN`, `KEY_NONE_ACTIVE`."""
    return view_of(finding.usable(label, None))


def view(label: str, version: int) -> MasterView:
    """One version, in whatever state. Raises NotFound."""
    return view_of(finding.usable(label, version))


def card_keys(
    actor: Actor,
    wanted: Sequence[tuple[str, int | None]],
    factors: Sequence[bytes],
    *,
    purpose: str,
    subject: str,
) -> list[CardKey]:
    """The keys of one card, in the order asked for: each master diversified by `factors` (8 bytes a level).

    `wanted` are (label, version), None for the active one; `purpose` and `subject` (a card's number, say) are
    kept with the use. Needs `city:key:use`. Raises Refused `KEY_NONE_ACTIVE`, `KEY_STATE`, `KEY_USAGE`,
    `KEY_FOREIGN`, `KEY_AUDIT`; NotFound `KEY_NOT_FOUND`; then nothing was derived.
    """
    versions = [permitted(actor, label, number, v.DIVERSIFY) for label, number in wanted]
    written(actor, versions, v.DIVERSIFY, purpose, subject, cards=1)
    return [keeping.diversified(version, factors) for version in versions]


def transport_key(
    actor: Actor, label: str, version: int | None = None, *, purpose: str, subject: str
) -> CardKey:
    """A key that is the same on many cards (a blank's transport key), whole. Raises as `card_keys`."""
    found = permitted(actor, label, version, v.MAC)
    written(actor, [found], v.MAC, purpose, subject, cards=1)
    return keeping.whole(found)


def batch_keys(
    actor: Actor,
    labels: Sequence[str],
    factors: bytes,
    transport_label: str,
    *,
    purpose: str,
    subject: str,
) -> BatchKeys:
    """The card keys of a whole batch for a production file: one call per master for all cards.

    `factors` is n x 8 bytes, one factor a card. Sizes are compared, and the check values of up to 64 cards
    spread over the batch on the way of a single card; a mismatch stops it with Refused `KEY_BATCH_CHECK`.
    Raises as `card_keys`, and ValueError for factors of no whole number of cards.
    """
    count, rest = divmod(len(factors), FACTOR_SIZE)
    if rest or not count:
        raise ValueError("factors are n x 8 bytes")
    versions = [permitted(actor, label, None, v.DIVERSIFY) for label in labels]
    under = permitted(actor, transport_label, None, v.WRAP)
    written(actor, versions, v.DIVERSIFY, purpose, subject, cards=count)
    written(actor, [under], v.WRAP, purpose, subject, cards=count)
    cryptograms, kcvs, controls = {}, {}, {}
    for version in versions:
        label = version.key.label
        cryptograms[label], kcvs[label] = keeping.diversified_wrapped(version, factors, under)
        controls[label] = control_sum(kcvs[label])
        keeping.check_batch(version, factors, cryptograms[label], kcvs[label])
    return BatchKeys(
        count,
        view_of(under),
        {version.key.label: version.number for version in versions},
        cryptograms,
        kcvs,
        controls,
    )


def control_sum(kcvs: bytes) -> str:
    """The exclusive or of all check values (n x 3 bytes), as 6 hexadecimal digits."""
    total = 0
    for place in range(3):
        column = 0
        for byte in kcvs[place::3]:
            column ^= byte
        total = total << 8 | column
    return f"{total:06x}"


# --- inside ---


def permitted(actor: Actor, label: str, number: int | None, usage: str) -> KeyVersion:
    actor.require(USE)
    found = finding.usable(label, number)
    policy.check_use(label, found.number, found.state, found.key.usages, usage)
    return found


def written(
    actor: Actor, versions: Sequence[KeyVersion], usage: str, purpose: str, subject: str, *, cards: int
) -> None:
    """The audit entry and a row per version, or Refused `KEY_AUDIT`."""
    policy.check_reason(purpose, subject)
    now = clock.now()
    detail = {
        "keys": [f"{version.key.label}/{version.number}" for version in versions],
        "usage": usage,
        "purpose": purpose,
        "cards": cards,
    }
    try:
        with transaction.atomic():
            entry = record(actor, "key.use", "key_use", subject, detail=detail)
            KeyUse.objects.bulk_create(
                KeyUse(
                    version=version,
                    at=now,
                    actor=actor.username,
                    usage=usage,
                    purpose=purpose,
                    subject=subject,
                    cards=cards,
                    entry=entry,
                )
                for version in versions
            )
    except DatabaseError as error:
        raise Refused(
            "KEY_AUDIT",
            "密钥的使用无法记入审计日志，所以没有使用。",
            where=subject,
            action="请联系系统管理员检查审计日志，恢复后再试。",
        ) from error


def view_of(version: KeyVersion) -> MasterView:
    return MasterView(version.key.label, version.number, version.algorithm, version.kcv, version.state)
