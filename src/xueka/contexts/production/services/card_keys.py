"""Card keys for the bureau: how they are delivered, by two people, and what a package carries of them."""

import json
from dataclasses import dataclass
from typing import Any

from xueka.contexts.cards import api as cards
from xueka.contexts.keys import api as keys
from xueka.contexts.numbers import api as numbers
from xueka.contexts.production.domain.bureau import card_keys as rules
from xueka.contexts.production.domain.bureau.card_keys import (
    CardKeys,
    KeyPlan,
    MasterColumn,
    MasterPlan,
    TransportKey,
)
from xueka.contexts.production.domain.bureau.records import CardContents, Source
from xueka.contexts.production.models import Batch, KeyDelivery, PartnerKeys
from xueka.contexts.production.services.records import contents_of
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound, Refused
from xueka.platform.audit import services as audit
from xueka.platform.crypto import sm3
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import second_person

_MANAGE = "city:partner:manage"


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a kind's keys are delivered; `waiting` is another plan that a second person has not confirmed."""

    kind: str
    plan: KeyPlan
    waiting: KeyDelivery | None

    @property
    def asked(self) -> KeyPlan | None:
        """The plan that waits."""
        return rules.read_plan(self.waiting.plan) if self.waiting else None


def delivery(kind: str) -> Delivery:
    """What is in force for a kind: no keys, unless two people said otherwise."""
    found = {each.in_force: each for each in KeyDelivery.objects.filter(kind=kind, in_force=True)}
    waiting = KeyDelivery.objects.filter(kind=kind, confirmed_by="").first()
    plan = rules.read_plan(found[True].plan) if found else KeyPlan(rules.NONE)
    return Delivery(kind, plan, waiting)


def deliveries() -> list[tuple[cards.CardKind, Delivery]]:
    """Every kind whose cards have a chip, by name."""
    kinds = cards.CardKind.objects.order_by("name", "code")
    return [(kind, delivery(kind.code)) for kind in kinds if contents_of(kind).chip]


def enter_delivery(actor: Actor, kind: str, given: Any) -> KeyDelivery:
    """Ask for another way; it is in force when a second person has confirmed its digest.

    Raises BadInput `KEY_PLAN`, NotFound, Refused as the keys named do.
    """
    actor.require(_MANAGE)
    of = _kind(kind)
    plan = rules.read_plan(given)
    _check(of, plan)
    content = plan.as_dict()
    entered, _ = KeyDelivery.objects.update_or_create(
        kind=of,
        confirmed_by="",
        defaults={
            "plan": content,
            "digest": sm3.hexdigest(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()),
            "entered_by": actor.username,
            "entered_at": clock.now(),
        },
    )
    _record(actor, "enter", entered)
    return entered


def confirm_delivery(actor: Actor, kind: str, digest: str) -> KeyDelivery:
    """The second person repeats the beginning of the digest (8 digits or more) and puts it in force."""
    actor.require(_MANAGE)
    of = _kind(kind)
    waiting = KeyDelivery.objects.select_for_update().filter(kind=of, confirmed_by="").first()
    if waiting is None:
        raise NotFound("KEY_PLAN_NONE", "这个卡种没有待确认的密钥交付方式。", found=kind)
    second_person(
        actor, waiting.entered_by, "密钥交付方式由您录入，须由另一人确认。", expected="录入人以外的确认人"
    )
    heard = "".join(digest.split()).lower()
    if len(heard) < 8 or not waiting.digest.startswith(heard):
        raise Refused(
            "KEY_PLAN_DIFFERS",
            "摘要与录入的交付方式不一致，没有启用。",
            found=digest[:64],
            expected="录入内容的摘要，至少前 8 位",
            action="请重新查看录入的内容后再确认。",
        )
    _check(of, rules.read_plan(waiting.plan))
    KeyDelivery.objects.filter(kind=of, in_force=True).update(in_force=False)
    waiting.confirmed_by, waiting.confirmed_at, waiting.in_force = actor.username, clock.now(), True
    waiting.save(update_fields=["confirmed_by", "confirmed_at", "in_force"])
    _record(actor, "confirm", waiting)
    return waiting


