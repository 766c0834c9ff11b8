"""Putting a reconciled return file into effect: set by set, in the caller's transaction."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import connection
from psycopg.types.json import Jsonb

from xueka.contexts.cards import api as cards
from xueka.contexts.numbers import api as numbers
from xueka.contexts.production.domain import outcomes
from xueka.contexts.production.domain.bureau.line import ExpectedCard, ReturnRecord, Settled
from xueka.contexts.production.domain.bureau.reconcile import Reconciliation, RefusedLine
from xueka.contexts.production.domain.bureau.returns import RESULTS
from xueka.contexts.production.domain.transitions import ACKNOWLEDGED, SENT
from xueka.contexts.production.models import Batch, ReturnFile
from xueka.contexts.production.services.common import ORDERED, move
from xueka.contexts.production.services.settling import close_problems
from xueka.kernel import clock
from xueka.kernel.errors import LineProblem
from xueka.platform.identity.actor import Actor


@dataclass(frozen=True, slots=True)
class Place:
    """A card of the batch: its item, what was sent, and whether the bureau still owes it."""

    item_id: int
    card_id: int
    owed: bool
    ordered: bool
    expected: ExpectedCard


class NewProblem(NamedTuple):
    kind: str
    line: int | None
    card_id: int | None
    detail: dict[str, Any]


def places(batch: Batch) -> dict[str, Place]:
    """The cards of a batch by card number, in its order."""
    found = batch.items.order_by("position").values_list(
        "id",
        "card_id",
        "outcome",
        "reported",
        "position",
        "card__number",
        "card__state",
        "card__transit_number",
        "card__beijing_tong_number",
    )
    rows = list(found)
    bound = batch.kind.transit_source == "bind"
    uids = numbers.blank_uids([row[1] for row in rows]) if bound else {}
    return {
        number: Place(
            item_id,
            card_id,
            outcome in outcomes.OPEN,
            state == ORDERED,
            ExpectedCard(
                position,
                transit,
                tong,
                uids.get(card_id, ""),
                Settled(*reported.split("|")) if reported else None,
            ),
        )
        for item_id, card_id, outcome, reported, position, number, state, transit, tong in rows
    }


def refine(batch: Batch, result: Reconciliation, of_card: dict[str, Place]) -> Reconciliation:
    """What only the database can tell: cards that nobody waits for are not missing, and a chip that another
    card of the city carries cannot be on this one too."""
    missing = [number for number in result.missing if of_card[number].owed]
    uids = {record.chip_uid: record for record in result.matched if record.chip_uid}
    elsewhere = dict(
        cards.Card.objects.filter(chip_uid__in=uids)
        .exclude(batch_item__batch=batch)
        .values_list("chip_uid", "number")
    )
    if not elsewhere:
        return result._replace(missing=missing)
    return result._replace(
        missing=missing,
        matched=[record for record in result.matched if record.chip_uid not in elsewhere],
        altered=sorted([*result.altered, *(_chip_twice(uids[uid], card) for uid, card in elsewhere.items())]),
    )


def apply(
    actor: Actor, batch: Batch, file: ReturnFile, result: Reconciliation, of_card: dict[str, Place]
) -> tuple[int, int]:
    """Put the results into effect; returns how many cards are now made and how many have failed."""
    if batch.state in (SENT, ACKNOWLEDGED):
        move(batch, "return", actor, detail={"return": file.return_number})
    made, surplus_made = _still_ordered(result.matched, of_card)
    spoiled, surplus_spoiled = _still_ordered(result.failed, of_card)
    by_code: dict[str, list[int]] = defaultdict(list)
    for record in spoiled:
        by_code[record.result].append(of_card[record.card_number].card_id)
    for code in sorted(by_code):
        cards.fail_cards(actor, by_code[code], code, RESULTS[code], detail={"batch": batch.number})
    chips = [(of_card[record.card_number].card_id, record.chip_uid) for record in made]
    cards.confirm_made(actor, chips, detail={"batch": batch.number})
    _settle_items(made, outcomes.MATCHED, file, of_card)
    _settle_items(spoiled, outcomes.FAILED, file, of_card)
    _settle_items([*surplus_made, *surplus_spoiled], outcomes.DROPPED, file, of_card)
    _open_problems(actor, batch, file, result, of_card, surplus_made)
    return len(made), len(spoiled)


def missing_problem(card_number: str) -> dict[str, Any]:
    """A missing card in the report; it stands in no line."""
    message = f"回盘中没有学卡 {card_number}。"
    return {
        "line": None,
        "column": "card_number",
        "code": "CARD_MISSING",
        "value": card_number,
        "message": message,
    }


def _still_ordered(
    records: Sequence[ReturnRecord], of_card: dict[str, Place]
) -> tuple[list[ReturnRecord], list[ReturnRecord]]:
    """Those whose card waits for its result, and those whose card was voided meanwhile."""
    waiting = [record for record in records if of_card[record.card_number].ordered]
    return waiting, [record for record in records if not of_card[record.card_number].ordered]


def _settle_items(
    records: Sequence[ReturnRecord], outcome: str, file: ReturnFile, of_card: dict[str, Place]
) -> None:
    if not records:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE production_batchitem i SET outcome = %s, return_file_id = %s, result_code = r.code,"
            " result_text = r.text, reported = r.reported, made_at = r.at"
            " FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])"
            " AS r(id, code, text, reported, at) WHERE i.id = r.id",
            [
                outcome,
                file.id,
                [of_card[record.card_number].item_id for record in records],
                [record.result for record in records],
                [record.text for record in records],
                [f"{r.transit_number}|{r.beijing_tong_number}|{r.chip_uid}|{r.result}" for r in records],
                [record.produced_at for record in records],
            ],
        )


def _open_problems(
    actor: Actor,
    batch: Batch,
    file: ReturnFile,
    result: Reconciliation,
    of_card: dict[str, Place],
    surplus: Sequence[ReturnRecord],
) -> None:
    """One open problem for each card that is not settled; those of cards that are settled now are closed."""
    owed = _problems_of_cards(file, result, of_card)
    for kind in (outcomes.MISSING, outcomes.ALTERED):
        _mark_items(batch, [card_id for card_id, found in owed.items() if found.kind == kind], kind)
    settled = {of_card[record.card_number].card_id for record in (*result.matched, *result.failed)}
    waiting = batch.problems.filter(state="open", kind__in=[outcomes.MISSING, outcomes.ALTERED])
    ended: dict[str, list[int]] = defaultdict(list)
    for problem_id, card_id, kind in waiting.values_list("id", "card_id", "kind"):
        if card_id in settled:
            ended[outcomes.SETTLED].append(problem_id)
        elif (said := owed.get(card_id)) and said.kind != kind:
            ended[outcomes.SUPERSEDED].append(problem_id)
        elif said:
            del owed[card_id]  # it is known already, and its age counts from then
    for resolution, ids in ended.items():
        close_problems(actor, ids, resolution, f"第 {file.return_number} 号回盘")
    _insert_problems(batch, file, [*owed.values(), *_problems_of_lines(result, of_card, surplus)])


def _problems_of_cards(
    file: ReturnFile, result: Reconciliation, of_card: dict[str, Place]
) -> dict[int, NewProblem]:
    """By card: missing, if the bureau says nothing further; altered, with the findings of all its lines."""
    found: dict[int, NewProblem] = {}
    for number in result.missing if file.final else ():
        card_id = of_card[number].card_id
        found[card_id] = NewProblem(outcomes.MISSING, None, card_id, {"card": number})
    for refused in result.altered:
        card_id = of_card[refused.card_number].card_id
        if card_id in found:
            found[card_id].detail["findings"] += _detail(refused)["findings"]
        else:
            found[card_id] = NewProblem(outcomes.ALTERED, refused.line, card_id, _detail(refused))
    return found


def _problems_of_lines(
    result: Reconciliation, of_card: dict[str, Place], surplus: Sequence[ReturnRecord]
) -> Iterator[NewProblem]:
    for line in result.duplicate:
        yield NewProblem(outcomes.DUPLICATE, line.line, of_card[line.card_number].card_id, _detail(line))
    for line in result.unknown:
        yield NewProblem(outcomes.UNKNOWN, line.line, None, _detail(line))
    for record in surplus:
        detail = {"card": record.card_number, "chip_uid": record.chip_uid}
        yield NewProblem(outcomes.SURPLUS, record.line, of_card[record.card_number].card_id, detail)


def _mark_items(batch: Batch, card_ids: Sequence[int], outcome: str) -> None:
    owed = batch.items.filter(card_id__in=card_ids, outcome__in=outcomes.OPEN)
    owed.update(outcome=outcome)


def _insert_problems(batch: Batch, file: ReturnFile, rows: Sequence[NewProblem]) -> None:
    if not rows:
        return
    columns = list(zip(*rows, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO production_problem (batch_id, return_file_id, kind, line, card_id, detail, owner,"
            " state, opened_at, resolution, resolved_by, note)"
            " SELECT %s, %s, p.kind, p.line, p.card, p.detail, '', 'open', %s, '', '', ''"
            " FROM unnest(%s::text[], %s::int[], %s::bigint[], %s::jsonb[]) AS p(kind, line, card, detail)",
            [
                batch.id,
                file.id,
                clock.now(),
                list(columns[0]),
                list(columns[1]),
                list(columns[2]),
                [Jsonb(detail) for detail in columns[3]],
            ],
        )


def _detail(line: RefusedLine) -> dict[str, Any]:
    return {"card": line.card_number, "findings": [problem.as_dict() for problem in line.problems]}


def _chip_twice(record: ReturnRecord, other: str) -> RefusedLine:
    message = (
        f"第 {record.line} 行（学卡 {record.card_number}）：芯片 {record.chip_uid} 已在学卡 {other} 上。"
    )
    problem = LineProblem(record.line, "chip_uid", "LINE_CHIP_UID_TWICE", record.chip_uid, message)
    return RefusedLine(record.line, record.card_number, "", (problem,))
