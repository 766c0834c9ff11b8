"""Opening a session, giving it up, moving it to another reader."""

from collections.abc import Sequence

from xueka.contexts.cards import api as cards
from xueka.contexts.personalization.domain import encoding
from xueka.contexts.personalization.domain import transitions as t
from xueka.contexts.personalization.domain import words as w
from xueka.contexts.personalization.domain.compiling import compile_plan
from xueka.contexts.personalization.domain.profiles import parse
from xueka.contexts.personalization.domain.steps import WriteKey
from xueka.contexts.personalization.models import Agent, CardProfile, CardScript, ReaderState, Session
from xueka.contexts.personalization.services.agents import require_working
from xueka.contexts.personalization.services.common import locked
from xueka.contexts.personalization.services.ending import cancel, give_up
from xueka.contexts.personalization.services.preparing import script_commands
from xueka.kernel import clock
from xueka.kernel.errors import NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.crypto import fields
from xueka.platform.history.services import begin
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import reason_given

RUN = "district:card:issue"


def open_session(actor: Actor, card_id: int, agent_id: int, reader: str, *, whole: bool = False) -> Session:
    """An order to write this card on that reader; it begins when a card lies there.

    `whole`: the plastic comes from its maker and is initialised first. Everything that goes on the card is
    pinned now. Raises NotFound `CARD_NOT_FOUND`, `AGENT_NOT_FOUND`, `READER_NOT_FOUND`; Refused
    `CARD_NOT_AT_COUNTER`, `SESSION_OPEN`, `CARD_WRITTEN`, `READER_BUSY`, `AGENT_STOPPED`, `PROFILE_NONE`,
    `CARD_FIELD`, `CARD_FACTOR_MISSING`; Forbidden `AGENT_BLOCKED`.
    """
    actor.require(RUN)
    agent = locked(Agent.objects.visible_to(actor.scope).filter(pk=agent_id), "个发卡代理", "AGENT_NOT_FOUND")
    require_working(agent)
    if not ReaderState.objects.filter(agent=agent, name=reader).exists():
        raise NotFound("READER_NOT_FOUND", "这台电脑没有这个读卡器。", found=reader[:100])
    cards.being_issued(actor, card_id)
    card = cards.card(actor.scope, card_id)
    _free(agent, card, reader)
    profile = profile_for(card.kind_id)
    scripts = _scripts_for(card.kind_id)
    stages = [w.INITIALISE, w.PERSONALISE] if whole else [w.PERSONALISE]
    values = values_of_card(card)
    # A value that does not fit is told now, not with the plastic on the reader.
    sample = {**values, "chip_uid": "00"}
    plan = compile_plan(parse(profile.text), stages, sample, script_commands(scripts))
    now = clock.now()
    session = Session.objects.create(
        card_id=card.pk,
        profile=profile,
        stages=stages,
        scripts=scripts,
        key_count=len({step.role for step in plan.steps if isinstance(step, WriteKey) and step.key.factor}),
        agent=agent,
        reader=reader,
        state=t.WAITING,
        state_at=now,
        opened_at=now,
        opened_by=actor.username,
        values=fields.seal(values),
        message="请把空白卡放上读卡器",
    )
    detail = {"card": card.number, "agent": agent.code, "reader": reader, "profile": str(profile)}
    begin(t.SESSION, [session.pk], actor, detail=detail)
    record(actor, "personalization.open", "personalization", session.pk, detail=detail)
    return session


def abort(actor: Actor, session_id: int, reason: str) -> Session:
    """Give it up: before a card was laid down nothing happened; afterwards its plastic is
    void, unless nothing was written on it.

    Raises NotFound, BadInput `REASON_MISSING`, Refused `SESSION_AT_WORK` while a run is out.
    """
    actor.require(RUN)
    session = locked(
        Session.objects.visible_to(actor.scope).filter(pk=session_id), "次写卡", "SESSION_NOT_FOUND"
    )
    reason = reason_given(reason)
    if session.state == t.WAITING:
        cancel(actor, session, reason)
    elif session.state == t.UNKNOWN and session.purpose == "make":
        give_up(actor, session, "GIVEN_UP", f"放弃：{reason}")
    else:
        raise Refused(
            "SESSION_AT_WORK",
            f"现在是“{t.SESSION.state(session.state).label}”，不能放弃。",
            action="请等它完成；读卡器没有反应时，先把卡移开。",
        )
    return session


