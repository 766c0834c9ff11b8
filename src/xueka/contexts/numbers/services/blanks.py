"""Lots of initialised blanks: taken in by their hand-over file, bound to cards, set aside."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.db.models import Q

from xueka.contexts.numbers.domain.counters import CITY
from xueka.contexts.numbers.domain.lots import COLUMNS, LotLine, read
from xueka.contexts.numbers.models import Blank, BlankLot, NumberRange, NumberUse, Sort
from xueka.contexts.numbers.queries import why_not_here
from xueka.contexts.numbers.services.ranges import one_at_a_time, series_of
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, LineProblem, NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.database.copy import copy_rows
from xueka.platform.files.services import sm3
from xueka.platform.identity.actor import Actor


@dataclass(frozen=True, slots=True)
class LotReport:
    """What a hand-over file holds. A file with one error is not applied at all: the paper says otherwise."""

    lot: str
    rows: int
    accepted: int
    dry_run: bool
    digest: str
    errors: list[LineProblem] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return {
            "lot": self.lot,
            "rows": self.rows,
            "accepted": self.accepted,
            "rejected": self.rows - self.accepted,
            "dry_run": self.dry_run,
            "sm3": self.digest,
            "errors": [problem.as_dict() for problem in self.errors],
        }


def import_blank_lot(
    actor: Actor,
    content: bytes,
    number: str,
    supplier: str,
    handed_over_by: str,
    *,
    dry_run: bool = False,
) -> LotReport:
    """Take in a lot of blanks by its hand-over file (docs/interfaces/blank-lot.md); all lines or none.

    Raises BadInput where the file as a whole cannot be read, Refused `LOT_KNOWN` where the lot is in already.
    """
    actor.require("city:range:manage")
    number, digest = number.strip(), sm3(content)
    if not (number and supplier.strip() and handed_over_by.strip()):
        raise BadInput("LOT_HEAD", "请填写批号、供应单位和交付人。")
    if len(number) > 32 or len(supplier.strip()) > 64 or len(handed_over_by.strip()) > 64:
        raise BadInput(
            "LOT_HEAD", "批号最多 32 个字，供应单位和交付人最多 64 个字。", action="请缩短后再交一次。"
        )
    one_at_a_time(Sort.TRANSIT)
    if known := BlankLot.objects.filter(Q(number=number) | Q(sm3=digest)).first():
        raise Refused(
            "LOT_KNOWN",
            f"这批空白卡已经入库（批号 {known.number}）。",
            found=number,
            action="同一份交接文件只入库一次；若是另一批卡，请核对批号与文件。",
        )
    lines, problems = read(content)
    problems = sorted([*problems, *_collisions(lines)])
    rows = len(lines) + len({problem.line for problem in problems} - {line.line for line in lines})
    accepted = 0 if problems else len(lines)
    report = LotReport(number, rows, accepted, dry_run, digest.hex(), problems)
    if dry_run or problems:
        return report
    lot = BlankLot.objects.create(
        number=number,
        supplier=supplier.strip(),
        sm3=digest,
        quantity=len(lines),
        received_at=clock.now(),
        received_by=actor.username,
        handed_over_by=handed_over_by.strip(),
    )
    now = clock.now()
    copy_rows(
        connection,
        "numbers_blank",
        ["lot_id", "position", "uid", "transit_number", "state", "at", "reason"],
        (
            (lot.id, line.position, line.uid, line.transit_number, "in_stock", now, "")
            for line in sorted(lines, key=lambda line: line.position)
        ),
    )
    record(
        actor, "blank_lot.import", "blank_lot", number, detail={"quantity": len(lines), "sm3": digest.hex()}
    )
    return report


def bind_blanks(card_ids: Sequence[int]) -> list[Blank]:
    """Bind the next blanks that bring a transit number, one per card in this order, and note the numbers.

    A step of a larger act, as `ranges.allocate`. Blanks that another batch is just taking are skipped, so two
    batches do not wait for each other. Raises Refused `BLANKS_EXHAUSTED` (detail `missing`).
    """
    if not card_ids:
        return []
    blanks = list(
        Blank.objects.select_for_update(skip_locked=True)
        .filter(state="in_stock", counter="")
        .exclude(transit_number="")
        .order_by("id")[: len(card_ids)]
    )
    if len(blanks) < len(card_ids):
        missing = len(card_ids) - len(blanks)
        raise Refused(
            "BLANKS_EXHAUSTED",
            f"空白卡不足：需要 {len(card_ids)} 张，还差 {missing} 张。",
            found=len(blanks),
            expected=len(card_ids),
            action="请先办理空白卡入库，再重新办理；本次没有占用任何空白卡。",
            missing=missing,
        )
    now = clock.now()
    pairs = [[blank.id for blank in blanks], list(card_ids)]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE numbers_blank b SET state = 'bound', card_id = t.card_id, at = %s, reason = ''
              FROM unnest(%s::bigint[], %s::bigint[]) AS t(id, card_id) WHERE b.id = t.id
            """,
            [now, *pairs],
        )
        cursor.execute(
            """
            INSERT INTO numbers_numberuse (sort, number, state, card_id, at, reason)
            SELECT 'transit', b.transit_number, 'assigned', b.card_id, %s, ''
              FROM numbers_blank b WHERE b.id = ANY(%s) ORDER BY b.id
            """,
            [now, pairs[0]],
        )
    for blank, card_id in zip(blanks, card_ids, strict=True):
        blank.state, blank.card_id, blank.at = "bound", card_id, now
    return blanks


