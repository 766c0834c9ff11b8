"""Secure access modules: taken into stock, loaded, issued and handed on with signatures, lost, destroyed."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Max

from xueka.contexts.keys import api as keys
from xueka.contexts.multiapp.domain.custody import (
    Loading,
    Slip,
    check_destruction,
    check_loading,
    check_serial,
)
from xueka.contexts.multiapp.domain.grants import check_reason
from xueka.contexts.multiapp.domain.transitions import IN_FORCE, ISSUED, RISK, SAM
from xueka.contexts.multiapp.models import Custody, GrantKey, Risk, Sam, SamKey, Unit
from xueka.contexts.multiapp.services.common import another, locked, text
from xueka.contexts.personalization import api as personalization
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict, NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor

_MAY = "city:sam:manage"
MOST = 500


def receive_sams(actor: Actor, serials: Sequence[str], model: str, slip: Slip) -> list[Sam]:
    """Take new modules into the city's store. All or none; Conflict `SAM_KNOWN` names those already known."""
    actor.require(_MAY)
    wanted = [check_serial(each) for each in serials]
    if not 1 <= len(wanted) <= MOST or len(set(wanted)) < len(wanted):
        raise BadInput("SAM_SERIALS", "编号应为 1 至 500 个，不重复。", found=len(wanted))
    known = Sam.objects.filter(serial__in=wanted).values_list("serial", flat=True)
    if known:
        raise Conflict("SAM_KNOWN", "这些安全模块已经登记过。", found="、".join(sorted(known)[:8]))
    now = clock.now()
    made = Sam.objects.bulk_create(
        Sam(
            serial=serial,
            model=text(model, "型号", 32),
            state=SAM.initial,
            state_at=now,
            received_at=now,
            received_by=actor.username,
        )
        for serial in wanted
    )
    begin(SAM, [sam.id for sam in made], actor)
    for sam in made:
        _write(actor, sam, None, "receive", slip)
    record(actor, "sam.receive", "sam", wanted[0], detail={"count": len(wanted), "document": slip.document})
    return made


def load_sam(actor: Actor, serial: str, unit: str, loadings: Sequence[Loading]) -> Sam:
    """What was loaded into a module in the secure room, for a unit: only keys granted to it, the check values
    compared with those on record.

    The loading itself happens in the loader; a key never passes here. Raises Refused `SAM_KEY_NOT_GRANTED`,
    `KEY_STATE`, `KCV_MISMATCH`.
    """
    sam = locked(actor, Sam, serial)
    its = locked(actor, Unit, unit)
    if not loadings or len({each.label for each in loadings}) < len(loadings):
        raise BadInput("SAM_KEYS", "请写明装入的密钥，每个密钥一个版本。")
    granted = {
        key.label: key
        for key in GrantKey.objects.filter(grant__unit=its, grant__state=IN_FORCE).select_related("key")
    }
    apply(SAM, Sam, [sam.id], "load", actor, detail={"unit": its.code})
    Sam.objects.filter(id=sam.id).update(unit=its)
    now = clock.now()
    for each in loadings:
        if each.label not in granted:
            raise Refused(
                "SAM_KEY_NOT_GRANTED",
                f"{its.name}没有密钥 {each.label} 的有效授权。",
                where=each.label,
                found="、".join(sorted(granted)) or "没有任何授权",
                action="请先办授权，或核对密钥名称。",
            )
        version = keys.version(actor.scope, each.label, each.version)
        check_loading(each.label, each.version, version.state, version.kcv, each.kcv)
        SamKey.objects.create(
            sam=sam,
            label=each.label,
            version=version,
            usage=granted[each.label].usage,
            since=now,
            loaded_by=actor.username,
        )
    _audit(actor, "load", sam, unit=its.code, keys=[f"{each.label} v{each.version}" for each in loadings])
    sam.refresh_from_db()
    return sam


