"""Print jobs: asked for by a person, carried out by an agent, settled by a person where nobody knows.

Nothing is ever printed twice silently. A job goes to an agent once; when it is not heard of again it becomes
`unknown`, and another print of the card needs the answer of somebody who has looked, and a reason.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings

from xueka.contexts.cards import api as cards
from xueka.contexts.printing.adapters.templates import template
from xueka.contexts.printing.domain.printing import REPRINT_REASONS, SPOIL_REASONS
from xueka.contexts.printing.domain.transitions import (
    FAILED,
    HANDED_OVER,
    OPEN,
    PRINT_JOB,
    PRINTED,
    QUEUED,
    REPORTS,
    UNKNOWN,
)
from xueka.contexts.printing.models import Printer, PrintJob, Spoil
from xueka.contexts.printing.services import faces, printers
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound, Refused, XuekaError
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor

ISSUE = "district:card:issue"
WORKER = Actor.system("printing")


@dataclass(frozen=True, slots=True)
class PrintWork:
    """What an agent gets. `printer` is the agent's own name for it."""

    job: int
    printer: str
    uri: str
    media_type: str
    document: bytes
    copies: int
    title: str


def request_print(
    actor: Actor, card_id: int, printer_id: int, *, plastic: str = "", reason: str = "", note: str = ""
) -> PrintJob:
    """Queue the face of a card that is made at a counter. Drawn once now, so that what cannot be printed is
    refused before plastic is touched.

    `reason` (REPRINT_REASONS) is needed from the second job of a card on. Raises NotFound, Refused
    `CARD_NOT_AT_COUNTER`, `PRINT_OPEN`, `PLASTIC_PRINTED`, what drawing refuses, BadInput without a reason.
    """
    actor.require(ISSUE)
    card = cards.being_issued(actor, card_id)
    printer = Printer.objects.visible_to(actor.scope).filter(pk=printer_id).first()
    if printer is None:
        raise printers.printer_not_found()
    if not printer.is_open:
        raise Refused("PRINTER_CLOSED", f"{printer.name} 已停用。", action="请换一台打印机。")
    before = list(PrintJob.objects.filter(card=card_id).order_by("number").values_list("number", "state"))
    if any(state in OPEN for _, state in before):
        raise Refused(
            "PRINT_OPEN",
            "这张卡已有一个没有结果的打印任务。",
            found=PRINT_JOB.state(before[-1][1]).label,
            action="请等它结束；结果不明的，先看卡再登记结果。",
        )
    plastic = plastic.strip().upper()
    if plastic and PrintJob.objects.filter(plastic=plastic, state=PRINTED).exists():
        raise Refused(
            "PLASTIC_PRINTED",
            "这张卡片上已经印过卡面。",
            found=plastic,
            action="请换一张空白卡，或核对卡面。",
        )
    reason, note = _reason(reason if before else "", note, REPRINT_REASONS, needed=bool(before))
    card = cards.card(actor.scope, card_id)
    faces.pictures(faces.face(actor, card))
    chosen = template(card.kind.face_template)
    made = PrintJob.objects.create(
        card=card,
        number=len(before) + 1,
        printer=printer,
        state=PRINT_JOB.initial,
        state_at=clock.now(),
        template=chosen.code,
        version=chosen.version,
        plastic=plastic,
        reason=reason,
        note=note,
        asked_at=clock.now(),
        asked_by=actor.username,
    )
    begin(PRINT_JOB, [made.pk], actor)
    record(
        actor,
        "print.request",
        "card",
        card.number,
        detail={"printer": printer.name, "number": made.number, "reason": reason, "note": note},
    )
    return made


def cancel_print(actor: Actor, job_id: int) -> None:
    """Take back a job that no agent has."""
    found = _visible(actor, job_id)
    apply(PRINT_JOB, PrintJob, [found.pk], "cancel", actor)
    record(actor, "print.cancel", "card", found.card.number)


def settle_print(actor: Actor, job_id: int, printed: bool, note: str = "") -> PrintJob:
    """Somebody has looked at the card of an `unknown` job: the face is on it, or it is not."""
    found = _visible(actor, job_id)
    to = PRINTED if printed else FAILED
    apply(PRINT_JOB, PrintJob, [found.pk], "settle", actor, to=to, reason=note.strip()[:200])
    if printed:
        printers.use(found, actor)
    record(actor, "print.settle", "card", found.card.number, detail={"result": to, "note": note.strip()})
    found.refresh_from_db()
    return found