def bind_blank(card_id: int, uid: str, office: str = CITY) -> Blank:
    """Bind this very blank, which lies on the reader of this office, to a card. A step of a larger act.

    Raises Refused `BLANK_NOT_IN_STOCK`, `BLANK_WITHOUT_NUMBER`, `BLANK_ELSEWHERE`.
    """
    blank = _this_blank(uid)
    if blank is None:
        raise Refused(
            "BLANK_NOT_IN_STOCK",
            "这张空白卡没有入过库。",
            found=uid,
            action="请换一张已入库的空白卡，或先办理入库。",
        )
    if not blank.transit_number:
        raise Refused(
            "BLANK_WITHOUT_NUMBER",
            "这张空白卡不带一卡通号，不能用于这个卡种。",
            found=uid,
            action="请换一张带号的空白卡。",
        )
    if why := why_not_here(blank.uid, office):
        raise Refused("BLANK_ELSEWHERE", f"{why}。", found=uid, action="请换一张发给本柜台的空白卡。")
    _bind(blank, card_id)
    NumberUse.objects.create(
        sort=Sort.TRANSIT, number=blank.transit_number, state="assigned", card_id=card_id, at=blank.at
    )
    return blank


def take_blank(card_id: int, uid: str) -> bool:
    """Note that this blank became that card, whose numbers came from ranges. False where it is in no lot.

    Raises Refused `BLANK_NOT_IN_STOCK` where it has gone another way, `BLANK_HAS_NUMBER` where it brings a
    transit number of its own.
    """
    blank = _this_blank(uid)
    if blank is None or blank.card_id == card_id:
        return blank is not None
    if blank.transit_number:
        raise Refused(
            "BLANK_HAS_NUMBER",
            "这张空白卡自带一卡通号，这个卡种的号另从号段发。",
            found=blank.transit_number,
            action="请换一张不带号的空白卡。",
        )
    _bind(blank, card_id)
    return True


def _this_blank(uid: str) -> Blank | None:
    return Blank.objects.select_for_update().filter(uid=uid.strip().upper()).exclude(uid="").first()


def _bind(blank: Blank, card_id: int) -> None:
    if blank.state != "in_stock":
        raise Refused(
            "BLANK_NOT_IN_STOCK",
            "这张空白卡已经用过、报废或退回，不能再用。",
            found=blank.uid,
            action="请换一张空白卡；这一张请交管理空白卡的人查明。",
        )
    blank.state, blank.card_id, blank.at, blank.reason = "bound", card_id, clock.now(), ""
    blank.save(update_fields=["state", "card_id", "at", "reason"])