def issue_sam(actor: Actor, serial: str, unit: str, slip: Slip, device: str = "") -> Sam:
    """Hand a loaded module to the unit it was loaded for; every key in it must be granted now."""
    sam = locked(actor, Sam, serial)
    its = locked(actor, Unit, unit)
    SAM.target("issue", sam.state)
    _entitled(sam, its)
    return _hand(actor, sam, "issue", its, slip, device)


def hand_over_sam(actor: Actor, serial: str, unit: str, slip: Slip, device: str = "") -> Sam:
    """From one unit to another (a school changes its vendor), or to another device of the same."""
    sam = locked(actor, Sam, serial)
    its = locked(actor, Unit, unit)
    SAM.target("hand_over", sam.state)
    _entitled(sam, its)
    return _hand(actor, sam, "hand_over", its, slip, device)


def give_back_sam(actor: Actor, serial: str, slip: Slip) -> Sam:
    """Back into the city's store; what is done with it is decided there."""
    return _hand(actor, locked(actor, Sam, serial), "give_back", None, slip, "")


def restock_sam(actor: Actor, serial: str) -> Sam:
    """A returned module goes on: its versions are still in use. Raises Refused `KEY_STATE`."""
    sam = locked(actor, Sam, serial)
    for each in _present(sam):
        check_loading(each.label, each.version.number, each.version.state, each.version.kcv, each.version.kcv)
    apply(SAM, Sam, [sam.id], "restock", actor)
    _audit(actor, "restock", sam)
    sam.refresh_from_db()
    return sam


def wipe_sam(actor: Actor, serial: str, reason: str) -> Sam:
    """The keys were taken out in the loader; the module is as good as new."""
    sam = locked(actor, Sam, serial)
    why = check_reason(reason)
    SAM.target("wipe", sam.state)
    Sam.objects.filter(id=sam.id).update(unit=None, device="")
    apply(SAM, Sam, [sam.id], "wipe", actor, reason=why)
    gone = [f"{each.label} v{each.version.number}" for each in _present(sam)]
    SamKey.objects.filter(sam=sam, until=None).update(until=clock.now())
    _audit(actor, "wipe", sam, keys=gone, reason=why)
    sam.refresh_from_db()
    return sam


def lose_sam(actor: Actor, serial: str, reason: str) -> Risk | None:
    """Nobody knows where it is. What lies in it is named as an open risk at once; None where it was empty."""
    sam = locked(actor, Sam, serial)
    why = check_reason(reason)
    held = [
        {
            "label": each.label,
            "version": each.version.number,
            "kcv": each.version.kcv,
            "usage": each.usage,
        }
        for each in _present(sam)
    ]
    apply(SAM, Sam, [sam.id], "lose", actor, reason=why)
    _audit(actor, "lose", sam, reason=why)
    if not held:
        return None
    now = clock.now()
    risk = Risk.objects.create(
        number=f"?{now.timestamp():.6f}"[:20],
        sam=sam,
        state=RISK.initial,
        keys=held,
        reason=why,
        opened_at=now,
        opened_by=actor.username,
    )
    risk.number = f"FX{clock.today():%y}-{risk.id:04d}"
    risk.save(update_fields=["number"])
    begin(RISK, [risk.id], actor)
    named = [f"{each['label']} v{each['version']}" for each in held]
    record(actor, "sam_risk.open", "sam_risk", risk.number, detail={"sam": sam.serial, "keys": named})
    return risk


def find_sam(actor: Actor, serial: str, reason: str, slip: Slip) -> Sam:
    """It turned up and lies in the store again. The risk stays open until somebody has judged it."""
    sam = locked(actor, Sam, serial)
    last = sam.custody.order_by("-seq").first()
    former = last.to_unit if last else None
    apply(SAM, Sam, [sam.id], "find", actor, reason=check_reason(reason))
    sam.refresh_from_db()
    _write(actor, sam, former, "find", slip)
    _audit(actor, "find", sam, reason=reason.strip(), document=slip.document)
    return sam


