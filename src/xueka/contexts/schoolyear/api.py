"""The school year: promotion, graduation, schools merged, closed or renamed; all of it can be taken back."""

from xueka.contexts.schoolyear.configuration import rules
from xueka.contexts.schoolyear.domain.rules import (
    CHOICES,
    KINDS,
    LEAVING,
    LEVEL_PERMISSION,
    SCHOOL_KINDS,
    WONT,
    school_year_label,
)
from xueka.contexts.schoolyear.domain.transitions import YEAR_JOB
from xueka.contexts.schoolyear.invariants import INVARIANTS
from xueka.contexts.schoolyear.jobs import work
from xueka.contexts.schoolyear.models import Choice, Job, Move, Piece, Thing
from xueka.contexts.schoolyear.queries import (
    ClassToCome,
    Figures,
    Turn,
    choices_of,
    classes_to_come,
    figures,
    job,
    job_rows,
    moves,
    piece_rows,
    report,
    things,
    turns,
    why_not_taken_back,
)
from xueka.contexts.schoolyear.services.choices import choose, confirm_list, this_year, unchoose
from xueka.contexts.schoolyear.services.jobs import (
    cancel_job,
    confirm_job,
    create_job,
    may_manage,
    needs_another,
    preview_now,
    replan_job,
    resume_job,
    take_back_job,
)
from xueka.contexts.schoolyear.services.reverting import jobs_of_run, revert_run
from xueka.contexts.schoolyear.services.transfers import ask_transfer, confirm_transfer

__all__ = [
    "CHOICES",
    "INVARIANTS",
    "KINDS",
    "LEAVING",
    "LEVEL_PERMISSION",
    "SCHOOL_KINDS",
    "WONT",
    "YEAR_JOB",
    "Choice",
    "ClassToCome",
    "Figures",
    "Job",
    "Move",
    "Piece",
    "Thing",
    "Turn",
    "ask_transfer",
    "cancel_job",
    "choices_of",
    "choose",
    "classes_to_come",
    "confirm_job",
    "confirm_list",
    "confirm_transfer",
    "create_job",
    "figures",
    "job",
    "job_rows",
    "jobs_of_run",
    "may_manage",
    "moves",
    "needs_another",
    "piece_rows",
    "preview_now",
    "replan_job",
    "report",
    "resume_job",
    "revert_run",
    "rules",
    "school_year_label",
    "take_back_job",
    "things",
    "this_year",
    "turns",
    "unchoose",
    "why_not_taken_back",
    "work",
]
