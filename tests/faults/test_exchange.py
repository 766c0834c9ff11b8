"""Check 12: the outbox under a failing receiver and killed senders. Nothing lost, order kept, applied once.

Full size: `XUEKA_TEST_SIZE=full`, or `python -m tests.faults.exchange_town` with a dial of its own.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.faults import exchange_town
from tests.support import run_database
from tests.support.size import dial

EVENTS, CARDS, KILLS, SENDERS = dial((300, 30, 1, 1), (100_000, 20_000, 50, 2))


@pytest.mark.django_db(transaction=True)
def test_nothing_is_lost_and_nothing_is_applied_twice(tmp_path: Path, settings: Any) -> None:
    settings.EXCHANGE_PARTNERS = tmp_path
    asked = exchange_town.parser().parse_args(
        ["--events", str(EVENTS), "--cards", str(CARDS), "--kills", str(KILLS), "--senders", str(SENDERS)]
    )
    seen = exchange_town.run(asked, run_database.environment(XUEKA_EXCHANGE_PARTNERS=str(tmp_path)))
    print(seen)
    assert seen["sound"], seen
    assert (seen["applied"], seen["lost"], seen["twice"], seen["out_of_order"]) == (EVENTS, 0, 0, 0)
    assert seen["kills"] == KILLS and seen["failed_tries"] > EVENTS // 10 and seen["came_again"] > 0
