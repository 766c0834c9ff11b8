"""What the platform says of entitlements and their kinds. A word older than what is known changes nothing."""

from xueka.contexts.cards import api as cards
from xueka.contexts.welfare.domain import entitlements
from xueka.contexts.welfare.domain.transitions import ENTITLEMENT, EVENTS
from xueka.contexts.welfare.models import Entitlement, EntitlementKind
from xueka.kernel import clock
from xueka.kernel.contents import Content
from xueka.kernel.errors import Refused
from xueka.platform.exchange.applying import Message
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor


def hear_entitlement(actor: Actor, message: Message) -> None:
    """`entitlement.changed`. Raises BadInput `CONTENT_WRONG`, Refused `KEY_MISMATCH`, `NUMBER_MISMATCH`,
    NotFound `CARD_UNKNOWN`.
    """
    told = entitlements.read(message.data)
    card = cards.card_told(actor.scope, message.key, told.card, told.beijing_tong_number)
    keep(actor, card, told)


def keep(actor: Actor, card: cards.Card, told: entitlements.Word, *, again: bool = False) -> bool:
    """Note what was said unless it is known or something later is; whether it was noted. `again`: the same
    version once more counts, because a person takes it.
    """
    now = clock.now()
    made = {
        "valid_from": told.valid_from,
        "valid_until": told.valid_until,
        "reason": told.reason,
        "version": told.version,
        "as_of": told.as_of,
        "heard_at": now,
    }
    found = Entitlement.objects.select_for_update().filter(card=card, kind=told.kind).first()
    if found is None:
        # What is suspended or ended was granted once: it begins as granted.
        found = Entitlement.objects.create(
            card=card, kind=told.kind, state=ENTITLEMENT.initial, state_at=now, **made
        )
        begin(ENTITLEMENT, [found.pk], actor)
    elif found.version > told.version or (found.version == told.version and not again):
        return False
    else:
        Entitlement.objects.filter(pk=found.pk).update(**made)
    if found.state != told.state:
        apply(ENTITLEMENT, Entitlement, [found.pk], EVENTS[told.state], actor, reason=told.reason)
    return True


def hear_kind(actor: Actor, message: Message) -> None:
    """`kind.named`: the platform's code of a kind, and what people call it."""
    told = Content(message.data)
    code = told.word("kind", entitlements.KIND, "权益种类的代码")
    if message.key != f"kind:{code}":
        raise Refused(
            "KEY_MISMATCH", "消息的 key 与内容里的权益种类不同。", where="key", expected=f"kind:{code}"
        )
    version = told.whole("version", 1, entitlements.LAST)
    made = {"name": told.text("name", 40), "version": version, "heard_at": clock.now()}
    found, new = EntitlementKind.objects.select_for_update().get_or_create(code=code, defaults=made)
    if not new and found.version < version:
        EntitlementKind.objects.filter(pk=found.pk).update(**made)
