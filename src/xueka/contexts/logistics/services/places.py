"""Where the districts' counters are. What nobody has written down is asked of nobody: the city sends then."""

import re

from xueka.contexts.logistics.models import DistrictPlace
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

#: Who gives parcels to couriers says where they are fetched.
KEEP = "district:parcel:send"
_PHONE = re.compile(r"[0-9][0-9 -]{6,19}", re.ASCII)


def places(scope: Scope) -> list[tuple[registry.District, DistrictPlace | None]]:
    """Every district of a scope, with its counter where that is known."""
    kept = {each.district_id: each for each in DistrictPlace.objects.all()}
    return [(each, kept.get(each.code)) for each in _districts(scope)]


def place(district: str) -> DistrictPlace | None:
    """A district's counter, for whoever sends from there or collects there."""
    return DistrictPlace.objects.filter(district=district).first()


def district(scope: Scope, code: str) -> registry.District:
    """One of a scope; NotFound for strangers too."""
    found = next((each for each in _districts(scope) if each.code == code), None)
    if found is None:
        raise NotFound("DISTRICT_NOT_FOUND", "没有这个区。", found=code[:12])
    return found


def keep_place(
    actor: Actor, code: str, *, address: str, consignee: str, phone: str, hours: str = ""
) -> DistrictPlace:
    """Write down where a district's counter is. Needs `district:parcel:send`.

    Raises NotFound `DISTRICT_NOT_FOUND`, BadInput `PLACE_INCOMPLETE`, `PHONE_INVALID`.
    """
    actor.require(KEEP)
    found = district(actor.scope, code)
    address, consignee, phone, hours = (each.strip() for each in (address, consignee, phone, hours))
    if not (address and consignee and phone):
        raise BadInput("PLACE_INCOMPLETE", "请填写地址、联系人和电话。", where=found.name)
    if not _PHONE.fullmatch(phone):
        raise BadInput("PHONE_INVALID", "电话不对。", found=phone[:32], expected="手机号，或区号和座机号")
    values = {
        "address": address[:200],
        "consignee": consignee[:64],
        "phone": phone,
        "hours": hours[:100],
        "changed_at": clock.now(),
        "changed_by": actor.username,
    }
    kept, _ = DistrictPlace.objects.update_or_create(district=found, defaults=values)
    record(actor, "district.place", "district", code)
    return kept


def _districts(scope: Scope) -> list[registry.District]:
    seen = registry.District.objects.order_by("code")
    return [each for each in seen if scope.covers(district=each.code, school="")]
