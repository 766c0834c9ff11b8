"""Reads for the counter and for the pages of the city."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q, QuerySet

from xueka.contexts.personalization.domain import transitions as t
from xueka.contexts.personalization.domain.data_maps import MapFile
from xueka.contexts.personalization.domain.profiles import parse
from xueka.contexts.personalization.models import (
    Agent,
    CardKeyVersion,
    CardProfile,
    CardScript,
    ReaderState,
    Run,
    Session,
)
from xueka.contexts.personalization.services.agents import AWAY
from xueka.contexts.personalization.services.preparing import plan_of, profile_of
from xueka.contexts.personalization.services.reporting import NOT_INITIALISED
from xueka.kernel import clock
from xueka.kernel.errors import NotFound
from xueka.platform.identity.scope import Scope


@dataclass(frozen=True, slots=True)
class ReaderView:
    """`state` as the agent last said; `away` when the agent itself was not heard of lately."""

    name: str
    state: str
    label: str
    since: datetime
    away: bool
    session_id: int | None


@dataclass(frozen=True, slots=True)
class StepView:
    """A step of the plan in words; `state` is done, doing, todo or bad."""

    title: str
    state: str


@dataclass(frozen=True, slots=True)
class Progress:
    """What the counter shows: `plastic` says what to do with the card once the session is over, `raw` that it
    is as its maker delivers it.
    """

    session_id: int
    card_id: int | None
    state: str
    label: str
    over: bool
    percent: int
    steps: list[StepView]
    message: str
    plastic: str
    chip_uid: str
    round_trips: int
    raw: bool


READER_LABELS = {
    "empty": "没有卡",
    "card": "有卡",
    "mute": "卡没有应答",
    "busy": "正在写卡",
    "gone": "未连接",
}


def readers(agent_id: int) -> list[ReaderView]:
    """The readers of an agent, as it last reported them."""
    agent = Agent.objects.filter(pk=agent_id).first()
    away = agent is None or agent.last_seen_at is None or clock.now() - agent.last_seen_at > AWAY
    open_ = dict(Session.objects.filter(agent_id=agent_id, state__in=t.OPEN).values_list("reader", "pk"))
    return [
        ReaderView(
            each.name,
            each.state,
            READER_LABELS.get(each.state, each.state),
            each.since,
            away,
            open_.get(each.name),
        )
        for each in ReaderState.objects.filter(agent_id=agent_id)
    ]


def progress(session_id: int) -> Progress:
    """How far a card is. Raises NotFound `SESSION_NOT_FOUND`."""
    session = _session(Session.objects.all(), session_id)
    steps, percent = ([], 0) if session.purpose == "upgrade" else _steps(session)
    return Progress(
        session.pk,
        session.card_id,
        session.state,
        t.SESSION.state(session.state).label,
        session.state in t.OVER,
        100 if session.state == t.VERIFIED else percent,
        steps,
        session.message,
        session.plastic,
        session.chip_uid,
        session.runs.count() + 1,
        session.code == NOT_INITIALISED,
    )


def agents(scope: Scope) -> QuerySet[Agent]:
    """All agents with `.made`, `.spoiled`: cards of the last day that were verified and void."""
    since = clock.now() - timedelta(days=1)
    over = Q(sessions__state_at__gte=since, sessions__purpose="make")
    return Agent.objects.visible_to(scope).annotate(
        made=Count("sessions", filter=over & Q(sessions__state=t.VERIFIED)),
        spoiled=Count("sessions", filter=over & Q(sessions__state=t.VOID)),
    )


def agent(scope: Scope, agent_id: int) -> Agent:
    """Raises NotFound `AGENT_NOT_FOUND`."""
    found = agents(scope).filter(pk=agent_id).first()
    if found is None:
        raise NotFound("AGENT_NOT_FOUND", "没有这个发卡代理。")
    return found


def working_agents(scope: Scope) -> list[Agent]:
    """Those that may make cards, by name."""
    return list(Agent.objects.visible_to(scope).filter(state=t.ENROLLED).order_by("name", "id"))


def profiles(scope: Scope) -> QuerySet[CardProfile]:
    return CardProfile.objects.visible_to(scope)


def profile(scope: Scope, id_: int) -> CardProfile:
    """Raises NotFound `CARD_PROFILE_NOT_FOUND`."""
    found = profiles(scope).filter(pk=id_).first()
    if found is None:
        raise NotFound("CARD_PROFILE_NOT_FOUND", "没有这份卡片结构。")
    return found


def earlier_profile(found: CardProfile) -> CardProfile | None:
    """The version in force before this one: what a difference is shown against."""
    others = CardProfile.objects.filter(code=found.code).exclude(pk=found.pk)
    return others.filter(state=t.IN_FORCE).first() or others.filter(pk__lt=found.pk).order_by("-pk").first()


def scripts(scope: Scope) -> QuerySet[CardScript]:
    return CardScript.objects.visible_to(scope)


def maps_for(found: CardScript) -> tuple[MapFile, ...]:
    """The data map of a script's application, from the profile in force for its cards; empty without one."""
    for each in CardProfile.objects.filter(state=t.IN_FORCE).order_by("code"):
        if set(each.kinds) & set(found.kinds):
            places = {place.code: place for place in parse(each.text).applications}
            return places[found.application].maps if found.application in places else ()
    return ()


