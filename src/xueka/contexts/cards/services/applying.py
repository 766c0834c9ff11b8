"""Opening applications in bulk, and the accounts that go with them."""

from collections.abc import Sequence

from django.db.models import QuerySet

from xueka.contexts.cards.domain import applying, states
from xueka.contexts.cards.domain.bulk import BulkResult
from xueka.contexts.cards.domain.rules import ENTITLED, REASONS
from xueka.contexts.cards.domain.transitions import ACCOUNT, APPLICATION
from xueka.contexts.cards.models import Application, Card, CardAccount, CardKind, Photo
from xueka.contexts.cards.services.common import draw_ids
from xueka.contexts.cards.services.kinds import open_kind
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound
from xueka.platform.audit.services import record
from xueka.platform.history.services import begin
from xueka.platform.identity.actor import Actor


def create_applications(
    actor: Actor, student_ids: Sequence[int], kind_code: str, reason: str = "new"
) -> BulkResult:
    """Open a draft for each student, with an account where there is none and the latest photo on file.

    `done` holds application ids, `refused` student ids. Whoever may not apply is named with the reason
    and stops no other. Raises NotFound where a student is not the actor's, BadInput for an unknown reason.
    """
    kind, students = _prepare(actor, student_ids, kind_code, reason)
    accounts = _open_accounts(actor, list(students))
    applicants = _applicants(kind, students, accounts)
    result = BulkResult()
    chosen = []
    for student in students.values():
        if found := applying.judge(reason, applicants[student.id]):
            result.refused.append(found)
        else:
            chosen.append(student)
    result.done.extend(_write(actor, kind, reason, chosen, accounts))
    record(
        actor,
        "application.create",
        "card_kind",
        kind.code,
        detail={"reason": reason, "created": len(result.done), "refused": result.reasons()},
    )
    return result


def preview_create(
    actor: Actor, student_ids: Sequence[int], kind_code: str, reason: str = "new"
) -> BulkResult:
    """What `create_applications` would do; here `done` holds student ids too. Changes nothing."""
    kind, students = _prepare(actor, student_ids, kind_code, reason)
    accounts = {a.student_id: a for a in CardAccount.objects.filter(student_id__in=list(students))}
    applicants = _applicants(kind, students, accounts)
    result = BulkResult()
    for student_id, applicant in applicants.items():
        if found := applying.judge(reason, applicant):
            result.refused.append(found)
        else:
            result.done.append(student_id)
    return result


def _prepare(
    actor: Actor, student_ids: Sequence[int], kind_code: str, reason: str
) -> tuple[CardKind, dict[int, registry.Student]]:
    actor.require("school:application:submit")
    if reason not in REASONS:
        raise BadInput("REASON_UNKNOWN", "申领原因不对。", found=reason, expected="、".join(REASONS.values()))
    kind = open_kind(kind_code)
    found = (
        registry.Student.objects.visible_to(actor.scope).select_related("school").in_bulk(list(student_ids))
    )
    if len(found) < len(set(student_ids)):
        raise NotFound("STUDENT_NOT_FOUND", "没有这名学生。")
    return kind, {student_id: found[student_id] for student_id in dict.fromkeys(student_ids)}


def _open_accounts(actor: Actor, student_ids: list[int]) -> dict[int, CardAccount]:
    """The accounts of these students, locked in id order; missing ones are opened."""
    have = CardAccount.objects.filter(student_id__in=student_ids).values_list("student_id", flat=True)
    missing = sorted(set(student_ids) - set(have))
    ids = draw_ids(CardAccount, len(missing))
    CardAccount.objects.bulk_create(
        (
            CardAccount(
                id=account_id,
                number=f"ZH{account_id:010d}",
                student_id=student_id,
                state=ACCOUNT.initial,
                opened_at=clock.now(),
            )
            for account_id, student_id in zip(ids, missing, strict=True)
        ),
        batch_size=2000,
        ignore_conflicts=True,  # somebody else opened it in this moment: then theirs is the account
    )
    accounts = CardAccount.objects.filter(student_id__in=student_ids).order_by("id").select_for_update()
    found = {account.student_id: account for account in accounts}
    opened = set(ids) & {account.id for account in found.values()}
    begin(ACCOUNT, sorted(opened), actor)
    return found


def _applicants(
    kind: CardKind, students: dict[int, registry.Student], accounts: dict[int, CardAccount]
) -> dict[int, applying.Applicant]:
    open_applications = dict(
        _of_students(Application.objects.all(), "account__student_id", kind, students)
        .exclude(state__in=states.CLOSED_APPLICATION)
        .values_list("account__student_id", "number")
    )
    live = dict(
        _of_students(Card.objects.all(), "student_id", kind, students)
        .filter(state__in=states.LIVE)
        .values_list("student_id", "state")
    )
    return {
        student.id: applying.Applicant(
            student.id,
            student.status in ENTITLED,
            student.id in accounts and accounts[student.id].state == states.ACCOUNT_CLOSED,
            open_applications.get(student.id, ""),
            live.get(student.id),
            not student.school.is_open,
        )
        for student in students.values()
    }


def _of_students(
    query: QuerySet, path: str, kind: CardKind, students: dict[int, registry.Student]
) -> QuerySet:
    return query.filter(**{f"{path}__in": list(students), "kind": kind})


def _write(
    actor: Actor,
    kind: CardKind,
    reason: str,
    students: list[registry.Student],
    accounts: dict[int, CardAccount],
) -> list[int]:
    student_ids = [student.id for student in students]
    photos = dict(
        Photo.objects.filter(student_id__in=student_ids).order_by("id").values_list("student_id", "id")
    )
    old_cards = dict(
        Card.objects.filter(student_id__in=student_ids, kind=kind, state__in=states.LIVE).values_list(
            "student_id", "id"
        )
    )
    ids = draw_ids(Application, len(students))
    now = clock.now()
    Application.objects.bulk_create(
        (
            Application(
                id=application_id,
                number=f"SL{clock.today():%y}{application_id:08d}",
                account=accounts[student.id],
                kind=kind,
                kind_version=kind.version,
                reason=reason,
                state=APPLICATION.initial,
                school_id=student.school_id,
                school_class_id=student.school_class_id,
                photo_id=photos.get(student.id) if kind.photo_required else None,
                old_card_id=old_cards.get(student.id),
                created_at=now,
                updated_at=now,
            )
            for application_id, student in zip(ids, students, strict=True)
        ),
        batch_size=2000,
    )
    begin(APPLICATION, ids, actor, detail={"reason": reason})
    return ids
