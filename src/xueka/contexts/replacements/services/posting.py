"""Cards that are posted home: the counter writes the parcel, the family says that it has come."""

from xueka.contexts.cards import api as cards
from xueka.contexts.replacements.domain import rules
from xueka.contexts.replacements.domain import transitions as t
from xueka.contexts.replacements.models import Replacement
from xueka.contexts.replacements.services.common import WORKER, change, locked, tell
from xueka.contexts.replacements.services.following import follow
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Refused
from xueka.kernel.text import compact, normalise
from xueka.platform.audit.services import record
from xueka.platform.crypto.fields import unseal
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import reason_given
from xueka.platform.identity.scope import EVERYWHERE


def posting_address(actor: Actor, replacement_id: int, reason: str) -> rules.Address:
    """Where to post the card, in clear, for the label; audited. Needs `district:replacement:post`.

    Raises NotFound; BadInput `REASON_MISSING`; Refused `NOT_POSTED` where the card is not posted.
    """
    actor.require(t.POST)
    reason = reason_given(reason)
    replacement = locked(actor, replacement_id)
    if replacement.delivery != rules.HOME or not replacement.address:
        raise _not_posted(replacement)
    record(actor, "replacement.address", "replacement", replacement.number, detail={"reason": reason})
    return rules.Address(**unseal(bytes(replacement.address)))


def post(actor: Actor, replacement_id: int, carrier: str, waybill: str) -> Replacement:
    """The finished card has been given to the carrier. Needs `district:replacement:post`.

    Raises NotFound; BadInput `WAYBILL`; Refused `NOT_POSTED`, `CARD_NOT_READY`.
    """
    actor.require(t.POST)
    carrier, waybill = normalise(carrier), compact(waybill)
    if not 1 <= len(carrier) <= 32 or not (6 <= len(waybill) <= 40 and waybill.isalnum()):
        raise BadInput("WAYBILL", "请填写承运商和运单号。", where="运单", expected="6 至 40 位字母或数字")
    replacement = locked(actor, replacement_id)
    if replacement.delivery != rules.HOME:
        raise _not_posted(replacement)
    if _ready_card(replacement) is None:
        raise Refused("CARD_NOT_READY", "卡还没有在柜台制成。", action="请先在柜台制好这张卡，再登记寄出。")
    apply(t.REPLACEMENT, Replacement, [replacement.id], "post", actor, detail={"waybill": waybill})
    replacement.refresh_from_db()
    change(replacement, carrier=carrier, waybill=waybill)
    detail = {"carrier": carrier, "waybill": waybill}
    record(actor, "replacement.post", "replacement", replacement.number, detail=detail)
    tell(replacement, "REPLACEMENT_POSTED", carrier=carrier, waybill=waybill)
    return replacement


def receive(actor: Actor, replacement_id: int) -> Replacement:
    """The family has the posted card in its hands: the old card dies, the new one lives.

    Raises NotFound; Refused `NOT_ON_THE_WAY`.
    """
    actor.require(t.ASK)
    replacement = locked(actor, replacement_id)
    card = _ready_card(replacement)
    if replacement.state != t.ON_THE_WAY or replacement.delivery != rules.HOME or card is None:
        raise Refused("NOT_ON_THE_WAY", "没有寄出的卡等您确认。", action="请刷新页面查看进度。")
    change(replacement, delivered_at=clock.now())
    record(actor, "replacement.receive", "replacement", replacement.number, detail={"card": card.number})
    cards.give(WORKER, card.id, "guardian", agreed=True)
    follow(replacement.id)
    replacement.refresh_from_db()
    return replacement


def _ready_card(replacement: Replacement) -> cards.Card | None:
    rows = cards.card_rows(EVERYWHERE).filter(application=replacement.application_id, state=cards.READY)
    return rows.first() if replacement.application_id else None


def _not_posted(replacement: Replacement) -> Refused:
    return Refused(
        "NOT_POSTED",
        "这张卡不邮寄。",
        found=rules.DELIVERIES.get(replacement.delivery, "没有选送达方式"),
        action="请按家庭选的送达方式办理。",
    )
