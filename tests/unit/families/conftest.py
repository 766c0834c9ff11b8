"""Two schools, and children with their guardians' phones."""

import pytest

from tests.support.families import OTHER, PHONE, with_guardian
from tests.unit.cards.conftest import City, city
from xueka.contexts.registry import api as registry

__all__ = ["city"]


@pytest.fixture
def child(city: City) -> registry.Student:
    return with_guardian(city.students()[0], PHONE)


@pytest.fixture
def stranger(city: City) -> registry.Student:
    """A child of another family at another school."""
    return with_guardian(city.students(school=1)[0], OTHER)