def settle_risk(actor: Actor, number: str, measure: str) -> Risk:
    """What was done about it (versions rotated, cards exchanged, risk borne), by a second person."""
    actor.require(_MAY)
    risk = Risk.objects.visible_to(actor.scope).select_for_update(of=("self",)).filter(number=number).first()
    if risk is None:
        raise NotFound("RISK_NOT_FOUND", "没有这项风险。", found=number[:20])
    another(actor, risk.opened_by, f"{risk.number} 由您登记，须由另一位经办人处置。")
    RISK.target("settle", risk.state)
    done = text(measure, "处置办法", 200)
    Risk.objects.filter(id=risk.id).update(measure=done, settled_by=actor.username, settled_at=clock.now())
    apply(RISK, Risk, [risk.id], "settle", actor, reason=done)
    record(actor, "sam_risk.settle", "sam_risk", risk.number, detail={"resolution": done})
    risk.refresh_from_db()
    return risk


def cards_at_risk(risk: Risk) -> dict[str, int]:
    """«label version» → how many cards hold a key that the lost module could make."""
    held = [(each["label"], each["version"]) for each in risk.keys]
    return {f"{label} {number}": personalization.made_by((label, number)).count() for label, number in held}


def destroy_sam(
    actor: Actor, serial: str, *, done_by: str, witness_1: str, witness_2: str, document: str
) -> Sam:
    """Destroyed before two witnesses, on record; its keys are gone with it."""
    sam = locked(actor, Sam, serial)
    people = check_destruction(done_by, witness_1, witness_2, document)
    SAM.target("destroy", sam.state)
    Sam.objects.filter(id=sam.id).update(unit=None, device="")
    apply(SAM, Sam, [sam.id], "destroy", actor, detail=people)
    SamKey.objects.filter(sam=sam, until=None).update(until=clock.now())
    slip = Slip(people["witness_1"], people["done_by"], people["document"], people["witness_2"])
    _write(actor, sam, None, "destroy", slip)
    _audit(actor, "destroy", sam, document=people["document"])
    sam.refresh_from_db()
    return sam


def _hand(actor: Actor, sam: Sam, event: str, to: Unit | None, slip: Slip, device: str) -> Sam:
    slip.check()
    former = sam.unit if sam.state == ISSUED else None
    Sam.objects.filter(id=sam.id).update(unit=to or sam.unit, device=device.strip()[:64])
    apply(SAM, Sam, [sam.id], event, actor)
    sam.refresh_from_db()
    _write(actor, sam, former, event, slip)
    _audit(actor, event, sam, to=to.code if to else "", document=slip.document)
    return sam


def _entitled(sam: Sam, unit: Unit) -> None:
    labels = {each.label for each in _present(sam)}
    granted = GrantKey.objects.filter(grant__unit=unit, grant__state=IN_FORCE, label__in=labels)
    if missing := sorted(labels - set(granted.values_list("label", flat=True))):
        raise Refused(
            "SAM_KEY_NOT_GRANTED",
            f"{unit.name}没有模块中这些密钥的有效授权。",
            where=sam.serial,
            found="、".join(missing),
            action="请先办授权，或清除密钥后重新装入。",
        )


def _present(sam: Sam) -> list[SamKey]:
    return list(sam.keys.filter(until=None).select_related("version__key"))


def _write(actor: Actor, sam: Sam, former: Unit | None, what: str, slip: Slip) -> None:
    """The next link of the chain of custody."""
    slip.check()
    last = sam.custody.aggregate(last=Max("seq"))["last"] or 0
    Custody.objects.create(
        sam=sam,
        seq=last + 1,
        from_unit=former,
        to_unit=sam.unit if sam.state == ISSUED else None,
        given_by=slip.given_by.strip(),
        received_by=slip.received_by.strip(),
        witness=slip.witness.strip(),
        document=slip.document.strip(),
        what=what,
        at=clock.now(),
        recorded_by=actor.username,
    )


def _audit(actor: Actor, verb: str, sam: Sam, **detail: Any) -> None:
    record(actor, f"sam.{verb}", "sam", sam.serial, detail=detail)
