"""Whose children, who guards, where somebody is signed in."""

from dataclasses import dataclass

from xueka.contexts.families.domain.rules import MOST_CHILDREN
from xueka.contexts.families.models import FamilyAccount, FamilyChild, FamilySession, Guardianship
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.kernel.masking import mask_name, mask_phone
from xueka.platform.crypto.fields import unseal
from xueka.platform.identity.scope import Scope


def guarded(index: bytes) -> set[int]:
    """The children for whom this phone stands now: the roster's, without those whose school changed it, and
    those for whom the school added it.
    """
    named = registry.guarded_by(index)
    replaced = Guardianship.objects.filter(student__in=named, replaces_index=index)
    added = Guardianship.objects.filter(phone_index=index, ended_at=None)
    named -= set(replaced.values_list("student_id", flat=True))
    return named | set(added.values_list("student_id", flat=True))


def children_of(account: FamilyAccount) -> frozenset[int]:
    """What the account sees at this moment (student ids)."""
    found = guarded(bytes(account.phone_index))
    if len(found) > MOST_CHILDREN:
        found &= set(FamilyChild.objects.filter(account=account).values_list("student_id", flat=True))
    return frozenset(found)


def phones_of(student: registry.Student) -> list[str]:
    """The phones, in clear, that stand for a child now: for messages, never for a screen."""
    phones = [
        guardian["phone"]
        for guardian in registry.roster_guardians(student)
        if guardian["phone"] and student.id in guarded(registry.phone_index(guardian["phone"]))
    ]
    added = Guardianship.objects.filter(student=student, ended_at=None).order_by("id")
    phones += [unseal(bytes(each.envelope))["phone"] for each in added]
    return list(dict.fromkeys(phones))


@dataclass(frozen=True, slots=True)
class Guardian:
    """One guardian as screens show her. `key` is `roster` or the id of what the school added."""

    key: str
    name: str
    phone: str
    relation: str
    by_school: bool
    signed_in: bool
    replaced: bool = False


def guardians(scope: Scope, education_id: str) -> list[Guardian]:
    """The guardians of a child, masked: the roster's first. Raises NotFound."""
    student = registry.student(scope, education_id)
    added = list(Guardianship.objects.filter(student=student, ended_at=None).order_by("id"))
    known = [unseal(bytes(each.envelope)) for each in added]
    indexes = [bytes(each.phone_index) for each in added]
    listed = [each for each in registry.roster_guardians(student) if each["phone"]]
    roster_indexes = [registry.phone_index(each["phone"]) for each in listed]
    signed_in = _signed_in([*indexes, *roster_indexes])
    rows = [
        Guardian(
            "roster",
            mask_name(each["name"]),
            mask_phone(each["phone"]),
            each["relation"],
            False,
            index in signed_in,
            student.id not in guarded(index),
        )
        for each, index in zip(listed, roster_indexes, strict=True)
        if index not in indexes
    ]
    rows += [
        Guardian(
            str(row.pk),
            mask_name(values["name"]),
            mask_phone(values["phone"]),
            values["relation"],
            True,
            index in signed_in,
        )
        for row, values, index in zip(added, known, indexes, strict=True)
    ]
    return rows


def sessions_of(account_id: int) -> list[FamilySession]:
    """Where a guardian is signed in, the last used first."""
    open_ones = FamilySession.objects.filter(account=account_id, ended_at=None, expires_at__gt=clock.now())
    return list(open_ones.order_by("-seen_at"))


def _signed_in(indexes: list[bytes]) -> set[bytes]:
    open_ones = FamilySession.objects.filter(
        account__phone_index__in=indexes, ended_at=None, expires_at__gt=clock.now()
    )
    return {bytes(index) for index in open_ones.values_list("account__phone_index", flat=True)}
