"""Card faces, print jobs, printers and their consumables: the only door into this context.

`next_job`, `report` and `hear` are for the issuing agent's interface; `agent` is the agent's code.
"""

from xueka.contexts.printing.adapters.templates import Template, template, templates
from xueka.contexts.printing.configuration import supply_sorts
from xueka.contexts.printing.domain.faces import HEIGHT, SIDE_LABELS, SIDES, WIDTH, Contents
from xueka.contexts.printing.domain.printing import REPRINT_REASONS, SPOIL_REASONS
from xueka.contexts.printing.domain.transitions import PRINT_JOB
from xueka.contexts.printing.invariants import INVARIANTS
from xueka.contexts.printing.models import Printer, PrintJob, Spoil, Supply, SupplyEntry
from xueka.contexts.printing.queries import (
    SupplyView,
    jobs,
    jobs_of,
    printer,
    printers,
    running_low,
    spoils,
    supplies,
    supply_entries,
)
from xueka.contexts.printing.services.faces import (
    document,
    face,
    face_to_come,
    picture,
    require_printable,
)
from xueka.contexts.printing.services.jobs import (
    PrintWork,
    cancel_print,
    lose_silent,
    next_job,
    report,
    request_print,
    require_printed,
    settle_print,
)
from xueka.contexts.printing.services.printers import (
    count_supply,
    hear,
    load_supply,
    register_printer,
    switch_printer,
)
from xueka.contexts.printing.services.spoiling import count_spoilt, is_spoilt, spoil_plastic

__all__ = [
    "HEIGHT",
    "INVARIANTS",
    "PRINT_JOB",
    "REPRINT_REASONS",
    "SIDES",
    "SIDE_LABELS",
    "SPOIL_REASONS",
    "WIDTH",
    "Contents",
    "PrintJob",
    "PrintWork",
    "Printer",
    "Spoil",
    "Supply",
    "SupplyEntry",
    "SupplyView",
    "Template",
    "cancel_print",
    "count_spoilt",
    "count_supply",
    "document",
    "face",
    "face_to_come",
    "hear",
    "is_spoilt",
    "jobs",
    "jobs_of",
    "load_supply",
    "lose_silent",
    "next_job",
    "picture",
    "printer",
    "printers",
    "register_printer",
    "report",
    "request_print",
    "require_printable",
    "require_printed",
    "running_low",
    "settle_print",
    "spoil_plastic",
    "spoils",
    "supplies",
    "supply_entries",
    "supply_sorts",
    "switch_printer",
    "template",
    "templates",
]
