"""Grants: proposed with space, files and keys; agreed to by another person; changed, ended and given back."""

from collections.abc import Callable, Collection, Mapping
from datetime import date
from typing import Any

from django.db import IntegrityError, transaction

from xueka.contexts.keys import api as keys
from xueka.contexts.multiapp.domain import grants as rules
from xueka.contexts.multiapp.domain.transitions import (
    AGREED,
    CARD_GRANT,
    IN_FORCE,
    IN_USE,
    SUSPENDED,
)
from xueka.contexts.multiapp.models import Area, CardGrant, GrantKey, GrantPlace, Unit
from xueka.contexts.multiapp.services import hot_list
from xueka.contexts.multiapp.services.common import another, locked
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict, NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor

_PROPOSE = "city:card_grant:propose"


def propose_grant(
    actor: Actor,
    unit: str,
    kind: str,
    area: str,
    *,
    size: int,
    files: str,
    wanted: Mapping[str, str],
    valid_from: date,
    valid_until: date,
    contract: str = "",
    schools: Collection[str] = (),
) -> CardGrant:
    """Ask for a directory of the chip for a unit.

    `files` are lines (domain/grants.py), `wanted` the keys: label → usage. `schools` are codes; none means
    all that the unit works for. Raises BadInput, Refused `KEY_FOREIGN`, `KEY_NOT_GRANTED`, `AREA_NOT_GRANTED`
    (the city's own or a foreign directory), `GRANT_TOO_LARGE`, `UNIT_CLOSED`, and Conflict `GRANT_OVERLAP`
    where the directory is taken on the same cards.
    """
    actor.require(_PROPOSE)
    its = locked(actor, Unit, unit)
    if its.state != IN_USE:
        raise Refused("UNIT_CLOSED", f"{its.name}已终止合作，不能授权。", action="请先恢复合作。")
    place = _area(kind, area)
    rules.check_term(valid_from, valid_until, its.contract_from, its.contract_until)
    if valid_until < clock.today():
        raise BadInput("GRANT_TERM", "授权的止日已经过去。", found=str(valid_until))
    granted = _keys(wanted, area)
    listed = rules.read_files(files, wanted)
    rules.check_size(size, place.size)
    if (needed := rules.taken_by(listed)) > size:
        raise Refused(
            "GRANT_TOO_LARGE",
            "文件放不进申请的空间。",
            found=f"文件共需 {needed} 字节",
            expected=f"最多 {size} 字节",
            action="请加大空间，或减少文件。",
        )
    now = clock.now()
    grant = CardGrant.objects.create(
        number=f"?{now.timestamp():.6f}"[:20],
        unit=its,
        area=place,
        state=CARD_GRANT.initial,
        state_at=now,
        aid=place.aid,
        fid=place.fid,
        size=size,
        conditions=place.conditions,
        files=[each.as_dict() for each in listed],
        contract=contract.strip()[:64] or its.contract,
        valid_from=valid_from,
        valid_until=valid_until,
        proposed_by=actor.username,
        proposed_at=now,
    )
    grant.number = f"SQ{clock.today():%y}-{grant.id:04d}"
    grant.save(update_fields=["number"])
    GrantKey.objects.bulk_create(
        GrantKey(grant=grant, key=key, label=key.label, usage=wanted[key.label]) for key in granted
    )
    _take_place(actor, grant, schools)
    begin(CARD_GRANT, [grant.id], actor)
    _audit(actor, "propose", grant, unit=its.name, size=size, begins=str(valid_from), ends=str(valid_until))
    return grant


def approve_grant(actor: Actor, number: str) -> CardGrant:
    """A second person's word. A grant whose term has begun is in force at once."""
    grant = locked(actor, CardGrant, number)
    another(actor, grant.proposed_by, f"{grant.number} 由您提出，须由另一位经办人批准。")
    CARD_GRANT.target("approve", grant.state)
    CardGrant.objects.filter(id=grant.id).update(approved_by=actor.username)
    _move(actor, grant, "approve")
    if grant.valid_from <= clock.today():
        _move(Actor.system("multiapp"), grant, "start")
    return grant


