"""Reads. Every one takes a scope; lists are paged by key, never by offset, along an index."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import QuerySet

from xueka.contexts.registry.domain.transitions import OPEN
from xueka.contexts.registry.domain.vocabulary import ID_TYPES, id_key
from xueka.contexts.registry.importing.preparing import ID_KIND, PHONE_KIND
from xueka.contexts.registry.models import (
    Enrolment,
    ImportRun,
    School,
    SchoolClass,
    Student,
    StudentChange,
    Transfer,
)
from xueka.contexts.registry.naming import named
from xueka.contexts.registry.paging import Page, page
from xueka.contexts.registry.services.locking import no_student
from xueka.kernel.errors import NotFound
from xueka.kernel.identifiers import clean_id, clean_phone
from xueka.kernel.text import normalise
from xueka.platform.crypto.fields import blind_index, blind_index_many
from xueka.platform.identity.scope import Scope

_BY_CLASS = ("school_id", "school_class_id", "sort_key", "id")
_BY_NAME = ("name", "id")


def students(
    scope: Scope,
    *,
    school: int | None = None,
    school_class: int | None = None,
    search: str = "",
    status: str = "",
    after: str | None = None,
    limit: int = 50,
) -> Page[Student]:
    """Students by school, class and pinyin; `search`: education ID, ID number, phone, part of the name.

    `school` and `school_class` are ids. Rows carry `school` and `school_class`. An ID number or phone must be
    whole: it is found by its blind index. Raises BadInput `CURSOR_INVALID`.
    """
    rows = Student.objects.select_related("school", "school_class")
    chosen = _schools_of(scope, school, school_class)
    if chosen is not None:
        rows = rows.filter(school_id=chosen[0]) if len(chosen) == 1 else rows.filter(school_id__in=chosen)
    if school_class is not None:
        rows = rows.filter(school_class_id=school_class)
    if status:
        rows = rows.filter(status=status)
    text = normalise(search)
    if not text:
        return page(rows, _BY_CLASS, after, limit)
    if any(char.isdigit() for char in text):
        return page(rows.filter(id__in=_by_number(text)), _BY_CLASS, after, limit)
    return page(named(rows, text), _BY_NAME, after, limit)


def students_named(scope: Scope, text: str, limit: int) -> list[Student]:
    """The first few whose name begins with `text`, then those who have it elsewhere in their name."""
    rows = Student.objects.visible_to(scope).select_related("school", "school_class")
    text = normalise(text)
    found = list(rows.filter(name__startswith=text).order_by(*_BY_NAME)[:limit])
    if len(found) < limit and len(text) > 1:
        elsewhere = named(rows, text).exclude(name__startswith=text)
        found += elsewhere.order_by(*_BY_NAME)[: limit - len(found)]
    return found


def student(scope: Scope, key: int | str) -> Student:
    """One student by id (int) or education ID (str). Raises NotFound `STUDENT_NOT_FOUND`."""
    named = {"id": key} if isinstance(key, int) else {"education_id": normalise(key)}
    found = (
        Student.objects.visible_to(scope).select_related("school__district", "school_class").filter(**named)
    )
    if (student := found.first()) is None:
        raise no_student()
    return student


def find_by_id_number(scope: Scope, id_number: str) -> Student | None:
    """The student with this identity document, of whatever kind, if the scope shows her."""
    ids = list(by_document(id_number).values_list("id", flat=True))
    rows = Student.objects.visible_to(scope).select_related("school", "school_class").filter(id__in=ids)
    return next(iter(rows), None) if ids else None


def schools(
    scope: Scope,
    *,
    district: str = "",
    search: str = "",
    after: str | None = None,
    limit: int = 50,
) -> Page[School]:
    """Schools and campuses by code; `search` is a code's beginning or a part of the name."""
    rows = School.objects.visible_to(scope).select_related("district", "main_school")
    if district:
        rows = rows.filter(district_id=district)
    text = normalise(search)
    if text.isascii() and text.isdigit():
        rows = rows.filter(code__startswith=text)
    elif text:
        rows = rows.filter(name__contains=text)
    return page(rows, ("code",), after, limit)


def school(scope: Scope, key: int | str) -> School:
    """One school by id (int) or school identification code (str). Raises NotFound `SCHOOL_NOT_FOUND`."""
    named = {"id": key} if isinstance(key, int) else {"code": normalise(key)}
    found = School.objects.visible_to(scope).select_related("district", "main_school").filter(**named).first()
    if found is None:
        raise NotFound("SCHOOL_NOT_FOUND", "没有找到这所学校。", action="请核对学校标识码。")
    return found


def open_schools(scope: Scope) -> dict[str, str]:
    """The district code of each open school, by school identification code."""
    return dict(School.objects.visible_to(scope).filter(is_open=True).values_list("code", "district_id"))


def school_names(codes: Collection[str]) -> dict[str, str]:
    """Names by code, for lists that hold codes; the caller has found the codes inside its scope."""
    return dict(School.objects.filter(code__in=codes).values_list("code", "name"))


