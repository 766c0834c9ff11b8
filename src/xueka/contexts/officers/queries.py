"""Reading officers, substitutes, hand-overs. Every list takes the actor or a scope."""

from datetime import date

from django.db.models import Q, QuerySet

from xueka.contexts.officers.models import HandOver, OfficerList
from xueka.contexts.officers.services.handing_over import visible_to
from xueka.kernel.errors import NotFound
from xueka.kernel.masking import mask_phone
from xueka.platform.crypto import fields
from xueka.platform.identity import activation
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.models import Grant, User
from xueka.platform.identity.scope import Scope


def officers(scope: Scope) -> QuerySet[User]:
    """The people whose accounts whoever has `scope` keeps, with their grants."""
    return activation.managed(scope).prefetch_related("grants", "activation_codes")


def contact(user: User) -> tuple[str, str]:
    """Telephone and e-mail, masked: 138****5678, z***@example.edu.cn."""
    if not user.envelope:
        return "", ""
    kept = fields.unseal(bytes(user.envelope))
    name, _, host = str(kept.get("email", "")).partition("@")
    return mask_phone(str(kept.get("phone", ""))), f"{name[:1]}***@{host}" if host else ""


def lists(scope: Scope) -> list[OfficerList]:
    """The last lists that were tried or brought in, by this district or, for the city, by anybody."""
    found = OfficerList.objects.order_by("-pk")
    return list((found.filter(district_code=scope.district) if scope.level == "district" else found)[:20])


def officer_list(scope: Scope, list_id: int) -> OfficerList:
    """One of them. Raises NotFound."""
    found = OfficerList.objects.filter(pk=list_id).first()
    if found is None or (scope.level == "district" and found.district_code != scope.district):
        raise NotFound("OFFICER_LIST_NOT_FOUND", "没有这份导入结果。", action="请从导入记录中打开。")
    return found


def substitutes(actor: Actor) -> QuerySet[Grant]:
    """Substitutes' grants that are open or to come: one's own, and those one keeps."""
    rows = Grant.objects.filter(revoked_at=None, stands_in_for__isnull=False)
    mine = Q(user=actor.user_id) | Q(stands_in_for__user=actor.user_id)
    if actor.may(activation.MANAGE):
        mine |= actor.scope.filter(district="district_code", school="school_code") & ~Q(level="city")
    return rows.filter(mine).select_related("user", "stands_in_for__user").order_by("ends_at", "id")


def hand_overs(actor: Actor) -> QuerySet[HandOver]:
    """Hand-overs in which one is a party, and those of people one keeps; the open ones first."""
    mine = Q(from_user=actor.user_id) | Q(to_user=actor.user_id)
    if actor.may(activation.MANAGE):
        kept = actor.scope.filter(district="district_code", school="school_code")
        mine |= kept & Q(level="school") if actor.scope.level == "district" else kept
    return HandOver.objects.filter(mine).select_related("from_user", "to_user")


def hand_over(actor: Actor, hand_over_id: int) -> HandOver:
    """One of them. Raises NotFound."""
    found = HandOver.objects.select_related("from_user", "to_user").filter(pk=hand_over_id).first()
    if found is None or not visible_to(actor, found):
        raise NotFound("HAND_OVER_NOT_FOUND", "没有这份交接。", action="请刷新页面。")
    return found


def hand_overs_due(scope: Scope, until: date) -> int:
    """Hand-overs whose day comes by `until` and which not both have confirmed."""
    kept = scope.filter(district="district_code", school="school_code")
    return HandOver.objects.filter(kept, state="asked", day__lte=until).count()
