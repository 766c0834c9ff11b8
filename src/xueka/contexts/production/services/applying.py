"""Putting a reconciled return file into effect: set by set, in the caller's transaction."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC
from typing import Any, NamedTuple

import polars as pl
from django.db import connection
from psycopg.types.json import Jsonb

from xueka.contexts.cards import api as cards
from xueka.contexts.production.adapters.bulk_reconcile import Judged
from xueka.contexts.production.domain import outcomes
from xueka.contexts.production.domain.bureau.line import MADE, ReturnRecord
from xueka.contexts.production.domain.bureau.reconcile import FIRST_LINE, Reconciliation, RefusedLine
from xueka.contexts.production.domain.bureau.returns import RESULTS
from xueka.contexts.production.domain.transitions import ACKNOWLEDGED, SENT
from xueka.contexts.production.models import Batch, ReturnFile
from xueka.contexts.production.services.common import move
from xueka.contexts.production.services.sent import Place, places
from xueka.contexts.production.services.settling import close_problems
from xueka.kernel import clock
from xueka.kernel.errors import LineProblem
from xueka.platform.identity.actor import Actor

_AT_ONCE = 20_000  # rows that one statement takes along


class NewProblem(NamedTuple):
    kind: str
    line: int | None
    card_id: int | None
    detail: dict[str, Any]


def refine(batch: Batch, judged: Judged, sent: pl.DataFrame) -> Judged:
    """What only the database can tell: cards that nobody waits for are not missing, and a chip that another
    card of the city carries cannot be on this one too."""
    owed = set(sent.filter("owed")["card"].to_list()) if judged.missing else set()
    judged = judged._replace(missing=[number for number in judged.missing if number in owed])
    rest = judged.rest
    others = pl.Series("uid", [record.chip_uid for record in rest.matched], dtype=pl.String)
    elsewhere = _carried_elsewhere(batch, pl.concat([judged.made["uid"], others]))
    if not elsewhere:
        return judged
    twice = pl.col("uid").is_in(list(elsewhere))
    numbers = sent["card"].gather(judged.made.filter(twice)["place"]).to_list()
    shared = [
        *zip((n + FIRST_LINE for n in judged.made.filter(twice)["number"]), numbers,
             judged.made.filter(twice)["uid"], strict=True),
        *((r.line, r.card_number, r.chip_uid) for r in rest.matched if r.chip_uid in elsewhere),
    ]  # fmt: skip
    return judged._replace(
        made=judged.made.filter(~twice),
        rest=rest._replace(
            matched=[record for record in rest.matched if record.chip_uid not in elsewhere],
            altered=sorted([*rest.altered, *(_chip_twice(*found, elsewhere[found[2]]) for found in shared)]),
        ),
    )


def apply(
    actor: Actor, batch: Batch, file: ReturnFile, judged: Judged, sent: pl.DataFrame
) -> tuple[int, int]:
    """Put the results into effect; returns how many cards are now made and how many have failed."""
    if batch.state in (SENT, ACKNOWLEDGED):
        move(batch, "return", actor, detail={"return": file.return_number})
    rest = judged.rest
    sound, refused = (*rest.matched, *rest.failed), (*rest.duplicate, *rest.altered)
    spoken_of = {r.card_number for r in sound} | {line.card_number for line in refused}
    of_card = places(sent, spoken_of | set(judged.missing))
    plain, unwanted = _plainly_made(judged.made, sent)
    made, surplus_made = _still_ordered(rest.matched, of_card)
    spoiled, surplus_spoiled = _still_ordered(rest.failed, of_card)
    by_code: dict[str, list[int]] = defaultdict(list)
    for record in spoiled:
        by_code[record.result].append(of_card[record.card_number].card_id)
    for code in sorted(by_code):
        cards.fail_cards(actor, by_code[code], code, RESULTS[code], detail={"batch": batch.number})
    for part in (*plain.iter_slices(_AT_ONCE), _in_columns(made, of_card)):
        chips = list(zip(part["card_id"].to_list(), part["uid"].to_list(), strict=True))
        cards.confirm_made(actor, chips, detail={"batch": batch.number})
        _settle_items(part, outcomes.MATCHED, file)
    _settle_items(_in_columns(spoiled, of_card), outcomes.FAILED, file)
    _settle_items(_in_columns([*surplus_made, *surplus_spoiled], of_card), outcomes.DROPPED, file)
    _settle_items(unwanted, outcomes.DROPPED, file)
    settled = {of_card[record.card_number].card_id for record in sound}
    surplus = [*_surplus(_in_columns(surplus_made, of_card)), *_surplus(unwanted)]
    _open_problems(actor, batch, file, judged, of_card, settled, surplus)
    return plain.height + len(made), len(spoiled)


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
    records: Sequence[ReturnRecord], of_card: Mapping[str, Place]
) -> tuple[list[ReturnRecord], list[ReturnRecord]]:
    """Those whose card waits for its result, and those whose card was voided meanwhile."""
    waiting = [record for record in records if of_card[record.card_number].ordered]
    return waiting, [record for record in records if not of_card[record.card_number].ordered]


def _plainly_made(made: pl.DataFrame, sent: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The plain lines with their items, in columns as `_settle_items` takes them: those whose card waits for
    its result, and those whose card was voided meanwhile."""
    meant = sent.select(pl.col("item_id", "card_id", "card", "tong", "ordered").gather(made["place"]))
    joined = pl.concat([made, meant], how="horizontal").with_columns(
        line=pl.col("number") + FIRST_LINE,
        code=pl.lit(MADE),
        text=pl.lit(""),
        reported=pl.concat_str("transit", "tong", "uid", pl.lit(MADE), separator="|"),
    )
    return joined.filter("ordered"), joined.filter(~pl.col("ordered"))


