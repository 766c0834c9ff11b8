"""A card made at a counter while the family waits (即时制卡): from the accepted application to the hand.

The intent is stored before any plastic is touched: `issue_at_counter` gives the card its numbers. Only then
is a chip written and a face printed; what becomes of that, other contexts know and tell by
`finish_at_counter` or `spoil_at_counter`. The application never lies in a batch meanwhile: it waits in a
state of its own.
"""

from collections.abc import Sequence

from xueka.contexts.cards.domain.bulk import BulkResult, Refusal
from xueka.contexts.cards.domain.rules import RECEIVERS
from xueka.contexts.cards.domain.states import ISSUING
from xueka.contexts.cards.domain.transitions import APPLICATION, CARD
from xueka.contexts.cards.models import Application, Card
from xueka.contexts.cards.services.common import (
    fetch_applications,
    fetch_cards,
    in_order,
    lock_applications_of,
    required_text,
)
from xueka.contexts.cards.services.delivering import lock_with_old
from xueka.contexts.cards.services.kinds import kept_rules
from xueka.contexts.cards.services.making import draw_up
from xueka.contexts.numbers import api as numbers
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Refused
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor

_ISSUE = "district:card:issue"


def preview_counter(verb: str, actor: Actor, application_ids: Sequence[int]) -> BulkResult:
    """What `to_counter` or `to_bureau` would do. Changes nothing."""
    actor.require("district:application:to_counter")
    return _judge(verb, fetch_applications(actor, application_ids, lock=False), application_ids)


def to_counter(actor: Actor, application_ids: Sequence[int]) -> BulkResult:
    """Accepted applications are made at a counter and leave what waits for a batch."""
    return _move("to_counter", actor, application_ids)


def to_bureau(actor: Actor, application_ids: Sequence[int]) -> BulkResult:
    """They wait for the card bureau again."""
    return _move("to_bureau", actor, application_ids)


def issue_at_counter(actor: Actor, application_id: int, blank_uid: str = "") -> Card:
    """The intent to make this card here and now: it gets its numbers and waits for its plastic.

    A kind whose blanks bring the transit number needs `blank_uid`. Raises NotFound, Forbidden, Refused where
    the application does not wait for a counter, consent is missing that its kind asks for, numbers run out,
    or the blank may not be used.
    """
    actor.require(_ISSUE)
    [application] = fetch_applications(actor, [application_id])
    if application.kind.transit_source == "bind" and not blank_uid.strip():
        raise BadInput(
            "BLANK_UID_NEEDED", "这个卡种的空白卡自带一卡通号。", where="空白卡", action="请先扫描空白卡。"
        )
    student = application.account.student_id
    if kept_rules([application])[application.id].consent_required and registry.without_consent([student]):
        raise Refused(
            "CONSENT_MISSING",
            "监护人还没有同意，这个卡种不能制卡。",
            action="请先在学生页登记同意书。",
        )
    [planned] = draw_up(actor, [application_id], "issue", blank_uid=blank_uid)
    apply(CARD, Card, [planned.id], "issue", actor)
    record(actor, "card.issue", "card", planned.number, detail={"application": application.number})
    return Card.objects.select_related("kind").get(id=planned.id)


def finish_at_counter(actor: Actor, card_id: int, chip_uid: str = "") -> Card:
    """Chip proved, face printed: the card may be given. `chip_uid` is empty for a kind without chip.

    Raises Refused `CHIP_KNOWN` where the chip is another card, `CHIP_DIFFERS` where it is not the blank that
    was bound, or what the stock of blanks says against it.
    """
    [card] = fetch_cards(actor, [card_id])
    uid = chip_uid.strip().upper()
    other = Card.objects.exclude(id=card.id).exclude(chip_uid="").filter(chip_uid=uid).first()
    if other is not None:
        raise Refused(
            "CHIP_KNOWN", "这个芯片已在另一张卡上。", found=other.number, action="请收起这张卡并上报。"
        )
    bound = numbers.blank_uids([card.id]).get(card.id, "")
    if bound and bound != uid:
        raise Refused(
            "CHIP_DIFFERS",
            "读卡器上的不是为这张卡选定的空白卡。",
            found=uid,
            expected=bound,
            action="请换回选定的那张空白卡。",
        )
    if uid and not bound:
        numbers.take_blank(card.id, uid)
    apply(CARD, Card, [card.id], "finish", actor, also={"chip_uid": {card.id: uid}})
    record(actor, "card.finish", "card", card.number)
    card.refresh_from_db()
    return card