def set_aside(actor: Actor, lot_number: str, positions: Sequence[int], outcome: str, reason: str) -> int:
    """Take blanks out of the stock: `spoiled` (broken, recalled) or `returned` (handed back)."""
    actor.require("city:range:manage")
    if outcome not in ("spoiled", "returned"):
        raise BadInput("BLANK_OUTCOME", "只能登记为报废或退回。", found=outcome)
    if not reason.strip():
        raise BadInput("REASON_MISSING", "请写明理由；退回的，写明接收人。")
    lot = BlankLot.objects.filter(number=lot_number.strip()).first()
    if lot is None:
        raise NotFound("LOT_NOT_FOUND", "没有这批空白卡。", found=lot_number)
    wanted = sorted(set(positions))
    in_stock = Blank.objects.filter(lot=lot, position__in=wanted, state="in_stock")
    if outcome == "returned":  # what lies at a counter comes back from there first
        in_stock = in_stock.filter(counter="")
    here = list(in_stock.order_by("id").select_for_update())
    if len(here) < len(wanted):
        gone = sorted(set(wanted) - {blank.position for blank in here})
        raise Refused(
            "BLANK_NOT_IN_STOCK",
            "有空白卡不在库存中，本次没有登记任何一张。",
            where=f"批号 {lot.number}，序号 {'、'.join(map(str, gone[:10]))}",
            action="请核对序号。",
        )
    Blank.objects.filter(id__in=[blank.id for blank in here]).update(
        state=outcome, at=clock.now(), reason=reason[:100]
    )
    record(
        actor,
        f"blank.{outcome}",
        "blank_lot",
        lot.number,
        detail={"positions": wanted[:100], "count": len(wanted), "reason": reason},
    )
    return len(here)


def restock(actor: Actor, lot_number: str, positions: Sequence[int], reason: str) -> int:
    """Blanks that were marked as spoiled by mistake lie in stock again; what a card took never does.

    Returned blanks have left the house by a signed hand-over and come back only by another one.
    """
    actor.require("city:range:manage")
    if not reason.strip():
        raise BadInput("REASON_MISSING", "请写明恢复入库的理由。")
    lot = BlankLot.objects.filter(number=lot_number.strip()).first()
    if lot is None:
        raise NotFound("LOT_NOT_FOUND", "没有这批空白卡。", found=lot_number)
    wanted = sorted(set(positions))
    spoiled = Blank.objects.filter(lot=lot, position__in=wanted, state="spoiled", card_id=None)
    here = list(spoiled.order_by("id").select_for_update())
    if len(here) < len(wanted) or not wanted:
        raise Refused(
            "BLANK_NOT_SPOILED",
            "只有登记为报废、没有用在卡上的空白卡才能恢复入库。",
            where=f"批号 {lot.number}",
            found=len(here),
            expected=len(wanted),
            action="请核对序号。",
        )
    Blank.objects.filter(id__in=[blank.id for blank in here]).update(
        state="in_stock", at=clock.now(), reason=""
    )
    detail = {"positions": wanted[:100], "count": len(wanted), "reason": reason}
    record(actor, "blank.restock", "blank_lot", lot.number, detail=detail)
    return len(here)


def _collisions(lines: Sequence[LotLine]) -> list[LineProblem]:
    """Numbers and UIDs that are here already, and numbers that a range would give out too."""
    by_uid = {line.uid: line for line in lines if line.uid}
    by_number = {line.transit_number: line for line in lines if line.transit_number}
    problems = [
        _known(by_uid[uid], "uid", uid, f"该芯片已在批号 {lot} 中入库。")
        for uid, lot in Blank.objects.filter(uid__in=list(by_uid)).values_list("uid", "lot__number")
    ]
    stocked = dict(
        Blank.objects.filter(transit_number__in=list(by_number)).values_list("transit_number", "lot__number")
    )
    problems += [
        _known(by_number[number], "transit_number", number, f"该号码已在批号 {lot} 中入库。")
        for number, lot in stocked.items()
    ]
    given = NumberUse.objects.filter(sort=Sort.TRANSIT, number__in=list(by_number)).values_list(
        "number", flat=True
    )
    ranges = [series_of(found) for found in NumberRange.objects.filter(sort=Sort.TRANSIT)]
    in_ranges = {number for number in by_number if any(series.holds(number) for series in ranges)}
    problems += [
        _known(by_number[number], "transit_number", number, "该号码属于已登记的号段，会发出两次。")
        for number in (set(given) | in_ranges) - set(stocked)
    ]
    return problems


def _known(line: LotLine, column: str, value: str, message: str) -> LineProblem:
    return LineProblem(line.line, COLUMNS[column][0], "LOT_ALREADY_KNOWN", value, f"{message}请核实。")
