"""Ranges come in, numbers go out in order, and what became of each is written down.

`allocate` and the `mark_…` functions are steps of a larger act (locking a batch, handing out): that act
carries the permission and the audit entry, and its transaction makes the step vanish with it when it fails.
"""

from collections.abc import Sequence

from django.db import connection

from xueka.contexts.numbers.domain.series import CARD, CARD_LAST, CARD_WIDTH, Series, fits, patterns
from xueka.contexts.numbers.models import Blank, NumberRange, NumberUse, Sort
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor


def add_range(
    actor: Actor,
    sort: str,
    issuer: str,
    prefix: str,
    width: int,
    first: int,
    last: int,
    *,
    low_water: int = 0,
    document: str = "",
) -> NumberRange:
    """Take in a range: numbers `prefix` + serial of `width` digits, `first` to `last` both included.

    Card numbers have the two digits of a year as prefix and nine digits of serial. Raises BadInput where the
    numbers would not have the form configured for the sort, Refused `RANGE_OVERLAPS` where one of them is in
    another range or came with a blank.
    """
    actor.require("city:range:manage")
    series = Series(sort, prefix.strip(), width, first, last)
    _check(series, issuer, document, low_water)
    one_at_a_time(sort)
    for other in NumberRange.objects.filter(sort=sort):
        if series.meets(series_of(other)):
            raise Refused(
                "RANGE_OVERLAPS",
                "该号段与已登记的号段重叠，同一个号码会发出两次。",
                found=f"{series.number(first)} 至 {series.number(last)}",
                expected=f"避开 {_ends(other)}（{other.issuer}）",
                action="请与发号单位核对号段起止。",
            )
    _refuse_numbers_on_blanks(series)
    made = NumberRange.objects.create(
        sort=sort,
        issuer=issuer.strip(),
        document=document.strip(),
        prefix=series.prefix,
        width=width,
        first=first,
        last=last,
        next_serial=first,
        low_water=low_water,
        received_at=clock.now(),
        received_by=actor.username,
    )
    record(
        actor,
        "range.add",
        "range",
        made.id,
        detail={"sort": sort, "issuer": issuer, "numbers": _ends(made), "count": last - first + 1},
    )
    return made


def close_range(actor: Actor, range_id: int, reason: str) -> NumberRange:
    """Hand out no more numbers of this range. Those that are left stay unused; those given stay valid."""
    actor.require("city:range:manage")
    found = NumberRange.objects.select_for_update().filter(id=range_id).first()
    if found is None:
        raise NotFound("RANGE_NOT_FOUND", "没有这个号段。")
    if not found.is_open:
        raise Refused("RANGE_CLOSED", "该号段已经停用。")
    if not reason.strip():
        raise BadInput("REASON_MISSING", "请写明停用的理由。")
    found.is_open, found.closed_at, found.closed_by = False, clock.now(), actor.username
    found.closed_reason = reason.strip()[:200]
    found.save(update_fields=["is_open", "closed_at", "closed_by", "closed_reason"])
    left = found.last - found.next_serial + 1
    record(actor, "range.close", "range", found.id, detail={"reason": reason, "left": left})
    return found


def why_not_reopen(found: NumberRange) -> str:
    """Why a range that gives no numbers stays closed, in the user's words; empty where it may be opened.

    Only what somebody closed is opened again: the part of a range that another system has used up was never
    open here, and its numbers are on cards already.
    """
    problems = [
        (found.is_open, "该号段正在使用。"),
        (found.closed_at is None, "该号段是旧系统已用的部分，不能启用。"),
        (found.next_serial > found.last, "该号段已经发完。"),
        (found.sort == CARD and found.prefix != f"{clock.today():%y}", "学生卡号段只在本年发号。"),
    ]
    return next((message for holds, message in problems if holds), "")


def reopen_range(actor: Actor, range_id: int, reason: str) -> NumberRange:
    """Hand out numbers of a closed range, from where it stopped. Raises Refused `RANGE_STAYS_CLOSED`."""
    actor.require("city:range:manage")
    found = NumberRange.objects.select_for_update().filter(id=range_id).first()
    if found is None:
        raise NotFound("RANGE_NOT_FOUND", "没有这个号段。")
    if why := why_not_reopen(found):
        raise Refused("RANGE_STAYS_CLOSED", why, action="请登记新的号段。")
    if not reason.strip():
        raise BadInput("REASON_MISSING", "请写明恢复使用的理由。")
    found.is_open, found.closed_at, found.closed_by, found.closed_reason = True, None, "", ""
    found.save(update_fields=["is_open", "closed_at", "closed_by", "closed_reason"])
    left = found.last - found.next_serial + 1
    record(actor, "range.reopen", "range", found.id, detail={"reason": reason, "left": left})
    return found


