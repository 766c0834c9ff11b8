import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What run.py has had tested on the oldest server (`-m django_db`, this folder) is not tested twice."""
    if os.environ.get("XUEKA_TESTED_ON_OLDEST_SERVER") != "1":
        return
    there = [item for item in items if HERE in item.path.parents and item.get_closest_marker("django_db")]
    config.hook.pytest_deselected(items=there)
    items[:] = [item for item in items if item not in set(there)]
