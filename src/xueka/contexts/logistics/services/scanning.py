"""Scanning a box on arrival: every scan is kept at once; signing for the box then counts what was kept."""

from xueka.contexts.logistics.domain.transitions import IN_TRANSIT
from xueka.contexts.logistics.models import Box, Scan
from xueka.contexts.logistics.queries import box as find_box
from xueka.contexts.logistics.services.receiving import Receipt, compare, receive_box
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound, Refused
from xueka.platform.identity.actor import Actor

_LONGEST = 32


def scan(actor: Actor, box_number: str, code: str, *, damaged: bool = False) -> bool:
    """Keep one scan; False where it was kept before. `damaged` marks the card, also one kept before.

    Raises Refused `BOX_NOT_IN_TRANSIT` for a box that cannot be received now, BadInput `SCAN_UNREADABLE`.
    """
    box = _open_box(actor, box_number)
    code = code.strip()
    if not code or len(code) > _LONGEST:
        raise BadInput(
            "SCAN_UNREADABLE",
            "没有读到卡号。",
            found=code[:40],
            expected="12 位学生卡号",
            action="请再扫一次。",
        )
    kept, new = Scan.objects.get_or_create(
        box=box, code=code, defaults={"at": clock.now(), "by": actor.username, "is_damaged": damaged}
    )
    if damaged and not kept.is_damaged:
        Scan.objects.filter(id=kept.id).update(is_damaged=True)
    return new


def unscan(actor: Actor, box_number: str, code: str) -> None:
    """Take a scan back: it was made by mistake, or the card is not damaged after all and is scanned again."""
    if not Scan.objects.filter(box=_open_box(actor, box_number), code=code.strip()).delete()[0]:
        raise NotFound("SCAN_NOT_FOUND", "没有这条扫描记录。", found=code)


def scans(box: Box) -> list[Scan]:
    """What was scanned, in the order of scanning."""
    return list(box.scans.order_by("id"))


def compare_scans(actor: Actor, box_number: str) -> Receipt:
    """The box's contents beside what was scanned so far; changes nothing."""
    kept = scans(find_box(actor.scope, box_number))
    return compare(
        actor, box_number, [each.code for each in kept], [each.code for each in kept if each.is_damaged]
    )


def sign(actor: Actor, box_number: str) -> Receipt:
    """Receive the box with what was scanned. Raises Refused `NOTHING_SCANNED` where that is nothing."""
    box = _open_box(actor, box_number)
    kept = scans(box)
    if not kept:
        raise Refused("NOTHING_SCANNED", "还没有扫描任何一张卡，不能签收。", action="请逐张扫描箱内的卡。")
    return receive_box(
        actor, box.number, [each.code for each in kept], [each.code for each in kept if each.is_damaged]
    )


def _open_box(actor: Actor, box_number: str) -> Box:
    actor.require("school:delivery:receive")
    find_box(actor.scope, box_number)
    box = Box.objects.visible_to(actor.scope).select_for_update().get(number=box_number.strip())
    if box.state != IN_TRANSIT:
        raise Refused(
            "BOX_NOT_IN_TRANSIT", f"卡箱 {box.number} 不在运输中，不能收货。", action="请刷新页面。"
        )
    return box
