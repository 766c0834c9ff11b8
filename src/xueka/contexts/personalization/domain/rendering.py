"""From a step to the bytes of its command, once its keys are in hand and the card's challenge is known."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from xueka.contexts.personalization.domain.steps import (
    DONE,
    Authenticate,
    CardKeyName,
    Challenge,
    Prove,
    Send,
    Step,
    WriteKey,
)

MAC_SIZE = 4

Own = TypeVar("Own", bound="KeyInHand")


class KeyInHand(Protocol):
    """What a key of one card can do (platform/crypto/card_ciphers.CardKey)."""

    version: int

    def encrypt(self, data: bytes) -> bytes: ...
    def mac(self, challenge: bytes, data: bytes) -> bytes: ...
    def sealed_under(self: Own, other: Own, head: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Command:
    """One command as it is handed out. `want`: the data that must come back; `what`: what it is for."""

    title: str
    apdu: bytes
    expect: tuple[str, ...]
    want: bytes | None
    what: str

    def as_dict(self) -> dict[str, object]:
        """For the journal."""
        return {
            "title": self.title,
            "apdu": self.apdu.hex(),
            "expect": list(self.expect),
            "want": None if self.want is None else self.want.hex(),
            "what": self.what,
        }

    @classmethod
    def of(cls, raw: Mapping[str, object]) -> "Command":
        want = raw["want"]
        expect = raw["expect"]
        assert isinstance(expect, list)
        return cls(
            str(raw["title"]),
            bytes.fromhex(str(raw["apdu"])),
            tuple(str(each) for each in expect),
            None if want is None else bytes.fromhex(str(want)),
            str(raw["what"]),
        )


def render(
    step: Step, keys: Mapping[CardKeyName, KeyInHand], challenge: bytes, random: bytes, card_number: str
) -> Command:
    """The command of one step.

    `challenge` is what the card gave last, `random` ours for INTERNAL AUTHENTICATE (one block). A challenge
    that is needed and not there raises ValueError: the plan was cut wrongly.
    """
    if isinstance(step, Send):
        return Command(step.title, step.apdu, step.expect, step.want, step.what)
    if isinstance(step, Challenge):
        return Command(step.title, bytes([0x00, 0x84, 0x00, 0x00, step.length]), DONE, None, "challenge")
    if isinstance(step, Prove):
        apdu = bytes([0x00, 0x88, 0x00, step.id, len(random)]) + random + b"\0"
        return Command(step.title, apdu, step.expect, keys[step.key].encrypt(random), "prove")
    if not challenge:
        raise ValueError(f"{step.title}: no challenge of the card (card {card_number})")
    if isinstance(step, Authenticate):
        answer = keys[step.key].encrypt(challenge)
        apdu = bytes([0x00, 0x82, 0x00, step.id, len(answer)]) + answer
        return Command(step.title, apdu, step.expect, None, "authenticate")
    return _write_key(step, keys[step.key], keys[step.under], challenge)


def _write_key(step: WriteKey, key: Own, under: Own, challenge: bytes) -> Command:
    head = bytearray(step.head)
    if step.version_at is not None:
        head[step.version_at] = key.version
    body = key.sealed_under(under, bytes(head))
    start = bytes([0x84, 0xD4, step.p1, step.p2, len(body) + MAC_SIZE])
    apdu = start + body + under.mac(challenge, start + body)
    return Command(step.title, apdu, DONE, None, f"key {step.role}")
