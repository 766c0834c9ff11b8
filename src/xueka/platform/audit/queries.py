"""Reading the audit log. Lists are paged by key: pass the id of the last entry seen as `after`."""

from collections.abc import Sequence
from datetime import datetime

from xueka.platform.audit.models import Entry, EntryQuerySet
from xueka.platform.identity.scope import Scope


def entry_rows(scope: Scope) -> EntryQuerySet:
    """All entries of the scope, for a list that orders and narrows them itself."""
    return Entry.objects.visible_to(scope)


def entries(
    scope: Scope,
    *,
    actor: str = "",
    action: str = "",
    object_type: str = "",
    object_id: object = "",
    result: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    after: int | None = None,
    limit: int = 50,
) -> list[Entry]:
    """The newest entries first. `action` may end in a full stop to mean everything below (`card.`);
    `since` is included, `until` is not.
    """
    found = Entry.objects.visible_to(scope)
    exact = {
        "actor": actor,
        "object_type": object_type,
        "object_id": str(object_id),
        "result": result,
    }
    found = found.filter(**{name: value for name, value in exact.items() if value})
    if action:
        found = (
            found.filter(action__startswith=action) if action.endswith(".") else found.filter(action=action)
        )
    if since:
        found = found.filter(at__gte=since)
    if until:
        found = found.filter(at__lt=until)
    if after is not None:
        found = found.filter(id__lt=after)
    return list(found.order_by("-id")[:limit])


def by_person(rows: EntryQuerySet, text: str) -> EntryQuerySet:
    """Acts of the person of this user name, or of any whose name holds the text."""
    found = rows.filter(actor=text)
    return found if found.exists() else rows.filter(actor_name__contains=text)


def about_user(names: Sequence[str], limit: int = 60) -> list[Entry]:
    """What was done to a user's account, newest first; `names` are her present and former user names."""
    found = Entry.objects.filter(object_type="user", object_id__in=list(names))
    return list(found.order_by("-id")[:limit])