def refuse_grant(actor: Actor, number: str, reason: str) -> CardGrant:
    return _end(actor, number, "refuse", rules.check_reason(reason))


def withdraw_grant(actor: Actor, number: str) -> CardGrant:
    return _end(actor, number, "withdraw", "")


def suspend_grant(actor: Actor, number: str, reason: str) -> CardGrant:
    """Stop it at once; one person is enough to stop. The interface and new modules stop with it."""
    grant = locked(actor, CardGrant, number)
    _move(actor, grant, "suspend", rules.check_reason(reason))
    return grant


def ask_change(actor: Actor, number: str, what: str, reason: str, until: date | None = None) -> CardGrant:
    """Ask for what a second person has to decide: renew (`until`), resume, revoke, release."""
    grant = locked(actor, CardGrant, number)
    if what not in rules.ASKED_FOR:
        raise BadInput(
            "GRANT_CHANGE", "没有这种变更。", found=what, expected="、".join(rules.ASKED_FOR.values())
        )
    CARD_GRANT.target(what, grant.state)
    why = rules.check_reason(reason)
    if grant.asked:
        raise Conflict(
            "GRANT_ASKED",
            f"{grant.number} 已有待批准的变更。",
            found=rules.ASKED_FOR[grant.asked],
            action="请先批准或退回。",
        )
    if what == "renew":
        if until is None or until <= max(grant.valid_until, clock.today()):
            raise BadInput(
                "GRANT_TERM",
                "续期的止日应晚于现在的止日和今天。",
                found=str(until or "空"),
                expected=f"{max(grant.valid_until, clock.today())} 之后",
            )
        rules.check_term(
            grant.valid_from,
            until,
            min(grant.valid_from, grant.unit.contract_from),
            grant.unit.contract_until,
        )
    apply(CARD_GRANT, CardGrant, [grant.id], "ask", actor, reason=why, detail={"asked": what})
    grant.asked, grant.asked_by, grant.asked_reason = what, actor.username, why
    grant.asked_until = until if what == "renew" else None
    grant.save(update_fields=["asked", "asked_by", "asked_reason", "asked_until"])
    _audit(actor, "ask", grant, choice=rules.ASKED_FOR[what], reason=why, ends=str(until or ""))
    return grant


def decline_change(actor: Actor, number: str) -> CardGrant:
    """The change is not made; who asked may take it back herself."""
    grant = _asked(actor, number)
    what = grant.asked
    apply(CARD_GRANT, CardGrant, [grant.id], "decline", actor, detail={"asked": what})
    _clear(grant)
    _audit(actor, "decline", grant, choice=rules.ASKED_FOR[what])
    return grant


def approve_change(actor: Actor, number: str) -> CardGrant:
    """Make the change that was asked for, by another person."""
    grant = _asked(actor, number)
    another(actor, grant.asked_by, "这项变更由您提出，须由另一位经办人批准。")
    what, asked_by, until = grant.asked, grant.asked_by, grant.asked_until
    if what == "resume" and grant.valid_until < clock.today():
        raise Refused(
            "GRANT_TERM", "授权已过止日，不能恢复。", found=str(grant.valid_until), action="请续期。"
        )
    _clear(grant)
    if what == "renew" and until is not None:
        CardGrant.objects.filter(id=grant.id).update(valid_until=until)
    _move(actor, grant, what, grant.asked_reason, asked_by=asked_by)
    if what == "release":
        GrantPlace.objects.filter(grant=grant).update(holds=False)
    return grant


def keep_terms(actor: Actor) -> dict[str, int]:
    """The sweep of each day: what begins, begins; what is over, ends. Returns how many of each."""
    today = clock.today()
    counts = {}
    due: list[tuple[str, list[str], dict[str, Any]]] = [
        ("expire", [AGREED, IN_FORCE, SUSPENDED], {"valid_until__lt": today}),
        ("start", [AGREED], {"valid_from__lte": today}),
    ]
    for event, states, when in due:
        rows = CardGrant.objects.select_for_update().filter(state__in=states, **when).order_by("id")
        found = list(rows)
        for grant in found:
            _move(actor, grant, event)
        counts[event] = len(found)
    return counts


