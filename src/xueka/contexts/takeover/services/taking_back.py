"""The way back: what a take-over brought goes out again, exactly, unless something has happened to it since.

One person asks, another approves; then a chunk per transaction, resumable like the loading. Applications go
before cards and cards before accounts, so that each is free of what points at it (docs/adr/0092).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from xueka.contexts.cards import api as cards
from xueka.contexts.numbers import api as numbers
from xueka.contexts.takeover.domain import format as f
from xueka.contexts.takeover.domain.transitions import APPROVED, LOADED, TAKEOVER, TAKING_BACK
from xueka.contexts.takeover.models import ROWS, RangeRow, TakeOver
from xueka.contexts.takeover.services.taking_in import locked
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Refused
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import second_person

CHUNK = 5_000
ORDER = ("applications", "cards", "accounts", "numbers", "ranges")

_TOUCHED: dict[str, Callable[[Sequence[int]], dict[int, str]]] = {
    "applications": cards.touched_applications,
    "cards": cards.touched_cards,
}


@dataclass(slots=True)
class Back:
    """What taking back would do: how many of each part go, and which lines stay, with the reason."""

    going: dict[str, int] = field(default_factory=dict)
    staying: dict[str, int] = field(default_factory=dict)
    examples: list[tuple[str, int, str]] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        return {
            "going": self.going,
            "staying": self.staying,
            "examples": [{"part": part, "line": line, "reason": why} for part, line, why in self.examples],
        }


def preview_back(actor: Actor, take_over_id: int, *, listed: int = 200) -> Back:
    """What would go and what would stay, and why. Changes nothing."""
    actor.require("city:takeover:load")
    found = TakeOver.objects.visible_to(actor.scope).get(id=take_over_id)
    result = Back()
    going: dict[str, set[int]] = {}
    for code in ORDER:
        rows = ROWS[code]._default_manager.filter(take_over=found, object_id__isnull=False, back=False)
        lines: dict[Any, int] = dict(rows.values_list("object_id", "line"))
        stays = _stays(found, code, list(lines), going)
        going[code] = set(lines) - set(stays)
        result.going[code], result.staying[code] = len(going[code]), len(stays)
        room = listed - len(result.examples)
        result.examples += [(code, lines[id_], why) for id_, why in list(stays.items())[:room]]
    return result


def ask_back(actor: Actor, take_over_id: int, reason: str) -> TakeOver:
    """One person asks for it, with a reason. Raises Refused `BACK_TOO_LATE` after the deadline."""
    found = locked(actor, take_over_id)
    if not reason.strip():
        raise BadInput("REASON_MISSING", "请写明收回的理由。")
    _in_time(found, "请用“差错修复”逐项改正。")
    apply(TAKEOVER, TakeOver, [found.id], "ask_back", actor, reason=reason.strip())
    found.back_asked_by, found.back_reason = actor.username, reason.strip()[:200]
    found.save(update_fields=["back_asked_by", "back_reason"])
    record(actor, "takeover.ask_back", "takeover", found.number, detail={"reason": found.back_reason})
    found.refresh_from_db()
    return found


def approve_back(actor: Actor, take_over_id: int) -> TakeOver:
    """A second person agrees; the sweep takes everything back that nothing has touched.

    Raises Refused `SECOND_PERSON`, `BACK_TOO_LATE` after the deadline.
    """
    found = locked(actor, take_over_id)
    second_person(
        actor,
        found.back_asked_by,
        f"{found.number} 的收回由您申请，须由另一人批准。",
        expected="申请人以外的批准人",
        action="请通知另一位市级运营。",
    )
    _in_time(found, "请选“不予收回”；需要时用“差错修复”逐项改正。")
    apply(TAKEOVER, TakeOver, [found.id], "approve_back", actor, reason=found.back_reason)
    found.back_approved_by = actor.username
    found.save(update_fields=["back_approved_by"])
    record(actor, "takeover.approve_back", "takeover", found.number, detail={"asked_by": found.back_asked_by})
    found.refresh_from_db()
    return found


def refuse_back(actor: Actor, take_over_id: int, reason: str) -> TakeOver:
    """It stays. A set that was still loading goes on loading."""
    found = locked(actor, take_over_id)
    to = LOADED if found.loaded_at else APPROVED
    apply(TAKEOVER, TakeOver, [found.id], "refuse_back", actor, to=to, reason=reason.strip())
    found.back_asked_by = found.back_reason = ""
    found.save(update_fields=["back_asked_by", "back_reason"])
    record(actor, "takeover.refuse_back", "takeover", found.number, detail={"reason": reason.strip()})
    found.refresh_from_db()
    return found


def take_back_chunk(actor: Actor, take_over_id: int, size: int = CHUNK) -> int:
    """Take the next objects back, or mark why they stay; answers how many, 0 when done."""
    found = locked(actor, take_over_id)
    if found.state != TAKING_BACK:
        return 0
    for code in ORDER:
        rows = ROWS[code]._default_manager.filter(
            take_over=found, object_id__isnull=False, back=False, stays=""
        )
        ids: list[Any] = list(rows.order_by("line").values_list("object_id", flat=True)[:size])
        if ids:
            stays = _stays(found, code, ids, None)
            _mark(found, code, stays)
            _forget(actor, found, code, [id_ for id_ in ids if id_ not in stays])
            return len(ids)
    _finish(actor, found)
    return 0


def settle(actor: Actor, take_over_id: int) -> None:
    """The deadline has passed: what came in is ours for good."""
    found = locked(actor, take_over_id)
    if found.state == LOADED and found.back_until and clock.now() > found.back_until:
        apply(TAKEOVER, TakeOver, [found.id], "settle", actor)
        record(actor, "takeover.settle", "takeover", found.number)


def _in_time(found: TakeOver, action: str) -> None:
    if found.back_until and clock.now() > found.back_until:
        raise Refused(
            "BACK_TOO_LATE",
            f"{found.number} 的收回期限已过。",
            expected=f"{clock.local(found.back_until):%Y-%m-%d} 之前",
            action=action,
        )


def _stays(found: TakeOver, code: str, ids: list[int], going: dict[str, set[int]] | None) -> dict[int, str]:
    """Which of the objects stay, and why. `going` holds what a preview thinks gone before them."""
    if code == "ranges":
        return dict.fromkeys(_given_from(found, ids), "接管后已从这个号段发号")
    if code == "numbers":
        return {}
    if code == "accounts":
        return _accounts_that_stay(ids, going)
    touched = _TOUCHED[code](ids)
    if going is not None and code == "cards":
        # An application that goes first no longer points at the card it would have replaced.
        pointed = _replaced_by(going["applications"])
        again = {id_ for id_ in touched if id_ in pointed and touched[id_] == "接管后已有申领"}
        return {id_: why for id_, why in touched.items() if id_ not in again}
    return touched


def _accounts_that_stay(ids: list[int], going: dict[str, set[int]] | None) -> dict[int, str]:
    if going is None:
        return cards.touched_accounts(ids)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT a.id, CASE WHEN h.object_id IS NULL THEN '名下有不能收回的卡或申领' ELSE '账户已有变动' END
              FROM unnest(%s::bigint[]) AS a(id)
              LEFT JOIN history_transition h ON h.machine = 'account' AND h.object_id = a.id AND h.seq = 2
             WHERE h.object_id IS NOT NULL
                OR EXISTS (SELECT 1 FROM cards_card c WHERE c.account_id = a.id AND NOT c.id = ANY(%s))
                OR EXISTS (SELECT 1 FROM cards_application p WHERE p.account_id = a.id AND NOT p.id = ANY(%s)
                              AND NOT EXISTS (SELECT 1 FROM cards_card c WHERE c.application_id = p.id
                                                 AND c.id = ANY(%s)))
            """,
            [ids, list(going["cards"]), list(going["applications"]), list(going["cards"])],
        )
        return dict(cursor.fetchall())


