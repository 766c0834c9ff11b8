"""Printers and what is in them: registered, loaded, counted anew; every print takes its part."""

from collections.abc import Sequence

from xueka.contexts.printing.configuration import supply_sorts
from xueka.contexts.printing.models import Printer, PrintJob, Supply, SupplyEntry
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict, NotFound, Refused
from xueka.kernel.text import normalise
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor

MANAGE = "district:printer:manage"
#: What Debian's CUPS and IPP Everywhere printers take of what we make.
MEDIA_TYPES = ("application/pdf",)


def register_printer(
    actor: Actor, name: str, agent: str, device: str, *, uri: str = "", district: str = ""
) -> Printer:
    """Make a printer of an agent known; a district's person only for that district. Supplies begin empty."""
    actor.require(MANAGE)
    name, agent, device = normalise(name), agent.strip(), device.strip()
    if not (0 < len(name) <= 40 and 0 < len(agent) <= 40 and 0 < len(device) <= 100 and len(uri) <= 200):
        raise BadInput("PRINTER_FIELDS", "请填写打印机名称、发卡代理和设备名。", expected="名称 1 至 40 个字")
    if actor.scope.level == "district":
        district = actor.scope.district
    if Printer.objects.filter(name=name).exists():
        raise Refused("PRINTER_NAME_TAKEN", f"已有名为“{name}”的打印机。", action="请换一个名称。")
    if known := Printer.objects.filter(agent=agent, device=device).first():
        raise Refused("PRINTER_KNOWN", "这台打印机已经登记。", found=known.name, action="请在列表里打开它。")
    made = Printer.objects.create(
        name=name,
        agent=agent,
        device=device,
        uri=uri.strip(),
        district_id=district or None,
        created_at=clock.now(),
        created_by=actor.username,
    )
    Supply.objects.bulk_create(
        Supply(printer=made, sort=sort.code, capacity=sort.capacity, low=sort.low)
        for sort in supply_sorts().values()
    )
    record(actor, "printer.register", "printer", made.pk, detail={"name": name, "agent": agent})
    return made


def switch_printer(actor: Actor, printer_id: int, is_open: bool) -> Printer:
    """Take a printer out of use, or back. Jobs that wait for it stay."""
    found = _printer(actor, printer_id)
    found.is_open = is_open
    found.save(update_fields=["is_open"])
    record(actor, "printer.open" if is_open else "printer.close", "printer", found.pk)
    return found


def load_supply(actor: Actor, supply_id: int, note: str = "") -> Supply:
    """A full one was put in: `left` is its capacity, whatever was left of the old one."""
    found = _supply(actor, supply_id)
    _write(found, found.capacity - found.left, actor.username, note or "换新")
    record(actor, "supply.load", "printer", found.printer_id, detail={"sort": found.sort})
    return found


def count_supply(actor: Actor, supply_id: int, left: int, note: str) -> Supply:
    """Somebody has counted: so many are left."""
    found = _supply(actor, supply_id)
    if not 0 <= left <= found.capacity:
        raise BadInput("SUPPLY_COUNT", "数量不对。", found=left, expected=f"0 至 {found.capacity}")
    if not note.strip():
        raise BadInput("REASON_MISSING", "请写明为什么与系统的数不同。", where="说明")
    before = found.left
    _write(found, left - found.left, actor.username, note)
    record(
        actor,
        "supply.count",
        "printer",
        found.printer_id,
        detail={"sort": found.sort, "before": before, "left": left, "note": note},
    )
    return found


def use(job: PrintJob, actor: Actor) -> None:
    """A card came out: every supply of the printer has one less. Once for a job."""
    for supply in Supply.objects.select_for_update().filter(printer=job.printer_id).order_by("id"):
        if SupplyEntry.objects.filter(supply=supply, job=job).exists():
            raise Conflict("JOB_COUNTED", "这个打印任务已经计过耗材。", action="请刷新页面。")
        _write(supply, -min(1, supply.left), actor.username, "", job)


def throw_away(printer: Printer, by: str, why: str) -> None:
    """A blank of this counter was spoilt before it was printed: the box has one less all the same."""
    sorts = [sort.code for sort in supply_sorts().values() if sort.blanks]
    rows = Supply.objects.select_for_update().filter(printer=printer, sort__in=sorts).order_by("id")
    for supply in rows:
        _write(supply, -min(1, supply.left), by, why)


def hear(agent: str, printers: Sequence[dict[str, str]]) -> None:
    """What an agent says of its printers: {name, uri, state, message}. Unknown ones are not kept."""
    for said in printers:
        Printer.objects.filter(agent=agent, device=said.get("name", "")).update(
            said_state=said.get("state", "")[:12],
            said_message=said.get("message", "")[:200],
            said_at=clock.now(),
        )


def _write(supply: Supply, change: int, by: str, note: str, job: PrintJob | None = None) -> None:
    supply.left += change
    supply.save(update_fields=["left"])
    SupplyEntry.objects.create(
        supply=supply, change=change, left=supply.left, job=job, note=note[:200], at=clock.now(), by=by
    )


def _printer(actor: Actor, printer_id: int) -> Printer:
    actor.require(MANAGE)
    rows = Printer.objects.visible_to(actor.scope).select_for_update(of=("self",))
    found = rows.filter(pk=printer_id).first()
    if found is None:
        raise printer_not_found()
    return found


def _supply(actor: Actor, supply_id: int) -> Supply:
    actor.require(MANAGE)
    rows = Supply.objects.visible_to(actor.scope).select_for_update(of=("self",))
    found = rows.filter(pk=supply_id).first()
    if found is None:
        raise NotFound("SUPPLY_NOT_FOUND", "没有这种耗材。", action="请刷新页面。")
    return found


def printer_not_found() -> NotFound:
    return NotFound("PRINTER_NOT_FOUND", "没有这台打印机。", action="请刷新页面后重新选择。")
