"""What an agent may do now: the first run of a card that waits, a probe of one that came back."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog
from django.db import transaction

from xueka.contexts.personalization.domain import transitions as t
from xueka.contexts.personalization.domain.compiling import probe
from xueka.contexts.personalization.models import Agent, ReaderState, Run, Session
from xueka.contexts.personalization.services import upgrading
from xueka.contexts.personalization.services.agents import ReaderReport, require_working
from xueka.contexts.personalization.services.common import acting
from xueka.contexts.personalization.services.ending import fail
from xueka.contexts.personalization.services.preparing import (
    plan_of,
    prepare,
    profile_of,
    values_of,
)
from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor

log = structlog.get_logger("xueka.personalization")

#: A swap that the agent did not see is found after this long.
LOOK_AGAIN = timedelta(seconds=30)
#: How long an answer with work may be on its way to an agent that has said something fresher meanwhile.
ON_ITS_WAY = timedelta(seconds=5)
PUT_BACK = "结果不明：请把刚才那张卡放回读卡器"


def note_lost(agent: Agent, readers: Sequence[ReaderReport], waiting: bool = False) -> None:
    """A run that is out while its reader is not busy was lost: nobody knows what the card did.

    `waiting`: an earlier poll of the agent is unanswered; a run of this moment may be its answer.
    """
    busy = {each.name for each in readers if each.state == "busy"}
    working = Session.objects.filter(agent=agent, state__in=(t.RUNNING, t.PROBING)).exclude(reader__in=busy)
    if waiting:
        fresh = Run.objects.filter(outcome="", handed_out_at__gt=clock.now() - ON_ITS_WAY)
        working = working.exclude(pk__in=fresh.values("session"))
    for session_id in working.values_list("pk", flat=True):
        with transaction.atomic():
            session = Session.objects.select_for_update().filter(pk=session_id).first()
            if session is not None and session.state in (t.RUNNING, t.PROBING):
                lose(acting(agent), session)


def lose(actor: Actor, session: Session, outcome: str = "lost") -> None:
    """The outcome of the run under way is unknown; its report, if it still comes, is only kept."""
    Run.objects.filter(session=session, outcome="").update(outcome=outcome)
    if session.purpose == "upgrade":
        fail(actor, session, upgrading.UPGRADE_UNSURE, upgrading.UNSURE)
        return
    apply(t.SESSION, Session, [session.pk], "lose", actor, reason=outcome)
    Session.objects.filter(pk=session.pk).update(message=PUT_BACK)
    session.refresh_from_db()


def next_card_work(
    agent: Agent, readers: Sequence[ReaderReport], failed: set[int | str] | None = None
) -> dict[str, Any] | None:
    """The work for the first of its readers with a card that has something to do; None where there is none,
    and where the agent has said something fresher of its readers meanwhile.

    What cannot be prepared (a key that may not be used) is told on the session. It, or the reader
    where no session stays, is added to `failed`, and what is named there is not tried: whoever asks again and
    again for one poll keeps the set, and the next poll tries anew.
    """
    failed = set() if failed is None else failed
    for reader in readers:
        if reader.state != "card":
            continue
        try:
            with transaction.atomic():
                work = _for_reader(agent, reader, failed)
        except XuekaError as error:
            log.warning("personalization.not_prepared", agent=agent.code, code=error.code)
            open_ = Session.objects.filter(agent=agent, reader=reader.name, state__in=t.OPEN)
            open_.update(message=f"{error.message}{error.action or ''}"[:200])
            failed.update(list(open_.values_list("pk", flat=True)) or [reader.name])
            continue
        if work is not None:
            return work
    return None


def _for_reader(agent: Agent, reader: ReaderReport, failed: set[int | str]) -> dict[str, Any] | None:
    said_at, agent = agent.last_seen_at, Agent.objects.select_for_update().get(pk=agent.pk)
    if agent.last_seen_at != said_at:
        return None
    session = (
        # One that is just being given up or moved is left alone: its holder may be waiting for the agent.
        Session.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("profile", "agent")
        .filter(agent=agent, reader=reader.name, state__in=(t.WAITING, t.UNKNOWN))
        .first()
    )
    if session is None and reader.name not in failed:
        session = upgrading.meet(agent, reader)
    if session is None or session.pk in failed or _same_wrong_card(session):
        return None
    actor = acting(agent)
    if session.state == t.WAITING:
        require_working(agent)
        run = _start(actor, session)
    else:
        run = look(actor, session)
    return {"kind": "card", "session": str(session.pk), "reader": reader.name, "run": run}


def _same_wrong_card(session: Session) -> bool:
    """Whether the card of another that was looked at still lies there: it would be read over and over."""
    if session.state != t.UNKNOWN or not session.look.get("other"):
        return False
    if clock.now() > session.state_at + LOOK_AGAIN:
        return False
    reader = ReaderState.objects.filter(agent=session.agent_id, name=session.reader)
    return reader.filter(since__lt=session.state_at).exists()


def _start(actor: Actor, session: Session) -> dict[str, Any]:
    apply(t.SESSION, Session, [session.pk], "start", actor)
    Session.objects.filter(pk=session.pk).update(message="正在写卡，请不要移动", position=0)
    session.refresh_from_db()
    if session.purpose == "upgrade":
        return upgrading.identify(actor, session)
    plan = plan_of(session, profile_of(session))
    return prepare(actor, session, plan.runs[0], part="make", number=0, reset=True)


def look(actor: Actor, session: Session) -> dict[str, Any]:
    """Read back what the card really is."""
    apply(t.SESSION, Session, [session.pk], "probe", actor)
    Session.objects.filter(pk=session.pk).update(message="正在读回核对，请不要移动", look={})
    session.refresh_from_db()
    plan = probe(profile_of(session), values_of(session))
    return prepare(actor, session, plan.runs[0], part="look", reset=True)
