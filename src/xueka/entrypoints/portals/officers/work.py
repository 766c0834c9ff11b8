"""What is open at a place, in words and numbers, for hand-overs and leavers."""

from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.platform.identity.scope import Scope

_APPLICATIONS = {
    "draft": "草稿申领",
    "returned": "被退回的申领",
    "school_review": "待学校审核",
    "district_review": "待区级审核",
}


def open_work(scope: Scope) -> list[dict[str, object]]:
    """[{"label": "被退回的申领", "count": 3}, …] without the zeros."""
    counts = cards.application_counts(scope)
    found = [(label, counts.get(state, 0)) for state, label in _APPLICATIONS.items()]
    parcels = logistics.counts(scope)
    found += [("在途的卡", parcels.cards_in_transit), ("收货差异", parcels.discrepancies_open)]
    return [{"label": label, "count": count} for label, count in found if count]
