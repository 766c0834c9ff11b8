"""A phone stays signed in for thirty days: a secret in its cookie, of which we keep the keyed hash.

What the guardian sees is asked anew at every request: a phone that the school replaces sees nothing at once.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from xueka.contexts.families.domain import rules
from xueka.contexts.families.models import CitizenLink, FamilyAccount, FamilySession
from xueka.contexts.families.queries import children_of
from xueka.kernel import clock
from xueka.kernel.errors import NotFound
from xueka.kernel.masking import mask_phone
from xueka.platform.audit.services import record
from xueka.platform.crypto.fields import blind_index, unseal
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.permissions import GUARDIAN
from xueka.platform.identity.registered import device_words
from xueka.platform.identity.scope import Scope

_SECRET = "family session"  # noqa: S105 - the kind of a blind index
_TOUCH = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Family:
    """Who is there: the actor, and the session that she is in."""

    actor: Actor
    account_id: int
    session_id: int
    container: str = ""


def begin_session(
    account: FamilyAccount, address: str, user_agent: str, citizen: CitizenLink | None = None
) -> str:
    """Open a session; returns the secret of its cookie, which is nowhere else. With `citizen` it is one of
    Jingtong's container, which is renewed by coming in again and so lasts hours, not days.
    """
    secret, now = secrets.token_urlsafe(32), clock.now()
    FamilySession.objects.create(
        account=account,
        digest=blind_index(_SECRET, secret),
        device=device_words(user_agent),
        address=address,
        began_at=now,
        seen_at=now,
        expires_at=now + (rules.CONTAINER_LIFETIME if citizen else rules.SESSION_LIFETIME),
        container=rules.JINGTONG if citizen else "",
        citizen=citizen,
    )
    return secret


def openid_of(family: Family) -> str:
    """The payer's openid at WeChat that came with this session's sign-on; empty where none did."""
    session = FamilySession.objects.select_related("citizen").get(pk=family.session_id)
    return str(unseal(bytes(session.citizen.envelope))["openid"]) if session.citizen else ""


def resume(secret: str, address: str) -> Family | None:
    """Who this cookie is, or None: unknown, over, or a phone that stands for no child any more."""
    if not secret:
        return None
    found = FamilySession.objects.select_related("account").filter(digest=blind_index(_SECRET, secret))
    session = found.filter(ended_at=None, expires_at__gt=clock.now()).first()
    if session is None:
        return None
    actor = as_actor(session.account, address)
    if not actor.scope.children:
        return None
    if clock.now() - session.seen_at > _TOUCH:
        FamilySession.objects.filter(pk=session.pk).update(seen_at=clock.now(), address=address)
    return Family(actor, session.account_id, session.pk, session.container)


def as_actor(account: FamilyAccount, address: str = "") -> Actor:
    """The guardian who has this phone, in the scope of her children."""
    phone = mask_phone(unseal(bytes(account.envelope))["phone"])
    scope = Scope(GUARDIAN, children=children_of(account))
    return Actor.in_role(f"{GUARDIAN}:{account.pk}", f"家长 {phone}", GUARDIAN, scope, address=address)


def end_session(family: Family, session_id: int | None = None) -> None:
    """End the present session or another one of the same account. Raises NotFound `SESSION_NOT_FOUND`."""
    mine = FamilySession.objects.filter(
        pk=session_id or family.session_id, account=family.account_id, ended_at=None
    )
    if not mine.update(ended_at=clock.now(), ended_why="left"):
        raise NotFound("SESSION_NOT_FOUND", "没有这个登录，或它已经结束。", action="请刷新页面。")
    record(family.actor, "family.leave", "family_account", family.account_id)


def end_expired() -> int:
    """Close sessions that are past their time."""
    over = FamilySession.objects.filter(ended_at=None, expires_at__lte=clock.now())
    return over.update(ended_at=clock.now(), ended_why="expired")
