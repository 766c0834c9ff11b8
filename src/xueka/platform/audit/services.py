"""Writing the audit log. Sealing and verifying the chain live in `chain`."""

from collections.abc import Mapping
from typing import Any

from xueka.kernel import clock
from xueka.platform.audit.models import Entry
from xueka.platform.identity.actor import Actor


def record(
    actor: Actor,
    action: str,
    object_type: str = "",
    object_id: object = "",
    *,
    result: str = "done",
    detail: Mapping[str, Any] | None = None,
) -> Entry:
    """Add one entry in the caller's transaction: without the entry the act does not happen.

    `action` reads resource.verb; `detail` never holds personal values in clear (masked).
    """
    return Entry.objects.create(
        at=clock.now(),
        actor=actor.username,
        actor_name=actor.name,
        role=actor.role,
        scope=str(actor.scope),
        address=actor.address,
        action=action,
        object_type=object_type,
        object_id=str(object_id),
        result=result,
        detail=dict(detail or {}),
    )
