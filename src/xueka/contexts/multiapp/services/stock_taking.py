"""Counting modules: what should be with a holder, what was seen there, and who signed the difference."""

from xueka.contexts.multiapp.domain.custody import check_serial
from xueka.contexts.multiapp.domain.grants import check_reason
from xueka.contexts.multiapp.domain.transitions import IN_STOCK, ISSUED, LOADED, OPEN, RETURNED, STOCK_TAKE
from xueka.contexts.multiapp.models import Sam, Seen, StockTake, Unit
from xueka.contexts.multiapp.services.common import another, locked
from xueka.kernel import clock
from xueka.kernel.errors import Conflict, NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor

_MAY = "city:sam:manage"


def begin_stock_take(actor: Actor, unit: str = "") -> StockTake:
    """Begin to count the modules of a unit, or those of the city's store. Conflict `STOCK_TAKE_OPEN`."""
    actor.require(_MAY)
    holder = locked(actor, Unit, unit) if unit else None
    if open_one := StockTake.objects.filter(holder=holder, state=OPEN).first():
        raise Conflict(
            "STOCK_TAKE_OPEN", "这里的盘点还没有签认。", found=open_one.number, action="请先签认或取消。"
        )
    now = clock.now()
    made = StockTake.objects.create(
        number=f"?{now.timestamp():.6f}"[:20],
        holder=holder,
        state=STOCK_TAKE.initial,
        expected=_expected(holder),
        begun_at=now,
        begun_by=actor.username,
    )
    made.number = f"PD{clock.today():%y}-{made.id:04d}"
    made.save(update_fields=["number"])
    begin(STOCK_TAKE, [made.id], actor)
    record(actor, "stock_take.begin", "stock_take", made.number, detail={"expected": len(made.expected)})
    return made


def see(actor: Actor, number: str, code: str) -> tuple[str, bool]:
    """A module is there: (serial, whether it should be). Seen twice counts once."""
    actor.require(_MAY)
    found = _open(actor, number)
    serial = check_serial(code)
    Seen.objects.get_or_create(
        stock_take=found, serial=serial, defaults={"at": clock.now(), "by": actor.username}
    )
    return serial, serial in found.expected


def sign_stock_take(actor: Actor, number: str) -> StockTake:
    """A second person signs what is missing and what is strange; losses are reported one by one."""
    found = _open(actor, number)
    another(actor, found.begun_by, f"{found.number} 由您盘点，须由另一位经办人签认。")
    seen = set(found.seen.values_list("serial", flat=True))
    expected = set(_expected(found.holder))
    found.expected = sorted(expected)
    found.missing, found.strange = sorted(expected - seen), sorted(seen - expected)
    found.signed_by, found.signed_at = actor.username, clock.now()
    found.save(update_fields=["expected", "missing", "strange", "signed_by", "signed_at"])
    apply(STOCK_TAKE, StockTake, [found.id], "sign", actor)
    detail = {"expected": len(expected), "missing": found.missing[:50], "foreign": found.strange[:50]}
    record(actor, "stock_take.sign", "stock_take", found.number, detail=detail)
    found.refresh_from_db()
    return found


def cancel_stock_take(actor: Actor, number: str, reason: str) -> StockTake:
    found = _open(actor, number)
    why = check_reason(reason)
    apply(STOCK_TAKE, StockTake, [found.id], "cancel", actor, reason=why)
    record(actor, "stock_take.cancel", "stock_take", found.number, detail={"reason": why})
    found.refresh_from_db()
    return found


def _open(actor: Actor, number: str) -> StockTake:
    rows = StockTake.objects.visible_to(actor.scope).select_for_update(of=("self",)).select_related("holder")
    found = rows.filter(number=number).first()
    if found is None:
        raise NotFound("STOCK_TAKE_NOT_FOUND", "没有这次盘点。", found=number[:20])
    if found.state != OPEN:
        raise Refused("STOCK_TAKE_OVER", f"{number} 已经结束。", found=STOCK_TAKE.state(found.state).label)
    return found


def _expected(holder: Unit | None) -> list[str]:
    rows = (
        Sam.objects.filter(state=ISSUED, unit=holder)
        if holder
        else Sam.objects.filter(state__in=[IN_STOCK, LOADED, RETURNED])
    )
    return sorted(rows.values_list("serial", flat=True))
