import pytest

from xueka.platform.identity.actor import Actor


@pytest.fixture
def operator() -> Actor:
    return Actor.system("test")
