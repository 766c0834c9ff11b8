"""Whose account one may see to: her own, a colleague's at the same school, those one keeps."""

from datetime import date, datetime, time

from xueka.kernel import clock
from xueka.kernel.errors import NotFound
from xueka.platform.identity import activation
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import lock_users
from xueka.platform.identity.models import Grant, User


def midnight(day: date) -> datetime:
    """The beginning of the day in Shanghai."""
    return datetime.combine(day, time.min, clock.SHANGHAI)


def keeps(actor: Actor, grant: Grant) -> bool:
    """Whether the actor keeps the account of whoever holds this grant."""
    if not actor.may(activation.MANAGE):
        return False
    below = ("school",) if actor.scope.level == "district" else ("school", "district")
    covered = actor.scope.covers(district=grant.district_code, school=grant.school_code)
    return covered and grant.level in below


def grant_of(actor: Actor, grant_id: int) -> Grant:
    """An open grant of the actor herself or of somebody she keeps. Else NotFound."""
    found = Grant.objects.select_related("user").filter(pk=grant_id, revoked_at=None).first()
    if found is None or found.level == "city" or not (found.user_id == actor.user_id or keeps(actor, found)):
        raise NotFound("GRANT_NOT_FOUND", "没有这项授权，或它已被收回。", action="请刷新页面后再试。")
    return found


def locked_grant(actor: Actor, grant_id: int, other: str) -> Grant:
    """The same, as it stands once its user and the `other` (by user name) are locked."""
    found = grant_of(actor, grant_id)
    lock_users([found.user_id, *User.objects.filter(username=other).values_list("pk", flat=True)])
    return grant_of(actor, grant_id)


def colleague_of(actor: Actor, grant: Grant, username: str) -> User:
    """Who may do the work of `grant`: a colleague at its school or district, for the keeper anybody kept.
    Locked by the caller.

    Raises NotFound `USER_NOT_FOUND`.
    """
    same_place = Grant.objects.filter(
        revoked_at=None, level=grant.level, district_code=grant.district_code, school_code=grant.school_code
    )
    people = User.objects.filter(username=username, is_active=True).exclude(pk=grant.user_id)
    found = people.filter(pk__in=same_place.values("user")).first()
    if found is None and keeps(actor, grant):
        found = activation.managed(actor.scope).filter(pk__in=people.values("pk")).first()
    if found is None:
        raise NotFound(
            "USER_NOT_FOUND", "没有这位同事，或不归您管。", action="请从名单中选择；新来的人先开立账号。"
        )
    return found


def colleagues(actor: Actor, grant: Grant) -> list[User]:
    """Those whom `colleague_of` accepts, at the same place first; at most 200."""
    same_place = Grant.objects.filter(
        revoked_at=None, level=grant.level, district_code=grant.district_code, school_code=grant.school_code
    )
    people = User.objects.filter(is_active=True).exclude(pk=grant.user_id)
    near = list(people.filter(pk__in=same_place.values("user")).order_by("name"))
    if keeps(actor, grant) and grant.level == "school":
        in_district = Grant.objects.filter(
            revoked_at=None, level="school", district_code=grant.district_code
        ).exclude(school_code=grant.school_code)
        far = people.filter(pk__in=in_district.values("user")).exclude(pk__in=[each.pk for each in near])
        near += list(far.order_by("name")[:200])
    return near[:200]
