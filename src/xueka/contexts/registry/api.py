"""Districts, schools, classes and students: the only door into this context."""

from xueka.contexts.registry.consenting import ConsentCount, consent_counts, consent_rows, missing_consent
from xueka.contexts.registry.domain.columns import Column
from xueka.contexts.registry.domain.ladder import (
    SCHOOLINGS,
    TIMING,
    Rung,
    last_grade,
    next_rung,
    next_stage,
)
from xueka.contexts.registry.domain.report import Difference, ImportReport
from xueka.contexts.registry.domain.roster import COLUMNS as ROSTER_COLUMNS
from xueka.contexts.registry.domain.school_list import COLUMNS as SCHOOL_COLUMNS
from xueka.contexts.registry.domain.transitions import ABSENCE, TRANSFER
from xueka.contexts.registry.domain.vocabulary import (
    ENDED_BY,
    ENROLLED,
    GRADUATED,
    LEFT,
    PRESENT,
    STAGES,
    STATUSES,
    SUSPENDED,
)
from xueka.contexts.registry.guardians import (
    born_on,
    document_of,
    guarded_by,
    phone_index,
    roster_guardians,
)
from xueka.contexts.registry.importing.roster_import import import_roster
from xueka.contexts.registry.importing.schools_import import import_schools
from xueka.contexts.registry.invariants import INVARIANTS
from xueka.contexts.registry.models import (
    Absence,
    Consent,
    District,
    Enrolment,
    ImportRun,
    OneRosterFetch,
    School,
    SchoolClass,
    Student,
    Transfer,
)
from xueka.contexts.registry.naming import find_students, named
from xueka.contexts.registry.oneroster.fetching import advance as advance_fetch
from xueka.contexts.registry.oneroster.fetching import (
    apply_fetch,
    drop_fetch,
    fetches,
    has_registry,
    take_theirs,
)
from xueka.contexts.registry.oneroster.fetching import ask as ask_fetch
from xueka.contexts.registry.oneroster.importing import OneRosterReport, import_oneroster
from xueka.contexts.registry.oneroster.package import is_package
from xueka.contexts.registry.oneroster.registry_client import (
    RegistryClient,
    RegistryRefused,
    registry_client,
)
from xueka.contexts.registry.oneroster.reverting import NOTES as REVERT_NOTES
from xueka.contexts.registry.oneroster.reverting import Reverted, revert_run
from xueka.contexts.registry.oneroster.reverting import why_not as why_not_reverted
from xueka.contexts.registry.oneroster.schools import KNOWN as KNOWN_ALONE
from xueka.contexts.registry.oneroster.schools import compare_school, last_brought_in, registry_schools
from xueka.contexts.registry.paging import Page
from xueka.contexts.registry.queries import (
    Stay,
    all_school_names,
    changes,
    classes,
    enrolments,
    find_by_id_number,
    import_run,
    import_runs,
    newest_changes,
    open_schools,
    school,
    school_names,
    schools,
    student,
    students,
    students_named,
    transfers,
)
from xueka.contexts.registry.rows import consents, student_rows, transfer_rows
from xueka.contexts.registry.services.asking import ask_transfer
from xueka.contexts.registry.services.consent import (
    CONSENT_ACTIONS,
    CONSENT_METHODS,
    last_consent,
    record_consent,
    withdrawn,
    without_consent,
)
from xueka.contexts.registry.services.corrections import correct_sort_key
from xueka.contexts.registry.services.directory import (
    close_school,
    rename_school,
    reopen_school,
    set_schooling,
)
from xueka.contexts.registry.services.finding import find_by_number
from xueka.contexts.registry.services.leaving import (
    absence_rows,
    decide_absences,
    mark_left,
    may_go,
    printed_changes,
    unmark_left,
)
from xueka.contexts.registry.services.moving import (
    Moves,
    Places,
    ensure_classes,
    hold_students,
    move_students,
    remove_empty_classes,
)
from xueka.contexts.registry.services.transfers import (
    TRANSFER_SIDES,
    across_districts,
    confirm_transfer,
    reject_transfer,
    withdraw_transfer,
)
from xueka.contexts.registry.services.unmasking import masked_personal, personal
from xueka.contexts.registry.sort_keys import sort_key
from xueka.contexts.registry.tables.csv_file import broken_text
from xueka.contexts.registry.tables.opening import open_table
from xueka.contexts.registry.tables.source import Undecodable

__all__ = [
    "ABSENCE",
    "CONSENT_ACTIONS",
    "CONSENT_METHODS",
    "ENDED_BY",
    "ENROLLED",
    "GRADUATED",
    "INVARIANTS",
    "KNOWN_ALONE",
    "LEFT",
    "PRESENT",
    "REVERT_NOTES",
    "ROSTER_COLUMNS",
    "SCHOOLINGS",
    "SCHOOL_COLUMNS",
    "STAGES",
    "STATUSES",
    "SUSPENDED",
    "TIMING",
    "TRANSFER",
    "TRANSFER_SIDES",
    "Absence",
    "Column",
    "Consent",
    "ConsentCount",
    "Difference",
    "District",
    "Enrolment",
    "ImportReport",
    "ImportRun",
    "Moves",
    "OneRosterFetch",
    "OneRosterReport",
    "Page",
    "Places",
    "RegistryClient",
    "RegistryRefused",
    "Reverted",
    "Rung",
    "School",
    "SchoolClass",
    "Stay",
    "Student",
    "Transfer",
    "Undecodable",
    "absence_rows",
    "across_districts",
    "advance_fetch",
    "all_school_names",
    "apply_fetch",
    "ask_fetch",
    "ask_transfer",
    "born_on",
    "broken_text",
    "changes",
    "classes",
    "close_school",
    "compare_school",
    "confirm_transfer",
    "consent_counts",
    "consent_rows",
    "consents",
    "correct_sort_key",
    "decide_absences",
    "document_of",
    "drop_fetch",
    "enrolments",
    "ensure_classes",
    "fetches",
    "find_by_id_number",
    "find_by_number",
    "find_students",
    "guarded_by",
    "has_registry",
    "hold_students",
    "import_oneroster",
    "import_roster",
    "import_run",
    "import_runs",
    "import_schools",
    "is_package",
    "last_brought_in",
    "last_consent",
    "last_grade",
    "mark_left",
    "masked_personal",
    "may_go",
    "missing_consent",
    "move_students",
    "named",
    "newest_changes",
    "next_rung",
    "next_stage",
    "open_schools",
    "open_table",
    "personal",
    "phone_index",
    "printed_changes",
    "record_consent",
    "registry_client",
    "registry_schools",
    "reject_transfer",
    "remove_empty_classes",
    "rename_school",
    "reopen_school",
    "revert_run",
    "roster_guardians",
    "school",
    "school_names",
    "schools",
    "set_schooling",
    "sort_key",
    "student",
    "student_rows",
    "students",
    "students_named",
    "take_theirs",
    "transfer_rows",
    "transfers",
    "unmark_left",
    "why_not_reverted",
    "withdraw_transfer",
    "withdrawn",
    "without_consent",
]
