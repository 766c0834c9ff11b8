"""Writing steps, each only where the object still is as the step says. All or nothing.

States go through the history's door for repairs, numbers through theirs, students through the registry's
move; the other fields of the allow-list are written as they are (docs/adr/0093).
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.db import models

from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.contexts.numbers import api as numbers
from xueka.contexts.registry import api as registry
from xueka.contexts.repairs.domain.steps import FIELDS, LABELS, Step, Value
from xueka.kernel import clock
from xueka.kernel.errors import Conflict
from xueka.kernel.machine import Machine
from xueka.platform.crypto.fields import seal
from xueka.platform.history.services import repair as repair_state
from xueka.platform.identity.actor import Actor

MODELS: dict[str, type[models.Model]] = {
    "account": cards.CardAccount,
    "application": cards.Application,
    "card": cards.Card,
    "place": logistics.BoxCard,
    "box": logistics.Box,
    "delivery": logistics.Delivery,
    "student": registry.Student,
}
MACHINES: dict[str, Machine] = {
    "account": cards.ACCOUNT,
    "application": cards.APPLICATION,
    "card": cards.CARD,
    "box": logistics.BOX,
    "delivery": logistics.DELIVERY,
}
#: Which tables an object of each sort lies in, for choosing the invariants to check again.
TABLES: dict[str, tuple[str, ...]] = {
    **{what: (model._meta.db_table,) for what, model in MODELS.items()},
    "numbers": ("numbers_numberuse", "numbers_blank"),
    "consent": ("registry_consent",),
}


def write(actor: Actor, steps: Sequence[Step], repair_id: int, reason: str) -> None:
    """Do the steps in order. Raises Conflict `REPAIR_MOVED` where an object is no longer as the step says."""
    for step in steps:
        if (here := present(step.what, step.id, step.field, lock=True)) != step.old:
            raise Conflict(
                "REPAIR_MOVED",
                f"{LABELS[step.what]} {step.name} 的{FIELDS.get(step.field, step.field)}已不是预览时的样子。",
                found=here,
                expected=step.old,
                action="请重新提出。",
            )
        _write(actor, step, repair_id, reason)


def present(what: str, id_: int, field: str, *, lock: bool = False) -> Value:
    """The value of a field now, plain; None where the object is gone."""
    if what == "numbers":
        return numbers.state_on_card(id_)
    if what == "consent":
        return registry.last_consent(id_)
    name = "school_class_id" if field == "class" else field
    rows = MODELS[what]._default_manager.filter(id=id_)
    if lock:
        rows = rows.select_for_update(of=("self",))
    found = rows.first()
    return plain(getattr(found, name)) if found is not None else None


def plain(value: Any) -> Value:
    """A value as the steps keep it: dates and moments in ISO form."""
    return value.isoformat() if isinstance(value, date | datetime) else value


def _write(actor: Actor, step: Step, repair_id: int, reason: str) -> None:
    if step.what == "numbers":
        numbers.put_back(actor, [step.id], str(step.new), repair=repair_id, reason=reason)
    elif step.what == "consent":
        _consent(actor, step)
    elif step.field == "state":
        repair_state(
            MACHINES[step.what],
            MODELS[step.what],
            [step.id],
            str(step.new),
            actor,
            repair=repair_id,
            reason=reason,
        )
    elif step.field == "class":
        _move(step)
    else:
        model = MODELS[step.what]
        field = model._meta.get_field(step.field.removesuffix("_id"))
        value = step.new if step.field.endswith("_id") else field.to_python(step.new)  # type: ignore[union-attr]
        model._default_manager.filter(id=step.id).update(**{step.field: value, **_along(step)})


def _along(step: Step) -> dict[str, Any]:
    """Columns that follow from the one that is written."""
    if step.what != "student":
        return {}
    # The digest says "nothing new in this row"; without it the next roster looks at the student again.
    again = {"row_digest": b"", "updated_at": clock.now()}
    if step.field != "name":
        return again
    return {**again, "sort_key": registry.sort_key(str(step.new)), "sort_key_by_hand": False}


def _move(step: Step) -> None:
    status = str(present("student", step.id, "status"))
    moves = registry.Moves([step.id], [int(step.old or 0)], [status], [int(step.new or 0)], [status])
    registry.move_students(Actor.system("repairs"), moves, "moved")


def _consent(actor: Actor, step: Step) -> None:
    """Consent is never rewritten: the mistake is followed by a record that says otherwise."""
    last = registry.Consent.objects.filter(student_id=step.id).order_by("-id").first()
    registry.Consent.objects.create(
        student_id=step.id,
        action=step.new or "withdrawn",
        notice_version=last.notice_version if last else "更正",
        given_by=seal({"name": ""}),
        method=last.method if last else "paper",
        at=clock.now(),
        recorded_by=actor.username,
    )
