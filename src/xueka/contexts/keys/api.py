"""Key management, as the other contexts see it. Whoever makes cards needs `card_keys` and its like only.

Every use needs `city:key:use`, says why (`purpose`) and for what (`subject`), and is refused where the audit
log cannot be written. A role that makes cards holds that permission; key custodians do not.
"""

from collections.abc import Sequence

from xueka.contexts.keys.adapters import share_sheets
from xueka.contexts.keys.domain.ceremony import Person, Plan
from xueka.contexts.keys.domain.ceremony import read as read_plan
from xueka.contexts.keys.domain.changes import KINDS as CHANGE_KINDS
from xueka.contexts.keys.domain.factors import from_digits as factor_from_digits
from xueka.contexts.keys.domain.transitions import KEY_CHANGE, KEY_VERSION
from xueka.contexts.keys.domain.vocabulary import ALGORITHMS, LEVELS, TYPES, USAGES
from xueka.contexts.keys.invariants import INVARIANTS
from xueka.contexts.keys.models import ORIGINS, STORES, Ceremony, Key, KeyChange, KeyUse, KeyVersion
from xueka.contexts.keys.ports import KeySpec, KeyStore, StoredKey
from xueka.contexts.keys.queries import (
    Exposure,
    ceremonies,
    ceremony,
    change,
    changes,
    closed_stores,
    exposure,
    key,
    keys,
    partner_keys,
    rewraps,
    subjects,
    uses,
    uses_by_day,
    uses_by_version,
    version,
    waiting,
    wrapping_keys,
)
from xueka.contexts.keys.services.asking import Asker
from xueka.contexts.keys.services.batches import BatchMaster, BatchTransport, BureauKeys, Wanted, bureau_keys
from xueka.contexts.keys.services.ceremonies import by_code, people_of
from xueka.contexts.keys.services.ceremonies import check as check_plan
from xueka.contexts.keys.services.ceremonies import run as hold_ceremony
from xueka.contexts.keys.services.changes import ask, confirm, refuse, withdraw
from xueka.contexts.keys.services.demo import demo_people, make_demo_keys
from xueka.contexts.keys.services.finding import held
from xueka.contexts.keys.services.platform_keys import take_note as note_platform_keys
from xueka.contexts.keys.services.removing import finish as finish_removals
from xueka.contexts.keys.services.rewrapping import finish as finish_rewrapping
from xueka.contexts.keys.services.stores import close_store, open_store
from xueka.contexts.keys.services.using import (
    BatchKeys,
    MasterView,
    active,
    batch_keys,
    card_keys,
    control_sum,
    transport_key,
    view,
)
from xueka.contexts.keys.services.verifying import verify

__all__ = [
    "ALGORITHMS",
    "CHANGE_KINDS",
    "INVARIANTS",
    "KEY_CHANGE",
    "KEY_VERSION",
    "LEVELS",
    "ORIGINS",
    "STORES",
    "TYPES",
    "USAGES",
    "Asker",
    "BatchKeys",
    "BatchMaster",
    "BatchTransport",
    "BureauKeys",
    "Ceremony",
    "Exposure",
    "Key",
    "KeyChange",
    "KeySpec",
    "KeyStore",
    "KeyUse",
    "KeyVersion",
    "MasterView",
    "Person",
    "Plan",
    "StoredKey",
    "Wanted",
    "active",
    "ask",
    "batch_keys",
    "bureau_keys",
    "by_code",
    "card_keys",
    "ceremonies",
    "ceremony",
    "change",
    "changes",
    "check_plan",
    "close_store",
    "closed_stores",
    "confirm",
    "control_sum",
    "demo_people",
    "exposure",
    "factor_from_digits",
    "finish_removals",
    "finish_rewrapping",
    "held",
    "hold_ceremony",
    "key",
    "keys",
    "make_demo_keys",
    "note_platform_keys",
    "open_store",
    "partner_keys",
    "people_of",
    "read_plan",
    "refuse",
    "rewraps",
    "share_sheet",
    "subjects",
    "transport_key",
    "uses",
    "uses_by_day",
    "uses_by_version",
    "verify",
    "version",
    "view",
    "waiting",
    "withdraw",
    "wrapping_keys",
]


def share_sheet(title: str, person: str, words: str, threshold: int, of: Sequence[str]) -> bytes:
    """A custodian's share as a sheet of paper (PDF), to be printed where nobody looks on."""
    return share_sheets.pdf(title, person, words, threshold, of)
