"""Writing cards: profiles, scripts, agents, sessions. The only door into this context."""

from xueka.contexts.personalization.domain.compiling import compile_plan, listing
from xueka.contexts.personalization.domain.data_maps import Stretch, decode, explain
from xueka.contexts.personalization.domain.differences import Change, condition, difference, lines
from xueka.contexts.personalization.domain.encoding import SAMPLE
from xueka.contexts.personalization.domain.profiles import Profile, ProfileRejected, parse, summary
from xueka.contexts.personalization.domain.scripts import STAGES as SCRIPT_STAGES
from xueka.contexts.personalization.domain.scripts import Script, parse_script
from xueka.contexts.personalization.domain.steps import Plan
from xueka.contexts.personalization.domain.transitions import AGENT, PROFILE, SCRIPT, SESSION
from xueka.contexts.personalization.domain.words import STAGES
from xueka.contexts.personalization.invariants import INVARIANTS
from xueka.contexts.personalization.models import (
    Agent,
    CardKeyVersion,
    CardProfile,
    CardScript,
    Run,
    Session,
    Upgrade,
)
from xueka.contexts.personalization.queries import (
    Progress,
    ReaderView,
    StepView,
    agent,
    agents,
    earlier_profile,
    lineage,
    made_by,
    maps_for,
    profile,
    profiles,
    progress,
    readers,
    runs,
    script,
    scripts,
    session,
    sessions,
    working_agents,
)
from xueka.contexts.personalization.services.agents import (
    ReaderReport,
    block,
    by_code,
    enrol,
    is_latest,
    make_code,
    resume,
    seen,
    unblock,
)
from xueka.contexts.personalization.services.counter import finish, print_face, scrap, throw_away
from xueka.contexts.personalization.services.demo import PEOPLE as DEMO_PEOPLE
from xueka.contexts.personalization.services.demo import put_demo_profiles_in_force
from xueka.contexts.personalization.services.handing_out import next_card_work, note_lost
from xueka.contexts.personalization.services.loading import (
    load_profile,
    load_script,
    sync_profiles,
)
from xueka.contexts.personalization.services.loading import read as read_profile
from xueka.contexts.personalization.services.nonces import use_nonce
from xueka.contexts.personalization.services.reporting import Report, report
from xueka.contexts.personalization.services.reviewing import (
    PROFILES,
    SCRIPTS,
    approve,
    put_in_force,
    retire,
    send_back,
    submit,
)
from xueka.contexts.personalization.services.sessions import (
    abort,
    factor_of,
    move,
    open_session,
    profile_for,
    values_of_card,
)

__all__ = [
    "AGENT",
    "DEMO_PEOPLE",
    "INVARIANTS",
    "PROFILE",
    "PROFILES",
    "SAMPLE",
    "SCRIPT",
    "SCRIPTS",
    "SCRIPT_STAGES",
    "SESSION",
    "STAGES",
    "Agent",
    "CardKeyVersion",
    "CardProfile",
    "CardScript",
    "Change",
    "Plan",
    "Profile",
    "ProfileRejected",
    "Progress",
    "ReaderReport",
    "ReaderView",
    "Report",
    "Run",
    "Script",
    "Session",
    "StepView",
    "Stretch",
    "Upgrade",
    "abort",
    "agent",
    "agents",
    "approve",
    "block",
    "by_code",
    "compile_plan",
    "condition",
    "decode",
    "difference",
    "earlier_profile",
    "enrol",
    "explain",
    "factor_of",
    "finish",
    "is_latest",
    "lineage",
    "lines",
    "listing",
    "load_profile",
    "load_script",
    "made_by",
    "make_code",
    "maps_for",
    "move",
    "next_card_work",
    "note_lost",
    "open_session",
    "parse",
    "parse_script",
    "print_face",
    "profile",
    "profile_for",
    "profiles",
    "progress",
    "put_demo_profiles_in_force",
    "put_in_force",
    "read_profile",
    "readers",
    "report",
    "resume",
    "retire",
    "runs",
    "scrap",
    "script",
    "scripts",
    "seen",
    "send_back",
    "session",
    "sessions",
    "submit",
    "summary",
    "sync_profiles",
    "throw_away",
    "unblock",
    "use_nonce",
    "values_of_card",
    "working_agents",
]
