"""Accounts, cards and applications that another system has kept so far come in, and go out again.

Called by the take-over for a chunk at a time; that act carries the approval and the audit entry
(docs/adr/0091). Every object begins its history with the event `take_over`, in the state it had there.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db import connection, models

from xueka.contexts.cards.domain import states as s
from xueka.contexts.cards.domain.transitions import ACCOUNT, APPLICATION, CARD
from xueka.contexts.cards.models import Application, Card, CardAccount
from xueka.contexts.cards.services.common import draw_ids
from xueka.kernel import clock
from xueka.kernel.machine import Machine
from xueka.platform.history.services import LABELS, take_back, take_over
from xueka.platform.identity.actor import Actor

Detail = Mapping[str, Any]

#: States in which a card may come in: it lies in a child's hand, or did.
TAKEN_CARD_STATES = (s.ACTIVE, s.LOST, s.CANCELLED)
#: States in which an application may come in.
TAKEN_APPLICATION_STATES = (s.SCHOOL_REVIEW, s.DISTRICT_REVIEW, s.CITY_REVIEW, s.RETURNED, s.ACCEPTED)


class TakenAccount(NamedTuple):
    student_id: int
    number: str
    state: str
    opened_at: datetime
    detail: Detail


class TakenCard(NamedTuple):
    """`number` is ours or an opaque one; `issued_at` and `state_at` are what the other system says."""

    student_id: int
    kind: str
    number: str
    state: str
    transit_number: str
    beijing_tong_number: str
    chip_uid: str
    issued_at: datetime
    state_at: datetime
    valid_until: date | None
    detail: Detail


class TakenApplication(NamedTuple):
    student_id: int
    kind: str
    reason: str
    state: str
    submitted_at: datetime
    detail: Detail


def take_over_accounts(actor: Actor, rows: Sequence[TakenAccount]) -> list[int]:
    """Open accounts; answers their ids in this order. An empty number gets one of ours."""
    ids = draw_ids(CardAccount, len(rows))
    _insert(
        CardAccount,
        {
            "id": ("bigint", ids),
            "number": (
                "text",
                [row.number or f"ZH{id_:010d}" for id_, row in zip(ids, rows, strict=True)],
            ),
            "student_id": ("bigint", [row.student_id for row in rows]),
            "state": ("text", [row.state for row in rows]),
            "opened_at": ("timestamptz", [row.opened_at for row in rows]),
        },
    )
    states = dict(zip(ids, (row.state for row in rows), strict=True))
    take_over(ACCOUNT, states, actor, details=_details(ids, rows))
    return ids


def take_over_cards(actor: Actor, rows: Sequence[TakenCard]) -> list[int]:
    """Take in cards of students with an account, each with the fulfilled application it came from."""
    ids = draw_ids(Card, len(rows))
    applications = _applications(
        actor,
        [
            TakenApplication(row.student_id, row.kind, "new", s.FULFILLED, row.issued_at, row.detail)
            for row in rows
        ],
    )
    places = _places(rows)
    _insert(
        Card,
        {
            "id": ("bigint", ids),
            "number": ("text", [row.number for row in rows]),
            "account_id": ("bigint", [places[row.student_id][0] for row in rows]),
            "student_id": ("bigint", [row.student_id for row in rows]),
            "kind_id": ("text", [row.kind for row in rows]),
            "application_id": ("bigint", applications),
            "state": ("text", [row.state for row in rows]),
            "transit_number": ("text", [row.transit_number for row in rows]),
            "beijing_tong_number": ("text", [row.beijing_tong_number for row in rows]),
            "chip_uid": ("text", [row.chip_uid for row in rows]),
            "school_id": ("bigint", [places[row.student_id][1] for row in rows]),
            "school_class_id": ("bigint", [places[row.student_id][2] for row in rows]),
            "valid_from": ("date", [clock.local(row.issued_at).date() for row in rows]),
            "valid_until": ("date", [row.valid_until for row in rows]),
            "created_at": ("timestamptz", [row.issued_at for row in rows]),
            "state_at": ("timestamptz", [row.state_at for row in rows]),
        },
    )
    states = dict(zip(ids, (row.state for row in rows), strict=True))
    take_over(CARD, states, actor, details=_details(ids, rows))
    return ids


def take_over_applications(actor: Actor, rows: Sequence[TakenApplication]) -> list[int]:
    """Take in open applications of students with an account, at the level where they are."""
    return _applications(actor, rows)


def applications_of_cards(card_ids: Iterable[int]) -> list[int]:
    """The applications that came in with taken-over cards."""
    return list(Card.objects.filter(id__in=list(card_ids)).values_list("application_id", flat=True))


def touched_applications(ids: Sequence[int]) -> dict[int, str]:
    """Applications that something has happened to since they were taken over, and what."""
    return _moved(APPLICATION, ids) | _referenced(Application, ids, but=(Card,))


def touched_cards(ids: Sequence[int]) -> dict[int, str]:
    """Cards that something has happened to, or to their applications, or that an application replaces."""
    own = dict(Card.objects.filter(id__in=ids).values_list("application_id", "id"))
    found = {own[id_]: why for id_, why in touched_applications(list(own)).items()}
    return found | _referenced(Card, ids) | _moved(CARD, ids)


def touched_accounts(ids: Sequence[int]) -> dict[int, str]:
    """Accounts that something has happened to, or that have cards or applications."""
    return _referenced(CardAccount, ids) | _moved(ACCOUNT, ids)


def _moved(machine: Machine, ids: Sequence[int]) -> dict[int, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT ON (object_id) object_id, event FROM history_transition"
            " WHERE machine = %s AND object_id = ANY(%s) AND seq > 1 ORDER BY object_id, seq DESC",
            [machine.name, list(ids)],
        )
        return {
            id_: f"接管后已{LABELS.get(event) or machine.event_label(event)}"
            for id_, event in cursor.fetchall()
        }


def _referenced(
    model: type[models.Model], ids: Sequence[int], but: tuple[type[models.Model], ...] = ()
) -> dict[int, str]:
    """Rows that other rows point at, whichever contexts they belong to."""
    found: dict[int, str] = {}
    for relation in model._meta.get_fields(include_hidden=True):
        if not isinstance(relation, models.ForeignObjectRel):
            continue
        other, name = relation.related_model, relation.field.attname
        if other not in but:
            pointed = other._base_manager.filter(**{f"{name}__in": list(ids)})
            what = _KNOWN.get(other, "后续业务")
            found |= dict.fromkeys(pointed.values_list(name, flat=True), f"接管后已有{what}")
    return found


_KNOWN: Mapping[type, str] = {Card: "学生卡", Application: "申领"}


def take_back_cards(
    actor: Actor,
    *,
    account_ids: Sequence[int] = (),
    application_ids: Sequence[int] = (),
    card_ids: Sequence[int] = (),
    reason: str,
) -> None:
    """Delete what a take-over brought and nothing has touched since; histories end in no state.

    Cards take their fulfilled applications with them. Raises Refused `OBJECT_MOVED`, Conflict.
    """
    own = applications_of_cards(card_ids)
    take_back(CARD, Card, card_ids, actor, reason=reason)
    take_back(APPLICATION, Application, [*own, *application_ids], actor, reason=reason)
    take_back(ACCOUNT, CardAccount, account_ids, actor, reason=reason)


def _applications(actor: Actor, rows: Sequence[TakenApplication]) -> list[int]:
    ids = draw_ids(Application, len(rows))
    places = _places(rows)
    year = f"{clock.today():%y}"
    live = _live_cards([row for row in rows if row.state != s.FULFILLED and row.reason != "new"])
    now = clock.now()
    _insert(
        Application,
        {
            "id": ("bigint", ids),
            "number": ("text", [f"SL{year}{id_:08d}" for id_ in ids]),
            "account_id": ("bigint", [places[row.student_id][0] for row in rows]),
            "kind_id": ("text", [row.kind for row in rows]),
            "reason": ("text", [row.reason for row in rows]),
            "state": ("text", [row.state for row in rows]),
            "school_id": ("bigint", [places[row.student_id][1] for row in rows]),
            "school_class_id": ("bigint", [places[row.student_id][2] for row in rows]),
            "old_card_id": ("bigint", [live.get((row.student_id, row.kind)) for row in rows]),
            "doubts": ("jsonb", ["[]"] * len(rows)),
            "submitted_by": ("text", [""] * len(rows)),
            "submitted_at": ("timestamptz", [row.submitted_at for row in rows]),
            "refusal_code": ("text", [""] * len(rows)),
            "refusal_text": ("text", [""] * len(rows)),
            "created_at": ("timestamptz", [row.submitted_at for row in rows]),
            "updated_at": ("timestamptz", [now] * len(rows)),
        },
    )
    states = dict(zip(ids, (row.state for row in rows), strict=True))
    take_over(APPLICATION, states, actor, details=_details(ids, rows))
    return ids


def _places(rows: Sequence[TakenCard | TakenApplication]) -> dict[int, tuple[int, int, int]]:
    """Account, school and class of each student."""
    found = CardAccount.objects.filter(student_id__in={row.student_id for row in rows}).values_list(
        "student_id", "id", "student__school_id", "student__school_class_id"
    )
    return {student: (account, school, of) for student, account, school, of in found}


def _live_cards(rows: Sequence[TakenApplication]) -> dict[tuple[int, str], int]:
    found = Card.objects.filter(student_id__in=[row.student_id for row in rows], state__in=s.LIVE)
    return {(student, kind): id_ for student, kind, id_ in found.values_list("student_id", "kind_id", "id")}


def _details(
    ids: Sequence[int], rows: Sequence[TakenAccount | TakenCard | TakenApplication]
) -> dict[int, Detail]:
    return {id_: row.detail for id_, row in zip(ids, rows, strict=True)}


def _insert(
    model: type[CardAccount | Application | Card], columns: Mapping[str, tuple[str, Sequence[Any]]]
) -> None:
    """One INSERT of whole columns: name → (type, values)."""
    names = ", ".join(columns)
    arrays = ", ".join(f"%s::{kind}[]" for kind, _ in columns.values())
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {model._meta.db_table} ({names}) SELECT * FROM unnest({arrays})",  # noqa: S608
            [list(values) for _, values in columns.values()],
        )
