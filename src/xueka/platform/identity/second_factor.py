"""The second factor of city roles: a code of six digits that changes every half minute (RFC 6238).

The algorithm is pyotp's; the secret lies in one of our envelopes (SM4-GCM). Each code counts once: the last
counter used is kept in the database and compared under its row lock, so two processes cannot both accept it.
Failures count together with those of the password (docs/adr/0080).
"""

import secrets
from collections.abc import Sequence

import pyotp

from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.platform.audit.services import record
from xueka.platform.crypto import fields
from xueka.platform.identity import accounts
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import locked_user, not_both, not_oneself, reason_given
from xueka.platform.identity.models import Grant, RecoveryCode, SecondFactor, User
from xueka.platform.identity.permissions import is_city_role
from xueka.platform.identity.registered import end_all

RESET = "city:factor:reset"
STEP_SECONDS = 30
WINDOW = 1  # steps before and after the present one, for clocks that differ
RECOVERY_CODES = 10
ISSUER = "学卡"
_KIND = "recovery code"
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


def needed(grants: Sequence[Grant]) -> bool:
    """Whether whoever holds these grants must have a second factor."""
    return any(is_city_role(grant.role) for grant in grants)


def enrolled(user: User) -> bool:
    return SecondFactor.objects.filter(user=user, confirmed_at__isnull=False).exists()


def offer(user: User) -> str:
    """The secret (Base32) to show to somebody who has none; the same one until she has confirmed it.

    Raises Refused `FACTOR_ENROLLED`.
    """
    draft = fields.seal({"secret": pyotp.random_base32()})
    found, _ = SecondFactor.objects.get_or_create(user=user, defaults={"envelope": draft})
    if found.confirmed_at:
        raise Refused("FACTOR_ENROLLED", "您已绑定动态验证码。", action="换手机请找安全管理员重置后再绑定。")
    return _secret(found)


def address_of(user: User, secret: str) -> str:
    """The otpauth:// address that the QR code carries."""
    return pyotp.TOTP(secret).provisioning_uri(name=user.username, issuer_name=ISSUER)


def confirm(actor: Actor, code: str) -> list[str] | None:
    """End the enrolment with a first right code: the ten recovery codes, shown once. None for a wrong one."""
    user = locked_user(actor.username)
    found = SecondFactor.objects.select_for_update().get(user=user)
    if found.confirmed_at:
        raise Refused("FACTOR_ENROLLED", "您已绑定动态验证码。", action="请刷新页面。")
    if not _accept(found, code):
        return None
    found.confirmed_at = clock.now()
    found.save(update_fields=["last_counter", "confirmed_at"])
    codes = _new_recovery_codes(user)
    record(actor, "factor.enrol", "user", user.username)
    return codes


def check(user: User, code: str) -> str:
    """How the code passes: "code", "recovery", or "" if it does not. A code that passed passes no more."""
    typed = "".join(code.split()).replace("-", "").lower()
    found = SecondFactor.objects.select_for_update().filter(user=user, confirmed_at__isnull=False).first()
    if found is None:
        return ""
    if _accept(found, typed):
        found.save(update_fields=["last_counter"])
        return "code"
    open_codes = RecoveryCode.objects.filter(user=user, used_at=None, digest=_digest(user, typed))
    return "recovery" if open_codes.update(used_at=clock.now()) else ""


def recovery_codes_left(user: User) -> int:
    return RecoveryCode.objects.filter(user=user, used_at=None).count()


def renew_recovery_codes(actor: Actor) -> list[str]:
    """Ten new codes for the actor; the old ones are void."""
    user = locked_user(actor.username)
    codes = _new_recovery_codes(user)
    record(actor, "factor.recovery_codes", "user", user.username)
    return codes


def reset(actor: Actor, username: str, reason: str) -> None:
    """Take the second factor from a user whose telephone is lost; she enrols anew at her next log-in.

    Raises Refused `OWN_ROLES`, `SECOND_PERSON`; BadInput `REASON_MISSING`.
    """
    actor.require(RESET)
    reason = reason_given(reason)
    user = locked_user(username)
    not_oneself(actor, user)
    not_both(actor, user, "user.reset_password")
    SecondFactor.objects.filter(user=user).delete()
    RecoveryCode.objects.filter(user=user).delete()
    end_all(user, actor.username, "factor")
    record(actor, "factor.reset", "user", username, detail={"reason": reason})


def enrol_at_once(actor: Actor, username: str) -> None:
    """For the accounts of a demo city: enrolled without a telephone; `present_code` tells the codes."""
    user = accounts.find(username)
    sealed = fields.seal({"secret": pyotp.random_base32()})
    SecondFactor.objects.create(user=user, envelope=sealed, confirmed_at=clock.now())
    record(actor, "factor.enrol", "user", username, detail={"by": "demo"})


def present_code(username: str) -> tuple[str, int]:
    """The code of this moment and the seconds it will still hold. Only for demo accounts and tests."""
    found = SecondFactor.objects.get(user__username=username)
    now = int(clock.now().timestamp())
    return pyotp.TOTP(_secret(found)).generate_otp(now // STEP_SECONDS), STEP_SECONDS - now % STEP_SECONDS


# --- inside ---


def _accept(found: SecondFactor, code: str) -> bool:
    """Whether `code` is one of the window and newer than the last one used; the caller holds the lock."""
    if not code.isascii():  # digits of full width, for instance
        return False
    now = int(clock.now().timestamp()) // STEP_SECONDS
    totp = pyotp.TOTP(_secret(found))
    for counter in range(now - WINDOW, now + WINDOW + 1):
        if counter > found.last_counter and secrets.compare_digest(totp.generate_otp(counter), code):
            found.last_counter = counter
            return True
    return False


def _secret(found: SecondFactor) -> str:
    return str(fields.unseal(bytes(found.envelope))["secret"])


def _new_recovery_codes(user: User) -> list[str]:
    RecoveryCode.objects.filter(user=user).delete()
    codes = ["".join(secrets.choice(_ALPHABET) for _ in range(10)) for _ in range(RECOVERY_CODES)]
    RecoveryCode.objects.bulk_create([RecoveryCode(user=user, digest=_digest(user, code)) for code in codes])
    return [f"{code[:5]}-{code[5:]}" for code in codes]


def _digest(user: User, code: str) -> bytes:
    return fields.blind_index(_KIND, f"{user.pk}:{code}")
