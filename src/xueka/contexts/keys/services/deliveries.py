"""Versions on their way to modules, counters, bureaus and partners: planned by two, handed over, arrived.

Whoever handed over does not confirm the arrival, and the receiver reads back the check value.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from xueka.contexts.keys.domain import deliveries as rules
from xueka.contexts.keys.domain.transitions import (
    ACTIVE,
    CANCELLED,
    KEY_DELIVERY,
    KEY_VERSION,
    LOST,
    PLANNED,
    PRE_ACTIVE,
    VERIFY_ONLY,
)
from xueka.contexts.keys.models import KeyChange, KeyDelivery, KeyVersion
from xueka.contexts.keys.services import finding
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict, NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import reason_given, second_person

LONGEST_REFERENCE = 64
_IN_SERVICE = (PRE_ACTIVE, ACTIVE, VERIFY_ONLY)


def possible(version: KeyVersion, params: Mapping[str, Any]) -> None:
    """Raises Refused `KEY_STATE`; Conflict `KEY_DELIVERY_PLANNED` for a receiver that has it in its plan."""
    _in_service(version)
    there = KeyDelivery.objects.filter(
        version=version, receiver_kind=params["receiver_kind"], receiver__in=params["receivers"]
    ).exclude(state__in=[LOST, CANCELLED])
    if names := sorted(there.values_list("receiver", flat=True)):
        raise Conflict(
            "KEY_DELIVERY_PLANNED",
            f"{version.key.label} 第 {version.number} 版给其中 {len(names)} 个接收方的交付已在计划中。",
            where=names[0],
            found="、".join(names)[:80],
            action="请去掉这些接收方，或先取消原来的计划。",
        )


def carry_out(actor: Actor, asked: KeyChange) -> dict[str, Any]:
    """Two people have agreed: a row of the plan for each receiver."""
    version = finding.version(finding.locked(asked.label), asked.params["version"])
    params, now = asked.params, clock.now()
    made = KeyDelivery.objects.bulk_create(
        KeyDelivery(
            number=f"JF{clock.today():%y}-{asked.pk:04d}-{place:02d}",
            version=version,
            change=asked,
            receiver_kind=params["receiver_kind"],
            receiver=name,
            way=params["way"],
            due_on=date.fromisoformat(params["due_on"]),
            state=PLANNED,
            state_at=now,
        )
        for place, name in enumerate(params["receivers"], start=1)
    )
    begin(KEY_DELIVERY, [each.pk for each in made], actor)
    return {"version": version.number, "kcv": version.kcv, "deliveries": len(made)}


def send(actor: Actor, number: str, reference: str) -> KeyDelivery:
    """It is handed over; `reference` says with what (an export's number, a parcel, a module's number)."""
    found = _locked(actor, number)
    reference = " ".join(reference.split())
    if not 1 <= len(reference) <= LONGEST_REFERENCE:
        raise BadInput(
            "KEY_DELIVERY_REFERENCE",
            "请写明随什么交出。",
            where="凭据",
            expected=f"1 至 {LONGEST_REFERENCE} 个字，例如导出的变更编号、运单号或模块编号",
        )
    KEY_DELIVERY.target("send", found.state)
    _in_service(found.version)
    also = {"reference": reference, "sent_by": actor.username}
    return _moved(actor, found, "send", also, reference=reference)


def recall(actor: Actor, number: str, reason: str) -> KeyDelivery:
    """It was not handed over after all: back to the plan."""
    also = {"reference": "", "sent_by": ""}
    return _moved(actor, _locked(actor, number), "recall", also, reason_given(reason))


def arrive(actor: Actor, number: str, read_back: str) -> KeyDelivery:
    """Another person than who sent it has heard the right check value from the receiver.

    Raises Refused `SAME_PERSON`, `KEY_DELIVERY_KCV`; BadInput `KCV_FORMAT`.
    """
    found = _locked(actor, number)
    KEY_DELIVERY.target("arrive", found.state)
    _another(actor, found, "交出的人不能自己确认到达。")
    kcv = rules.check_arrival(found.version.kcv, read_back)
    also = {"kcv": kcv, "arrived_by": actor.username}
    return _moved(actor, found, "arrive", also, kcv=kcv)


def lose(actor: Actor, number: str, reason: str) -> KeyDelivery:
    """It did not arrive, or not whole: somebody else may have it. Raises Refused `SAME_PERSON`."""
    found = _locked(actor, number)
    KEY_DELIVERY.target("lose", found.state)
    _another(actor, found, "交出的人不能自己了结。")
    return _moved(actor, found, "lose", {}, reason_given(reason))


def cancel(actor: Actor, number: str, reason: str) -> KeyDelivery:
    """It is not to go any more."""
    return _moved(actor, _locked(actor, number), "cancel", {}, reason_given(reason))


# --- inside ---


def _in_service(version: KeyVersion) -> None:
    if version.state not in _IN_SERVICE:
        raise Refused(
            "KEY_STATE",
            f"第 {version.number} 版{KEY_VERSION.state(version.state).label}，不能交付。",
            where=version.key.label,
            found=KEY_VERSION.state(version.state).label,
            expected="、".join(KEY_VERSION.state(code).label for code in _IN_SERVICE),
        )


def _another(actor: Actor, found: KeyDelivery, said: str) -> None:
    second_person(
        actor,
        found.sent_by,
        said,
        code="SAME_PERSON",
        where=found.number,
        expected="交出人以外的密钥保管人",
        action="请另一位密钥保管人向对方核对校验值。",
    )


def _locked(actor: Actor, number: str) -> KeyDelivery:
    rows = KeyDelivery.objects.visible_to(actor.scope).select_related("version__key")
    found = rows.select_for_update(of=("self",)).filter(number=number.strip()).first()
    if found is None:
        raise NotFound(
            "KEY_DELIVERY_NOT_FOUND", "没有这项密钥交付。", found=number[:20], action="请核对编号。"
        )
    return found


def _moved(
    actor: Actor, found: KeyDelivery, event: str, also: Mapping[str, Any], reason: str = "", **detail: str
) -> KeyDelivery:
    columns = {name: {found.pk: value} for name, value in also.items()}
    apply(KEY_DELIVERY, KeyDelivery, [found.pk], event, actor, reason=reason, also=columns)
    told = {"delivery": found.number, "receiver": found.receiver, "version": found.version.number, **detail}
    record(
        actor,
        f"key.delivery_{event}",
        "key",
        found.version.key.label,
        detail=told | ({"reason": reason} if reason else {}),
    )
    found.refresh_from_db()
    return found
