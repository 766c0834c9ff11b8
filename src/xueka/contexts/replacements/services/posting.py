"""Cards that are posted home: the counter labels and posts the parcel, the family or the carrier's signature
says that it has come, and one that comes back or is lost goes on from there.
"""

from datetime import date, datetime, time
from hashlib import sha256

from xueka.contexts.cards import api as cards
from xueka.contexts.replacements.adapters import label as paper
from xueka.contexts.replacements.domain import rules
from xueka.contexts.replacements.domain import transitions as t
from xueka.contexts.replacements.models import Replacement
from xueka.contexts.replacements.services.common import WORKER, change, locked, tell
from xueka.contexts.replacements.services.following import follow
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Refused
from xueka.kernel.masking import mask_all, mask_name, mask_phone
from xueka.kernel.text import compact, normalise
from xueka.platform.audit.services import record
from xueka.platform.crypto.fields import unseal
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import reason_given
from xueka.platform.identity.scope import EVERYWHERE


def masked_address(replacement: Replacement) -> rules.Address:
    """Who gets the card and where, as a page shows it. The caller has found the replacement in her scope."""
    clear = _address(replacement)
    return rules.Address(mask_name(clear.name), mask_phone(clear.phone), mask_all(clear.address))


def address_mark(replacement: Replacement) -> str:
    """Changes with every change of the address: a parcel labelled before is not posted after."""
    return sha256(bytes(replacement.address)).hexdigest()[:16]


def posting_address(actor: Actor, replacement_id: int, reason: str) -> rules.Address:
    """Where to post the card, in clear; audited. Needs `district:replacement:post`.

    Raises NotFound; BadInput `REASON_MISSING`; Refused `NOT_POSTED` where the card is not posted.
    """
    actor.require(t.POST)
    reason = reason_given(reason)
    replacement = locked(actor, replacement_id)
    found = _address(replacement)
    record(actor, "replacement.address", "replacement", replacement.number, detail={"reason": reason})
    return found


def address_label(actor: Actor, replacement_id: int) -> bytes:
    """A label of 100 × 150 mm for the parcel, as a PDF; it shows the address, so that making it is audited.

    Raises NotFound; Refused `NOT_POSTED`, `CARD_NOT_READY`.
    """
    actor.require(t.POST)
    replacement = locked(actor, replacement_id)
    found = _address(replacement)
    _ready_card(replacement)
    record(actor, "replacement.label", "replacement", replacement.number)
    return paper.pdf(replacement, found)


def post(actor: Actor, replacement_id: int, carrier: str, waybill: str, mark: str = "") -> Replacement:
    """The finished card has been given to the carrier. Needs `district:replacement:post`. `mark` is the
    `address_mark` that the label was made for.

    Raises NotFound; BadInput `WAYBILL`; Refused `NOT_POSTED`, `CARD_NOT_READY`, `ADDRESS_CHANGED`.
    """
    actor.require(t.POST)
    carrier, waybill = normalise(carrier), compact(waybill).upper()
    if not 1 <= len(carrier) <= 32 or not (6 <= len(waybill) <= 40 and waybill.isalnum()):
        raise BadInput("WAYBILL", "请填写承运商和运单号。", where="运单", expected="6 至 40 位字母或数字")
    replacement = locked(actor, replacement_id)
    _address(replacement)
    _ready_card(replacement)
    if mark and mark != address_mark(replacement):
        raise Refused(
            "ADDRESS_CHANGED",
            "家长刚改了收件地址。",
            action="请刷新页面，按新地址重新打印面单，再登记寄出。",
        )
    follow(replacement.id)
    replacement.refresh_from_db()
    apply(t.REPLACEMENT, Replacement, [replacement.id], "post", actor, detail={"waybill": waybill})
    replacement.refresh_from_db()
    change(replacement, carrier=carrier, waybill=waybill, bounced_why="")
    detail = {"carrier": carrier, "waybill": waybill}
    record(actor, "replacement.post", "replacement", replacement.number, detail=detail)
    tell(replacement, "REPLACEMENT_POSTED", carrier=carrier, waybill=waybill)
    return replacement


def receive(actor: Actor, replacement_id: int) -> Replacement:
    """The family has the posted card in its hands: the old card dies, the new one lives.

    Raises NotFound; Refused `NOT_ON_THE_WAY`.
    """
    actor.require(t.ASK)
    replacement, card = _posted(actor, replacement_id)
    record(actor, "replacement.receive", "replacement", replacement.number, detail={"card": card.number})
    return _in_hand(replacement, card, clock.now())


