"""Issuing agents: enrolled by a one-time code, known by their key, stopped after failures in a row."""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from xueka.contexts.personalization.domain import transitions as t
from xueka.contexts.personalization.models import Agent, EnrolCode, ReaderState, Session
from xueka.contexts.personalization.services.common import locked
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.kernel.text import normalise
from xueka.platform.audit.services import record
from xueka.platform.crypto.sm3 import digest as sm3
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import reason_given

MANAGE = "city:agent:manage"
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
CODE_LENGTH, CODE_MINUTES = 12, 10
READER_STATES = ("empty", "card", "mute", "busy", "gone")
#: An agent that was not heard of for longer than this is shown as away.
AWAY = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class ReaderReport:
    """One reader as the agent sees it now."""

    name: str
    state: str
    atr: str = ""


def make_code(actor: Actor, district: str = "") -> tuple[str, datetime]:
    """A new one-time code, told once, and until when it holds; only its digest is kept.

    `district` is the code of the district where the counter stands, empty for one of the city. Raises
    NotFound `DISTRICT_NOT_FOUND`.
    """
    actor.require(MANAGE)
    if district and not registry.District.objects.filter(code=district).exists():
        raise NotFound("DISTRICT_NOT_FOUND", "没有这个区。", found=district[:10])
    code = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
    now = clock.now()
    expires = now + timedelta(minutes=CODE_MINUTES)
    EnrolCode.objects.create(
        sm3=sm3(code.encode()), made_at=now, made_by=actor.username, expires_at=expires, district=district
    )
    record(actor, "agent.code", "agent", detail={"expires_at": expires.isoformat()})
    return "-".join(code[at : at + 4] for at in range(0, CODE_LENGTH, 4)), expires


def enrol(code: str, name: str, public_key: bytes, version: str, address: str) -> Agent:
    """The agent that this code makes; the same code with the same key again gives the same agent.

    Raises Forbidden `CODE_WRONG`, `CODE_USED`, `CODE_EXPIRED`; BadInput `AGENT_KEY`, `AGENT_NAME`; Refused
    `AGENT_KEY_KNOWN`.
    """
    tidy = re.sub(r"[\s-]", "", code).upper()
    found = EnrolCode.objects.select_for_update().filter(sm3=sm3(tidy.encode())).first()
    if found is None:
        raise Forbidden("CODE_WRONG", "注册码不对。", action="请核对，或请管理员另发一个。")
    if found.expires_at < clock.now():
        raise Forbidden("CODE_EXPIRED", "注册码已过期。", action="请管理员另发一个。")
    if found.agent is not None:
        if bytes(found.agent.public_key) == public_key:
            return found.agent
        raise Forbidden("CODE_USED", "注册码已被用过。", action="请管理员另发一个。")
    if len(public_key) != 32:
        raise BadInput("AGENT_KEY", "公钥不对。", found=f"{len(public_key)} 字节", expected="32 字节")
    name = normalise(name)[:40]
    if not name:
        raise BadInput("AGENT_NAME", "请给这台电脑起个名字。", expected="1 至 40 个字")
    if Agent.objects.filter(public_key=public_key).exists():
        raise Refused("AGENT_KEY_KNOWN", "这把公钥已经注册过。", action="请让代理重新生成密钥后再注册。")
    now = clock.now()
    agent = Agent.objects.create(
        code=f"a-{secrets.token_hex(6)}",
        name=name,
        public_key=public_key,
        version=version[:20],
        district=found.district,
        state=t.ENROLLED,
        state_at=now,
        enrolled_at=now,
        enrolled_by=found.made_by,
        address=address[:45],
    )
    EnrolCode.objects.filter(pk=found.pk).update(agent=agent)
    actor = Actor.system("enrol")
    begin(t.AGENT, [agent.pk], actor)
    detail = {"name": name, "by": found.made_by, "version": version[:20], "address": address[:45]}
    record(actor, "agent.enrol", "agent", agent.code, detail=detail)
    return agent


def block(actor: Actor, agent_id: int, reason: str) -> None:
    """It may do nothing from now on. Cards under way are looked at when they come to another reader."""
    _move(actor, agent_id, "block", reason)


def unblock(actor: Actor, agent_id: int, reason: str) -> None:
    _move(actor, agent_id, "unblock", reason)