def all_school_names() -> dict[str, str]:
    """Every school's name by its code, for lists of people who see many."""
    return dict(School.objects.values_list("code", "name"))


def classes(scope: Scope, school: int) -> list[SchoolClass]:
    """The classes of a school (id) by stage and grade; none where the scope does not show the school."""
    visible = School.objects.visible_to(scope).filter(id=school)
    found = SchoolClass.objects.filter(school__in=visible).order_by("stage", "grade", "name")
    order = {"小学": 0, "初中": 1, "高中": 2}
    return sorted(found, key=lambda one: (order[one.stage], one.grade, _natural(one.name)))


def transfers(
    scope: Scope, *, state: str = OPEN, after: str | None = None, limit: int = 50
) -> Page[Transfer]:
    """Transfers that concern the scope on either side, oldest first; an empty `state` means all."""
    rows = Transfer.objects.visible_to(scope).select_related(
        "student", "from_school__district", "to_school__district", "to_class"
    )
    return page(rows.filter(state=state) if state else rows, ("id",), after, limit)


@dataclass(frozen=True, slots=True)
class Stay:
    """One enrolment; `to_date` and `ended_by` are None for the present one."""

    school: School
    school_class: SchoolClass
    status: str
    from_date: date
    to_date: date | None
    ended_by: str | None


def enrolments(scope: Scope, student_id: int) -> list[Stay]:
    """A student's enrolments, the present one last. Raises NotFound `STUDENT_NOT_FOUND`."""
    present = student(scope, student_id)
    past = Enrolment.objects.filter(student=present).select_related("school", "school_class").order_by("id")
    stays = [
        Stay(one.school, one.school_class, one.status, one.from_date, one.to_date, one.reason) for one in past
    ]
    now = Stay(present.school, present.school_class, present.status, present.enrolled_from, None, None)
    return [*stays, now]


def changes(scope: Scope, student_id: int) -> list[StudentChange]:
    """Which files changed a student, oldest first, each with its `run`. Raises NotFound."""
    return list(
        StudentChange.objects.filter(student=student(scope, student_id)).select_related("run").order_by("id")
    )


def newest_changes(scope: Scope, student_id: int, most: int) -> list[StudentChange]:
    """The same, newest first and bounded, each with its `run` and the run's `fetches`: those of a run that
    came in by REST.
    """
    rows = StudentChange.objects.filter(student=student(scope, student_id)).select_related("run")
    return list(rows.defer("run__report").prefetch_related("run__fetches").order_by("-id")[:most])


def import_runs(
    scope: Scope, *, kind: str = "", before: int | None = None, limit: int = 50
) -> list[ImportRun]:
    """Imports, the newest first, without their reports (`import_run` has them); `before` is an id to go on
    from. Only the city imports, so that districts and schools see none."""
    rows = ImportRun.objects.visible_to(scope).defer("report")
    if kind:
        rows = rows.filter(kind=kind)
    if before is not None:
        rows = rows.filter(id__lt=before)
    return list(rows.order_by("-id")[:limit])


def import_run(scope: Scope, run_id: int) -> ImportRun:
    """One import with its report. Raises NotFound `IMPORT_NOT_FOUND`, for districts and schools always."""
    found = ImportRun.objects.visible_to(scope).filter(id=run_id).first()
    if found is None:
        raise NotFound("IMPORT_NOT_FOUND", "没有找到这次导入。")
    return found


def _schools_of(scope: Scope, school: int | None, school_class: int | None) -> Sequence[int] | None:
    """The schools to look in; None is the whole city. One that the scope does not show gives none."""
    visible = School.objects.visible_to(scope)
    if school_class is not None:
        visible = visible.filter(classes=school_class)
    if school is not None:
        visible = visible.filter(id=school)
    elif school_class is None and scope.level in ("system", "city"):
        return None
    return list(visible.order_by("id").values_list("id", flat=True))


def by_document(id_number: str) -> QuerySet[Student]:
    """Whoever has this identity document, of whatever kind; the caller keeps the scope."""
    return Student.objects.filter(id_index__in=_document_indexes(id_number))


def by_phone(phone: str) -> QuerySet[Student]:
    """Whoever's guardian has this mobile number; the caller keeps the scope."""
    return Student.objects.filter(phone_index=blind_index(PHONE_KIND, clean_phone(phone)))


def _by_number(text: str) -> list[int]:
    """Who has this number: education ID, identity document or guardian's phone. Every one is an index."""
    found = set(Student.objects.filter(education_id=text).values_list("id", flat=True))
    found.update(by_document(text).values_list("id", flat=True))
    found.update(by_phone(text).values_list("id", flat=True))
    return sorted(found)


def _document_indexes(id_number: str) -> list[bytes]:
    number = clean_id(id_number)
    return blind_index_many(ID_KIND, [id_key(kind, number) for kind in ID_TYPES])


def _natural(name: str) -> tuple[int, str]:
    """10班 after 9班."""
    digits = "".join(char for char in name if char.isascii() and char.isdigit())
    return (int(digits) if digits else 0, name)
