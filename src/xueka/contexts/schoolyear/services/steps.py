"""The next step of a job: one school planned, carried out or restored, or the job's own next state.

One transaction each, under the lock of the job. Killed at any point, the step did not happen; the next sweep
does it. A school in which a step fails is named on the page and keeps no other waiting.
"""

from collections.abc import Callable
from datetime import timedelta

import structlog
from django.db import transaction

from xueka.contexts.schoolyear.configuration import rules
from xueka.contexts.schoolyear.domain.transitions import (
    CONFIRMED,
    DONE,
    DRAFT,
    RUNNING,
    TAKEN_BACK,
    TAKING_BACK,
    YEAR_JOB,
)
from xueka.contexts.schoolyear.models import Job, Piece
from xueka.contexts.schoolyear.services import planning, running, undoing
from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor

log = structlog.get_logger("xueka.schoolyear")

WORKER = Actor.system("worker")
WORKED = (DRAFT, CONFIRMED, RUNNING, TAKING_BACK)
"""States in which the system has something to do."""

_BROKEN = "系统出错，技术人员可在日志中查到；这所学校没有任何改动。"


def advance(job_id: int) -> bool:
    """Do the next step of a job; False where there is none for the system."""
    with transaction.atomic():
        job = Job.objects.select_for_update().get(id=job_id)
        if job.state not in WORKED:
            return False
        if job.state == CONFIRMED:
            apply(YEAR_JOB, Job, [job.id], "start", WORKER)
            Job.objects.filter(id=job.id).update(started_at=clock.now())
            return True
        act, states = _ACTS[job.state]
        piece = _next(job, states)
        if piece is None:
            _ENDS[job.state](job)
            return True
        _try(act, piece)
        return True


def _next(job: Job, states: tuple[str, ...]) -> Piece | None:
    found = Piece.objects.select_related("school__district", "job").filter(job=job, state__in=states)
    if job.state == TAKING_BACK:
        found = found.filter(tried_back=False)
    return found.order_by("id").first()


def _try(act: Callable[[Actor, Piece], None], piece: Piece) -> None:
    try:
        with transaction.atomic():
            act(WORKER, piece)
    except XuekaError as error:
        log.warning("schoolyear.piece_failed", piece=piece.id, code=error.code)
        _failed(piece, f"{error.message}{error.action or ''}")
    except Exception:  # our own mistake in one school must not keep the others waiting
        log.exception("schoolyear.piece_broken", piece=piece.id)
        _failed(piece, _BROKEN)


def _failed(piece: Piece, text: str) -> None:
    if piece.job.state == TAKING_BACK:
        Piece.objects.filter(id=piece.id).update(error=text[:300], tried_back=True)
    elif piece.job.state == DRAFT:  # an earlier preview is not to be carried out in its stead
        Piece.objects.filter(id=piece.id).update(error=text[:300], state="failed", planned=0)
    else:
        Piece.objects.filter(id=piece.id).update(error=text[:300], state="failed")


def _previewed(job: Job) -> None:
    apply(YEAR_JOB, Job, [job.id], "preview", WORKER)
    Job.objects.filter(id=job.id).update(previewed_at=clock.now())


def _finished(job: Job) -> None:
    apply(YEAR_JOB, Job, [job.id], "finish", WORKER)
    _set_finished(job)


def _set_finished(job: Job) -> None:
    Job.objects.filter(id=job.id).update(
        finished_at=clock.now(), undo_until=clock.today() + timedelta(days=rules().undo_days)
    )


def _restored(job: Job) -> None:
    """Where a school is still as the job left it, so is the job, and may be taken back again."""
    if job.pieces.filter(state="done").exists():
        job.pieces.filter(state="planned").update(state="undone")  # a job that was stopped: it never happens
        apply(YEAR_JOB, Job, [job.id], "restore", WORKER, to=DONE)
        if job.undo_until is None:
            _set_finished(job)
        return
    apply(YEAR_JOB, Job, [job.id], "restore", WORKER, to=TAKEN_BACK)
    Job.objects.filter(id=job.id).update(taken_back_at=clock.now())


_ACTS: dict[str, tuple[Callable[[Actor, Piece], None], tuple[str, ...]]] = {
    DRAFT: (planning.plan_piece, ("waiting",)),
    RUNNING: (running.run_piece, ("planned",)),
    TAKING_BACK: (undoing.undo_piece, ("done",)),
}
_ENDS: dict[str, Callable[[Job], None]] = {
    DRAFT: _previewed,
    RUNNING: _finished,
    TAKING_BACK: _restored,
}
