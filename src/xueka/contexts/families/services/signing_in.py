"""A guardian comes in: her child's education ID, her phone, and the code that this phone receives.

Whether somebody is on record is told to nobody: the answer is the same, limits count what was typed, and a
code is counted down whoever tries it (docs/adr/0150).
"""

import hmac
import secrets
from datetime import timedelta

from django.db import connection

from xueka.contexts.families.domain import rules
from xueka.contexts.families.models import CodeRequest, FamilyAccount, FamilyChild
from xueka.contexts.families.queries import guarded
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.kernel.errors import BadInput
from xueka.kernel.identifiers import clean_phone, education_id_problem, phone_problem
from xueka.kernel.masking import mask_phone
from xueka.kernel.text import compact
from xueka.platform.audit.services import record
from xueka.platform.crypto.fields import blind_index, seal
from xueka.platform.identity.actor import Actor
from xueka.platform.messages.services import send


def ask_code(actor: Actor, education_id: str, phone: str) -> None:
    """Send a code to the phone if it stands for this child; nothing says whether it did.

    `actor` is nobody, with an address. Raises BadInput `EDUCATION_ID_INVALID`, `PHONE_INVALID` for what
    cannot be either; Refused `CODE_TOO_SOON`, `CODE_TOO_OFTEN`.
    """
    education_id, phone = _typed(education_id, phone)
    now = clock.now()
    index, child = registry.phone_index(phone), blind_index(_CHILD, education_id)
    _lock(index)
    rules.check_limits(_asked(index, child, actor.address))
    student = _guarded_child(index, education_id)
    code = "".join(secrets.choice("0123456789") for _ in range(rules.CODE_DIGITS))
    request = CodeRequest.objects.create(
        education_index=child,
        phone_index=index,
        address=actor.address,
        at=now,
        expires_at=now + rules.CODE_LIFETIME,
        digest=b"",
    )
    digest = _digest(request, code)
    if student is not None:
        CodeRequest.objects.filter(pk=request.pk).update(digest=digest)
        minutes = str(rules.CODE_LIFETIME // timedelta(minutes=1))
        values = {"code": code, "minutes": minutes}
        send(phone, "SIGN_IN_CODE", values, f"code-{request.pk}", lifetime=rules.CODE_LIFETIME)
    record(
        actor,
        "family.ask_code",
        "student",
        student.education_id if student else "",
        result="done" if student else "refused",
        detail={"phone": mask_phone(phone)},
    )


def enter(actor: Actor, education_id: str, phone: str, code: str) -> FamilyAccount | None:
    """The account of this phone, where the code is the one last sent for this child; None where it is not.

    None is returned, not raised: the try must stay counted when the page says no. Raises BadInput for what
    cannot be an education ID or a phone.
    """
    education_id, phone = _typed(education_id, phone)
    index, child = registry.phone_index(phone), blind_index(_CHILD, education_id)
    _lock(index)
    request = (
        CodeRequest.objects.filter(phone_index=index, education_index=child, expires_at__gt=clock.now())
        .order_by("-id")
        .first()
    )
    student = _guarded_child(index, education_id)
    right = False
    if request is not None and request.used_at is None and request.tries < rules.CODE_TRIES:
        right = hmac.compare_digest(bytes(request.digest), _digest(request, compact(code)))
        request.tries += 1
        request.used_at = clock.now() if right else None
        request.save(update_fields=["tries", "used_at"])
    told = student.education_id if student else ""
    if student is None or not right:
        detail = {"phone": mask_phone(phone), "why": "code"}
        record(actor, "family.enter", "student", told, result="refused", detail=detail)
        return None
    account, _ = FamilyAccount.objects.get_or_create(
        phone_index=index, defaults={"envelope": seal({"phone": phone}), "created_at": clock.now()}
    )
    FamilyChild.objects.get_or_create(account=account, student=student, defaults={"at": clock.now()})
    record(actor, "family.enter", "student", told, detail={"account": account.pk})
    return account


def forget_requests() -> int:
    """Requests for codes that no limit asks for any more."""
    return CodeRequest.objects.filter(at__lt=clock.now() - rules.KEPT).delete()[0]


_CHILD, _CODE = "family education id", "family code"


def _typed(education_id: str, phone: str) -> tuple[str, str]:
    education_id, phone = compact(education_id), clean_phone(phone)
    if reason := education_id_problem(education_id):
        raise BadInput(
            "EDUCATION_ID_INVALID",
            "教育ID不对。" if education_id else "请填写孩子的教育ID。",
            where="教育ID",
            expected=reason.expected,
            action="教育ID印在学生卡正面，也可以问班主任。",
        )
    if reason := phone_problem(phone):
        raise BadInput(
            "PHONE_INVALID",
            reason.message if phone else "请填写手机号。",
            where="手机号",
            expected=reason.expected,
            action="请填写在学校登记的监护人手机号。",
        )
    return education_id, phone


def _guarded_child(index: bytes, education_id: str) -> registry.Student | None:
    found = registry.Student.objects.filter(education_id=education_id).first()
    return found if found is not None and found.id in guarded(index) else None


def _digest(request: CodeRequest, code: str) -> bytes:
    return blind_index(_CODE, f"{request.pk}:{code}")


def _lock(index: bytes) -> None:
    """One request or try of a phone at a time, so that no limit is passed by two at once."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(index[:8], "big", signed=True)])


def _asked(index: bytes, child: bytes, address: str) -> rules.Asked:
    now = clock.now()
    rows = CodeRequest.objects.filter(at__gt=now - timedelta(days=1))
    mine = rows.filter(phone_index=index)
    return rules.Asked(
        mine.filter(at__gt=now - timedelta(minutes=1)).count(),
        mine.count(),
        rows.filter(education_index=child).count(),
        rows.filter(address=address, at__gt=now - timedelta(hours=1)).count() if address else 0,
    )