def _replaced_by(application_ids: set[int]) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT old_card_id FROM cards_application WHERE id = ANY(%s) AND old_card_id IS NOT NULL",
            [list(application_ids)],
        )
        return {row[0] for row in cursor.fetchall()}


def _given_from(found: TakeOver, ids: list[int]) -> list[int]:
    """First ids of taken-over ranges of which a number has been given since."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r.object_id FROM takeover_rangerow r JOIN numbers_numberrange g"
            " ON g.id IN (r.object_id, r.second_id)"
            " WHERE r.take_over_id = %s AND r.object_id = ANY(%s) AND g.next_serial <> g.first",
            [found.id, ids],
        )
        return [row[0] for row in cursor.fetchall()]


def _forget(actor: Actor, found: TakeOver, code: str, ids: list[int]) -> None:
    if not ids:
        return
    reason = found.back_reason
    if code == "ranges":
        rows = RangeRow.objects.filter(take_over=found, object_id__in=ids)
        both = [each for pair in rows.values_list("object_id", "second_id") for each in pair if each]
        numbers.take_back_ranges(actor, found.id, both)
    elif code == "numbers":
        numbers.take_back_numbers(actor, found.id, ids=ids)
    elif code == "cards":
        numbers.take_back_numbers(actor, found.id, card_ids=ids)
        cards.take_back_cards(actor, card_ids=ids, reason=reason)
    elif code == "applications":
        cards.take_back_cards(actor, application_ids=ids, reason=reason)
    else:
        cards.take_back_cards(actor, account_ids=ids, reason=reason)
    ROWS[code]._default_manager.filter(take_over=found, object_id__in=ids).update(back=True)


def _mark(found: TakeOver, code: str, stays: dict[int, str]) -> None:
    for why in sorted(set(stays.values())):
        ids = [id_ for id_, reason in stays.items() if reason == why]
        ROWS[code]._default_manager.filter(take_over=found, object_id__in=ids).update(stays=why[:100])


def _finish(actor: Actor, found: TakeOver) -> None:
    apply(TAKEOVER, TakeOver, [found.id], "finish_back", actor, reason=found.back_reason)
    went = {}
    for code in f.PARTS:
        rows = ROWS[code]._default_manager.filter(take_over=found, object_id__isnull=False)
        went[code] = {"back": rows.filter(back=True).count(), "stayed": rows.filter(back=False).count()}
    record(
        actor,
        "takeover.take_back",
        "takeover",
        found.number,
        detail={
            "sm3": bytes(found.digest).hex(),
            "parts": went,
            "reason": found.back_reason,
            "asked_by": found.back_asked_by,
            "approved_by": found.back_approved_by,
        },
    )
