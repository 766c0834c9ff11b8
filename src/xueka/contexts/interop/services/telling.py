"""Our present records of a dataset as messages: what `send_again` tells."""

from collections.abc import Callable, Mapping, Sequence

from xueka.contexts.cards.api import Card
from xueka.contexts.interop.adapters import records
from xueka.contexts.interop.domain.card_status import outside
from xueka.contexts.interop.services.following import KIND, content
from xueka.contexts.transit import api as transit
from xueka.contexts.welfare import api as welfare
from xueka.platform.exchange.services import Letter

Teller = Callable[[Sequence[str]], dict[str, Letter]]


def _card_status(keys: Sequence[str]) -> dict[str, Letter]:
    found = {}
    rows = Card.objects.filter(number__in=keys).exclude(beijing_tong_number="").order_by("id")
    # Held until they are posted: else a step that happens meanwhile would be told before them.
    for card in rows.select_for_update(no_key=True):
        if status := outside(card.state):
            told = content(card.number, card.beijing_tong_number, status, card.kind_id)
            found[card.number] = Letter(f"card:{card.number}", KIND, told)
    return found


#: Dataset → what we hold of these keys, as letters by key. A dataset without one is told by the counterpart
#: alone.
TELLERS: Mapping[str, Teller] = {
    records.CARD_STATUS: _card_status,
    records.TRANSIT_BINDINGS: transit.binding_letters,
    records.TRANSIT_HOT_LIST: transit.hot_letters,
    records.ENTITLED_CARDS: welfare.holder_letters,
}
