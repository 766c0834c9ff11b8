"""Cutting a unit off at once: its credentials and its grants together, by one person."""

from dataclasses import dataclass

from xueka.contexts.multiapp.domain.grants import check_reason
from xueka.contexts.multiapp.domain.transitions import ACTIVE, ENDING, IN_FORCE
from xueka.contexts.multiapp.models import Unit
from xueka.contexts.multiapp.services.common import locked
from xueka.contexts.multiapp.services.credentials import revoke_credential
from xueka.contexts.multiapp.services.granting import suspend_grant
from xueka.kernel.errors import Refused
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor


@dataclass(frozen=True, slots=True)
class Blocked:
    """What was stopped: ids of credentials, numbers of grants."""

    unit: Unit
    credentials: list[str]
    grants: list[str]


def block_unit(actor: Actor, code: str, reason: str) -> Blocked:
    """Revoke every credential in use and suspend every grant in force. What gives it back needs two people.

    Raises Refused `UNIT_NOTHING_TO_BLOCK` where there is neither.
    """
    why = check_reason(reason)
    unit = locked(actor, Unit, code)
    rows = unit.credentials.filter(state__in=[ACTIVE, ENDING]).order_by("id")
    keys = list(rows.values_list("key_id", flat=True))
    numbers = list(unit.grants.filter(state=IN_FORCE).order_by("id").values_list("number", flat=True))
    if not keys and not numbers:
        raise Refused(
            "UNIT_NOTHING_TO_BLOCK", f"{unit.name}没有使用中的凭证和有效的授权，不用停。", found=unit.code
        )
    for key_id in keys:
        revoke_credential(actor, key_id, why)
    for number in numbers:
        suspend_grant(actor, number, why)
    detail = {"name": unit.name, "credentials": keys, "grants": numbers, "reason": why}
    record(actor, "unit.block", "unit", unit.code, detail=detail)
    return Blocked(unit, keys, numbers)
