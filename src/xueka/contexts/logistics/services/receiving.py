"""What a school does with a box: receive by scanning, hand out, and say what is wrong."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from xueka.contexts.cards import api as cards
from xueka.contexts.logistics.domain.transitions import BOX, DELIVERY, IN_TRANSIT, RECEIVED
from xueka.contexts.logistics.models import Box, BoxCard, Delivery, Discrepancy
from xueka.contexts.logistics.services.packing import card_ids_in
from xueka.kernel import clock
from xueka.kernel.errors import NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor

#: What becomes of the card behind a discrepancy.
RESOLUTIONS = {
    "remake": "作废并重制",
    "found": "卡已找到，补签收",
    "forwarded": "已退回或转送",
    "noted": "已核实，无需处理",
}


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was expected in a box and what was there (card numbers); `foreign` does not belong into it."""

    box: str
    expected: list[str]
    received: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return not (self.missing or self.damaged or self.foreign)


def compare(actor: Actor, box_number: str, scanned: Iterable[str], damaged: Iterable[str] = ()) -> Receipt:
    """Scanned card numbers beside the expected ones; changes nothing. Scanning one twice is harmless."""
    box = _box(actor, box_number)
    expected = _numbers_in(box)
    here = list(dict.fromkeys(number.strip() for number in scanned if number.strip()))
    broken = [number for number in here if number in set(damaged) and number in expected]
    good = [number for number in here if number in expected and number not in broken]
    return Receipt(
        box.number,
        list(expected),
        good,
        [number for number in expected if number not in set(here)],
        broken,
        [number for number in here if number not in expected],
    )


def receive_box(
    actor: Actor, box_number: str, scanned: Iterable[str], damaged: Iterable[str] = ()
) -> Receipt:
    """Sign for a box: scanned cards are at the school, every difference becomes an open discrepancy."""
    box = _box(actor, box_number, lock=True)
    receipt = compare(actor, box_number, scanned, damaged)
    numbers = _numbers_in(box)
    now = clock.now()
    apply(
        BOX,
        Box,
        [box.id],
        "receive",
        actor,
        detail={
            "received": len(receipt.received),
            "missing": len(receipt.missing),
            "damaged": len(receipt.damaged),
        },
    )
    arrived = [numbers[number] for number in (*receipt.received, *receipt.damaged)]
    cards.receive(actor, arrived, detail={"box": box.number})
    BoxCard.objects.filter(box=box, is_here=True, card_id__in=arrived).update(
        scanned_at=now, scanned_by=actor.username
    )
    Box.objects.filter(id=box.id).update(received_at=now, received_by=actor.username)
    _open(actor, box, "short", [(numbers[number], number) for number in receipt.missing])
    _open(actor, box, "damaged", [(numbers[number], number) for number in receipt.damaged])
    known = cards.card_ids_by_number(receipt.foreign)
    _open(actor, box, "wrong_school", [(known[n], n) for n in receipt.foreign if n in known])
    _open(actor, box, "extra", [(None, n) for n in receipt.foreign if n not in known])
    record(
        actor,
        "box.receive",
        "box",
        box.number,
        detail={
            "expected": len(receipt.expected),
            "received": len(receipt.received),
            "missing": receipt.missing,
            "damaged": receipt.damaged,
            "foreign": receipt.foreign,
        },
    )
    _complete_if_done(actor, box.delivery_id)
    return receipt


def report_lost_box(actor: Actor, box_number: str, reason: str) -> int:
    """A box is lost: its cards are blocked for good and their applications go back to be made again."""
    actor.require("city:delivery:report_lost")
    box = _box(actor, box_number, lock=True)
    if not reason.strip():
        raise Refused("REASON_MISSING", "请写明丢失的情况，例如承运方的说明。")
    apply(BOX, Box, [box.id], "lose", actor, reason=reason)
    inside = card_ids_in([box])
    cards.void_cards(actor, inside, f"卡箱 {box.number} 丢失：{reason}", remake=True)
    BoxCard.objects.filter(box=box, is_here=True).update(is_here=False)
    Discrepancy.objects.create(
        box=box,
        kind="lost_box",
        note=reason[:200],
        state="resolved",
        opened_at=clock.now(),
        opened_by=actor.username,
        resolution="remake",
        resolved_at=clock.now(),
        resolved_by=actor.username,
    )
    record(actor, "box.lost", "box", box.number, detail={"cards": len(inside), "reason": reason})
    _complete_if_done(actor, box.delivery_id)
    return len(inside)


