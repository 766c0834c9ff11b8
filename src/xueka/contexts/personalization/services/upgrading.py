"""Cards in the field: when one meets a reader, a partner's waiting script runs on it, once."""

from typing import Any

from django.db.models import Q

from xueka.contexts.cards import api as cards
from xueka.contexts.personalization.domain import transitions as t
from xueka.contexts.personalization.domain.compiling import identify as identify_steps
from xueka.contexts.personalization.domain.compiling import script_steps
from xueka.contexts.personalization.domain.judging import Verdict
from xueka.contexts.personalization.models import (
    Agent,
    CardProfile,
    CardScript,
    ReaderState,
    Run,
    Session,
    Upgrade,
)
from xueka.contexts.personalization.services.agents import ReaderReport
from xueka.contexts.personalization.services.common import acting
from xueka.contexts.personalization.services.ending import fail, prove
from xueka.contexts.personalization.services.preparing import prepare, profile_of, script_commands
from xueka.kernel import clock
from xueka.platform.crypto import fields
from xueka.platform.history.services import begin
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE

ACTIVE = "active"
UPGRADE_UNSURE = "UPGRADE_UNSURE"
UNSURE = "升级中断，不能确定脚本是否已执行，请由对方核查这张卡"
Next = dict[str, Any] | None


def meet(agent: Agent, reader: ReaderReport) -> Session | None:
    """A session for a card that nobody ordered to be written: it may be one that waits for an upgrade.

    Once per card laid down, and only while a script for cards in the field is in force.
    """
    if (
        not _waiting_scripts()
        or Session.objects.filter(agent=agent, reader=reader.name, state__in=t.OPEN).exists()
    ):
        return None
    fresh = ReaderState.objects.select_for_update().filter(agent=agent, name=reader.name, met=False).first()
    profile = CardProfile.objects.filter(state=t.IN_FORCE).order_by("code").first()
    if fresh is None or profile is None:
        return None
    ReaderState.objects.filter(pk=fresh.pk).update(met=True)
    now = clock.now()
    session = Session.objects.create(
        purpose="upgrade",
        profile=profile,
        agent=agent,
        reader=reader.name,
        state=t.WAITING,
        state_at=now,
        opened_at=now,
        opened_by=f"agent:{agent.code}",
        values=fields.seal({"card_number": ""}),
    )
    begin(t.SESSION, [session.pk], acting(agent), detail={"agent": agent.code, "reader": reader.name})
    return session


def identify(actor: Actor, session: Session) -> dict[str, Any]:
    """Which card is it?"""
    return prepare(actor, session, identify_steps(profile_of(session)), part="identify", reset=True)


def advance(actor: Actor, session: Session, run: Run, verdict: Verdict) -> Next:
    """Identified → its scripts in one run → done; whatever goes wrong ends it, and is told to the partner."""
    if run.part == "identify":
        return _begin(actor, session, verdict)
    if verdict.kind == "ok":
        prove(actor, session, "升级完成")
    elif verdict.kind == "unknown":
        fail(actor, session, UPGRADE_UNSURE, UNSURE)
    else:
        fail(actor, session, "UPGRADE_FAILED", f"升级没有完成：{verdict.title}，{verdict.refusal}")
    return None


def _begin(actor: Actor, session: Session, verdict: Verdict) -> Next:
    found = cards.cards_numbered(EVERYWHERE, verdict.chip) if verdict.chip else []
    card = next((each for each in found if each.chip_uid == verdict.chip), None)
    pending = _pending(card) if card else []
    if card is None or card.state != ACTIVE or not pending:
        fail(actor, session, "NOTHING_TO_DO", "没有要升级的内容")
        return None
    Session.objects.filter(pk=session.pk).update(
        card_id=card.pk,
        chip_uid=verdict.chip,
        scripts=[script.pk for script in pending],
        values=fields.seal({"card_number": card.number}),
        message="正在升级，请不要移动",
    )
    session.refresh_from_db()
    now = clock.now()
    Upgrade.objects.bulk_create(
        Upgrade(card=card, script=script, session=session, at=now) for script in pending
    )
    steps = script_steps(script_commands(session.scripts))
    return prepare(actor, session, steps, part="script")


def _waiting_scripts() -> list[CardScript]:
    found = CardScript.objects.filter(state=t.IN_FORCE, stage="field", starts_on__lte=clock.today())
    return list(found.order_by("code"))


def _pending(card: cards.Card) -> list[CardScript]:
    """Not what was run, nor what may have been: a partner's commands are not ours to repeat."""
    run = Q(state__in=["running", "done"]) | Q(session__code=UPGRADE_UNSURE)
    done = set(Upgrade.objects.filter(run, card=card).values_list("script_id", flat=True))
    return [each for each in _waiting_scripts() if card.kind_id in each.kinds and each.pk not in done]
