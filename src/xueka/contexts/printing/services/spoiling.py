"""Plastic that is thrown away: on record with its card, its chip and the job that printed it, and out of the
stock of blanks.
"""

from xueka.contexts.cards import api as cards
from xueka.contexts.numbers import api as numbers
from xueka.contexts.printing.domain.printing import SPOIL_REASONS
from xueka.contexts.printing.domain.transitions import HANDED_OVER, PRINT_JOB, PRINTED, QUEUED, UNKNOWN
from xueka.contexts.printing.models import Printer, PrintJob, Spoil
from xueka.contexts.printing.services import printers
from xueka.contexts.printing.services.jobs import ISSUE, reason_of
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor


def spoil_plastic(
    actor: Actor,
    printer_id: int,
    reason: str,
    note: str = "",
    *,
    card_id: int | None = None,
    plastic: str = "",
) -> Spoil:
    """A plastic is thrown away at a printer; a blank of a lot leaves the stock with it.

    Raises Refused `PLASTIC_SPOILT` where it is on record already, `PRINT_OPEN` while it is in a printer.
    """
    actor.require(ISSUE)
    printer = Printer.objects.visible_to(actor.scope).filter(pk=printer_id).first()
    if printer is None:
        raise printers.printer_not_found()
    reason, note = reason_of(reason, note, SPOIL_REASONS, needed=True)
    plastic = plastic.strip().upper()
    if is_spoilt(plastic):
        raise Refused("PLASTIC_SPOILT", "这张卡片已经登记为废卡。", found=plastic)
    job = _last_job(actor, card_id) if card_id is not None else None
    return _keep(actor, printer, card_id, job, plastic, reason, note)


def count_spoilt(actor: Actor, agent: str, card_id: int, plastic: str, note: str) -> Spoil | None:
    """The line itself gave up a plastic at this agent's reader: it is counted at the agent's printer.

    Once for a plastic. An agent without a printer has no box of spoilt cards: there it only leaves the stock.
    """
    plastic = plastic.strip().upper()
    printer = Printer.objects.filter(agent=agent).order_by("-is_open", "id").first()
    if printer is None or not plastic or is_spoilt(plastic):
        numbers.spoil_chip(plastic, note)
        return None
    return _keep(actor, printer, card_id, None, plastic, "chip", note.strip()[:200])


def is_spoilt(plastic: str) -> bool:
    """Whether the plastic with this chip was thrown away."""
    return bool(plastic) and Spoil.objects.filter(plastic=plastic.strip().upper()).exists()


def _last_job(actor: Actor, card_id: int) -> PrintJob | None:
    card = cards.card(actor.scope, card_id)
    job = PrintJob.objects.filter(card=card).order_by("-number").first()
    if job is not None and job.state in (*HANDED_OVER, UNKNOWN):
        raise Refused(
            "PRINT_OPEN",
            "这张卡的打印还没有结果。",
            found=PRINT_JOB.state(job.state).label,
            action="请等打印结束；结果不明的，先看卡再登记结果。",
        )
    if job is not None and job.state == QUEUED:
        apply(PRINT_JOB, PrintJob, [job.pk], "cancel", actor)
    return None if job is None or Spoil.objects.filter(job=job).exists() else job


def _keep(
    actor: Actor,
    printer: Printer,
    card_id: int | None,
    job: PrintJob | None,
    plastic: str,
    reason: str,
    note: str,
) -> Spoil:
    made = Spoil.objects.create(
        printer=printer,
        card_id=card_id,
        job=job,
        plastic=plastic,
        reason=reason,
        note=note,
        at=clock.now(),
        by=actor.username,
    )
    said = "：".join(part for part in (SPOIL_REASONS[reason], note) if part)
    numbers.spoil_chip(plastic, said)
    if job is None or job.state != PRINTED:  # what came out printed was counted then
        printers.throw_away(printer, actor.username, f"废卡 {plastic} {said}".replace("  ", " "))
    detail = {"reason": reason, "note": note, "plastic": plastic}
    record(actor, "plastic.spoil", "printer", printer.pk, detail=detail)
    return made
