"""Batches for the card bureau, their files, what comes back, problems. The only door into this context."""

from xueka.contexts.production.adapters.partner_keys import PublicKeys, public_keys, write_city_keys
from xueka.contexts.production.contents import item_rows, preview_add, preview_remove, waiting_applications
from xueka.contexts.production.domain.bureau.card_keys import WAYS as KEY_WAYS
from xueka.contexts.production.domain.labels import class_label
from xueka.contexts.production.domain.outcomes import (
    PROBLEM_KINDS,
    PROBLEM_LABELS,
    RESOLUTION_LABELS,
    outcome_labels,
)
from xueka.contexts.production.domain.transitions import BATCH
from xueka.contexts.production.faces import faces
from xueka.contexts.production.invariants import INVARIANTS
from xueka.contexts.production.jobs import build_packages, poll_bureau, send_packages, sweep
from xueka.contexts.production.models import (
    Batch,
    BatchItem,
    InboxFile,
    Package,
    Partner,
    Problem,
    ReturnFile,
)
from xueka.contexts.production.queries import (
    BatchView,
    ProblemView,
    SixNumbers,
    batch,
    batch_counts,
    batch_rows,
    batches,
    has_final_return,
    inbox,
    items,
    partners,
    problem,
    problem_counts,
    problems,
    remakes,
    six_numbers,
)
from xueka.contexts.production.services.card_keys import (
    Delivery,
    confirm_delivery,
    deliveries,
    delivery,
    enter_delivery,
)
from xueka.contexts.production.services.composing import (
    add_applications,
    create_batch,
    dissolve,
    make_followup,
    remove_applications,
)
from xueka.contexts.production.services.ordering import approve, lock, rebuild, unlock
from xueka.contexts.production.services.partners import confirm_partner, register_partner, retry_now
from xueka.contexts.production.services.returns import ReturnReport, import_return
from xueka.contexts.production.services.settling import close, declare_missing, resolve_problem, take_problem

__all__ = [
    "BATCH",
    "INVARIANTS",
    "KEY_WAYS",
    "PROBLEM_KINDS",
    "PROBLEM_LABELS",
    "RESOLUTION_LABELS",
    "Batch",
    "BatchItem",
    "BatchView",
    "Delivery",
    "InboxFile",
    "Package",
    "Partner",
    "Problem",
    "ProblemView",
    "PublicKeys",
    "ReturnFile",
    "ReturnReport",
    "SixNumbers",
    "add_applications",
    "approve",
    "batch",
    "batch_counts",
    "batch_rows",
    "batches",
    "build_packages",
    "class_label",
    "close",
    "confirm_delivery",
    "confirm_partner",
    "create_batch",
    "declare_missing",
    "deliveries",
    "delivery",
    "dissolve",
    "enter_delivery",
    "faces",
    "has_final_return",
    "import_return",
    "inbox",
    "item_rows",
    "items",
    "lock",
    "make_followup",
    "outcome_labels",
    "partners",
    "poll_bureau",
    "preview_add",
    "preview_remove",
    "problem",
    "problem_counts",
    "problems",
    "public_keys",
    "rebuild",
    "register_partner",
    "remakes",
    "remove_applications",
    "resolve_problem",
    "retry_now",
    "send_packages",
    "six_numbers",
    "sweep",
    "take_problem",
    "unlock",
    "waiting_applications",
    "write_city_keys",
]
