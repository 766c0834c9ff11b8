"""What the services of this context share."""

from typing import TypeVar

from django.db import models

from xueka.contexts.multiapp.models import CardGrant, Sam, StockTake, Unit
from xueka.kernel.errors import BadInput, NotFound
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import second_person

Found = TypeVar("Found", bound=models.Model)

_WORDS: dict[type[models.Model], tuple[str, str, str]] = {
    Unit: ("code", "UNIT_NOT_FOUND", "没有这个单位。"),
    CardGrant: ("number", "CARD_GRANT_NOT_FOUND", "没有这项授权。"),
    Sam: ("serial", "SAM_NOT_FOUND", "没有这个安全模块。"),
    StockTake: ("number", "STOCK_TAKE_NOT_FOUND", "没有这次盘点。"),
}


def locked(actor: Actor, model: type[Found], name: str) -> Found:
    """The object of that number, locked to the end of the transaction; NotFound for strangers too."""
    field, code, message = _WORDS[model]
    rows = model._default_manager.visible_to(actor.scope)  # type: ignore[attr-defined]
    found: Found | None = rows.select_for_update(of=("self",)).filter(**{field: name.strip()}).first()
    if found is None:
        raise NotFound(code, message, found=name[:40], action="请核对编号。")
    return found


def another(actor: Actor, first: str, said: str) -> None:
    """Raises Refused `SECOND_PERSON`, `PERSON_NEEDED`."""
    second_person(actor, first, said, expected="另一位经办人", action="请通知另一位经办人。")


def text(value: str, what: str, longest: int) -> str:
    """A text that must be there. Raises BadInput `TEXT_MISSING`, `TEXT_LONG`."""
    value = value.strip()
    if not value:
        raise BadInput("TEXT_MISSING", f"请填写{what}。", where=what)
    if len(value) > longest:
        raise BadInput(
            "TEXT_LONG",
            f"{what}太长。",
            where=what,
            found=f"{len(value)} 个字",
            expected=f"最多 {longest} 个字",
        )
    return value
