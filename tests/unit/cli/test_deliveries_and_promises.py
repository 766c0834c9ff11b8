"""`xueka deliveries list` and `xueka replacements late`: what is on the road, and which promise runs out."""

from datetime import UTC, datetime

import pytest
from django.db import transaction

from tests.support.commands import Run
from tests.unit.replacements.conftest import Families, family, in_memory  # noqa: F401 - the fixtures
from xueka.contexts.logistics import api as logistics
from xueka.kernel import clock

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_is_on_the_road_and_late(xueka: Run, family: Families) -> None:  # noqa: F811
    made = family.handed_in(family.child())
    family.made(made)
    system = family.city.system
    with transaction.atomic():
        [delivery] = logistics.prepare_deliveries(system)
        logistics.dispatch(system, delivery.id, carrier="顺丰速运", waybill="SF1", expected_on=clock.today())
    code, found = xueka("deliveries", "list", "--state", "in_transit")
    assert (code, found["count"], found["next_before"]) == (0, 1, None)
    [row] = found["deliveries"]
    assert (row["number"], row["waybill"], row["cards"], row["boxes"]) == (delivery.number, "SF1", 1, 1)
    assert xueka("deliveries", "list", "--search", "SF2")[1]["deliveries"] == []
    assert xueka("deliveries", "list", "--limit", "1")[1]["next_before"] == delivery.id
    code, refused = xueka("deliveries", "list", "--state", "flying")
    assert (code, refused["error"]["code"]) == (1, "STATE_UNKNOWN")

    family.sweep(made)
    family.time.set(datetime(2026, 9, 18, 2, 0, tzinfo=UTC))
    code, found = xueka("replacements", "late")
    assert (code, found["promised"], found["open_late"]) == (0, 1, 1)
    [row] = found["replacements"]
    assert (row["number"], row["promised_on"], row["days_late"]) == (made.number, "2026-09-16", 2)
    assert xueka("replacements", "late", "--month", "2026-08")[1]["promised"] == 0
    assert xueka("replacements", "late", "--month", "x")[1]["error"]["code"] == "MONTH"
