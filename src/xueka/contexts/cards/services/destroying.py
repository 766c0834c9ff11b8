"""Dead cards are collected on a list and destroyed before witnesses; until it is signed nothing is final."""

from collections.abc import Sequence
from datetime import date

from django.db import connection
from django.db.models import Max, Q

from xueka.contexts.cards.domain import states as s
from xueka.contexts.cards.domain.bulk import BulkResult, Refusal
from xueka.contexts.cards.domain.transitions import CARD, DESTRUCTION
from xueka.contexts.cards.models import Card, Destruction, DestructionCard
from xueka.contexts.cards.services.common import fetch_cards, in_order, required_text
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor

_MAY = "city:card:destroy"


def open_destruction(actor: Actor, title: str = "") -> Destruction:
    """A new, empty list of cards to be destroyed."""
    actor.require(_MAY)
    made = Destruction.objects.create(
        number=_next_number(),
        title=title.strip()[:100],
        state=DESTRUCTION.initial,
        state_at=clock.now(),
        created_at=clock.now(),
        created_by=actor.username,
    )
    begin(DESTRUCTION, [made.id], actor)
    record(actor, "destruction.open", "destruction", made.number, detail={"title": made.title})
    return made


def preview_collect(actor: Actor, card_ids: Sequence[int]) -> BulkResult:
    """Which of these cards may be put on a list, and why not the others. Changes nothing."""
    actor.require(_MAY)
    return _judge(fetch_cards(actor, card_ids, lock=False), card_ids)


def collect(actor: Actor, number: str, card_ids: Sequence[int]) -> BulkResult:
    """Put dead cards on an open list; whoever is not dead, or on another list, is named and stays."""
    actor.require(_MAY)
    found = _open(actor, number)
    result = _judge(fetch_cards(actor, card_ids), card_ids)
    now = clock.now()
    DestructionCard.objects.bulk_create(
        DestructionCard(destruction=found, card_id=id_, added_at=now, added_by=actor.username)
        for id_ in result.done
    )
    if result.done:
        detail = {"cards": len(result.done), "ids": result.done[:100]}
        record(actor, "destruction.collect", "destruction", found.number, detail=detail)
    return result


def collect_scanned(actor: Actor, number: str, code: str) -> Card:
    """A card that the scanner reads: its number, transit number or chip.

    Raises NotFound for a stranger's, Refused with the reason for one that is not dead or lies on a list.
    """
    actor.require(_MAY)
    code = code.strip()
    by_code = Q(number=code) | Q(transit_number=code) | Q(chip_uid=code.upper())
    card = Card.objects.visible_to(actor.scope).filter(by_code).order_by("id").first() if code else None
    if card is None:
        raise NotFound("CARD_NOT_FOUND", f"{code or '（空）'} 不是本系统的卡，请放到一边。", found=code)
    result = collect(actor, number, [card.id])
    if result.refused:
        _, reason, message = result.refused[0]
        raise Refused(reason, message)
    return card


def take_out(actor: Actor, number: str, card_ids: Sequence[int]) -> int:
    """Take cards off a list that is not signed."""
    actor.require(_MAY)
    found = _open(actor, number)
    gone, _ = DestructionCard.objects.filter(destruction=found, card_id__in=list(card_ids)).delete()
    if gone:
        detail = {"cards": gone, "ids": list(card_ids)[:100]}
        record(actor, "destruction.take_out", "destruction", found.number, detail=detail)
    return gone