def card_keys_of(actor: Actor, batch: Batch, partner: PartnerKeys) -> CardKeys | None:
    """What the package of a batch says of its cards' keys; None where the bureau writes none.

    Every key is derived now and proved; a check value that differs raises Refused `KEY_BATCH_CHECK`, and no
    package is made.
    """
    plan = delivery(batch.kind_id).plan
    if plan.way == rules.NONE:
        return None
    if plan.way == rules.OWN:
        return CardKeys(plan, tuple(MasterColumn(each, None, "", "", "") for each in plan.masters))
    wanted = [
        keys.Wanted(each.label, factors, [bytes.fromhex(level) for level in each.above])
        for each, factors in zip(plan.masters, _factors(batch, plan), strict=True)
    ]
    under = None
    if plan.way == rules.FILE:
        under = partner.encryption_public_key if plan.transport == rules.BY_SM2 else plan.transport
    made = keys.bureau_keys(actor, wanted, under, purpose="production", subject=batch.number)
    columns = [
        MasterColumn(
            each,
            master.view.version,
            master.view.algorithm,
            master.view.kcv,
            master.control if master.kcvs else "",
            master.cryptograms,
            master.kcvs,
        )
        for each, master in zip(plan.masters, made.masters, strict=True)
    ]
    return CardKeys(plan, tuple(columns), _transport(made.transport))


def _transport(made: keys.BatchTransport | None) -> TransportKey | None:
    if made is None:
        return None
    under = (made.under.label, made.under.version, made.under.kcv) if made.under else None
    return TransportKey(made.algorithm, made.kcv, made.form, made.text, under)


def _factors(batch: Batch, plan: KeyPlan) -> list[bytes]:
    """For each master n x 8 bytes, in the order of the records; empty where only the bureau knows them."""
    rows = list(
        batch.items.order_by("position").values_list("card_id", "card__number", "card__transit_number")
    )
    known = {
        rules.CARD_NUMBER: lambda: [number for _, number, _ in rows],
        rules.TRANSIT_NUMBER: lambda: [transit for _, _, transit in rows],
        rules.BLANK_UID: lambda: _blanks([card for card, _, _ in rows]),
        rules.CHIP_UID: list,
    }
    made: dict[str, bytes] = {}
    for name in {each.factor for each in plan.masters}:
        made[name] = b"".join(map(keys.factor_from_digits, known[name]()))  # type: ignore[operator]
    return [made[each.factor] for each in plan.masters]


def _blanks(of_cards: list[int]) -> list[str]:
    uids = numbers.blank_uids(of_cards)
    return [uids.get(card, "") for card in of_cards]


def _kind(code: str) -> cards.CardKind:
    found = cards.CardKind.objects.filter(code=code).first()
    if found is None:
        raise NotFound("KIND_NOT_FOUND", "没有这个卡种。", found=code)
    return found


def _check(kind: cards.CardKind, plan: KeyPlan) -> None:
    """Does it fit the kind, and do the keys it names exist?"""
    contents = contents_of(kind)
    if plan.way != rules.NONE and not contents.chip:
        raise BadInput("KEY_PLAN", f"{kind.name}没有芯片，不能写密钥。", where="way", found=plan.way)
    for each in plan.masters:
        _check_factor(kind, contents, each)
        if plan.way != rules.OWN:
            keys.active(each.label)
    if plan.transport not in ("", rules.BY_SM2):
        keys.active(plan.transport)


def _check_factor(kind: cards.CardKind, contents: CardContents, master: MasterPlan) -> None:
    lacking = (
        master.factor == rules.TRANSIT_NUMBER and contents.transit is not Source.SENT,
        master.factor == rules.BLANK_UID and kind.transit_source != "bind",
    )
    if any(lacking):
        raise BadInput(
            "KEY_PLAN",
            f"{kind.name}在制卡文件中没有{rules.FACTORS[master.factor]}，不能用它分散。",
            where=master.label,
            found=master.factor,
            action="请改用卡种有的号码。",
        )


def _record(actor: Actor, action: str, entered: KeyDelivery) -> None:
    detail = {"plan": entered.plan, "digest": entered.digest}
    audit.record(actor, f"key_delivery.{action}", "card_kind", entered.kind_id, detail=detail)
