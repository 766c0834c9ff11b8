"""Changes under two people: one asks, another confirms, and only then anything happens.

Everything that alters keys outside a ceremony goes through here. The second person's act and the change are
one transaction.
"""

from collections.abc import Callable, Mapping
from typing import Any

from xueka.contexts.keys.domain import changes as rules
from xueka.contexts.keys.domain import vocabulary as v
from xueka.contexts.keys.domain.transitions import ASKED, KEY_CHANGE, KEY_VERSION, PRE_ACTIVE
from xueka.contexts.keys.models import Key, KeyChange, KeyVersion
from xueka.contexts.keys.services import (
    components,
    deliveries,
    deriving,
    exports,
    field_keys,
    finding,
    keeping,
    rewrapping,
    stores,
    versions,
)
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict, NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import reason_given, second_person

ASK = "city:key:ask"


def ask(
    actor: Actor, kind: str, label: str, reason: str, params: Mapping[str, Any] | None = None
) -> KeyChange:
    """Ask for a change; nothing happens yet but that it is checked and waits for a second person.

    Raises BadInput `REASON_MISSING`, `KEY_CHANGE_KIND`, `KEY_CHANGE_PARAM` …; Refused what the change itself
    would be refused with; Conflict `KEY_CHANGE_OPEN` where one for this key waits already.
    """
    actor.require(ASK)
    reason = reason_given(reason)
    tidy = rules.check_params(kind, label, params or {})
    _check(kind, label, tidy)
    if KeyChange.objects.filter(label=label, state=ASKED).exists():
        raise Conflict(
            "KEY_CHANGE_OPEN",
            f"密钥 {label} 已有一项变更待确认。",
            where=label,
            action="请先确认或退回那一项。",
        )
    now = clock.now()
    asked = KeyChange.objects.create(
        number=f"?{now.timestamp():.6f}"[:20],
        kind=kind,
        label=label,
        params=tidy,
        reason=reason,
        state=ASKED,
        state_at=now,
        asked_by=actor.username,
        asked_at=now,
    )
    asked.number = f"MY{clock.today():%y}-{asked.pk:04d}"
    asked.save(update_fields=["number"])
    begin(KEY_CHANGE, [asked.pk], actor)
    if kind == rules.COMPONENTS:
        components.begin(asked)
    _audit(actor, "ask", asked, reason=reason)
    return asked


