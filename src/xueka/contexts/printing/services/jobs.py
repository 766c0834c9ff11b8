"""Print jobs: asked for by a person, carried out by an agent, settled by a person where nobody knows.

Nothing is ever printed twice silently. A job goes to an agent once; when it is not heard of again it becomes
`unknown`, and another print of the card needs the answer of somebody who has looked, and a reason.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction

from xueka.contexts.cards import api as cards
from xueka.contexts.printing.adapters.templates import template
from xueka.contexts.printing.domain.printing import REPRINT_REASONS
from xueka.contexts.printing.domain.transitions import (
    CANCELLED,
    FAILED,
    HANDED_OVER,
    OPEN,
    PRINT_JOB,
    PRINTED,
    QUEUED,
    REPORTS,
)
from xueka.contexts.printing.models import Printer, PrintJob
from xueka.contexts.printing.services import faces, printers
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound, Refused, XuekaError
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor

ISSUE = "district:card:issue"
WORKER = Actor.system("printing")
_NOT_HERE = "这张卡已不在柜台制卡中。"


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
    reason, note = reason_of(reason if before else "", note, REPRINT_REASONS, needed=bool(before))
    card = cards.card(actor.scope, card_id)
    faces.require_printable(faces.face(actor, card))
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


def require_printed(card_id: int, plastic: str = "") -> None:
    """The face of a card is on this plastic. Raises Refused `NOT_PRINTED`."""
    job = PrintJob.objects.filter(card=card_id).exclude(state=CANCELLED).order_by("-number").first()
    if job is None or job.state != PRINTED or job.plastic != plastic.strip().upper():
        raise Refused(
            "NOT_PRINTED",
            "卡面还没有印好。",
            found=PRINT_JOB.state(job.state).label if job else "没有打印",
            action="请先打印。",
        )


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


def next_job(agent: str) -> PrintWork | None:
    """The oldest job of the agent's printers, handed over: from now on it is `sent`, whatever happens.

    One job at a time in a printer. It is drawn before anything is locked, for that takes a while, and handed
    over in a short transaction of its own if it still waits then. One that cannot be drawn any more fails
    and says why.
    """
    for job in _waiting(agent):
        document, problem = b"", ""
        try:
            document = _document(job)
        except XuekaError as error:
            problem = error.message
        with transaction.atomic():
            work = _hand_over(job.pk, document, problem)
        if work is not None:
            return work
    return None


def _waiting(agent: str) -> list[PrintJob]:
    """What may be handed over, the oldest first; nothing is locked."""
    rows = PrintJob.objects.filter(state=QUEUED, printer__agent=agent, printer__is_open=True)
    busy = PrintJob.objects.filter(state__in=HANDED_OVER).values("printer")
    return list(rows.exclude(printer__in=busy).select_related("printer").order_by("id"))


def _hand_over(job_id: int, document: bytes, problem: str) -> PrintWork | None:
    rows = PrintJob.objects.select_related("printer", "card").filter(state=QUEUED, printer__is_open=True)
    job = rows.select_for_update(of=("self", "printer"), skip_locked=True).filter(pk=job_id).first()
    if job is None or PrintJob.objects.filter(printer=job.printer_id, state__in=HANDED_OVER).exists():
        return None
    if not problem and job.card.state != cards.ISSUING:
        problem = _NOT_HERE
    if problem:
        _move(job, "fail", problem)
        return None
    _move(job, "send", "")
    PrintJob.objects.filter(pk=job.pk).update(sent_at=clock.now())
    printer = job.printer
    return PrintWork(job.pk, printer.device, printer.uri, printer.media_type, document, 1, job.card.number)


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
        raise Refused("CARD_NOT_AT_COUNTER", _NOT_HERE)
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


def reason_of(code: str, note: str, known: dict[str, str], *, needed: bool) -> tuple[str, str]:
    """Code and tidied note of a reason. Raises BadInput `REASON_MISSING`."""
    note = note.strip()[:200]
    if not needed:
        return "", note
    if code not in known:
        raise BadInput("REASON_MISSING", "请选择理由。", where="理由", expected="、".join(known.values()))
    if code == "other" and not note:
        raise BadInput("REASON_MISSING", "请写明理由。", where="说明")
    return code, note
