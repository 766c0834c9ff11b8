"""What a job of each kind is told, checked when it is made; and the schools in which it has work."""

from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import Q, QuerySet

from xueka.contexts.registry import api as registry
from xueka.contexts.schoolyear.domain import rules as r
from xueka.contexts.schoolyear.models import Job, Move, Piece
from xueka.contexts.schoolyear.services.exchanging import REASONS
from xueka.kernel.errors import BadInput
from xueka.kernel.text import normalise
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

NAME_LIMIT, CLASS_LIMIT, MOST_CLASSES = 100, 32, 40


def read_parameters(
    actor: Actor, kind: str, school: registry.School | None, given: Mapping[str, Any]
) -> dict[str, Any]:
    """The parameters as they are kept: merge {from: [code], into: code}; close {schools: [code]}; rename
    {school: code, name}; classes {names: {class id: name}}; new_classes {count}; exchange
    {reason, of_job, of_run}: after a job, or after a OneRoster run (by its id).
    """
    read = _READERS.get(kind)
    return read(actor, school, given) if read else {}


def _merge(actor: Actor, school: registry.School | None, given: Mapping[str, Any]) -> dict[str, Any]:
    sources = [registry.school(actor.scope, code).code for code in given.get("from") or []]
    into = registry.school(actor.scope, given.get("into") or "").code
    if not sources or into in sources:
        raise BadInput("YEAR_MERGE", "请写明并出的学校和并入的学校，两者不能相同。", found=into)
    return {"from": sources, "into": into}


def _close(actor: Actor, school: registry.School | None, given: Mapping[str, Any]) -> dict[str, Any]:
    found = [registry.school(actor.scope, code).code for code in given.get("schools") or []]
    if not found:
        raise BadInput("YEAR_CLOSE", "请写明要撤销的学校。", expected="学校标识码")
    return {"schools": found}


def _rename(actor: Actor, school: registry.School | None, given: Mapping[str, Any]) -> dict[str, Any]:
    code = registry.school(actor.scope, given.get("school") or "").code
    return {"school": code, "name": _text(given.get("name"), "新的学校名称", NAME_LIMIT)}


def _exchange(actor: Actor, school: registry.School | None, given: Mapping[str, Any]) -> dict[str, Any]:
    reason = given.get("reason")
    if reason not in REASONS:
        raise BadInput("YEAR_EXCHANGE", "换卡的原因不对。", found=reason, expected="、".join(REASONS))
    of_job = given.get("of_job") or None
    if of_job and not Job.objects.filter(number=of_job).exists():
        raise BadInput("YEAR_EXCHANGE", "没有这项作业。", found=of_job)
    of_run = given.get("of_run")
    if of_run is None:
        return {"reason": reason, "of_job": of_job}
    run = registry.import_run(actor.scope, int(of_run))
    if run.kind != "oneroster" or run.dry_run or run.reverted_at or of_job or reason != "data_change":
        raise BadInput("YEAR_EXCHANGE", "这次导入不能作为换卡的依据。", found=run.file_name)
    return {"reason": reason, "of_job": None, "of_run": run.id}


def _new_classes(actor: Actor, school: registry.School | None, given: Mapping[str, Any]) -> dict[str, Any]:
    text = str(given.get("count") or "")
    if not text.isdecimal() or not 1 <= int(text) <= MOST_CLASSES:
        raise BadInput("YEAR_COUNT", "班数不对。", found=text, expected=f"1–{MOST_CLASSES}")
    return {"count": int(text)}


def pieces_of(job: Job) -> QuerySet[registry.School]:
    """The schools of a job, in the order of their codes."""
    schools = registry.School.objects.order_by("code")
    told = job.parameters
    if job.kind in (r.MERGE, r.CLOSE):
        return schools.filter(code__in=told["from" if job.kind == r.MERGE else "schools"])
    if job.kind == r.RENAME:
        return schools.filter(code=told["school"])
    if job.kind == r.EXCHANGE and told["of_job"]:
        moved = Move.objects.filter(piece__job__number=told["of_job"], outcome="done")
        own = Piece.objects.filter(job__number=told["of_job"], kind=r.RENAME)
        return schools.filter(Q(id__in=moved.values("student__school")) | Q(id__in=own.values("school")))
    if job.kind == r.LEAVERS or told.get("of_run"):
        return schools.filter(id__in=_with_students(job))
    if job.level == "school":
        return schools.filter(code=job.school.code if job.school else "")
    if job.level == "district":
        schools = schools.filter(district_id=job.district_id)
    return schools.filter(is_open=True, classes__isnull=False).distinct()


def _with_students(job: Job) -> set[int]:
    if job.kind == r.LEAVERS:
        return {one.student.school_id for one in registry.may_go(Scope("city"))}
    changed = registry.printed_changes(job.parameters["of_run"]).select_related("student")
    return {one.student.school_id for one in changed}


def _classes(actor: Actor, school: registry.School | None, given: Mapping[str, Any]) -> dict[str, Any]:
    if school is None:
        raise BadInput("YEAR_CLASSES", "班级调整一次办一所学校。")
    names = given.get("names") or {}
    own = {one.id for one in registry.classes(actor.scope, school.id)}
    if not names or not all(str(key).isdecimal() and int(key) in own for key in names):
        raise BadInput("YEAR_CLASSES", "没有写明要调整的班，或不是本校的班。")
    return {"names": {str(key): _text(name, "新的班名", CLASS_LIMIT) for key, name in names.items()}}


def _text(given: object, what: str, limit: int) -> str:
    text = normalise(str(given or ""))
    if not text or len(text) > limit:
        raise BadInput("YEAR_NAME", f"请写明{what}。", found=text[:40], expected=f"1–{limit} 个字")
    return text


_READERS: dict[str, Callable[[Actor, registry.School | None, Mapping[str, Any]], dict[str, Any]]] = {
    r.MERGE: _merge,
    r.CLOSE: _close,
    r.RENAME: _rename,
    r.CLASSES: _classes,
    r.NEW_CLASSES: _new_classes,
    r.EXCHANGE: _exchange,
}
