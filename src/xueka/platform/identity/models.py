"""Users and what they may do where."""

from typing import ClassVar, Self

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q

from xueka.platform.identity.scope import Scope


class User(AbstractBaseUser):
    """A person with an account of her own; shared accounts do not exist, and none is ever deleted."""

    username = models.CharField("用户名", max_length=64, unique=True)
    name = models.CharField("姓名", max_length=64)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    password_changed_at = models.DateTimeField()
    must_change_password = models.BooleanField(default=False)

    USERNAME_FIELD = "username"
    objects: ClassVar[BaseUserManager[Self]] = BaseUserManager()

    class Meta:
        ordering = ["username"]

    def __str__(self) -> str:
        return self.username


class Grant(models.Model):
    """A role held in a scope, for a time. The scope is the city, one district or one school."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="grants")
    role = models.CharField(max_length=32)
    level = models.CharField(max_length=16)
    district_code = models.CharField(max_length=6, blank=True)
    school_code = models.CharField(max_length=10, blank=True)
    granted_at = models.DateTimeField()
    granted_by = models.CharField(max_length=80)
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
        ]

    def __str__(self) -> str:
        return f"{self.user_id}:{self.role}:{self.scope}"

    @property
    def scope(self) -> Scope:
        return Scope(self.level, self.district_code, self.school_code)
