"""A run made ready: keys fetched, commands computed, everything stored before it is handed out."""

import json
import secrets
from collections.abc import Sequence
from typing import Any

from xueka.contexts.keys import api as keys
from xueka.contexts.personalization.domain import encoding
from xueka.contexts.personalization.domain.compiling import ScriptCommand, block, compile_plan
from xueka.contexts.personalization.domain.judging import Answer
from xueka.contexts.personalization.domain.profiles import Profile, parse
from xueka.contexts.personalization.domain.rendering import Command, render
from xueka.contexts.personalization.domain.scripts import parse_script
from xueka.contexts.personalization.domain.steps import (
    CardKeyName,
    Challenge,
    Plan,
    Step,
    WriteKey,
    key_names,
)
from xueka.contexts.personalization.models import CardKeyVersion, CardScript, Run, Session
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.platform.crypto import fields
from xueka.platform.crypto.card_ciphers import CardKey
from xueka.platform.identity.actor import Actor

#: Seconds that one command may take on a card (docs/interfaces/issuing-agent.md §5).
COMMAND_SECONDS = 10
PURPOSE = "personalization"


def profile_of(session: Session) -> Profile:
    return parse(session.profile.text)


def values_of(session: Session) -> dict[str, str]:
    """What was pinned when the session was opened, and the chip since it is known."""
    return {**fields.unseal(bytes(session.values)), "chip_uid": session.chip_uid}


def plan_of(session: Session, profile: Profile) -> Plan:
    """The plan of a session, the same every time it is asked for."""
    return compile_plan(profile, session.stages, values_of(session), script_commands(session.scripts))


def script_commands(ids: Sequence[int]) -> list[list[ScriptCommand]]:
    """The commands of scripts, in the order of `ids`."""
    texts = dict(CardScript.objects.filter(id__in=ids).values_list("id", "text"))
    return [list(parse_script(texts[id_]).commands) for id_ in ids]


def prepare(
    actor: Actor,
    session: Session,
    steps: Sequence[Step],
    *,
    part: str,
    number: int = 0,
    reset: bool = False,
    challenge: bytes = b"",
) -> dict[str, Any]:
    """Store a run and return it as the agent gets it. Its keys' versions stand in the lineage before.

    Raises Refused where a key may not be used or a master is not of the profile's algorithm.
    """
    profile, values = profile_of(session), values_of(session)
    names = key_names(tuple(steps))
    in_hand = _keys(actor, session, profile, names, values)
    if part == "make":
        _keep_lineage(session, steps, in_hand)
    random = secrets.token_bytes(block(profile))
    commands = [render(step, in_hand, challenge, random, values["card_number"]) for step in steps]
    writes = any(not isinstance(step, Challenge) and step.writes for step in steps)
    last = Run.objects.filter(session=session).order_by("-seq").values_list("seq", flat=True).first() or 0
    run = Run.objects.create(
        session=session,
        seq=last + 1,
        part=part,
        number=number,
        writes=writes,
        reset=reset,
        titles=[command.title for command in commands],
        commands=seal([command.as_dict() for command in commands]),
        handed_out_at=clock.now(),
    )
    if writes and not session.touched:
        Session.objects.filter(pk=session.pk).update(touched=True)
        session.touched = True
    return payload(run, commands)


def payload(run: Run, commands: Sequence[Command] = ()) -> dict[str, Any]:
    """The run as the agent reads it."""
    return {
        "run": run.code,
        "reset": run.reset,
        "seconds": COMMAND_SECONDS,
        "commands": [
            {"apdu": command.apdu.hex(), "expect": list(command.expect)}
            for command in commands or commands_of(run)
        ],
    }


def commands_of(run: Run) -> list[Command]:
    return [Command.of(each) for each in unseal(bytes(run.commands))]


def answers_of(run: Run) -> list[Answer]:
    raw = unseal(bytes(run.answers)) if run.answers else []
    return [Answer(bytes.fromhex(each["data"]), each["sw"]) for each in raw]


def seal(rows: list[dict[str, Any]]) -> bytes:
    return fields.seal_bytes(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode())


def unseal(envelope: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(fields.open_bytes(envelope))
    return found


def _keys(
    actor: Actor, session: Session, profile: Profile, names: Sequence[CardKeyName], values: encoding.Values
) -> dict[CardKeyName, CardKey]:
    """The keys by name: in the version that the session began with, else in the active one."""
    pinned = dict(CardKeyVersion.objects.filter(session=session).values_list("label", "version"))
    found: dict[CardKeyName, CardKey] = {}
    subject = values["card_number"] or f"session {session.pk}"
    for kind in dict.fromkeys(name.factor for name in names):
        group = [name for name in names if name.factor == kind]
        if kind:
            wanted = [(name.label, pinned.get(name.label)) for name in group]
            factors = [encoding.factor(kind, values)]
            made = keys.card_keys(actor, wanted, factors, purpose=PURPOSE, subject=subject)
            found |= dict(zip(group, made, strict=True))
        else:
            for name in group:
                found[name] = keys.transport_key(actor, name.label, purpose=PURPOSE, subject=subject)
    for name, key in found.items():
        if key.algorithm != profile.algorithm:
            raise Refused(
                "KEY_ALGORITHM_MISMATCH",
                f"密钥 {name.label} 的算法与卡片结构不符。",
                found=key.algorithm,
                expected=profile.algorithm,
                action="请核对卡片结构里的密钥名称。",
            )
    return found


def _keep_lineage(session: Session, steps: Sequence[Step], in_hand: dict[CardKeyName, CardKey]) -> None:
    assert session.card_id is not None
    known = set(CardKeyVersion.objects.filter(session=session).values_list("role", flat=True))
    CardKeyVersion.objects.bulk_create(
        CardKeyVersion(
            card_id=session.card_id,
            session=session,
            role=step.role,
            label=step.key.label,
            version=in_hand[step.key].version,
            factor=step.key.factor,
            kcv=in_hand[step.key].kcv,
            at=clock.now(),
        )
        for step in steps
        if isinstance(step, WriteKey) and step.key.factor and step.role not in known
    )
