"""Users and what they may do where."""

from typing import ClassVar, Self

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import F, Q

from xueka.platform.crypto.sealed_columns import SealedField
from xueka.platform.identity.scope import Scope


class User(AbstractBaseUser):
    """A person with an account of her own; shared accounts do not exist, and none is ever deleted.

    `envelope` holds {"phone", "email"} under the field key; `phone_index` makes one phone one person.
    `awaits_activation`: a list has named her, and she has not yet come with her code. `first_username` is
    the name that the list gave, where she chose another one when she came.
    """

    username = models.CharField("用户名", max_length=64, unique=True)
    name = models.CharField("姓名", max_length=64)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    password_changed_at = models.DateTimeField()
    must_change_password = models.BooleanField(default=False)
    awaits_activation = models.BooleanField(default=False)
    may_choose_username = models.BooleanField(default=False)
    first_username = models.CharField(max_length=64, blank=True)
    envelope = SealedField(null=True)
    phone_index = models.BinaryField(max_length=32, null=True)

    USERNAME_FIELD = "username"
    objects: ClassVar[BaseUserManager[Self]] = BaseUserManager()

    class Meta:
        ordering = ["username"]
        constraints = [
            models.UniqueConstraint(fields=["phone_index"], name="identity_one_person_per_phone"),
        ]
        indexes = [
            models.Index(
                fields=["username"], condition=Q(awaits_activation=True), name="identity_awaiting_activation"
            )
        ]

    def __str__(self) -> str:
        return self.username


class Grant(models.Model):
    """A role held in a scope, for a time. The scope is the city, one district or one school.

    `begins_at` and `ends_at` bound it where it is not open at once and for good: a hand-over begins on a
    day, a substitute's grant ends by itself. `stands_in_for` is the grant whose work a substitute does.
    """

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="grants")
    role = models.CharField(max_length=32)
    level = models.CharField(max_length=16)
    district_code = models.CharField(max_length=6, blank=True)
    school_code = models.CharField(max_length=10, blank=True)
    granted_at = models.DateTimeField()
    granted_by = models.CharField(max_length=80)
    begins_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)
    stands_in_for = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="substitutes")
    reason = models.CharField(max_length=200, blank=True)
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.CharField(max_length=80, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "role", "district_code", "school_code"],
                condition=Q(revoked_at__isnull=True),
                name="identity_one_open_grant",
            ),
            models.CheckConstraint(
                name="identity_scope_matches_level",
                condition=Q(level="city", district_code="", school_code="")
                | (Q(level="district", school_code="") & ~Q(district_code=""))
                | (Q(level="school") & ~Q(district_code="") & ~Q(school_code="")),
            ),
            models.CheckConstraint(
                name="identity_revoked_by_someone",
                condition=Q(revoked_at__isnull=True, revoked_by="")
                | (Q(revoked_at__isnull=False) & ~Q(revoked_by="")),
            ),
            models.CheckConstraint(
                name="identity_grant_begins_before_it_ends",
                condition=Q(begins_at__isnull=True) | Q(ends_at__isnull=True) | Q(ends_at__gt=F("begins_at")),
            ),
            models.CheckConstraint(
                name="identity_substitute_ends",
                condition=Q(stands_in_for__isnull=True) | Q(ends_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["ends_at"],
                condition=Q(revoked_at__isnull=True, ends_at__isnull=False),
                name="identity_grant_ending",
            ),
            models.Index(
                fields=["district_code", "school_code"],
                condition=Q(revoked_at__isnull=True),
                name="identity_grant_open_in",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}:{self.role}:{self.scope}"

    @property
    def scope(self) -> Scope:
        return Scope(self.level, self.district_code, self.school_code)


class GrantRequest(models.Model):
    """A role of the city that one administrator asks for and another one confirms (docs/adr/0081)."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="requests")
    role = models.CharField(max_length=32)
    reason = models.CharField(max_length=200)
    state = models.CharField(max_length=16)
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=80)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=80, blank=True)
    grant = models.OneToOneField(Grant, on_delete=models.PROTECT, null=True, related_name="request")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "role"], condition=Q(state="asked"), name="identity_one_open_request"
            ),
            models.CheckConstraint(
                name="identity_request_has_two_people",
                condition=~Q(state="confirmed") | (~Q(decided_by=F("asked_by")) & ~Q(decided_by="")),
            ),
            models.CheckConstraint(
                name="identity_request_confirmed_is_granted",
                condition=~Q(state="confirmed") | Q(grant__isnull=False),
            ),
        ]


class SecondFactor(models.Model):
    """The secret that a user's authenticator shares with us, sealed; `last_counter` is never used again.

    `confirmed_at` is null while the user has only been shown the secret.
    """

    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="second_factor")
    envelope = SealedField()
    last_counter = models.BigIntegerField(default=0)
    confirmed_at = models.DateTimeField(null=True)


class RecoveryCode(models.Model):
    """One of ten codes for the day the telephone is lost; only its keyed hash is kept."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="recovery_codes")
    digest = models.BinaryField(max_length=32, unique=True)
    used_at = models.DateTimeField(null=True)


class ActivationCode(models.Model):
    """A code on paper with which a person opens her account, once; only its keyed hash is kept."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="activation_codes")
    digest = models.BinaryField(max_length=32, unique=True)
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=80)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    void_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(used_at__isnull=True, void_at__isnull=True),
                name="identity_one_open_code",
            ),
            models.CheckConstraint(
                name="identity_code_used_or_void", condition=Q(used_at__isnull=True) | Q(void_at__isnull=True)
            ),
        ]


class StaffSession(models.Model):
    """Where somebody is or was logged in. `key` is Django's session key while the session is open."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="staff_sessions")
    key = models.CharField(max_length=40, blank=True)
    address = models.CharField(max_length=64, blank=True)
    device = models.CharField(max_length=80, blank=True)
    began_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=80, blank=True)
    ended_why = models.CharField(max_length=16, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["key"], condition=~Q(key=""), name="identity_session_key"),
            models.CheckConstraint(
                name="identity_session_open_or_ended",
                condition=(Q(ended_at__isnull=True) & ~Q(key="")) | Q(ended_at__isnull=False, key=""),
            ),
        ]
        indexes = [
            models.Index(
                fields=["user", "seen_at"],
                condition=Q(ended_at__isnull=True),
                name="identity_open_sessions",
            )
        ]