def spoil_plastic(
    actor: Actor,
    printer_id: int,
    reason: str,
    note: str = "",
    *,
    card_id: int | None = None,
    plastic: str = "",
) -> Spoil:
    """A plastic is thrown away: on record with its card, its chip and the last job that printed it.

    Raises Refused `PLASTIC_SPOILT` where it is on record already, `PRINT_OPEN` while it is in a printer.
    """
    actor.require(ISSUE)
    printer = Printer.objects.visible_to(actor.scope).filter(pk=printer_id).first()
    if printer is None:
        raise printers.printer_not_found()
    reason, note = _reason(reason, note, SPOIL_REASONS, needed=True)
    plastic = plastic.strip().upper()
    if plastic and Spoil.objects.filter(plastic=plastic).exists():
        raise Refused("PLASTIC_SPOILT", "这张卡片已经登记为废卡。", found=plastic)
    job = None
    if card_id is not None:
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
        if job is not None and Spoil.objects.filter(job=job).exists():
            job = None
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
    record(
        actor,
        "plastic.spoil",
        "printer",
        printer.pk,
        detail={"reason": reason, "note": note, "plastic": plastic},
    )
    return made


def next_job(agent: str) -> PrintWork | None:
    """The oldest job of the agent's printers, handed over: from now on it is `sent`, whatever happens.

    For the transaction of the agent's request. One job at a time in a printer. A job that cannot be drawn any
    more fails and says why.
    """
    waiting = PrintJob.objects.filter(state=QUEUED, printer__agent=agent, printer__is_open=True)
    busy = PrintJob.objects.filter(state__in=HANDED_OVER).values("printer")
    rows = waiting.exclude(printer__in=busy).select_related("printer").order_by("id")
    for job in rows.select_for_update(of=("self", "printer"), skip_locked=True):
        if PrintJob.objects.filter(printer=job.printer_id, state__in=HANDED_OVER).exists():
            continue
        try:
            document = _document(job)
        except XuekaError as error:
            _move(job, "fail", error.message)
            continue
        _move(job, "send", "")
        PrintJob.objects.filter(pk=job.pk).update(sent_at=clock.now())
        printer = job.printer
        return PrintWork(
            job.pk, printer.device, printer.uri, printer.media_type, document, 1, job.card.number
        )
    return None


def report(agent: str, job_id: int | str, state: str, message: str = "") -> str:
    """What an agent says of a job: printing, printed, failed or unknown. Returns the state it is in then.

    The same said again changes nothing. What comes too late – the job is over, or a person is to settle it –
    is kept beside it and decides nothing. Raises NotFound `JOB_UNKNOWN`, BadInput for another word.
    """
    if state not in REPORTS:
        raise BadInput("PRINT_STATE", "打印结果的写法不对。", found=state, expected="、".join(REPORTS))
    job = None
    if str(job_id).isdecimal() and len(str(job_id)) <= 18:
        rows = PrintJob.objects.select_for_update(of=("self",)).select_related("printer")
        job = rows.filter(pk=int(job_id), printer__agent=agent).first()
    if job is None:
        raise NotFound("JOB_UNKNOWN", "没有这个打印任务。", found=str(job_id))
    if job.state == state:
        return state
    if job.state not in HANDED_OVER or (state == "printing" and job.state != "sent"):
        late = f"{PRINT_JOB.state(state).label}：{message}" if message else PRINT_JOB.state(state).label
        PrintJob.objects.filter(pk=job.pk).update(late=late[:200])
        return job.state
    _move(job, REPORTS[state], message)
    if state == PRINTED:
        printers.use(job, WORKER)
    return state


def lose_silent() -> int:
    """Jobs whose agent has not been heard of for PRINT_SILENCE seconds are unknown. Returns how many."""
    before = clock.now() - timedelta(seconds=settings.PRINT_SILENCE)
    silent = PrintJob.objects.filter(state__in=HANDED_OVER, state_at__lt=before)
    found = list(silent.select_for_update(skip_locked=True).order_by("id"))
    for job in found:
        _move(job, "lose", "代理没有消息")
    return len(found)


def _document(job: PrintJob) -> bytes:
    card = cards.card(WORKER.scope, job.card_id)
    if card.state != cards.ISSUING:
        raise Refused("CARD_NOT_AT_COUNTER", "这张卡已不在柜台制卡中。")
    _, contents = faces.face(WORKER, card)
    return faces.document((template(job.template, job.version), contents))


def _move(job: PrintJob, event: str, message: str) -> None:
    message = message.strip()[:200]
    apply(PRINT_JOB, PrintJob, [job.pk], event, WORKER, reason=message)
    PrintJob.objects.filter(pk=job.pk).update(message=message)


def _visible(actor: Actor, job_id: int) -> PrintJob:
    rows = PrintJob.objects.visible_to(actor.scope).select_related("printer", "card")
    found = rows.select_for_update(of=("self",)).filter(pk=job_id).first()
    if found is None:
        raise NotFound("JOB_NOT_FOUND", "没有这个打印任务。", action="请刷新页面。")
    return found


def _reason(code: str, note: str, known: dict[str, str], *, needed: bool) -> tuple[str, str]:
    note = note.strip()[:200]
    if not needed:
        return "", note
    if code not in known:
        raise BadInput("REASON_MISSING", "请选择理由。", where="理由", expected="、".join(known.values()))
    if code == "other" and not note:
        raise BadInput("REASON_MISSING", "请写明理由。", where="说明")
    return code, note
