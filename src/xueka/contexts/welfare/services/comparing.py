"""What becomes of an entitlement on which the daily comparison found the two sides unlike."""

from datetime import datetime

from xueka.contexts.cards import api as cards
from xueka.contexts.welfare.domain import entitlements
from xueka.contexts.welfare.domain.transitions import ACTIVE
from xueka.contexts.welfare.services.hearing import keep
from xueka.kernel.errors import Refused, XuekaError
from xueka.platform.identity.actor import Actor


def take_entitlement(actor: Actor, key: str, theirs: str, seen: datetime) -> None:
    """Entitlements are theirs to say. `theirs` is the record of docs/interfaces/welfare.md §6 as it was
    `seen`; what they have told since has a greater version, and stays.
    """
    if not theirs:
        raise Refused(
            "ENTITLEMENT_GONE",
            "对方没有这项权益，而权益只会终止，不会消失。",
            found=key,
            action="请对方核对后重发，或登记为不处理。",
        )
    told = _word(theirs, seen)
    card = cards.Card.objects.filter(number=told.card).first() if told else None
    if told is None or card is None or key != entitlements.key_of(told.card, told.kind):
        raise Refused("ENTITLEMENT_RECORD", "对方的记录与本方的卡不符，不能采纳。", found=key)
    if not keep(actor, card, told, again=True):
        raise Refused(
            "ENTITLEMENT_OLDER",
            "对方的记录比本方已知的旧，不能采纳。",
            found=f"第 {told.version} 次",
            action="请对方核对后重发。",
        )


def _word(text: str, seen: datetime) -> entitlements.Word | None:
    """A record as if it had been told then; None where it is none."""
    parts = text.split("|")
    if len(parts) != 6:
        return None
    names = ("card", "kind", "state", "valid_from", "valid_until")
    data: dict[str, object] = dict(zip(names, parts[:5], strict=True))
    data["reason"] = "" if parts[2] == ACTIVE else "按每日核对采纳"
    data |= {"beijing_tong_number": "0", "as_of": seen.isoformat()}  # the record does not bear these
    try:
        told = entitlements.read(data | {"version": int(parts[5])})
    except (ValueError, XuekaError):
        return None
    days = told.valid_from, told.valid_until
    same = entitlements.record_of(told.card, told.kind, told.state, *days, told.version) == text
    return told if same else None  # a version of "+5" is no other than 5, and would differ for ever
