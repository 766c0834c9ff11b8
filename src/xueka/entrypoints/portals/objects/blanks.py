"""The blanks that offices hold for their counters, as the city and a counter see them."""

from typing import Any

from xueka.contexts.numbers import api as numbers
from xueka.entrypoints.design.ui import Badge
from xueka.platform.identity.scope import Scope

_SLIPS = 50


def shown(scope: Scope) -> dict[str, Any]:
    """Stock by office and lot, and the last slips."""
    stock = [
        (each, Badge("相符", "ok") if each.adds_up else Badge("不符", "bad"))
        for each in numbers.counter_stock(scope)
    ]
    slips = [
        (each, numbers.COUNTERS[each.counter], numbers.COUNTER_DIRECTIONS[each.direction])
        for each in numbers.counter_slips(scope)[:_SLIPS]
    ]
    return {"stock": stock, "slips": slips}