def sign(
    actor: Actor,
    number: str,
    *,
    destroyed_on: date,
    place: str,
    method: str,
    done_by: str,
    witness_1: str,
    witness_2: str,
    document: str,
) -> Destruction:
    """The cards were destroyed: by whom, where, when and before which two people. Final.

    Raises BadInput where something is not said or one person stands in two places, Refused
    `DESTRUCTION_EMPTY` where the list has no card.
    """
    found = _open(actor, number)
    said = {
        "place": required_text(place, "销毁的地点"),
        "method": required_text(method, "销毁的方式"),
        "done_by": required_text(done_by, "销毁人"),
        "witness_1": required_text(witness_1, "第一位监销人"),
        "witness_2": required_text(witness_2, "第二位监销人"),
        "document": required_text(document, "销毁记录的编号"),
    }
    for name, text in said.items():
        if len(text) > (64 if name != "document" else 100):
            raise BadInput("DESTRUCTION_TEXT", "每一项最多 64 个字，记录编号最多 100 个字。", found=text[:20])
    people = [said["done_by"], said["witness_1"], said["witness_2"]]
    if len(set(people)) < len(people):
        raise BadInput(
            "DESTRUCTION_WITNESSES",
            "销毁人和两位监销人须是三个不同的人。",
            found="、".join(people),
            action="请写明各自签字的人。",
        )
    if destroyed_on > clock.today():
        raise BadInput("DESTRUCTION_DAY", "销毁日期不能晚于今天。", found=f"{destroyed_on:%Y-%m-%d}")
    card_ids = list(found.places.filter(is_here=True).values_list("card_id", flat=True))
    if not card_ids:
        raise Refused("DESTRUCTION_EMPTY", "销毁单里没有卡。", action="请先把要销毁的卡扫进来。")
    fetch_cards(actor, card_ids)
    apply(
        CARD,
        Card,
        card_ids,
        "destroy",
        actor,
        reason=f"销毁单 {found.number}",
        detail={"destruction": found.number},
    )
    for name, value in said.items():
        setattr(found, name, value)
    found.destroyed_on, found.signed_by, found.signed_at = destroyed_on, actor.username, clock.now()
    found.card_count = len(card_ids)
    found.save()
    apply(DESTRUCTION, Destruction, [found.id], "sign", actor, detail={"cards": len(card_ids)})
    record(
        actor,
        "destruction.sign",
        "destruction",
        found.number,
        detail={**said, "destroyed_on": str(destroyed_on), "cards": len(card_ids)},
    )
    found.refresh_from_db()
    return found


def cancel_destruction(actor: Actor, number: str, reason: str) -> Destruction:
    """Give a list up that is not signed; its cards may go on another one."""
    actor.require(_MAY)
    found = _open(actor, number)
    reason = required_text(reason, "取消的理由")
    found.places.update(is_here=False)
    apply(DESTRUCTION, Destruction, [found.id], "cancel", actor, reason=reason)
    record(actor, "destruction.cancel", "destruction", found.number, detail={"reason": reason})
    found.refresh_from_db()
    return found


def _judge(cards: Sequence[Card], ids: Sequence[int]) -> BulkResult:
    listed = dict(
        DestructionCard.objects.filter(card__in=[card.id for card in cards], is_here=True).values_list(
            "card_id", "destruction__number"
        )
    )
    result = BulkResult()
    for card in in_order(cards, ids):
        if found := _why_not(card, listed.get(card.id)):
            result.refused.append(found)
        else:
            result.done.append(card.id)
    return result


def _why_not(card: Card, listed: str | None) -> Refusal | None:
    if card.state in s.LIVE:
        state = CARD.state(card.state).label
        return Refusal(card.id, "TRANSITION_NOT_ALLOWED", f"{card.number} {state}，请先注销再销毁。")
    try:
        CARD.target("destroy", card.state)
    except Refused as refusal:
        return Refusal(card.id, refusal.code, f"{card.number}：{refusal.message}")
    if listed:
        return Refusal(card.id, "CARD_ON_LIST", f"{card.number} 已在销毁单 {listed} 上。")
    return None


def _open(actor: Actor, number: str) -> Destruction:
    """The list, locked; whoever changes or signs it is alone."""
    actor.require(_MAY)
    found = Destruction.objects.select_for_update().filter(number=number.strip()).first()
    if found is None:
        raise NotFound("DESTRUCTION_NOT_FOUND", "没有这份销毁单。", found=number)
    DESTRUCTION.target("sign", found.state)
    return found


def _next_number() -> str:
    """HK, the year, a serial of the year: HK26-00001."""
    head = f"HK{clock.today():%y}-"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('cards.destruction_number'))")
    last = Destruction.objects.filter(number__startswith=head).aggregate(last=Max("number"))["last"]
    return f"{head}{int(last[len(head) :]) + 1 if last else 1:05d}"