def script(scope: Scope, id_: int) -> CardScript:
    """Raises NotFound `CARD_SCRIPT_NOT_FOUND`."""
    found = scripts(scope).filter(pk=id_).first()
    if found is None:
        raise NotFound("CARD_SCRIPT_NOT_FOUND", "没有这份脚本。")
    return found


def sessions(scope: Scope) -> QuerySet[Session]:
    """Newest first."""
    return Session.objects.visible_to(scope).select_related("agent", "profile")


def session(scope: Scope, id_: int) -> Session:
    """Raises NotFound `SESSION_NOT_FOUND`."""
    return _session(sessions(scope), id_)


def runs(session_id: int) -> list[Run]:
    """The journal of a session, in order."""
    return list(Run.objects.filter(session_id=session_id).order_by("seq"))


def lineage(card_id: int) -> list[CardKeyVersion]:
    """Which version of which master made each key of a card."""
    return list(CardKeyVersion.objects.filter(card_id=card_id).order_by("role"))


def made_by(*versions: tuple[str, int]) -> QuerySet[CardKeyVersion]:
    """The cards that hold a key of these versions (label, number): what their leak would cost."""
    wanted = Q(pk__in=[])
    for label, number in versions:
        wanted |= Q(label=label, version=number)
    return CardKeyVersion.objects.filter(wanted).order_by("id")


def _session(rows: QuerySet[Session], session_id: int) -> Session:
    found = rows.filter(pk=session_id).first()
    if found is None:
        raise NotFound("SESSION_NOT_FOUND", "没有这次写卡。")
    return found


def _steps(session: Session) -> tuple[list[StepView], int]:
    """The plan's titles, each once, with how far the card is; challenges are no news to anybody.

    A title that comes back stands where it comes last, so that they are ticked from the first to the last.
    """
    plan = plan_of(session, profile_of(session))
    shown: dict[str, str] = {}
    verified = session.state == t.VERIFIED
    for number, run in enumerate(plan.runs):
        begun = session.state != t.WAITING and number <= session.position
        doing = number == session.position and session.state == t.RUNNING
        state = "done" if verified or (begun and number < session.position) else "doing" if doing else "todo"
        if session.state in (t.VOID, t.FAILED) and number == session.position:
            state = "bad"
        for step in run:
            if step.title != "取随机数":
                shown.pop(step.title, None)
                shown[step.title] = state
    return [StepView(title, state) for title, state in shown.items()], 100 * session.position // len(
        plan.runs
    )
