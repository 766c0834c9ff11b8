"""A job of the school year from the wish to the result: made, previewed, agreed, carried out, taken back."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from xueka.contexts.registry import api as registry
from xueka.contexts.schoolyear.configuration import rules
from xueka.contexts.schoolyear.domain import rules as r
from xueka.contexts.schoolyear.domain.transitions import (
    CANCELLED,
    DONE,
    DRAFT,
    RUNNING,
    TAKEN_BACK,
    TAKING_BACK,
    YEAR_JOB,
)
from xueka.contexts.schoolyear.models import Job, Piece
from xueka.contexts.schoolyear.services import steps
from xueka.contexts.schoolyear.services.parameters import pieces_of, read_parameters
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.kernel.text import normalise
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import second_person

REASON_LIMIT = 200
AT_ONCE = 3
"""So few schools are previewed while the person waits; more are left to the sweep."""


def create_job(
    actor: Actor,
    kind: str,
    level: str,
    place: str = "",
    parameters: Mapping[str, Any] | None = None,
    reason: str = "",
) -> Job:
    """Make a job of a kind (KINDS) for the city, a district or a school (by code), and begin its preview.

    Raises BadInput for a kind, place or parameter that makes no sense, Forbidden where the actor's reach
    ends. Needs `city:year:manage`, `district:year:manage` or `school:year:manage`, by the level.
    """
    if kind not in r.KINDS or level not in r.LEVEL_PERMISSION:
        raise BadInput("YEAR_KIND", "没有这种作业。", found=f"{kind} {level}", expected="、".join(r.KINDS))
    actor.require(r.LEVEL_PERMISSION[level])
    if kind not in r.SCHOOL_KINDS and level != "city":
        raise Refused("YEAR_CITY_ONLY", f"{r.KINDS[kind]}由市级办理。", action="请联系市级运营。")
    district, school = _place(actor, level, place)
    job = Job(
        kind=kind,
        school_year=r.school_year(clock.today(), rules().season_begins),
        level=level,
        district_id=district,
        school=school,
        parameters=read_parameters(actor, kind, school, parameters or {}),
        state=YEAR_JOB.initial,
        reason=normalise(reason)[:REASON_LIMIT],
        created_by=actor.username,
        created_at=clock.now(),
    )
    schools = list(pieces_of(job).values_list("id", flat=True))
    if not schools:
        raise Refused("YEAR_NOTHING", "没有要办的学校。", action="请核对范围；学生由学籍名册导入。")
    job.number = f"tmp-{actor.username}-{clock.now().timestamp()}"[:20]
    job.save()
    job.number = f"XN{clock.today():%y}-{job.id:05d}"
    job.save(update_fields=["number"])
    Piece.objects.bulk_create(
        (Piece(job=job, school_id=id_, kind=kind, school_year=job.school_year) for id_ in schools),
        batch_size=2000,
    )
    begin(YEAR_JOB, [job.id], actor, detail={"kind": kind})
    record(actor, "year.create", "year_job", job.number, detail={"kind": kind, "schools": len(schools)})
    if len(schools) <= AT_ONCE:
        preview_now(job)
    return job


def preview_now(job: Job) -> None:
    """Work out the whole preview without waiting for the sweep."""
    while job.state == DRAFT and steps.advance(job.id):
        job.refresh_from_db()


def confirm_job(actor: Actor, number: str) -> Job:
    """Agree to what the preview shows; from here on the sweep carries it out.

    Raises Refused `SECOND_PERSON` where somebody else than who made it has to agree, `YEAR_NOTHING` where
    the preview found nothing to do.
    """
    job = _lock(actor, number)
    YEAR_JOB.target("confirm", job.state)
    if needs_another(job):
        second_person(actor, job.created_by, "这项作业要由另一个人确认。", action="请另一位同级人员确认。")
    if not job.pieces.filter(state="planned").exists():
        raise Refused("YEAR_NOTHING", "没有可以办的内容。", action="请看预览里的原因，处理后重新预览。")
    apply(YEAR_JOB, Job, [job.id], "confirm", actor)
    _set(job, confirmed_by=actor.username, confirmed_at=clock.now())
    record(actor, "year.confirm", "year_job", job.number)
    return job


def replan_job(actor: Actor, number: str) -> Job:
    """Preview again: students, boxes or choices have changed since."""
    job = _lock(actor, number)
    apply(YEAR_JOB, Job, [job.id], "replan", actor)
    job.pieces.update(state="waiting", error="")
    job.refresh_from_db()
    if job.pieces.count() <= AT_ONCE:
        preview_now(job)
    return job


def cancel_job(actor: Actor, number: str) -> Job:
    """Drop a job that has not begun to run."""
    job = _lock(actor, number)
    apply(YEAR_JOB, Job, [job.id], "cancel", actor)
    job.refresh_from_db()
    record(actor, "year.cancel", "year_job", job.number)
    return job


def resume_job(actor: Actor, number: str) -> Job:
    """Try the schools again that failed."""
    job = _lock(actor, number)
    YEAR_JOB.target("resume", job.state)
    if not job.pieces.filter(state="failed", planned__gt=0).update(state="planned", error=""):
        raise Refused("YEAR_NOTHING_FAILED", "没有办理失败的学校。")
    apply(YEAR_JOB, Job, [job.id], "resume", actor)
    job.refresh_from_db()
    return job


def take_back_job(actor: Actor, number: str, reason: str) -> Job:
    """Undo a job, also one that is running: what was done is restored, the rest does not happen. Where a
    school could not be restored, the job is done as before and may be taken back again.

    Raises BadInput `REASON_MISSING`; Refused `YEAR_TOO_LATE` after the stated day, `YEAR_DEPENDENT` while a
    later job stands on it.
    """
    job = _lock(actor, number)
    YEAR_JOB.target("undo", job.state)
    reason = normalise(reason)[:REASON_LIMIT]
    if not reason:
        raise BadInput("REASON_MISSING", "请写明撤回的理由。", expected="一句话的理由")
    if problem := why_not_back(job):
        raise problem
    apply(YEAR_JOB, Job, [job.id], "undo", actor, reason=reason)
    job.pieces.filter(state="done").update(error="", tried_back=False)
    _set(job, taken_back_by=actor.username)
    record(actor, "year.take_back", "year_job", job.number, detail={"reason": reason})
    return job


def why_not_back(job: Job) -> Refused | None:
    """Why a job cannot be taken back as a whole, or None."""
    if job.undo_until is not None and clock.today() > job.undo_until:
        return Refused(
            "YEAR_TOO_LATE",
            f"已过撤回期限（{job.undo_until}）。",
            found=str(clock.today()),
            expected=f"{job.undo_until} 以前",
            action="请用新的作业或逐个更正。",
        )
    if later := dependent_on(job).first():
        return Refused(
            "YEAR_DEPENDENT",
            f"后来的作业 {later.number}（{r.KINDS[later.kind]}）建立在它之上。",
            found=later.number,
            action=f"请先撤回 {later.number}。",
        )
    return None


def dependent_on(job: Job) -> QuerySet[Job]:
    """Later jobs that moved, renamed or ended the same schools, or prepared exchanges because of it."""
    schools = Piece.objects.filter(job=job).values("school")
    touching = Piece.objects.filter(school__in=schools, job_id__gt=job.id).exclude(kind=r.EXCHANGE)
    because = Job.objects.filter(kind=r.EXCHANGE, parameters__of_job=job.number).exclude(
        state__in=[CANCELLED, TAKEN_BACK]
    )
    acted = Job.objects.filter(
        id__in=touching.filter(state__in=["done", "failed"]).values("job"),
        state__in=[RUNNING, DONE, TAKING_BACK],
    )
    return (acted | because.filter(state__in=[RUNNING, DONE])).order_by("-id")


def visible_job(actor: Actor, number: str) -> Job:
    """One job that the actor may manage. Raises NotFound `YEAR_JOB_NOT_FOUND`."""
    found = Job.objects.visible_to(actor.scope).filter(number=number).first()
    if found is None:
        raise no_job(number)
    return found


def no_job(number: str) -> NotFound:
    return NotFound("YEAR_JOB_NOT_FOUND", "没有这项作业。", found=number)


def may_manage(actor: Actor, found: Job) -> bool:
    """Whether a job lies in the reach of this person; others may only look."""
    return actor.may(r.LEVEL_PERMISSION[found.level]) and actor.scope.covers(
        district=found.district_id or "", school=found.school.code if found.school else ""
    )


def needs_another(found: Job) -> bool:
    """Whether somebody else than who made the job has to confirm it."""
    kinds, levels = rules().second_person_kinds, rules().second_person_levels
    return r.needs_second_person(found.kind, found.level, kinds, levels)


def _lock(actor: Actor, number: str) -> Job:
    found = visible_job(actor, number)
    actor.require(r.LEVEL_PERMISSION[found.level])
    if not may_manage(actor, found):
        raise Forbidden("YEAR_OTHER_REACH", "这项作业不由您这一级办理。", found=str(actor.scope))
    return Job.objects.select_for_update(of=("self",)).get(id=found.id)


def _set(job: Job, **values: object) -> None:
    Job.objects.filter(id=job.id).update(**values)
    job.refresh_from_db()


def _place(actor: Actor, level: str, place: str) -> tuple[str | None, registry.School | None]:
    if level == "city":
        return None, None
    if level == "district":
        if not actor.scope.covers(district=place, school=""):
            raise Forbidden("YEAR_OTHER_REACH", "不是您负责的区。", found=place)
        if not registry.District.objects.filter(code=place).exists():
            raise BadInput("DISTRICT_UNKNOWN", "没有这个区。", found=place, expected="六位区代码")
        return place, None
    school = registry.school(actor.scope, place)
    return school.district_id, school
