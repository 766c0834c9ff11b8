"""Guardians: what a school added to the roster, accounts by phone, codes asked for, phones signed in."""

from django.db import models
from django.db.models import F, Q

from xueka.platform.crypto.sealed_columns import SealedField

RELATIONS = ("父亲", "母亲", "祖父母", "外祖父母", "其他监护人")


class Guardianship(models.Model):
    """A guardian whom the school added beside the one of the roster, or whose phone it changed.

    `envelope` opens to {name, phone, relation}. `replaces_index`: the phone that no longer stands for this
    child, be it the roster's or one added before. Ended, never deleted.
    """

    student = models.ForeignKey("registry.Student", on_delete=models.PROTECT, related_name="guardianships")
    envelope = SealedField()
    phone_index = models.BinaryField(max_length=32)
    replaces_index = models.BinaryField(max_length=32, null=True)
    reason = models.CharField(max_length=200)
    added_at = models.DateTimeField()
    added_by = models.CharField(max_length=80)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=80, blank=True)
    ended_why = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["student", "phone_index"],
                condition=Q(ended_at=None),
                name="families_one_open_guardianship",
            ),
            models.CheckConstraint(
                condition=Q(replaces_index=None) | ~Q(replaces_index=F("phone_index")),
                name="families_another_phone",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_by="", ended_why="")
                | (Q(ended_at__isnull=False) & ~Q(ended_by="") & ~Q(ended_why="")),
                name="families_ended_by_someone",
            ),
        ]
        indexes = [models.Index(fields=["phone_index"], name="families_guardian_phone")]


class FamilyAccount(models.Model):
    """One phone that has signed in. `envelope` opens to {phone}."""

    phone_index = models.BinaryField(max_length=32, unique=True)
    envelope = SealedField()
    created_at = models.DateTimeField()


class FamilyChild(models.Model):
    """A child whose education ID was shown when this phone signed in."""

    account = models.ForeignKey(FamilyAccount, on_delete=models.PROTECT, related_name="children")
    student = models.ForeignKey("registry.Student", on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "student"], name="families_child_once"),
        ]


class CodeRequest(models.Model):
    """Somebody asked for a code: right or wrong, every request is counted (limits), and all look the same.

    `digest` is the keyed hash of the code, empty where nobody's phone was meant and nothing was sent.
    """

    education_index = models.BinaryField(max_length=32)
    phone_index = models.BinaryField(max_length=32)
    address = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField()
    expires_at = models.DateTimeField()
    digest = models.BinaryField(max_length=32)
    tries = models.SmallIntegerField(default=0)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(used_at=None) | ~Q(digest=b""), name="families_only_a_sent_code_is_used"
            ),
            models.CheckConstraint(condition=Q(tries__gte=0, tries__lte=5), name="families_code_tries"),
        ]
        indexes = [
            models.Index(fields=["phone_index", "at"], name="families_code_phone"),
            models.Index(fields=["education_index", "at"], name="families_code_child"),
            models.Index(fields=["address", "at"], name="families_code_address"),
        ]


class CitizenLink(models.Model):
    """A citizen of a sign-on platform, and the account of the phone that she had there last.

    `envelope` opens to {subject, openid}; `openid` is the payer's at WeChat, empty where none was given.
    """

    account = models.ForeignKey(FamilyAccount, on_delete=models.PROTECT, related_name="citizens")
    issuer = models.CharField(max_length=200)
    subject_index = models.BinaryField(max_length=32)
    envelope = SealedField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["issuer", "subject_index"], name="families_citizen_once"),
        ]


class FamilySession(models.Model):
    """A browser in which a guardian is signed in; only the keyed hash of its secret is kept.

    `container`: the program whose web view it is (`jingtong`), empty for a browser of her own.
    """

    account = models.ForeignKey(FamilyAccount, on_delete=models.PROTECT, related_name="sessions")
    digest = models.BinaryField(max_length=32, unique=True)
    device = models.CharField(max_length=80, blank=True)
    address = models.CharField(max_length=64, blank=True)
    began_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ended_why = models.CharField(max_length=16, blank=True)
    container = models.CharField(max_length=16, blank=True)
    citizen = models.ForeignKey(CitizenLink, null=True, on_delete=models.PROTECT, related_name="sessions")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(container="", citizen=None) | Q(container="jingtong", citizen__isnull=False),
                name="families_container_has_its_citizen",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_why="") | (Q(ended_at__isnull=False) & ~Q(ended_why="")),
                name="families_session_open_or_ended",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("began_at")), name="families_session_expires"
            ),
        ]
        indexes = [
            models.Index(fields=["account"], condition=Q(ended_at=None), name="families_open_sessions"),
        ]
