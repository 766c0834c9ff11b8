"""Card kinds as configuration."""

from xueka.contexts.cards import configuration
from xueka.contexts.cards.models import CardKind
from xueka.kernel.errors import NotFound, Refused


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


def open_kind(code: str) -> CardKind:
    """A kind that may be applied for. Raises NotFound or Refused `KIND_CLOSED`."""
    found = CardKind.objects.filter(code=code).first()
    if found is None:
        raise NotFound("KIND_NOT_FOUND", "没有这个卡种。", found=code)
    if not found.is_open:
        raise Refused("KIND_CLOSED", f"{found.name}已停止申领。", found=code)
    return found