def resume(actor: Actor, agent_id: int, reason: str) -> None:
    """After failures in a row: somebody has looked and says why it may go on."""
    _move(actor, agent_id, "resume", reason)
    last = Session.objects.filter(agent_id=agent_id).order_by("-id").values_list("id", flat=True).first()
    Agent.objects.filter(pk=agent_id).update(counted_after=last or 0)


def seen(
    agent: Agent,
    version: str,
    readers: Sequence[ReaderReport],
    printers: Sequence[Mapping[str, Any]],
    address: str,
) -> None:
    """Keep what the agent says of itself. A reader that is not named any more is gone.

    `agent` remembers the moment: what this poll says counts until a fresher one comes (`is_latest`).
    """
    agent.last_seen_at = now = clock.now()
    Agent.objects.filter(pk=agent.pk).update(
        last_seen_at=now, version=version[:20], address=address[:45], printers=list(printers)
    )
    known = {each.name: each for each in ReaderState.objects.filter(agent=agent)}
    for each in {each.name: each for each in readers}.values():
        before = known.pop(each.name, None)
        if before is None:
            before = ReaderState(agent=agent, name=each.name, since=now, state="")
        came = each.state in ("card", "busy")
        if before.state != each.state and not (came and before.state in ("card", "busy")):
            before.since, before.met = now, before.met and came
        before.state, before.atr, before.seen_at = each.state, each.atr, now
        before.save()
    gone = [each.pk for each in known.values() if each.state != "gone"]
    ReaderState.objects.filter(pk__in=gone).update(state="gone", since=now, met=False)


def is_latest(agent: Agent) -> bool:
    """Whether the agent has said nothing newer of itself than `agent` remembers."""
    return Agent.objects.filter(pk=agent.pk, last_seen_at=agent.last_seen_at).exists()


def stop_after_failures(agent: Agent) -> None:
    """Stop an agent whose last cards all failed: a wrong key or a bad box must not spoil a hundred more."""
    limit = settings.PERSONALIZATION_STOP_AFTER
    over = Session.objects.filter(agent=agent, purpose="make", state__in=t.OVER)
    over = over.exclude(state=t.CANCELLED).filter(pk__gt=agent.counted_after)
    last = list(over.order_by("-state_at", "-id").values_list("state", flat=True)[:limit])
    if len(last) == limit and all(state in (t.VOID, t.FAILED) for state in last):
        present = Agent.objects.select_for_update().get(pk=agent.pk)
        if present.state == t.ENROLLED:
            actor = Actor.system("personalization")
            apply(t.AGENT, Agent, [agent.pk], "stop", actor, reason=f"连续 {limit} 张没有写成")
            record(actor, "agent.stop", "agent", agent.code, detail={"failures": limit})


def require_working(agent: Agent) -> None:
    """Raise Refused `AGENT_STOPPED`, Forbidden `AGENT_BLOCKED` unless it may make cards."""
    if agent.state == t.STOPPED:
        raise Refused(
            "AGENT_STOPPED",
            f"{agent.name}连续 {settings.PERSONALIZATION_STOP_AFTER} 张没有写成，已停下。",
            action="请查明原因（空白卡批次、密钥、读卡器），由即时制卡员在柜台页写明后恢复。",
        )
    if agent.state == t.BLOCKED:
        raise Forbidden("AGENT_BLOCKED", f"{agent.name}已被禁用。", action="请联系系统管理员。")


def by_code(code: str) -> Agent:
    """The agent of a signed request. Raises NotFound `AGENT_UNKNOWN`."""
    found = Agent.objects.filter(code=code).first()
    if found is None:
        raise NotFound("AGENT_UNKNOWN", "没有这个发卡代理。", action="请重新注册。")
    return found


@transaction.atomic
def _move(actor: Actor, agent_id: int, event: str, reason: str) -> None:
    reason = reason_given(reason)
    agent = locked(Agent.objects.visible_to(actor.scope).filter(pk=agent_id), "个发卡代理", "AGENT_NOT_FOUND")
    apply(t.AGENT, Agent, [agent_id], event, actor, reason=reason)
    record(actor, f"agent.{event}", "agent", agent.code, detail={"reason": reason})