def move(actor: Actor, session_id: int, agent_id: int, reader: str) -> Session:
    """A card that waits goes to another reader, because the one it was on does not work any more."""
    actor.require(RUN)
    session = locked(
        Session.objects.visible_to(actor.scope).filter(pk=session_id), "次写卡", "SESSION_NOT_FOUND"
    )
    agent = locked(Agent.objects.visible_to(actor.scope).filter(pk=agent_id), "个发卡代理", "AGENT_NOT_FOUND")
    require_working(agent)
    if session.state not in (t.WAITING, t.UNKNOWN):
        raise Refused("SESSION_AT_WORK", "正在写卡，不能换读卡器。", action="请先把卡移开。")
    if not ReaderState.objects.filter(agent=agent, name=reader).exists():
        raise NotFound("READER_NOT_FOUND", "这台电脑没有这个读卡器。", found=reader[:100])
    if Session.objects.filter(agent=agent, reader=reader, state__in=t.OPEN).exclude(pk=session.pk).exists():
        raise _busy(reader)
    Session.objects.filter(pk=session.pk).update(agent=agent, reader=reader)
    detail = {"agent": agent.code, "reader": reader}
    record(actor, "personalization.move", "personalization", session.pk, detail=detail)
    session.agent, session.reader = agent, reader
    return session


def profile_for(kind: str) -> CardProfile:
    """The profile in force for a kind of card. Raises Refused `PROFILE_NONE`."""
    for found in CardProfile.objects.filter(state=t.IN_FORCE).order_by("code"):
        if kind in found.kinds:
            return found
    raise Refused(
        "PROFILE_NONE",
        "这个卡种没有在用的卡片结构。",
        found=kind,
        action="请运营人员载入、复核并启用卡片结构。",
    )


def values_of_card(card: cards.Card) -> dict[str, str]:
    """What of a card and its holder may go on the chip, as the fields of a profile ask for it."""
    return {
        "card_number": card.number,
        "transit_number": card.transit_number,
        "beijing_tong_number": card.beijing_tong_number,
        "education_id": card.student.education_id,
        "holder_name": card.student.name,
        "school_code": card.school.code,
        "valid_from": card.valid_from.isoformat() if card.valid_from else "",
        "valid_until": card.valid_until.isoformat() if card.valid_until else "",
    }


def factor_of(kind: str, number: str) -> bytes:
    """The 8 bytes by which a master is diversified for a card (docs/interfaces/card-profile.md §3)."""
    return encoding.factor(kind, {kind: number})


def _free(agent: Agent, card: cards.Card, reader: str) -> None:
    if Session.objects.filter(card_id=card.pk, state__in=t.OPEN).exists():
        raise Refused("SESSION_OPEN", f"学生卡 {card.number} 正在写卡。", action="请先完成或放弃那一次。")
    if Session.objects.filter(card_id=card.pk, purpose="make", state=t.VERIFIED).exists():
        raise Refused(
            "CARD_WRITTEN",
            f"学生卡 {card.number} 的芯片已经写好。",
            action="请接着印卡面；要重做，先作废这张卡。",
        )
    if Session.objects.filter(agent=agent, reader=reader, state__in=t.OPEN).exists():
        raise _busy(reader)


def _busy(reader: str) -> Refused:
    return Refused(
        "READER_BUSY", "这个读卡器上还有一张卡没有写完。", found=reader, action="请先完成或放弃那一次。"
    )


def _scripts_for(kind: str) -> Sequence[int]:
    found = CardScript.objects.filter(state=t.IN_FORCE, stage="personalise", starts_on__lte=clock.today())
    return [script.pk for script in found.order_by("code") if kind in script.kinds]