def _in_columns(records: Sequence[ReturnRecord], of_card: Mapping[str, Place]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            (
                r.line,
                of_card[r.card_number].item_id,
                of_card[r.card_number].card_id,
                r.card_number,
                r.chip_uid,
                r.result,
                r.text,
                f"{r.transit_number}|{r.beijing_tong_number}|{r.chip_uid}|{r.result}",
                r.produced_at.astimezone(UTC),
            )
            for r in records
        ],
        schema={
            "line": pl.Int64,
            "item_id": pl.Int64,
            "card_id": pl.Int64,
            "card": pl.String,
            "uid": pl.String,
            "code": pl.String,
            "text": pl.String,
            "reported": pl.String,
            "at": pl.Datetime("us", "UTC"),
        },
        orient="row",
    )


def _surplus(made: pl.DataFrame) -> Iterator[NewProblem]:
    """Cards that were made although they had been voided: the plastic will come, and must be destroyed."""
    for line, card_id, card, uid in made.select("line", "card_id", "card", "uid").iter_rows():
        yield NewProblem(outcomes.SURPLUS, line, card_id, {"card": card, "chip_uid": uid})


def _settle_items(settled: pl.DataFrame, outcome: str, file: ReturnFile) -> None:
    for part in settled.iter_slices(_AT_ONCE):
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE production_batchitem i SET outcome = %s, return_file_id = %s, result_code = r.code,"
                " result_text = r.text, reported = r.reported, made_at = r.at"
                " FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])"
                " AS r(id, code, text, reported, at) WHERE i.id = r.id",
                [
                    outcome,
                    file.id,
                    *(part[name].to_list() for name in ("item_id", "code", "text", "reported", "at")),
                ],
            )


def _carried_elsewhere(batch: Batch, uids: pl.Series) -> dict[str, str]:
    """Of these chips those that a card outside the batch carries, with its number."""
    found: dict[str, str] = {}
    for part in uids.filter(uids != "").to_frame().iter_slices(_AT_ONCE):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT c.chip_uid, c.number FROM unnest(%s::text[]) AS said(uid)"
                " JOIN cards_card c ON c.chip_uid = said.uid AND c.chip_uid <> ''"
                " WHERE NOT EXISTS (SELECT 1 FROM production_batchitem i"
                " WHERE i.card_id = c.id AND i.batch_id = %s)",
                [f"{{{','.join(part['uid'])}}}", batch.id],  # hex: as a list it would cost more
            )
            found.update(cursor.fetchall())
    return found


def _open_problems(
    actor: Actor,
    batch: Batch,
    file: ReturnFile,
    judged: Judged,
    of_card: Mapping[str, Place],
    settled: Collection[int],
    surplus: Sequence[NewProblem],
) -> None:
    """One open problem for each card that is not settled; those of cards that are settled now are closed."""
    owed = _problems_of_cards(file, judged, of_card)
    for kind in (outcomes.MISSING, outcomes.ALTERED):
        _mark_items(batch, [card_id for card_id, found in owed.items() if found.kind == kind], kind)
    waiting = batch.problems.filter(state="open", kind__in=[outcomes.MISSING, outcomes.ALTERED])
    ended: dict[str, list[int]] = defaultdict(list)
    for problem_id, card_id, kind, settled_by in waiting.values_list(
        "id", "card_id", "kind", "card__batch_item__return_file_id"
    ):
        if card_id in settled or settled_by == file.id:
            ended[outcomes.SETTLED].append(problem_id)
        elif (said := owed.get(card_id)) and said.kind != kind:
            ended[outcomes.SUPERSEDED].append(problem_id)
        elif said:
            del owed[card_id]  # it is known already, and its age counts from then
    for resolution, ids in ended.items():
        close_problems(actor, ids, resolution, f"第 {file.return_number} 号回盘")
    _insert_problems(batch, file, [*owed.values(), *_problems_of_lines(judged.rest, of_card), *surplus])


def _problems_of_cards(
    file: ReturnFile, judged: Judged, of_card: Mapping[str, Place]
) -> dict[int, NewProblem]:
    """By card: missing, if the bureau says nothing further; altered, with the findings of all its lines."""
    found: dict[int, NewProblem] = {}
    for number in judged.missing if file.final else ():
        card_id = of_card[number].card_id
        found[card_id] = NewProblem(outcomes.MISSING, None, card_id, {"card": number})
    for refused in judged.rest.altered:
        card_id = of_card[refused.card_number].card_id
        if card_id in found:
            found[card_id].detail["findings"] += _detail(refused)["findings"]
        else:
            found[card_id] = NewProblem(outcomes.ALTERED, refused.line, card_id, _detail(refused))
    return found


def _problems_of_lines(rest: Reconciliation, of_card: Mapping[str, Place]) -> Iterator[NewProblem]:
    for line in rest.duplicate:
        yield NewProblem(outcomes.DUPLICATE, line.line, of_card[line.card_number].card_id, _detail(line))
    for line in rest.unknown:
        yield NewProblem(outcomes.UNKNOWN, line.line, None, _detail(line))


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


def _chip_twice(line: int, card: str, uid: str, other: str) -> RefusedLine:
    message = f"第 {line} 行（学卡 {card}）：芯片 {uid} 已在学卡 {other} 上。"
    problem = LineProblem(line, "chip_uid", "LINE_CHIP_UID_TWICE", uid, message)
    return RefusedLine(line, card, "", (problem,))
