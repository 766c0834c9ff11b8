"""Initialised blanks: virtual cards that hold what a card profile says of a blank."""

from pathlib import Path

from xueka.contexts.keys import api as keys
from xueka.contexts.personalization import api as personalization
from xueka.contexts.personalization.domain import encoding
from xueka.contexts.personalization.domain.rendering import render
from xueka.contexts.personalization.domain.steps import CardKeyName, key_names
from xueka.platform.crypto.card_ciphers import CardKey
from xueka.platform.identity.actor import Actor
from xueka.sandbox.card.system import Blank, System

SYSTEM = Actor.system("test")


def card_key(name: CardKeyName, values: encoding.Values) -> CardKey:
    """One key of a card, as key management makes it."""
    if not name.factor:
        return keys.transport_key(SYSTEM, name.label, purpose="test", subject="test")
    factors = [encoding.factor(name.factor, values)]
    [made] = keys.card_keys(SYSTEM, [(name.label, None)], factors, purpose="test", subject="test")
    return made


def from_the_maker(profile: personalization.Profile, uid: str, path: Path | None = None) -> System:
    """A card with its maker's transport key; with a path it keeps its memory there."""
    first = profile.mf.key("control")
    assert first is not None
    key = card_key(CardKeyName(first.initial), {}).plain_write_body(b"")
    blank = Blank(uid=bytes.fromhex(uid), algorithm=profile.algorithm, transport_key=key)
    return System(blank.make(path))


def initialise(profile: personalization.Profile, uid: str, card: System) -> None:
    """Carry out the plan of the first stage on the card."""
    values = {**encoding.SAMPLE, "chip_uid": uid}
    challenge = b""
    plan = personalization.compile_plan(profile, ["initialise"], values)
    in_hand = {name: card_key(name, values) for name in key_names(plan.steps)}
    for step in plan.steps:
        command = render(step, in_hand, challenge, b"", "")
        if command.what == "chip":
            continue
        answer = card.process(command.apdu)
        assert answer[-2:] == b"\x90\x00", (command.title, answer.hex())
        challenge = answer[:-2] if command.what == "challenge" else challenge
    card.reset()
