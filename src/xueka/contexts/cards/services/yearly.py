"""What a mass change of students asks of their cards and applications: follow, end, be limited. Set-based."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.db import connection

from xueka.contexts.cards.domain import states as s
from xueka.contexts.cards.domain.bulk import BulkResult
from xueka.contexts.cards.domain.transitions import CARD
from xueka.contexts.cards.models import Application, Card
from xueka.contexts.cards.services.common import fetch_cards, lock_applications, required_text
from xueka.contexts.cards.services.reviewing import cancel_applications, withdraw
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor

PERMISSION = "city:student:move"

_BEFORE_ACCEPTANCE = (s.DRAFT, s.RETURNED, s.SCHOOL_REVIEW, s.DISTRICT_REVIEW, s.CITY_REVIEW)


def follow_classes(
    actor: Actor, students: Sequence[int], from_classes: Sequence[int], to_classes: Sequence[int]
) -> None:
    """Open applications and cards not yet handed out go along with students who changed class or school.

    Only those that stand under the class the student left. Cards in a box stay with it; a card that waits at
    a school follows inside that school only. Parallel columns, as `registry.Moves`.
    """
    actor.require(PERMISSION)
    values: dict[str, Any] = {
        "students": list(students),
        "from_classes": list(from_classes),
        "to_classes": list(to_classes),
        "closed": s.CLOSED_APPLICATION,
        "loose": [s.PLANNED, s.ORDERED, s.MADE, s.ISSUING, s.READY],
        "at_school": s.AT_SCHOOL,
    }
    with connection.cursor() as cursor:
        cursor.execute(_APPLICATIONS_FOLLOW, values)
        cursor.execute(_CARDS_FOLLOW, values)


def open_applications_of(student_ids: Sequence[int]) -> list[Application]:
    """Applications of these students that are not closed, oldest first, each with account and student."""
    rows = Application.objects.filter(account__student_id__in=student_ids)
    return list(
        rows.exclude(state__in=s.CLOSED_APPLICATION).select_related("account__student").order_by("id")
    )


def live_cards_of(student_ids: Sequence[int]) -> list[Card]:
    """Cards in the hands of these students, reported lost or not."""
    rows = Card.objects.filter(student_id__in=student_ids, state__in=s.LIVE)
    return list(rows.select_related("school_class").order_by("id"))


def close_applications(actor: Actor, application_ids: Sequence[int], reason: str) -> BulkResult:
    """End open applications whatever their state: withdrawn before acceptance, cancelled after it.

    One whose card is at the bureau, in a box or at a school is refused (`CARD_ELSEWHERE`).
    """
    reason = required_text(reason, "关闭的理由")
    lock_applications(actor, application_ids)
    early = set(
        Application.objects.filter(id__in=application_ids, state__in=_BEFORE_ACCEPTANCE).values_list(
            "id", flat=True
        )
    )
    late = [one for one in application_ids if one not in early]
    parts = []
    if early:
        parts.append(withdraw(actor, sorted(early), reason))
    if late:
        parts.append(cancel_applications(actor, late, reason))
    result = BulkResult()
    for part in parts:
        result.done.extend(part.done)
        result.refused.extend(part.refused)
    return result


def cancel_cards(actor: Actor, card_ids: Sequence[int], reason: str) -> int:
    """End cards in use for good; those that are not in use any more are left alone. Returns how many."""
    reason = required_text(reason, "注销的理由")
    live = [card.id for card in fetch_cards(actor, card_ids) if card.state in s.LIVE]
    done = apply(CARD, Card, live, "cancel", actor, reason=reason)
    record(actor, "card.cancel", "card", detail={"count": done, "reason": reason})
    return done


def limit_validity(actor: Actor, until: Mapping[int, date | None], reason: str) -> int:
    """Set the last day of cards in use, by card id. Returns how many changed."""
    actor.require(PERMISSION)
    reason = required_text(reason, "理由")
    cards = [card for card in fetch_cards(actor, list(until)) if card.state in s.LIVE]
    for card in cards:
        card.valid_until = until[card.id]
    Card.objects.bulk_update(cards, ["valid_until"], batch_size=2000)
    record(actor, "card.limit_validity", "card", detail={"count": len(cards), "reason": reason})
    return len(cards)


_GOING = """
    (SELECT w.student, w.from_class, n.id AS to_class, n.school_id AS to_school
       FROM unnest(%(students)s::int8[], %(from_classes)s::int8[], %(to_classes)s::int8[])
            AS w (student, from_class, to_class)
       JOIN registry_schoolclass n ON n.id = w.to_class
      WHERE w.from_class <> w.to_class) g
"""

# Locked by rising id first, as everywhere: the reviewers of the same school may be at work.
_APPLICATIONS_FOLLOW = f"""
    WITH following AS MATERIALIZED (
        SELECT a.id, g.to_school, g.to_class
          FROM {_GOING}
          JOIN cards_cardaccount t ON t.student_id = g.student
          JOIN cards_application a ON a.account_id = t.id
         WHERE a.school_class_id = g.from_class AND NOT a.state = ANY(%(closed)s)
         ORDER BY a.id FOR NO KEY UPDATE OF a)
    UPDATE cards_application a SET school_id = f.to_school, school_class_id = f.to_class
      FROM following f WHERE a.id = f.id
"""  # noqa: S608 - no values in it

_CARDS_FOLLOW = f"""
    WITH following AS MATERIALIZED (
        SELECT c.id, g.to_school, g.to_class
          FROM {_GOING} JOIN cards_card c ON c.student_id = g.student
         WHERE c.school_class_id = g.from_class
           AND (c.state = ANY(%(loose)s) OR (c.state = %(at_school)s AND c.school_id = g.to_school))
         ORDER BY c.id FOR NO KEY UPDATE OF c)
    UPDATE cards_card c SET school_id = f.to_school, school_class_id = f.to_class
      FROM following f WHERE c.id = f.id
"""  # noqa: S608
