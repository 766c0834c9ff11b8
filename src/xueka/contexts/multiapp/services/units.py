"""Units: entered with contract and contacts, closed when nothing of theirs is left."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

from django.db import IntegrityError, transaction

from xueka.contexts.multiapp.domain.grants import check_reason
from xueka.contexts.multiapp.domain.transitions import HOLDING, IN_USE, ISSUED, UNIT
from xueka.contexts.multiapp.models import Unit, UnitSchool
from xueka.contexts.multiapp.models.units import UNIT_KINDS, VENDOR
from xueka.contexts.multiapp.services.common import locked, text
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict, Refused
from xueka.kernel.masking import mask_name, mask_phone
from xueka.platform.audit.services import record
from xueka.platform.crypto import fields
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor

CONTACT = ("name", "duty", "phone", "email")
_MAY = "city:unit:manage"


def add_unit(
    actor: Actor,
    *,
    name: str,
    kind: str,
    purpose: str,
    contract: str,
    contract_from: date,
    contract_until: date,
    contacts: Sequence[Mapping[str, str]],
    schools: Collection[str] = (),
    whole_city: bool = False,
) -> Unit:
    """Enter a unit; `schools` are school codes. Raises BadInput, Conflict `UNIT_EXISTS`."""
    actor.require(_MAY)
    if kind not in UNIT_KINDS:
        raise BadInput("UNIT_KIND", "没有这种单位。", found=kind, expected="、".join(UNIT_KINDS.values()))
    if contract_until < contract_from:
        raise BadInput("CONTRACT_TERM", "合同的止日早于起日。", found=f"{contract_from} 至 {contract_until}")
    found = _schools(actor, kind, schools, whole_city)
    number = (Unit.objects.order_by("-id").values_list("id", flat=True).first() or 0) + 1
    try:
        with transaction.atomic():
            unit = Unit.objects.create(
                code=f"DW{number:04d}",
                name=text(name, "单位名称", 64),
                kind=kind,
                purpose=text(purpose, "用途", 100),
                whole_city=whole_city,
                state=UNIT.initial,
                contract=text(contract, "合同编号", 64),
                contract_from=contract_from,
                contract_until=contract_until,
                contacts=_sealed(contacts),
                created_at=clock.now(),
                created_by=actor.username,
            )
    except IntegrityError:
        raise Conflict("UNIT_EXISTS", "已有同名的单位，或刚有人登记了一个单位。", found=name[:64]) from None
    UnitSchool.objects.bulk_create(UnitSchool(unit=unit, school=school) for school in found)
    begin(UNIT, [unit.id], actor)
    _audit(actor, "create", unit, schools=sorted(school.code for school in found), contract=unit.contract)
    return unit


def change_contract(
    actor: Actor, code: str, contract: str, contract_from: date, contract_until: date
) -> Unit:
    """A new contract, or a longer one. Grants keep their own terms."""
    actor.require(_MAY)
    if contract_until < contract_from:
        raise BadInput("CONTRACT_TERM", "合同的止日早于起日。", found=f"{contract_from} 至 {contract_until}")
    unit = locked(actor, Unit, code)
    before = {"contract": unit.contract, "ends": unit.contract_until.isoformat()}
    unit.contract = text(contract, "合同编号", 64)
    unit.contract_from, unit.contract_until = contract_from, contract_until
    unit.save(update_fields=["contract", "contract_from", "contract_until"])
    _audit(
        actor, "change_contract", unit, before=before, contract=unit.contract, ends=contract_until.isoformat()
    )
    return unit


def change_contacts(actor: Actor, code: str, contacts: Sequence[Mapping[str, str]]) -> Unit:
    """Replace the people to talk to."""
    actor.require(_MAY)
    unit = locked(actor, Unit, code)
    unit.contacts = _sealed(contacts)
    unit.save(update_fields=["contacts"])
    _audit(actor, "change_contacts", unit, count=len(contacts))
    return unit


def add_schools(actor: Actor, code: str, schools: Collection[str]) -> list[registry.School]:
    """The unit works for more schools; returns those that are new to it. Its grants do not grow.

    Raises Refused `UNIT_WHOLE_CITY`, `UNIT_CLOSED`, BadInput `UNIT_SCHOOLS`, NotFound for an unknown school.
    """
    actor.require(_MAY)
    unit = locked(actor, Unit, code)
    if unit.state != IN_USE:
        raise Refused("UNIT_CLOSED", f"{unit.name}已终止合作，不能加学校。", action="请先恢复合作。")
    if unit.whole_city:
        raise Refused("UNIT_WHOLE_CITY", "这个单位已面向全市。", found=unit.name)
    found = _schools(actor, unit.kind, schools, whole_city=False)
    known = set(unit.places.values_list("school_id", flat=True))
    fresh = [school for school in found if school.pk not in known]
    UnitSchool.objects.bulk_create(UnitSchool(unit=unit, school=school) for school in fresh)
    if fresh:
        _audit(actor, "add_schools", unit, schools=[school.code for school in fresh])
    return fresh


def close_unit(actor: Actor, code: str, reason: str) -> Unit:
    """The end of working together; refused while the unit still has something of the city's."""
    unit = locked(actor, Unit, code)
    why = check_reason(reason)
    left = [grant.number for grant in unit.grants.filter(state__in=HOLDING)]
    left += [sam.serial for sam in unit.sams.filter(state=ISSUED)]
    left += [each.key_id for each in unit.credentials.filter(state__in=["active", "ending"])]
    if left:
        raise Refused(
            "UNIT_HAS_LEFT",
            f"{unit.name}还有没有了结的事。",
            found="、".join(left[:8]),
            expected="授权已腾出空间，安全模块已退回，接口凭证已吊销",
            action="请先逐项了结。",
        )
    apply(UNIT, Unit, [unit.id], "close", actor, reason=why)
    _audit(actor, "close", unit, reason=why)
    unit.refresh_from_db()
    return unit