def allocate(actor: Actor, sort: str, card_ids: Sequence[int]) -> list[str]:
    """The next numbers of a sort, one per card in this order; without gap, crossing into later ranges.

    Ranges are used in the order in which they came. The lock on them is held to the end of the caller's
    transaction: whoever comes second waits, and a roll-back gives the numbers back before anyone saw them.
    Raises Refused `NUMBERS_EXHAUSTED` (detail `missing`) and takes nothing where there are not enough.
    """
    if not card_ids:
        return []
    ranges = NumberRange.objects.filter(sort=sort, is_open=True)
    if sort == CARD:
        year = f"{clock.today():%y}"
        _ensure_card_range(actor, year)
        ranges = ranges.filter(prefix=year)
    taken: list[tuple[int, int, str]] = []
    wanted = len(card_ids)
    for found in ranges.order_by("id").select_for_update():
        count = min(wanted - len(taken), found.last - found.next_serial + 1)
        if count <= 0:
            continue
        series = series_of(found)
        serials = range(found.next_serial, found.next_serial + count)
        taken += [(found.id, serial, series.number(serial)) for serial in serials]
        NumberRange.objects.filter(id=found.id).update(next_serial=found.next_serial + count)
    if len(taken) < wanted:
        missing = wanted - len(taken)
        raise Refused(
            "NUMBERS_EXHAUSTED",
            f"{Sort(sort).label}不足：需要 {wanted} 个，还差 {missing} 个。",
            found=len(taken),
            expected=wanted,
            action="请先登记新的号段，再重新办理；本次没有占用任何号码。",
            missing=missing,
            sort=sort,
        )
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO numbers_numberuse (sort, number, range_id, serial, state, card_id, at, reason)
            SELECT %s, t.number, t.range_id, t.serial, 'assigned', t.card_id, %s, ''
              FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[])
                   AS t(number, range_id, serial, card_id)
            """,
            [
                sort,
                clock.now(),
                [number for _, _, number in taken],
                [range_id for range_id, _, _ in taken],
                [serial for _, serial, _ in taken],
                list(card_ids),
            ],
        )
    return [number for _, _, number in taken]


def mark_used(card_ids: Sequence[int]) -> None:
    """The cards are in their students' hands: their numbers and blanks are used for good."""
    _mark(card_ids, "used", "")


def mark_spoiled(card_ids: Sequence[int], reason: str) -> None:
    """The cards failed or were lost before they were handed out: their numbers and blanks are spoiled."""
    _mark(card_ids, "spoiled", reason)


def mark_returned(card_ids: Sequence[int], reason: str) -> None:
    """The cards were never ordered: their numbers and blanks go back unused, and are not given out again."""
    _mark(card_ids, "returned", reason)


def _mark(card_ids: Sequence[int], state: str, reason: str) -> None:
    values = {"state": state, "at": clock.now(), "reason": reason[:100]}
    NumberUse.objects.filter(card_id__in=card_ids, state="assigned").update(**values)
    Blank.objects.filter(card_id__in=card_ids, state="bound").update(**values)


def series_of(found: NumberRange) -> Series:
    return Series(found.sort, found.prefix, found.width, found.first, found.last)


def _check(series: Series, issuer: str, document: str, low_water: int) -> None:
    sort = series.sort
    if sort not in Sort.values:
        raise BadInput("RANGE_SORT", "号码种类不对。", found=sort, expected="、".join(Sort.labels))
    if not 1 <= len(issuer.strip()) <= 64 or len(document.strip()) > 100:
        raise BadInput("RANGE_ISSUER", "请填写发号单位（最多 64 个字）；发号文件最多 100 个字。")
    if not 1 <= series.width <= 18 or series.first < 0 or len(str(series.last)) > series.width:
        raise BadInput(
            "RANGE_WIDTH",
            "起止序号与序号位数不符。",
            found=f"{series.first} 至 {series.last}，{series.width} 位",
            expected="序号不为负，位数为 1 至 18 且放得下止号",
        )
    if series.first > series.last:
        raise BadInput(
            "RANGE_ORDER",
            "起始序号大于终止序号。",
            found=f"{series.first} 至 {series.last}",
            expected="起 ≤ 止",
        )
    if not 0 <= low_water <= 2_000_000_000:
        raise BadInput("RANGE_LOW_WATER", "低水位应为 0 至 20 亿。", found=low_water)
    if sort == CARD and not (
        len(series.prefix) == 2
        and series.prefix.isascii()
        and series.prefix.isdigit()
        and series.width == CARD_WIDTH
    ):
        raise BadInput(
            "RANGE_CARD_FORM",
            "学生卡号段由两位年份和九位序号组成，校验码由系统计算。",
            found=f"前缀 {series.prefix or '空'}，{series.width} 位",
            expected="前缀两位年份，序号九位",
        )
    sample = series.number(series.first)
    if not fits(sort, sample):
        raise BadInput(
            "RANGE_FORM",
            f"该号段的号码不符合{Sort(sort).label}的格式。",
            found=sample,
            expected=patterns()[sort],
            action="请核对前缀与序号位数。",
        )


def _ensure_card_range(actor: Actor, year: str) -> None:
    # Our own numbers have no issuer to wait for: each year's range opens itself with the year's first card.
    numbers = NumberRange.objects.filter(sort=CARD, prefix=year)
    if numbers.exists():
        return
    one_at_a_time(CARD)
    if numbers.exists():
        return
    made = NumberRange.objects.create(
        sort=CARD,
        issuer="本系统",
        prefix=year,
        width=CARD_WIDTH,
        first=1,
        last=CARD_LAST,
        next_serial=1,
        received_at=clock.now(),
        received_by=actor.username,
    )
    record(actor, "range.add", "range", made.id, detail={"sort": CARD, "numbers": _ends(made)})


def _refuse_numbers_on_blanks(series: Series) -> None:
    low, high = series.number(series.first), series.number(series.last)
    if series.sort != Sort.TRANSIT:
        return
    for number in Blank.objects.filter(transit_number__startswith=series.prefix).values_list(
        "transit_number", flat=True
    ):
        if series.holds(number):
            raise Refused(
                "RANGE_OVERLAPS",
                "该号段里有号码已随空白卡到货，同一个号码会发出两次。",
                found=number,
                expected=f"{low} 至 {high} 不含已到货空白卡的号码",
                action="请与发号单位核对号段起止。",
            )


def one_at_a_time(sort: str) -> None:
    """The lock that the range trigger takes too: two arrivals of one sort are judged one after the other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('numbers_range'), hashtext(%s))", [sort])


def _ends(found: NumberRange) -> str:
    series = series_of(found)
    return f"{series.number(found.first)} 至 {series.number(found.last)}"