def resolve_discrepancy(actor: Actor, discrepancy_id: int, resolution: str, note: str = "") -> Discrepancy:
    """Close a discrepancy. `remake` voids its card; `found` receives a short card after all.

    Whoever may receive at the school may say that a card was found; the rest is the city's to decide.
    """
    actor.require("school:delivery:receive" if resolution == "found" else "city:card:void")
    visible = Discrepancy.objects.filter(box__in=Box.objects.visible_to(actor.scope))
    found = visible.select_for_update(of=("self",)).filter(id=discrepancy_id, state="open").first()
    if found is None:
        raise NotFound("DISCREPANCY_NOT_FOUND", "没有这条待处理的差异，可能已由他人处理。")
    if resolution not in RESOLUTIONS:
        raise Refused("RESOLUTION_UNKNOWN", "请选择处理方式。", expected="、".join(RESOLUTIONS.values()))
    mine = found.kind in ("short", "damaged")
    if resolution in ("remake", "found") and not mine:
        raise Refused("RESOLUTION_NOT_FITTING", "这张卡不属于本箱，只能退回、转送或核实。")
    if resolution in ("forwarded", "noted") and mine:
        raise Refused("RESOLUTION_NOT_FITTING", "本箱的卡须有着落：请选择重制，或确认已找到。")
    card_id = found.card_id or 0  # never 0 here: short and damaged name a card
    if resolution == "remake":
        cards.void_cards(actor, [card_id], f"收货差异：{found.get_kind_display()}", remake=True)
        BoxCard.objects.filter(box=found.box, card_id=card_id, is_here=True).update(is_here=False)
    elif resolution == "found" and found.kind == "short":
        cards.receive(actor, [card_id], detail={"box": found.box.number, "late": True})
        BoxCard.objects.filter(box=found.box, card_id=card_id, is_here=True).update(
            scanned_at=clock.now(), scanned_by=actor.username
        )
    found.state, found.resolution, found.note = "resolved", resolution, note[:200] or found.note
    found.resolved_at, found.resolved_by = clock.now(), actor.username
    found.save(update_fields=["state", "resolution", "note", "resolved_at", "resolved_by"])
    record(
        actor,
        "discrepancy.resolve",
        "box",
        found.box.number,
        detail={"kind": found.kind, "resolution": resolution},
    )
    return found


def hand_out(actor: Actor, card_ids: Sequence[int]) -> cards.BulkResult:
    """Give cards to their students. A card with an open discrepancy (damaged, short) is refused."""
    cards.lock_for_hand_out(actor, card_ids)  # a receipt that is just being signed may open one
    free, refused = _without_held(card_ids)
    result = cards.hand_out(actor, free)
    if result.done:
        BoxCard.objects.filter(card_id__in=result.done, is_here=True).update(is_here=False)
    return cards.BulkResult(done=result.done, refused=[*result.refused, *refused])


def preview_hand_out(actor: Actor, card_ids: Sequence[int]) -> cards.BulkResult:
    """What `hand_out` would do. Changes nothing."""
    free, refused = _without_held(card_ids)
    result = cards.preview_hand_out(actor, free)
    return cards.BulkResult(done=result.done, refused=[*result.refused, *refused])


def _without_held(card_ids: Sequence[int]) -> tuple[list[int], list[cards.Refusal]]:
    held = set(
        Discrepancy.objects.filter(
            state="open", card_id__in=card_ids, kind__in=["short", "damaged"]
        ).values_list("card_id", flat=True)
    )
    refused = [
        cards.Refusal(card_id, "DISCREPANCY_OPEN", "收货时登记为破损或缺失，待市级处理。")
        for card_id in card_ids
        if card_id in held
    ]
    return [card_id for card_id in card_ids if card_id not in held], refused


def _open(actor: Actor, box: Box, kind: str, found: Sequence[tuple[int | None, str]]) -> None:
    now = clock.now()
    Discrepancy.objects.bulk_create(
        Discrepancy(
            box=box, kind=kind, card_id=card_id, scanned=number[:32], opened_at=now, opened_by=actor.username
        )
        for card_id, number in found
    )


def _complete_if_done(actor: Actor, delivery_id: int) -> None:
    delivery = Delivery.objects.select_for_update().get(id=delivery_id)
    if delivery.state == IN_TRANSIT and not delivery.boxes.filter(state=IN_TRANSIT).exists():
        outcome = "complete" if delivery.boxes.filter(state=RECEIVED).exists() else "lose"
        apply(DELIVERY, Delivery, [delivery.id], outcome, Actor.system("logistics"))
        Delivery.objects.filter(id=delivery.id).update(received_at=clock.now(), received_by=actor.username)


def _box(actor: Actor, box_number: str, *, lock: bool = False) -> Box:
    boxes = Box.objects.visible_to(actor.scope).select_related("delivery")
    if lock:
        boxes = boxes.select_for_update(of=("self",))
    found = boxes.filter(number=box_number.strip()).first()
    if found is None:
        raise NotFound(
            "BOX_NOT_FOUND", "没有这个卡箱。", found=box_number, action="请核对箱签上的箱号（以 XH 开头）。"
        )
    return found


def _numbers_in(box: Box) -> dict[str, int]:
    return dict(
        BoxCard.objects.filter(box=box, is_here=True)
        .order_by("position")
        .values_list("card__number", "card_id")
    )
