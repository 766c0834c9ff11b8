"""Card kinds as configuration: in force in the database, changed by versions, compared with the data file."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from xueka.contexts.cards import configuration
from xueka.contexts.cards.domain import kinds as rules
from xueka.contexts.cards.models import Application, CardKind, KindVersion
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict, NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor


@dataclass(frozen=True, slots=True)
class Kept:
    """The rules under which an application was opened; a later change of its kind does not touch it."""

    review_levels: list[str]
    photo_required: bool
    consent_required: bool


def sync_card_kinds() -> int:
    """Create the kinds of data/card_kinds.toml that are missing, change none; returns how many were made."""
    known = set(CardKind.objects.values_list("code", flat=True))
    given = configuration.card_kinds()
    missing = {code: dict(fields) for code, fields in given.items() if code not in known}
    coupled = {code: fields.pop("coupled_with", None) for code, fields in missing.items()}
    CardKind.objects.bulk_create(
        (CardKind(code=code, **fields) for code, fields in missing.items()), ignore_conflicts=True
    )
    for code, other in coupled.items():
        if other:
            CardKind.objects.filter(code=code).update(coupled_with=other)
    return len(missing)


def kinds(*, include_closed: bool = False) -> list[CardKind]:
    """The kinds that may be applied for, or all of them."""
    found = CardKind.objects.order_by("code")
    return list(found if include_closed else found.filter(is_open=True))


def kind(code: str) -> CardKind:
    """One kind, open or closed. Raises NotFound `KIND_NOT_FOUND`."""
    found = CardKind.objects.filter(code=code).first()
    if found is None:
        raise NotFound("KIND_NOT_FOUND", "没有这个卡种。", found=code)
    return found


def open_kind(code: str) -> CardKind:
    """A kind that may be applied for. Raises NotFound or Refused `KIND_CLOSED`."""
    found = kind(code)
    if not found.is_open:
        raise Refused("KIND_CLOSED", f"{found.name}已停止申领。", found=code)
    return found


def preview_change(actor: Actor, code: str, changes: Mapping[str, Any]) -> list[rules.Change]:
    """What `change_kind` would change. Raises BadInput where a field cannot be so. Changes nothing."""
    actor.require("city:kind:manage")
    found = kind(code)
    return rules.difference(fields_of(found), _judged(found, changes))


def change_kind(
    actor: Actor, code: str, changes: Mapping[str, Any], reason: str, *, version: int | None = None
) -> list[rules.Change]:
    """Change a kind in force, as its next version; applications that are open keep the rules they began with.

    `version` is the one the person saw: Conflict `KIND_CHANGED` where somebody has changed it since. Raises
    BadInput for a field that cannot be so, or where nothing would change.
    """
    actor.require("city:kind:manage")
    found = CardKind.objects.select_for_update(of=("self",)).filter(code=code).first()
    if found is None:
        raise NotFound("KIND_NOT_FOUND", "没有这个卡种。", found=code)
    if version is not None and version != found.version:
        raise Conflict("KIND_CHANGED", f"{found.name}刚刚被他人变更。", action="请刷新后重新核对。")
    if not reason.strip():
        raise BadInput("REASON_MISSING", "请写明变更的理由。")
    before = fields_of(found)
    after = _judged(found, changes)
    changed = rules.difference(before, after)
    if not changed:
        raise BadInput("KIND_UNCHANGED", "没有任何变更。", action="请改动至少一项。")
    _keep(found, before)
    found.version += 1
    for field, value in after.items():
        setattr(found, "coupled_with_id" if field == "coupled_with" else field, value)
    found.save()
    KindVersion.objects.create(
        kind=found,
        version=found.version,
        fields=after,
        difference=[each._asdict() for each in changed],
        reason=reason.strip()[:200],
        at=clock.now(),
        by=actor.username,
    )
    record(
        actor,
        "kind.change",
        "card_kind",
        code,
        detail={
            "version": found.version,
            "reason": reason.strip(),
            "difference": {each.field: [before[each.field], after[each.field]] for each in changed},
        },
    )
    return changed


def versions(code: str) -> list[KindVersion]:
    """Every version of a kind that was written down, the newest first."""
    return list(KindVersion.objects.filter(kind=code).order_by("-version"))


def file_difference(code: str) -> list[rules.Change]:
    """How data/card_kinds.toml differs from the kind in force; empty where it has no such kind."""
    if (given := file_fields(code)) is None:
        return []
    return rules.difference(fields_of(kind(code)), given)


def file_fields(code: str) -> dict[str, Any] | None:
    """The fields that data/card_kinds.toml gives a kind, filled up with the defaults; None for a stranger."""
    given = configuration.card_kinds().get(code)
    if given is None:
        return None
    fresh = CardKind(code=code, **{key: value for key, value in given.items() if key != "coupled_with"})
    fresh.coupled_with_id = given.get("coupled_with")
    return fields_of(fresh)


def fields_of(found: CardKind) -> dict[str, Any]:
    """The configuration of a kind as plain values."""
    named = {field: getattr(found, field) for field in rules.LABELS if field != "coupled_with"}
    return {field: named.get(field, found.coupled_with_id) for field in rules.LABELS}


def kept_rules(applications: Collection[Application]) -> dict[int, Kept]:
    """The rules of each application (with its `kind`): those of the version under which it was opened."""
    older = {(a.kind_id, a.kind_version) for a in applications if a.kind_version != a.kind.version}
    written: dict[tuple[str, int], dict[str, Any]] = {}
    if older:
        found = KindVersion.objects.filter(kind__in={code for code, _ in older})
        written = {(each.kind_id, each.version): each.fields for each in found}
    return {
        a.id: Kept(*_kept(written.get((a.kind_id, a.kind_version)) or fields_of(a.kind)))
        for a in applications
    }


def _kept(fields: Mapping[str, Any]) -> Iterable[Any]:
    return (fields[field] for field in rules.KEPT)


def _judged(found: CardKind, changes: Mapping[str, Any]) -> dict[str, Any]:
    if unknown := sorted(set(changes) - set(rules.LABELS)):
        raise BadInput(
            "KIND_FIELD", "没有这一项。", found="、".join(unknown), expected="、".join(rules.LABELS)
        )
    after = {**fields_of(found), **changes}
    rules.check(after, list(CardKind.objects.values_list("code", flat=True)), found.code)
    after["name"] = after["name"].strip()
    return after


def _keep(found: CardKind, fields: dict[str, Any]) -> None:
    """The version that is about to be replaced is on record, so that open applications find their rules."""
    KindVersion.objects.get_or_create(
        kind=found,
        version=found.version,
        defaults={"fields": fields, "difference": [], "reason": "最初的配置", "at": clock.now(), "by": ""},
    )