def _end(actor: Actor, number: str, event: str, reason: str) -> CardGrant:
    grant = locked(actor, CardGrant, number)
    _move(actor, grant, event, reason)
    GrantPlace.objects.filter(grant=grant).update(holds=False)
    return grant


def _asked(actor: Actor, number: str) -> CardGrant:
    grant = locked(actor, CardGrant, number)
    if not grant.asked:
        raise Refused("GRANT_NOTHING_ASKED", f"{grant.number} 没有待批准的变更。", action="请刷新页面。")
    return grant


def _clear(grant: CardGrant) -> None:
    CardGrant.objects.filter(id=grant.id).update(asked="", asked_by="", asked_until=None)


def _area(kind: str, code: str) -> Area:
    found = Area.objects.select_for_update().filter(kind_id=kind, code=code).first()
    if found is None or not found.in_profile:
        raise NotFound("AREA_NOT_FOUND", "现行卡结构里没有这个目录。", found=code[:32])
    if not found.is_shell:
        raise Refused(
            "AREA_NOT_GRANTED",
            f"目录“{found.title}”属于{found.owner}，不能授权。",
            found=found.owner,
            expected="卡结构中留给外单位的空目录",
        )
    return found


def _keys(wanted: Mapping[str, str], area: str) -> list[keys.Key]:
    if not wanted:
        raise BadInput("GRANT_KEYS", "请至少写一个密钥及其用途。")
    found = []
    for label, usage in wanted.items():
        key = keys.held(label)
        kind = key.kind if key.level == "master" else keys.LEVELS[key.level]
        rules.check_key(label, key.title, kind, key.application, key.drill, usage, area)
        found.append(key)
    return found


def _take_place(actor: Actor, grant: CardGrant, schools: Collection[str]) -> None:
    """The cards on which the grant holds its directory; the database excludes that two meet on one."""
    unit = grant.unit
    if unit.whole_city:
        places: list[registry.School | None] = [None]
        if schools:
            places = [registry.school(actor.scope, code) for code in sorted(set(schools))]
    else:
        own = {place.school.code: place.school for place in unit.places.select_related("school")}
        if strange := sorted(set(schools) - set(own)):
            raise BadInput(
                "GRANT_SCHOOL",
                f"{unit.name}不为这所学校服务。",
                found="、".join(strange[:5]),
                expected="、".join(sorted(own)[:5]),
                action="请先在单位里加上这所学校。",
            )
        places = [own[code] for code in sorted(set(schools) or set(own))]
    _excluding(
        lambda: GrantPlace.objects.bulk_create(
            GrantPlace(grant=grant, area=grant.area, school=school) for school in places
        ),
        grant,
    )


def _excluding(write: Callable[[], object], grant: CardGrant) -> None:
    try:
        with transaction.atomic():
            write()
    except IntegrityError as error:
        name = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
        if name != "multiapp_one_grant_on_a_card":
            raise
        others = CardGrant.objects.filter(places__area=grant.area, places__holds=True).exclude(id=grant.id)
        raise Conflict(
            "GRANT_OVERLAP",
            f"目录“{grant.area.title}”（{grant.aid}，{grant.fid}）在同样的卡上已授权给别的单位。",
            found="、".join(f"{each.number} {each.unit.name}" for each in others.distinct()[:5]),
            expected="一张卡上一个目录只属于一项授权",
            action="请另选目录，或先腾出空间。",
        ) from None


def _move(actor: Actor, grant: CardGrant, event: str, reason: str = "", **detail: Any) -> None:
    before = grant.state
    apply(CARD_GRANT, CardGrant, [grant.id], event, actor, reason=reason, detail=detail or None)
    grant.refresh_from_db()
    if grant.state == IN_FORCE != before:
        schools = set(grant.places.values_list("school_id", flat=True))
        hot_list.tell_again(grant.area.kind_id, None if None in schools else schools)
    _audit(actor, event, grant, reason=reason, **detail)


def _audit(actor: Actor, verb: str, grant: CardGrant, **detail: Any) -> None:
    record(actor, f"card_grant.{verb}", "card_grant", grant.number, detail=detail)