def deliver(actor: Actor, replacement_id: int, signed_on: date, signed_by: str) -> Replacement:
    """The carrier has the family's signature, which is as good as the family's word: the old card dies, the
    new one lives. `signed_by` is a code of rules.SIGNERS. Needs `district:replacement:post`.

    Raises NotFound; BadInput `SIGNED_BY`, `SIGNED_ON` for a day before it was posted or to come; Refused
    `NOT_ON_THE_WAY`.
    """
    actor.require(t.POST)
    if signed_by not in rules.SIGNERS:
        raise BadInput("SIGNED_BY", "请选择是谁签收的。", expected="、".join(rules.SIGNERS.values()))
    replacement, card = _posted(actor, replacement_id)
    posted_on, today = clock.local(replacement.state_at).date(), clock.today()
    if not posted_on <= signed_on <= today:
        raise BadInput(
            "SIGNED_ON",
            "签收日期不对。",
            where="签收日期",
            found=f"{signed_on}",
            expected=f"寄出（{posted_on}）以后，今天以前",
        )
    now = clock.local(clock.now())
    at = now if signed_on == today else datetime.combine(signed_on, time(23, 59), now.tzinfo)
    detail = {"signed_on": f"{signed_on}", "receiver": rules.SIGNERS[signed_by], "card": card.number}
    record(actor, "replacement.deliver", "replacement", replacement.number, detail=detail)
    done = _in_hand(replacement, card, at)
    tell(done, "REPLACEMENT_SIGNED")
    return done


def bounce(actor: Actor, replacement_id: int, reason: str) -> Replacement:
    """The parcel has come back: it waits to be posted again, to another address where the family gives one.

    Raises NotFound; BadInput `REASON_MISSING`; Refused `NOT_ON_THE_WAY`.
    """
    actor.require(t.POST)
    reason = reason_given(reason)
    replacement, _ = _posted(actor, replacement_id)
    detail = {"waybill": replacement.waybill}
    apply(t.REPLACEMENT, Replacement, [replacement.id], "bounce", actor, reason=reason, detail=detail)
    replacement.refresh_from_db()
    change(replacement, carrier="", waybill="", bounced_why=reason[:200])
    said = {"reason": reason, **detail}
    record(actor, "replacement.bounce", "replacement", replacement.number, detail=said)
    tell(replacement, "REPLACEMENT_BOUNCED", reason=reason)
    return replacement


def lose(actor: Actor, replacement_id: int, reason: str) -> Replacement:
    """The carrier has lost the parcel: its card never lives, its numbers are spoiled, another one is made at
    the counter. The promise stays as it was.

    Raises NotFound; BadInput `REASON_MISSING`; Refused `NOT_ON_THE_WAY`.
    """
    actor.require(t.POST)
    reason = reason_given(reason)
    replacement, card = _posted(actor, replacement_id)
    detail = {"reason": reason, "waybill": replacement.waybill, "card": card.number}
    record(actor, "replacement.lose", "replacement", replacement.number, detail=detail)
    cards.spoil_at_counter(WORKER, card.id, f"邮件丢失 {replacement.waybill}：{reason}")
    follow(replacement.id)
    replacement.refresh_from_db()
    tell(replacement, "REPLACEMENT_AGAIN")
    return replacement


def _in_hand(replacement: Replacement, card: cards.Card, at: datetime) -> Replacement:
    change(replacement, delivered_at=at)
    cards.give(WORKER, card.id, "guardian", agreed=True)
    follow(replacement.id)
    replacement.refresh_from_db()
    return replacement


def _posted(actor: Actor, replacement_id: int) -> tuple[Replacement, cards.Card]:
    """A replacement whose card is with the carrier. Raises NotFound, Refused `NOT_ON_THE_WAY`."""
    replacement = locked(actor, replacement_id)
    card = _ready(replacement)
    if replacement.state != t.ON_THE_WAY or replacement.delivery != rules.HOME or card is None:
        raise Refused("NOT_ON_THE_WAY", "没有寄出的卡。", action="请刷新页面查看进度。")
    return replacement, card


def _ready_card(replacement: Replacement) -> cards.Card:
    card = _ready(replacement)
    if card is None:
        raise Refused("CARD_NOT_READY", "卡还没有在柜台制成。", action="请先在柜台制好这张卡，再寄出。")
    return card


def _ready(replacement: Replacement) -> cards.Card | None:
    rows = cards.card_rows(EVERYWHERE).filter(application=replacement.application_id, state=cards.READY)
    return rows.first() if replacement.application_id else None


def _address(replacement: Replacement) -> rules.Address:
    if replacement.delivery != rules.HOME or not replacement.address:
        raise Refused(
            "NOT_POSTED",
            "这张卡不邮寄。",
            found=rules.DELIVERIES.get(replacement.delivery, "没有选送达方式"),
            action="请按家庭选的送达方式办理。",
        )
    return rules.Address(**unseal(bytes(replacement.address)))
