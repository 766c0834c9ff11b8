"""A directory of schools for the tests of the registry."""

import pytest

from tests.support.registry import load_schools


@pytest.fixture
def schools(db: None) -> None:
    load_schools()