def would(actor: Actor, kind: str, label: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters, tidied, when `ask` would take them as things stand. Stores nothing; raises as `ask`."""
    actor.require(ASK)
    tidy = rules.check_params(kind, label, params)
    _check(kind, label, tidy)
    return tidy


def confirm(actor: Actor, number: str) -> KeyChange:
    """The second person: the change is made now. Raises NotFound, Refused `SAME_PERSON`, the change's own."""
    asked = _second(actor, number, "confirm")
    _check(asked.kind, asked.label, asked.params)
    # First who, then the state: a change that is done without a second person cannot be stored.
    KeyChange.objects.filter(pk=asked.pk).update(decided_by=actor.username, decided_at=clock.now())
    apply(KEY_CHANGE, KeyChange, [asked.pk], "confirm", actor)
    result = _DO[asked.kind](actor, asked)
    KeyChange.objects.filter(pk=asked.pk).update(result=result)
    told = {name: value for name, value in result.items() if name != "block"}
    _audit(actor, "confirm", asked, asked_by=asked.asked_by, **told)
    asked.refresh_from_db()
    return asked


def refuse(actor: Actor, number: str, reason: str) -> KeyChange:
    """The second person says no."""
    asked = _second(actor, number, "refuse")
    reason = reason_given(reason)
    KeyChange.objects.filter(pk=asked.pk).update(decided_by=actor.username, decided_at=clock.now())
    apply(KEY_CHANGE, KeyChange, [asked.pk], "refuse", actor, reason=reason)
    components.wipe(asked)
    _audit(actor, "refuse", asked, reason=reason)
    asked.refresh_from_db()
    return asked


def withdraw(actor: Actor, number: str) -> KeyChange:
    """Whoever asked changes her mind. Raises Refused `KEY_CHANGE_FOREIGN`."""
    asked = _locked(actor, number)
    if asked.asked_by != actor.username:
        raise Refused("KEY_CHANGE_FOREIGN", "只有申请人本人可以撤回。", where=number, action="请用“退回”。")
    apply(KEY_CHANGE, KeyChange, [asked.pk], "withdraw", actor)
    components.wipe(asked)
    _audit(actor, "withdraw", asked)
    asked.refresh_from_db()
    return asked


# --- inside ---


def _check(kind: str, label: str, params: Mapping[str, Any]) -> None:
    """Would it be refused as things stand? Asked again when the second person confirms."""
    if kind in (rules.REGISTER, rules.FOREIGN):
        if Key.objects.filter(label=label).exists():
            raise Conflict("KEY_LABEL_TAKEN", "这个密钥名称已登记。", where=label, action="请换一个名称。")
        if kind == rules.REGISTER:
            _parent(label, params)
            deriving.source_of(label, params)
        return
    key = finding.locked(label)
    if key.level == v.PLATFORM and (kind, label) != (rules.ROTATE, field_keys.LABEL):
        raise Refused(
            "KEY_OF_FILES", f"{key.title}由系统自己使用，不在此办理。", where=label, action="见密钥方案文档。"
        )
    if kind in (rules.GENERATE, rules.IMPORT, rules.COMPONENTS, rules.ROTATE):
        _check_new(kind, key, params)
    else:
        _check_version(kind, finding.version(key, params["version"]), params)


def _check_new(kind: str, key: Key, params: Mapping[str, Any]) -> None:
    """Of changes that make a version."""
    if kind in (rules.IMPORT, rules.COMPONENTS):
        deriving.not_derived(key)
    if kind == rules.COMPONENTS:
        components.possible(key, params["people"])
    if key.source is not None and (kind == rules.GENERATE or _waiting(key) is None):
        deriving.possible(key)
    if key.label == field_keys.LABEL:
        field_keys.not_under_way()
    if kind == rules.ROTATE and finding.active(key) is None:
        raise Refused(
            "KEY_NONE_ACTIVE", f"密钥 {key.label} 没有使用中的版本。", where=key.label, action="请用“启用”。"
        )
    rewrapping.not_under_way(key)


def _check_version(kind: str, version: KeyVersion, params: Mapping[str, Any]) -> None:
    """Of changes to a version that is there."""
    if kind == rules.EXPORT:
        exports.possible(version, params["under"])
    elif kind == rules.DELIVER:
        deliveries.possible(version, params)
    else:
        if kind == rules.ACTIVATE:
            versions.alone(version, "activate")
        if kind == rules.REINSTATE:
            rewrapping.not_under_way(version.key)
        if kind == rules.RETIRE:
            rewrapping.not_needed(version)
        KEY_VERSION.target(kind, version.state)


def _parent(label: str, params: Mapping[str, Any]) -> Key | None:
    """The wrapping key of a new one: none for the local master key, and none in a module."""
    level = params.get("level") or v.TYPES[params["kind"]].level
    drill = label.startswith(v.DRILL_PREFIX)
    if level == v.LOCAL or (not params["parent"] and not stores.wraps_outside(stores.name_for(drill=drill))):
        return None
    parent = finding.held(params["parent"])
    wanted = v.LOCAL if level == v.KEK else v.KEK
    if parent.level != wanted or parent.drill != drill:
        raise BadInput(
            "KEY_PARENT",
            f"密钥 {label} 不能由 {parent.label} 保护。",
            where=label,
            found=v.LEVELS[parent.level],
            expected=v.LEVELS[wanted],
        )
    return parent


def register(actor: Actor, label: str, params: Mapping[str, Any], *, held: bool) -> Key:
    """Put a key's name on record. Ceremonies and confirmed changes call it."""
    kind = v.TYPES[params["kind"]]
    return Key.objects.create(
        label=label,
        title=params["title"],
        level=params.get("level") or kind.level,
        kind=kind.code,
        application=params.get("application", ""),
        algorithm=params["algorithm"],
        usages=list(params["usages"]),
        parent=_parent(label, params) if held else None,
        source=deriving.source_of(label, params) if held else None,
        factor=params.get("factor", ""),
        held=held,
        drill=label.startswith(v.DRILL_PREFIX),
        owner=params.get("owner", ""),
        place=params.get("place", ""),
        created_at=clock.now(),
        created_by=actor.username,
    )


def _do_register(actor: Actor, asked: KeyChange) -> dict[str, Any]:
    register(actor, asked.label, asked.params, held=asked.kind == rules.REGISTER)
    return {}


def _do_generate(actor: Actor, asked: KeyChange) -> dict[str, Any]:
    return _told(_generate(actor, asked))


def _do_import(actor: Actor, asked: KeyChange) -> dict[str, Any]:
    key = finding.locked(asked.label)
    number = versions.next_number(key)
    under = finding.usable(asked.params["under"], None)
    stored, wrapped_by = keeping.take_in(key, number, asked.params["block"], asked.params["kcv"], under)
    made = versions.add(
        actor,
        key,
        stored,
        number=number,
        origin="block",
        asked_by=asked.asked_by,
        wrapped_by=wrapped_by,
        change=asked,
    )
    return _told(made)


def _do_rotate(actor: Actor, asked: KeyChange) -> dict[str, Any]:
    key = finding.locked(asked.label)
    before = finding.active(key)
    if key.label == field_keys.LABEL:
        task = field_keys.start(actor, asked)
        return {"version": task.number, "before": task.source.number}
    made = _waiting(key) or _generate(actor, asked)
    versions.activate(actor, made, reason=asked.reason)
    return {**_told(made), "before": before.number if before else None, **_moved(actor, key, before, made)}


def _waiting(key: Key) -> KeyVersion | None:
    """The newest version that was made and not yet put to use."""
    rows = KeyVersion.objects.filter(key=key, state=PRE_ACTIVE).select_related("key")
    return rows.order_by("number").last()


def _moved(actor: Actor, key: Key, before: KeyVersion | None, made: KeyVersion) -> dict[str, int]:
    """What lies under a wrapping key follows to the version that is in use now."""
    if before is None or key.level not in (v.LOCAL, v.KEK):
        return {}
    return {"rewrap": rewrapping.start(actor, before, made).total}


def _do_activate(actor: Actor, asked: KeyChange) -> dict[str, Any]:
    version = finding.version(finding.locked(asked.label), asked.params["version"])
    return _told(versions.activate(actor, version, reason=asked.reason))


def _do_reinstate(actor: Actor, asked: KeyChange) -> dict[str, Any]:
    key = finding.locked(asked.label)
    before, version = finding.active(key), finding.version(key, asked.params["version"])
    made = versions.activate(actor, version, event="reinstate", reason=asked.reason)
    return {**_told(made), **_moved(actor, key, before, made)}


def _do_retire(actor: Actor, asked: KeyChange) -> dict[str, Any]:
    version = finding.version(finding.locked(asked.label), asked.params["version"])
    versions.move(actor, version, "retire", asked.reason)
    return _told(version)


def _do_destroy(actor: Actor, asked: KeyChange) -> dict[str, Any]:
    version = finding.version(finding.locked(asked.label), asked.params["version"])
    versions.destroy(actor, version, asked.reason)
    return _told(version)


_DO: dict[str, Callable[[Actor, KeyChange], dict[str, Any]]] = {
    rules.REGISTER: _do_register,
    rules.FOREIGN: _do_register,
    rules.GENERATE: _do_generate,
    rules.IMPORT: _do_import,
    rules.COMPONENTS: components.carry_out,
    rules.DELIVER: deliveries.carry_out,
    rules.ACTIVATE: _do_activate,
    rules.EXPORT: exports.carry_out,
    rules.ROTATE: _do_rotate,
    rules.REINSTATE: _do_reinstate,
    rules.RETIRE: _do_retire,
    rules.DESTROY: _do_destroy,
}


def _generate(actor: Actor, asked: KeyChange) -> KeyVersion:
    key = finding.locked(asked.label)
    number = versions.next_number(key)
    source: KeyVersion | None = None
    if key.source is not None:
        stored, wrapped_by, source = deriving.made(actor, key, number)
    else:
        stored, wrapped_by = keeping.generate(key, number)
    return versions.add(
        actor,
        key,
        stored,
        number=number,
        origin="derived" if source else "generated",
        asked_by=asked.asked_by,
        wrapped_by=wrapped_by,
        derived_from=source,
        change=asked,
    )


def _told(version: KeyVersion) -> dict[str, Any]:
    return {"version": version.number, "kcv": version.kcv}


def _second(actor: Actor, number: str, event: str) -> KeyChange:
    asked = _locked(actor, number)
    second_person(
        actor,
        asked.asked_by,
        f"{number} 由您申请，须由另一人确认。",
        code="SAME_PERSON",
        where=number,
        expected="申请人以外的密钥保管人",
        action="请通知另一位密钥保管人。",
    )
    KEY_CHANGE.target(event, asked.state)
    actor.require(KEY_CHANGE.permission(event, asked.state))
    return asked


def _locked(actor: Actor, number: str) -> KeyChange:
    found = (
        KeyChange.objects.visible_to(actor.scope).select_for_update().filter(number=number.strip()).first()
    )
    if found is None:
        raise NotFound("KEY_CHANGE_NOT_FOUND", "没有这项密钥变更。", found=number[:20], action="请核对编号。")
    return found


def _audit(actor: Actor, verb: str, asked: KeyChange, **detail: Any) -> None:
    told = {name: value for name, value in asked.params.items() if name != "block"}
    detail = {"change": asked.number, "kind": asked.kind, "params": told, **detail}
    record(actor, f"key.{verb}", "key", asked.label, detail=detail)