def spoil_at_counter(actor: Actor, card_id: int, reason: str) -> None:
    """This plastic will never be given: its numbers are spoiled, the application waits for another card here.

    Raises BadInput without a reason, Refused where the card is not made at a counter.
    """
    reason = required_text(reason, "制废的理由")
    lock_applications_of([card_id])
    [card] = fetch_cards(actor, [card_id])
    apply(CARD, Card, [card.id], "spoil", actor, reason=reason)
    numbers.mark_spoiled([card.id], reason)
    gone = {card.application_id: {"card": card.number}}
    apply(APPLICATION, Application, list(gone), "again", actor, reason=reason, details=gone)
    record(actor, "card.spoil", "card", card.number, detail={"reason": reason})


def give(actor: Actor, card_id: int, receiver: str, *, agreed: bool) -> Card:
    """Hand the card over: the old one dies first, in the same transaction; from now the new one lives.

    `receiver` is a code of RECEIVERS. `agreed`: who takes it has checked what is printed and knows that the
    old card is dead. Raises BadInput for an unknown receiver or without agreement, Refused where the card is
    not ready.
    """
    if receiver not in RECEIVERS:
        raise BadInput(
            "RECEIVER_UNKNOWN", "请选择领卡人。", where="领卡人", expected="、".join(RECEIVERS.values())
        )
    if not agreed:
        raise BadInput(
            "NOT_AGREED",
            "领卡人还没有核对并同意。",
            where="核对",
            action="请领卡人核对卡面，并说明旧卡即刻作废，再勾选。",
        )
    lock_applications_of([card_id])
    [card], old = lock_with_old(actor, [card_id])
    said = f"领卡人：{RECEIVERS[receiver]}"
    CARD.target("give", card.state)
    replaced = {each.id: {"replaced_by": card.number} for each in old.values()}
    apply(CARD, Card, list(replaced), "cancel", actor, reason="已换发新卡", details=replaced)
    apply(CARD, Card, [card.id], "give", actor, reason=said, detail={"receiver": receiver})
    apply(APPLICATION, Application, [card.application_id], "give", actor)
    numbers.mark_used([card.id])
    record(actor, "card.give", "card", card.number, detail={"receiver": receiver, "replaced": len(replaced)})
    card.refresh_from_db()
    return card


def being_issued(actor: Actor, card_id: int) -> Card:
    """The card, locked, while it is made at a counter. Raises NotFound, Refused `CARD_NOT_AT_COUNTER`."""
    [card] = fetch_cards(actor, [card_id])
    if card.state != ISSUING:
        raise Refused(
            "CARD_NOT_AT_COUNTER",
            "这张卡不在柜台制卡中。",
            found=CARD.state(card.state).label,
            expected=CARD.state(ISSUING).label,
            action="请刷新页面。",
        )
    return card


def _move(verb: str, actor: Actor, application_ids: Sequence[int]) -> BulkResult:
    actor.require("district:application:to_counter")
    result = _judge(verb, fetch_applications(actor, application_ids), application_ids)
    apply(APPLICATION, Application, result.done, verb, actor)
    Application.objects.filter(id__in=result.done).update(updated_at=clock.now())
    record(
        actor,
        f"application.{verb}",
        "application",
        result.done[0] if len(result.done) == 1 else "",
        detail={"done": len(result.done), "refused": result.reasons()},
    )
    return result


def _judge(verb: str, found: Sequence[Application], ids: Sequence[int]) -> BulkResult:
    result = BulkResult()
    for application in in_order(found, ids):
        try:
            APPLICATION.target(verb, application.state)
        except Refused as refusal:
            result.refused.append(Refusal(application.id, refusal.code, refusal.message))
        else:
            result.done.append(application.id)
    return result
