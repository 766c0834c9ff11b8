"""From an accepted application to a made card: planned with all its numbers, ordered, made, failed, void.

Called by production for whole batches; each call is all or nothing. `detail` (the batch's number) appears in
each card's timeline.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from django.db import connection

from xueka.contexts.cards.domain.rules import validity
from xueka.contexts.cards.domain.states import PLANNED
from xueka.contexts.cards.domain.transitions import APPLICATION, CARD
from xueka.contexts.cards.models import Application, Card, CardKind
from xueka.contexts.cards.services.common import (
    draw_ids,
    fetch_cards,
    lock_applications,
    lock_applications_of,
    lock_cards,
    required_text,
)
from xueka.contexts.numbers import api as numbers
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.platform.audit.services import record
from xueka.platform.database.copy import copy_rows
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor

Detail = Mapping[str, Any]


class PlannedCard(NamedTuple):
    """A new card as it is written: a batch may have a hundred thousand, too many for models."""

    id: int
    number: str
    account_id: int
    student_id: int
    kind_id: str
    application_id: int
    state: str
    transit_number: str
    beijing_tong_number: str
    chip_uid: str
    school_id: int
    school_class_id: int
    valid_from: date
    valid_until: date
    created_at: datetime
    state_at: datetime


_TYPES = {int: "int8", str: "text", date: "date", datetime: "timestamptz"}


class _Waiting(NamedTuple):
    """An accepted application: whose it is, and where its student is now."""

    id: int
    account_id: int
    kind_id: str
    student_id: int
    school_id: int
    school_class_id: int


def plan_cards(
    actor: Actor, application_ids: Sequence[int], *, detail: Detail | None = None
) -> list[PlannedCard]:
    """A planned card with its numbers for each accepted application, in this order.

    The card is made for the school and class where the student is now. Raises NotFound
    `APPLICATION_NOT_FOUND`, Refused where an application is not accepted, numbers or blanks run out, or a
    number has not the form that the kind asks for.
    """
    return draw_up(actor, application_ids, "order", detail=detail)


def draw_up(
    actor: Actor,
    application_ids: Sequence[int],
    event: str,
    *,
    blank_uid: str = "",
    detail: Detail | None = None,
) -> list[PlannedCard]:
    """`plan_cards` by this event of the application. `blank_uid` names the blank that the one card takes."""
    if not application_ids:
        return []
    lock_applications(actor, application_ids)
    apply(APPLICATION, Application, application_ids, event, actor, detail=detail)
    waiting = _waiting(application_ids)
    chosen = [waiting[id_] for id_ in dict.fromkeys(application_ids)]
    ids = dict(zip((a.id for a in chosen), draw_ids(Card, len(chosen)), strict=True))
    cards: list[PlannedCard] = []
    for code, members in groupby(sorted(chosen, key=attrgetter("kind_id")), key=attrgetter("kind_id")):
        cards += _draft(actor, CardKind.objects.get(code=code), list(members), ids, blank_uid)
    types = [_TYPES[sort] for sort in PlannedCard.__annotations__.values()]
    copy_rows(connection, "cards_card", PlannedCard._fields, cards, types=types)
    begin(CARD, [card.id for card in cards], actor, detail=detail)
    _record(actor, "plan", len(cards), detail)
    planned = {card.application_id: card for card in cards}
    return [planned[a.id] for a in chosen]


def order_cards(actor: Actor, card_ids: Sequence[int], *, detail: Detail | None = None) -> None:
    """The second person has approved: the bureau may make these cards."""
    lock_cards(actor, card_ids)
    apply(CARD, Card, card_ids, "order", actor, detail=detail)
    _record(actor, "order", len(card_ids), detail)


def confirm_made(actor: Actor, made: Sequence[tuple[int, str]], *, detail: Detail | None = None) -> None:
    """Cards that the return file reports as made: (card id, chip UID, empty for a kind without chip).

    Raises Refused `CHIP_KNOWN` where a chip is in another card already.
    """
    if not made:
        return
    uids = {card_id: uid.strip().upper() for card_id, uid in made}
    lock_cards(actor, uids)
    given = [uid for uid in uids.values() if uid]
    # Only with its condition spelled out is the index of chips used for more than a hundred of them.
    others = Card.objects.exclude(chip_uid="").filter(chip_uid__in=given).values_list("id", "number")
    taken = [number for card_id, number in others if card_id not in uids][:5]
    if taken or len(set(given)) < len(given):
        raise Refused(
            "CHIP_KNOWN",
            "同一芯片出现在两张卡上。",
            found="、".join(taken),
            action="请核对回盘文件中的芯片UID。",
        )
    apply(CARD, Card, list(uids), "make", actor, detail=detail, also={"chip_uid": uids})
    _record(actor, "make", len(uids), detail)


def fail_cards(
    actor: Actor, card_ids: Sequence[int], code: str, text: str, *, detail: Detail | None = None
) -> None:
    """The bureau could not make these: numbers spoiled, applications wait for another card."""
    reason = f"{code} {text}".strip()
    lock_applications_of(card_ids)
    cards = fetch_cards(actor, card_ids)
    apply(CARD, Card, card_ids, "fail", actor, reason=reason, detail={"code": code, **(detail or {})})
    numbers.mark_spoiled(card_ids, reason)
    _back_to_accepted(actor, cards, reason)
    _record(actor, "fail", len(cards), {"code": code, "text": text, **(detail or {})})


def void_cards(actor: Actor, card_ids: Sequence[int], reason: str, *, remake: bool = True) -> None:
    """These cards will never be handed out. With `remake` their applications wait for another, else they end.

    Numbers of cards that were never ordered are returned, those of the others spoiled.
    """
    if not card_ids:
        return
    reason = required_text(reason, "作废的理由")
    lock_applications_of(card_ids)
    cards = fetch_cards(actor, card_ids)
    apply(CARD, Card, card_ids, "void", actor, reason=reason)
    numbers.mark_returned([card.id for card in cards if card.state == PLANNED], reason)
    numbers.mark_spoiled([card.id for card in cards if card.state != PLANNED], reason)
    if remake:
        _back_to_accepted(actor, cards, reason)
    else:
        ended = [card.application_id for card in cards]
        apply(APPLICATION, Application, ended, "cancel", actor, reason=reason)
    _record(actor, "void", len(cards), {"reason": reason, "remake": remake})


def _record(actor: Actor, verb: str, count: int, detail: Detail | None) -> None:
    record(actor, f"card.{verb}", "card", detail={"count": count, **(detail or {})})


def _back_to_accepted(actor: Actor, cards: Sequence[Card], reason: str) -> None:
    gone = {card.application_id: {"card": card.number} for card in cards}
    apply(APPLICATION, Application, list(gone), "remake", actor, reason=reason, details=gone)


def _waiting(ids: Sequence[int]) -> dict[int, _Waiting]:
    """The locked applications by id. Read after the lock: a statement that waits for one sees the students as
    they were before it, and a class may have turned meanwhile.
    """
    columns = (
        "id",
        "account_id",
        "kind_id",
        "account__student_id",
        "account__student__school_id",
        "account__student__school_class_id",
    )
    rows = Application.objects.filter(id__in=set(ids)).values_list(*columns)
    return {row[0]: _Waiting(*row) for row in rows}


def _draft(
    actor: Actor, kind: CardKind, members: list[_Waiting], ids: dict[int, int], blank_uid: str
) -> list[PlannedCard]:
    card_ids = [ids[a.id] for a in members]
    own = numbers.allocate(actor, "card", card_ids)
    if kind.transit_source == "bind" and blank_uid:
        office = numbers.office_of(actor.scope)
        transit = [numbers.bind_blank(card_id, blank_uid, office).transit_number for card_id in card_ids]
    elif kind.transit_source == "bind":
        transit = [blank.transit_number for blank in numbers.bind_blanks(card_ids)]
    else:
        transit = _allocated(actor, kind.transit_source, "transit", card_ids)
    beijing_tong = _allocated(actor, kind.beijing_tong_source, "beijing_tong", card_ids)
    _check_form(kind.name, "一卡通号", kind.transit_pattern, transit)
    _check_form(kind.name, "北京通号", kind.beijing_tong_pattern, beijing_tong)
    now, (valid_from, valid_until) = clock.now(), validity(clock.today(), kind.validity_years)
    return [
        PlannedCard(
            id=card_id,
            number=number,
            account_id=application.account_id,
            student_id=application.student_id,
            kind_id=kind.code,
            application_id=application.id,
            state=CARD.initial,
            transit_number=transit_number,
            beijing_tong_number=beijing_tong_number,
            chip_uid="",
            school_id=application.school_id,
            school_class_id=application.school_class_id,
            valid_from=valid_from,
            valid_until=valid_until,
            created_at=now,
            state_at=now,
        )
        for card_id, application, number, transit_number, beijing_tong_number in zip(
            card_ids, members, own, transit, beijing_tong, strict=True
        )
    ]


def _allocated(actor: Actor, source: str, sort: str, card_ids: list[int]) -> list[str]:
    return [""] * len(card_ids) if source == "none" else numbers.allocate(actor, sort, card_ids)


def _check_form(kind: str, label: str, pattern: str, given: Sequence[str]) -> None:
    form = re.compile(pattern, re.ASCII)
    if wrong := next((number for number in given if number and not form.fullmatch(number)), None):
        raise Refused(
            "NUMBER_FORM",
            f"{label}不符合{kind}的格式。",
            found=wrong,
            expected=pattern,
            action="请核对号段，或调整该卡种的号码格式；本次没有占用任何号码。",
        )
