"""Key management, as the other contexts see it. Whoever makes cards needs `card_keys` and its like only.

Every use needs `city:key:use`, says why (`purpose`) and for what (`subject`), and is refused where the audit
log cannot be written. A role that makes cards holds that permission; key custodians do not.
"""

from collections.abc import Sequence

from xueka.contexts.keys.adapters import share_sheets
from xueka.contexts.keys.domain.ceremony import Person, Plan
from xueka.contexts.keys.domain.ceremony import read as read_plan
from xueka.contexts.keys.domain.changes import KINDS as CHANGE_KINDS
from xueka.contexts.keys.domain.deliveries import RECEIVERS, WAYS
from xueka.contexts.keys.domain.factors import from_digits as factor_from_digits
from xueka.contexts.keys.domain.transitions import KEY_CHANGE, KEY_DELIVERY, KEY_VERSION
from xueka.contexts.keys.domain.vocabulary import ALGORITHMS, LEVELS, PURPOSES, TYPES, USAGES
from xueka.contexts.keys.invariants import INVARIANTS, sealed_rows
from xueka.contexts.keys.models import (
    ORIGINS,
    STORES,
    Ceremony,
    Key,
    KeyChange,
    KeyDelivery,
    KeyPart,
    KeyUse,
    KeyVersion,
)
from xueka.contexts.keys.ports import KeySpec, KeyStore, StoredKey
from xueka.contexts.keys.queries import (
    Exposure,
    below,
    ceremonies,
    ceremony,
    change,
    changes,
    closed_stores,
    custodians,
    deliveries,
    delivery,
    export_keys,
    exposure,
    field_rotation,
    key,
    keys,
    late_deliveries,
    partner_keys,
    parts,
    parts_kcv,
    parts_of,
    rewraps,
    sources,
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
from xueka.contexts.keys.services.changes import ask, confirm, refuse, withdraw, would
from xueka.contexts.keys.services.components import enter as enter_part
from xueka.contexts.keys.services.components import take_back as take_part_back
from xueka.contexts.keys.services.deliveries import arrive as delivery_arrives
from xueka.contexts.keys.services.deliveries import cancel as cancel_delivery
from xueka.contexts.keys.services.deliveries import lose as lose_delivery
from xueka.contexts.keys.services.deliveries import recall as recall_delivery
from xueka.contexts.keys.services.deliveries import send as send_delivery
from xueka.contexts.keys.services.demo import demo_people, make_demo_keys
from xueka.contexts.keys.services.exports import taken as take_block
from xueka.contexts.keys.services.field_keys import finish as finish_fields
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
    "KEY_DELIVERY",
    "KEY_VERSION",
    "LEVELS",
    "ORIGINS",
    "PURPOSES",
    "RECEIVERS",
    "STORES",
    "TYPES",
    "USAGES",
    "WAYS",
    "Asker",
    "BatchKeys",
    "BatchMaster",
    "BatchTransport",
    "BureauKeys",
    "Ceremony",
    "Exposure",
    "Key",
    "KeyChange",
    "KeyDelivery",
    "KeyPart",
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
    "below",
    "bureau_keys",
    "by_code",
    "cancel_delivery",
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
    "custodians",
    "deliveries",
    "delivery",
    "delivery_arrives",
    "demo_people",
    "enter_part",
    "export_keys",
    "exposure",
    "factor_from_digits",
    "field_rotation",
    "finish_fields",
    "finish_removals",
    "finish_rewrapping",
    "held",
    "hold_ceremony",
    "key",
    "keys",
    "late_deliveries",
    "lose_delivery",
    "make_demo_keys",
    "note_platform_keys",
    "open_store",
    "partner_keys",
    "parts",
    "parts_kcv",
    "parts_of",
    "people_of",
    "read_plan",
    "recall_delivery",
    "refuse",
    "rewraps",
    "sealed_rows",
    "send_delivery",
    "share_sheet",
    "sources",
    "subjects",
    "take_block",
    "take_part_back",
    "transport_key",
    "uses",
    "uses_by_day",
    "uses_by_version",
    "verify",
    "version",
    "view",
    "waiting",
    "withdraw",
    "would",
    "wrapping_keys",
]


def share_sheet(title: str, person: str, words: str, threshold: int, of: Sequence[str]) -> bytes:
    """A custodian's share as a sheet of paper (PDF), to be printed where nobody looks on."""
    return share_sheets.pdf(title, person, words, threshold, of)
