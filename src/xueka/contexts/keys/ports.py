"""What key management needs from a store: a place where keys are made, kept and used, and stay.

Two are written: the sealed software store and a PKCS#11 module (adapters/). One suite of contract tests runs
against both (tests/contracts/key_stores).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from xueka.contexts.keys.domain.key_block import KeySpec
from xueka.platform.crypto.card_ciphers import CardKey

__all__ = ["KeySpec", "KeyStore", "StoredKey"]


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What key management writes down of a key; nothing in it opens anything by itself.

    `store` is the name of its store. `handle` finds a key that lies inside the store; `block` is the key
    block of one that lies outside, under the key `under`. One of the two is filled. `kcv`: 6 hex digits.
    """

    store: str
    handle: str
    block: bytes
    kcv: str
    under: "StoredKey | None" = None


class KeyStore(Protocol):
    """Every method may raise Refused `KEY_STORE_LOCKED` (nobody has opened it), `KEY_STORE_OTHER` (the key is
    of another store), `KEY_GONE` (it is there no longer) and `KEY_KIND` (it is not for this); BadInput
    `KEY_BLOCK_BROKEN` for a block that was altered or lies under another key; XuekaError `KEY_STORE_FAILED`.
    """

    name: str
    #: What it can hold and use, of `3des`, `sm4`, `sm1`, `aes`.
    algorithms: frozenset[str]
    #: Of which algorithm keys must be that others are wrapped by (kinds `kek`, `partner`, `batch`).
    wrapping: str

    def generate(self, spec: KeySpec, under: StoredKey | None = None) -> StoredKey:
        """A new random key. `under`: the key whose block it becomes; None puts it into the store itself.

        Raises Refused `KEY_ALGORITHM_UNSUPPORTED`.
        """

    def import_components(
        self, spec: KeySpec, components: Sequence[bytes], under: StoredKey | None = None
    ) -> StoredKey:
        """The exclusive or of two or more components that custodians brought.

        Raises BadInput `KEY_COMPONENTS`, Refused `KEY_ALGORITHM_UNSUPPORTED`.
        """

    def import_block(
        self,
        block: bytes,
        transport: StoredKey,
        under: StoredKey | None = None,
        name: tuple[str, int] | None = None,
    ) -> tuple[KeySpec, StoredKey]:
        """A key that arrives in a key block under `transport`; the block's own head says what it is.

        `name` is what it is called here, label and version number; without it the sender's words stay. The
        spec returned is the sender's.

        Raises BadInput `KEY_BLOCK_FORMAT`, `KEY_BLOCK_BROKEN`.
        """

    def export_block(self, key: StoredKey, transport: StoredKey) -> bytes:
        """The key block of an exportable key under `transport`. Raises Refused `KEY_NOT_EXPORTABLE`."""

    def derive(
        self, key: StoredKey, factor: bytes, spec: KeySpec, under: StoredKey | None = None
    ) -> StoredKey:
        """The master `spec` (of an issuer or an application) of a city's or an issuer's master `key`.

        `factor` has 8 bytes. Type and algorithm are the source's, or Refused `KEY_KIND`.
        """

    def kcv(self, key: StoredKey) -> str:
        """The check value, computed again from the key itself."""

    def destroy(self, key: StoredKey) -> None:
        """Take it out of the store, if it is still there. A block outside goes with its record."""

    def rewrap(self, key: StoredKey, under: StoredKey) -> StoredKey:
        """The same key in a block under another key. One that lies in the store stays as it is."""

    def diversify(self, key: StoredKey, factors: Sequence[bytes]) -> CardKey:
        """The key of one card: 8 bytes per level, at least one, the outermost first."""

    def card_key(self, key: StoredKey) -> CardKey:
        """A key that is itself on cards: the transport key of blanks (kind `blank`), and no other."""

    def diversify_many(self, key: StoredKey, factors: bytes, above: Sequence[bytes] = ()) -> bytes:
        """The keys of n cards, n x 16 bytes, for use in server memory.

        `factors` is n x 8 bytes; `above` are the factors of the levels over the card, the same for all.
        """

    def diversify_wrapped(
        self, key: StoredKey, factors: bytes, under: StoredKey, above: Sequence[bytes] = ()
    ) -> tuple[bytes, bytes]:
        """The same enciphered (ECB) under a `batch` or `partner` key, and their n x 3 check values."""
