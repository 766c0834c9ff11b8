"""Credentials of the partner interface: made and shown once, rotated with overlap, revoked at once."""

import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from xueka.contexts.multiapp.domain import interface as words
from xueka.contexts.multiapp.domain.grants import check_reason
from xueka.contexts.multiapp.domain.transitions import ACTIVE, CREDENTIAL, ENDING, IN_USE
from xueka.contexts.multiapp.models import Credential, Unit
from xueka.contexts.multiapp.services.calling import count, shut
from xueka.contexts.multiapp.services.common import locked
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.crypto.fields import blind_index
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

_MAY = "city:credential:manage"


@dataclass(frozen=True, slots=True)
class FreshCredential:
    """What is shown once. `secret` is nowhere else."""

    credential: Credential
    secret: str

    def __repr__(self) -> str:
        return f"FreshCredential({self.credential.key_id!r})"


def make_credential(
    actor: Actor, unit: str, scopes: Collection[str], per_minute: int = words.PER_MINUTE
) -> FreshCredential:
    """The first credential of a unit, or the next one after the last was revoked or ended.

    Raises Refused `CREDENTIAL_ACTIVE` where there is one in use (rotate that).
    """
    actor.require(_MAY)
    its = locked(actor, Unit, unit)
    if its.state != IN_USE:
        raise Refused("UNIT_CLOSED", f"{its.name}已终止合作，不能开通接口。", action="请先恢复合作。")
    if its.credentials.filter(state=ACTIVE).exists():
        raise Refused(
            "CREDENTIAL_ACTIVE",
            f"{its.name}已有使用中的凭证。",
            action="要换请用“换发”，新旧可以并用一段时间。",
        )
    return _make(actor, its, scopes, per_minute, None)


def rotate_credential(actor: Actor, key_id: str, overlap_days: int = words.OVERLAP_DAYS) -> FreshCredential:
    """A new secret; the old one goes on for `overlap_days`, so that the partner changes without a gap."""
    if not 0 <= overlap_days <= 90:
        raise BadInput("CREDENTIAL_OVERLAP", "并用天数不对。", found=overlap_days, expected="0 至 90 天")
    old = _locked(actor, key_id)
    apply(CREDENTIAL, Credential, [old.id], "rotate", actor)
    ends = min(old.expires_at, clock.now() + timedelta(days=overlap_days))
    Credential.objects.filter(id=old.id).update(expires_at=ends)
    _audit(actor, "rotate", old, due=clock.local(ends).date().isoformat())
    return _make(actor, old.unit, old.scopes, old.per_minute, old)


def revoke_credential(actor: Actor, key_id: str, reason: str) -> Credential:
    """At once, for every process."""
    found = _locked(actor, key_id)
    why = check_reason(reason)
    apply(CREDENTIAL, Credential, [found.id], "revoke", actor, reason=why)
    _audit(actor, "revoke", found, reason=why)
    found.refresh_from_db()
    return found


def end_credentials(actor: Actor) -> int:
    """The sweep: what is past its day ends; returns how many. They were refused from that moment already."""
    rows = Credential.objects.select_for_update().filter(
        state__in=[ACTIVE, ENDING], expires_at__lte=clock.now()
    )
    found = list(rows.order_by("id"))
    apply(CREDENTIAL, Credential, [each.id for each in found], "end", actor)
    for each in found:
        _audit(actor, "end", each)
    return len(found)


def authenticate(key_id: str, secret: str, address: str) -> tuple[Actor, Credential] | None:
    """The partner behind an id and a secret, as the actor of its call; None where they do not fit.

    A wrong one is counted against the address, in the caller's transaction. Raises TooMany once the address
    has used up its wrong ones of this minute, before anything is compared: of many at once no more are tried.
    An unknown id takes as long as a wrong secret.
    """
    door = f"wrong:{address}"
    shut(door, words.WRONG_PER_MINUTE)
    named = key_id[:24] if key_id.isascii() and key_id.isalnum() else ""
    rows = Credential.objects.select_related("unit").filter(unit__state=IN_USE)
    found = rows.filter(key_id=named, state__in=[ACTIVE, ENDING], expires_at__gt=clock.now()).first()
    stored = bytes(found.secret) if found else bytes(32)
    fits = hmac.compare_digest(hashed(key_id, secret), stored)
    if found is None or not fits:
        count(door, words.WRONG_PER_MINUTE)
        return None
    return (
        Actor(
            f"partner:{found.key_id}",
            found.unit.name,
            "partner",
            Scope("none"),
            address=address,
            permissions=frozenset(found.scopes),
        ),
        found,
    )


def hashed(key_id: str, secret: str) -> bytes:
    """HMAC-SM3 under the index key of the installation; random secrets of 256 bits need no slow hash."""
    return blind_index("partner_secret", f"{key_id}:{secret}")


def _make(
    actor: Actor, unit: Unit, scopes: Collection[str], per_minute: int, replaces: Credential | None
) -> FreshCredential:
    if not scopes or (strange := sorted(set(scopes) - set(words.SCOPES))):
        raise BadInput(
            "CREDENTIAL_SCOPES",
            "请选择凭证可以做什么。",
            found="、".join(strange) if scopes else "无",
            expected="、".join(words.SCOPES.values()),
        )
    if not 1 <= per_minute <= 60_000:
        raise BadInput("CREDENTIAL_LIMIT", "每分钟次数不对。", found=per_minute, expected="1 至 60000")
    now = clock.now()
    key_id = f"XP{secrets.token_hex(6).upper()}"
    secret = secrets.token_urlsafe(32)
    made = Credential.objects.create(
        key_id=key_id,
        unit=unit,
        secret=hashed(key_id, secret),
        state=CREDENTIAL.initial,
        state_at=now,
        scopes=sorted(set(scopes)),
        per_minute=per_minute,
        expires_at=now + timedelta(days=words.LIFE_DAYS),
        replaces=replaces,
        made_at=now,
        made_by=actor.username,
    )
    begin(CREDENTIAL, [made.id], actor)
    _audit(actor, "make", made, unit=unit.name, scope=made.scopes)
    return FreshCredential(made, secret)


def _locked(actor: Actor, key_id: str) -> Credential:
    rows = Credential.objects.visible_to(actor.scope).select_related("unit").select_for_update(of=("self",))
    found = rows.filter(key_id=key_id).first()
    if found is None:
        raise NotFound("CREDENTIAL_NOT_FOUND", "没有这个凭证。", found=key_id[:24])
    return found


def _audit(actor: Actor, verb: str, found: Credential, **detail: Any) -> None:
    record(actor, f"credential.{verb}", "credential", found.key_id, detail=detail)
