"""Profiles and scripts on their way into force: one person submits, another one approves."""

from dataclasses import dataclass
from typing import Any

from django.db import models

from xueka.contexts.personalization.domain import transitions as t
from xueka.contexts.personalization.models import CardProfile, CardScript
from xueka.contexts.personalization.services.common import locked
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.kernel.machine import Machine
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import reason_given, second_person

Reviewed = CardProfile | CardScript


@dataclass(frozen=True, slots=True)
class _Sort:
    model: type[models.Model]
    machine: Machine
    called: str
    name: str


PROFILES = _Sort(CardProfile, t.PROFILE, "份卡片结构", "card_profile")
SCRIPTS = _Sort(CardScript, t.SCRIPT, "份脚本", "card_script")


def submit(actor: Actor, sort: _Sort, id_: int) -> None:
    """Hand it to another person. Raises NotFound, Refused `TRANSITION_NOT_ALLOWED`."""
    found = _locked(actor, sort, id_)
    apply(sort.machine, sort.model, [id_], "submit", actor)
    _set(sort, id_, submitted_by=actor.username)
    _record(actor, "submit", sort, found)


def approve(actor: Actor, sort: _Sort, id_: int) -> None:
    """The second person. Raises NotFound, Refused `SAME_PERSON`, `TRANSITION_NOT_ALLOWED`."""
    found = _locked(actor, sort, id_)
    _not_submitter(actor, found)
    sort.machine.target("approve", found.state)
    _set(sort, id_, approved_by=actor.username, approved_at=clock.now())
    apply(sort.machine, sort.model, [id_], "approve", actor)
    _record(actor, "approve", sort, found)


def send_back(actor: Actor, sort: _Sort, id_: int, reason: str) -> None:
    """Not like this. Raises as `approve`, and BadInput `REASON_MISSING`."""
    found = _locked(actor, sort, id_)
    reason = reason_given(reason)
    _not_submitter(actor, found)
    apply(sort.machine, sort.model, [id_], "send_back", actor, reason=reason)
    _set(sort, id_, submitted_by="")
    _record(actor, "send_back", sort, found, reason=reason)


def put_in_force(actor: Actor, sort: _Sort, id_: int) -> None:
    """From now on; the version that was in force retires in the same moment. Raises Refused, NotFound."""
    found = _locked(actor, sort, id_)
    earlier = _rows(actor, sort).filter(code=found.code, state=t.IN_FORCE).exclude(id=id_)
    if old := earlier.select_for_update().first():
        apply(sort.machine, sort.model, [old.pk], "retire", actor, reason=f"由 {found.version} 版接替")
    if isinstance(found, CardProfile):
        _one_per_kind(found)
    apply(sort.machine, sort.model, [id_], "put_in_force", actor)
    _record(actor, "put_in_force", sort, found, earlier=old.version if old else None)


def retire(actor: Actor, sort: _Sort, id_: int, reason: str) -> None:
    """No longer. Raises NotFound, Refused, BadInput `REASON_MISSING`."""
    found = _locked(actor, sort, id_)
    reason = reason_given(reason)
    apply(sort.machine, sort.model, [id_], "retire", actor, reason=reason)
    _record(actor, "retire", sort, found, reason=reason)


def _one_per_kind(found: CardProfile) -> None:
    """Two profiles in force for one kind of card would leave it to chance which is written."""
    for other in CardProfile.objects.filter(state=t.IN_FORCE).exclude(code=found.code):
        if shared := sorted(set(other.kinds) & set(found.kinds)):
            raise Refused(
                "PROFILE_KIND_TAKEN",
                f"卡种 {'、'.join(shared)} 已有在用的卡片结构“{other}”。",
                found=str(other),
                action="请先停用它，再启用这一份。",
            )


def _locked(actor: Actor, sort: _Sort, id_: int) -> Any:
    return locked(_rows(actor, sort).filter(id=id_), sort.called, f"{sort.name.upper()}_NOT_FOUND")


def _rows(actor: Actor, sort: _Sort) -> Any:
    return sort.model.objects.visible_to(actor.scope)  # type: ignore[attr-defined]


def _not_submitter(actor: Actor, found: Reviewed) -> None:
    second_person(
        actor,
        found.submitted_by,
        "提交人不能复核自己提交的内容。",
        code="SAME_PERSON",
        action="请由另一位运营人员复核。",
    )


def _set(sort: _Sort, id_: int, **values: object) -> None:
    sort.model.objects.filter(id=id_).update(**values)  # type: ignore[attr-defined]


def _record(actor: Actor, verb: str, sort: _Sort, found: Reviewed, **detail: object) -> None:
    told = {"version": found.version, "sm3": bytes(found.sm3).hex(), **detail}
    record(actor, f"{sort.name}.{verb}", sort.name, found.code, detail=told)
