"""What the services share: fetching under a scope, drawing ids, checking the reason that must be given."""

from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

from django.db import connection, models

from xueka.contexts.cards.models import Application, Card
from xueka.kernel.errors import BadInput, NotFound
from xueka.platform.identity.actor import Actor

Row = TypeVar("Row", bound=models.Model)

#: Locks are taken in one order everywhere: accounts, applications, cards, numbers; each by rising id.


def fetch_applications(actor: Actor, ids: Collection[int], *, lock: bool = True) -> list[Application]:
    """The applications in id order; NotFound `APPLICATION_NOT_FOUND` if one is not there for this actor."""
    query = Application.objects.visible_to(actor.scope).select_related("kind", "account")
    return _fetch(query, ids, lock, _no_application)


def lock_applications(actor: Actor, ids: Collection[int]) -> None:
    """Lock the applications in id order, without fetching them; NotFound as `fetch_applications`."""
    _lock(Application.objects.visible_to(actor.scope), ids, _no_application)


def fetch_cards(actor: Actor, ids: Collection[int], *, lock: bool = True) -> list[Card]:
    """The cards in id order; NotFound `CARD_NOT_FOUND` if one is not there for this actor."""
    query = Card.objects.visible_to(actor.scope).select_related("kind")
    return _fetch(query, ids, lock, _no_card)


def lock_cards(actor: Actor, ids: Collection[int]) -> None:
    """Lock the cards in id order, without fetching them; NotFound as `fetch_cards`."""
    _lock(Card.objects.visible_to(actor.scope), ids, _no_card)


def lock_applications_of(card_ids: Collection[int]) -> None:
    """Lock the applications of cards before the cards themselves are locked."""
    ids = Card.objects.filter(id__in=card_ids).values_list("application_id", flat=True)
    list(Application.objects.filter(id__in=list(ids)).order_by("id").select_for_update().values_list("id"))


def in_order(rows: Iterable[Row], ids: Collection[int]) -> list[Row]:
    """`rows` in the order of `ids`, each once."""
    by_id = {row.pk: row for row in rows}
    return [by_id[id_] for id_ in dict.fromkeys(ids)]


def draw_ids(model: type[models.Model], count: int) -> list[int]:
    """New ids of a table: numbers carry the id, so it is drawn before the row is written."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [model._meta.db_table, count],
        )
        return [row[0] for row in cursor.fetchall()]


def required_text(text: str, what: str) -> str:
    """The text without blanks around; BadInput `REASON_MISSING` where nothing is left."""
    if not text.strip():
        raise BadInput("REASON_MISSING", f"请写明{what}。")
    return text.strip()


def _no_application() -> NotFound:
    return NotFound("APPLICATION_NOT_FOUND", "没有这份申领。")


def _no_card() -> NotFound:
    return NotFound("CARD_NOT_FOUND", "没有这张卡。")


def _lock(query: models.QuerySet[Row], ids: Collection[int], missing: Callable[[], NotFound]) -> None:
    wanted = set(ids)
    rows = query.filter(id__in=wanted).order_by("id").select_for_update(of=("self",))
    if len(rows.values_list("id")) < len(wanted):
        raise missing()


def _fetch(
    query: models.QuerySet[Row], ids: Collection[int], lock: bool, missing: Callable[[], NotFound]
) -> list[Row]:
    wanted = set(ids)
    query = query.filter(id__in=wanted).order_by("id")
    found = list(query.select_for_update(of=("self",)) if lock else query)
    if len(found) < len(wanted):
        raise missing()
    return found
