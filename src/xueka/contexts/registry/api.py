"""Districts, schools, classes and students: the only door into this context."""

from xueka.contexts.registry.domain.report import Difference, ImportReport
from xueka.contexts.registry.domain.transitions import TRANSFER
from xueka.contexts.registry.domain.vocabulary import ENROLLED, STAGES, STATUSES
from xueka.contexts.registry.importing.roster_import import import_roster
from xueka.contexts.registry.importing.schools_import import import_schools
from xueka.contexts.registry.invariants import INVARIANTS
from xueka.contexts.registry.models import (
    Consent,
    District,
    ImportRun,
    School,
    SchoolClass,
    Student,
    Transfer,
)
from xueka.contexts.registry.paging import Page
from xueka.contexts.registry.queries import (
    Stay,
    changes,
    classes,
    enrolments,
    find_by_id_number,
    import_run,
    import_runs,
    school,
    schools,
    student,
    students,
    transfers,
)
from xueka.contexts.registry.rows import consents, student_rows, transfer_rows
from xueka.contexts.registry.services.consent import (
    CONSENT_ACTIONS,
    CONSENT_METHODS,
    record_consent,
    without_consent,
)
from xueka.contexts.registry.services.corrections import correct_sort_key
from xueka.contexts.registry.services.transfers import TRANSFER_SIDES, confirm_transfer, reject_transfer
from xueka.contexts.registry.services.unmasking import masked_personal, personal

__all__ = [
    "CONSENT_ACTIONS",
    "CONSENT_METHODS",
    "ENROLLED",
    "INVARIANTS",
    "STAGES",
    "STATUSES",
    "TRANSFER",
    "TRANSFER_SIDES",
    "Consent",
    "Difference",
    "District",
    "ImportReport",
    "ImportRun",
    "Page",
    "School",
    "SchoolClass",
    "Stay",
    "Student",
    "Transfer",
    "changes",
    "classes",
    "confirm_transfer",
    "consents",
    "correct_sort_key",
    "enrolments",
    "find_by_id_number",
    "import_roster",
    "import_run",
    "import_runs",
    "import_schools",
    "masked_personal",
    "personal",
    "record_consent",
    "reject_transfer",
    "school",
    "schools",
    "student",
    "student_rows",
    "students",
    "transfer_rows",
    "transfers",
    "without_consent",
]