def reopen_unit(actor: Actor, code: str) -> Unit:
    unit = locked(actor, Unit, code)
    apply(UNIT, Unit, [unit.id], "reopen", actor)
    _audit(actor, "reopen", unit)
    unit.refresh_from_db()
    return unit


def contacts_of(unit: Unit) -> list[dict[str, str]]:
    """The contacts as the screen shows them: names and telephones masked."""
    found: list[dict[str, str]] = fields.unseal(bytes(unit.contacts))["contacts"]
    return [
        {**each, "name": mask_name(each["name"]), "phone": mask_phone(each["phone"])}
        | {"email": _masked_email(each["email"])}
        for each in found
    ]


def unmask_contacts(actor: Actor, code: str, reason: str) -> list[dict[str, str]]:
    """The contacts in clear, audited with the reason."""
    actor.require(_MAY)
    unit = locked(actor, Unit, code)
    _audit(actor, "unmask", unit, reason=check_reason(reason))
    found: list[dict[str, str]] = fields.unseal(bytes(unit.contacts))["contacts"]
    return found


def _schools(actor: Actor, kind: str, codes: Collection[str], whole_city: bool) -> list[registry.School]:
    if whole_city and (codes or kind == VENDOR):
        raise BadInput(
            "UNIT_SCHOOLS", "面向全市的只能是应用单位，且不列学校。", expected="全市，或写明学校的标识码"
        )
    if not whole_city and not codes:
        raise BadInput("UNIT_SCHOOLS", "请写明为哪些学校服务。", expected="至少一所学校的标识码")
    return [registry.school(actor.scope, code.strip()) for code in sorted(set(codes))]


def _sealed(contacts: Sequence[Mapping[str, str]]) -> bytes:
    if not contacts:
        raise BadInput("UNIT_CONTACT", "请至少写一位联系人。")
    for each in contacts:
        text(each.get("name", ""), "联系人姓名", 32)
        text(each.get("phone", ""), "联系电话", 32)
    return fields.seal(
        {"contacts": [{name: each.get(name, "").strip() for name in CONTACT} for each in contacts]}
    )


def _masked_email(address: str) -> str:
    name, at, host = address.partition("@")
    return f"{name[:1]}***{at}{host}" if at else ""


def _audit(actor: Actor, verb: str, unit: Unit, **detail: Any) -> None:
    record(actor, f"unit.{verb}", "unit", unit.code, detail={"name": unit.name, **detail})
