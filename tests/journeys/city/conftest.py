from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import transaction
from playwright.sync_api import Page

from tests.journeys import town as towns
from tests.journeys.town import KIND, SYSTEM, Town, town
from xueka.contexts.cards import api as cards
from xueka.contexts.production import api as production
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope
from xueka.simulation import bureau

__all__ = ["town"]


@pytest.fixture
def people(town: Town) -> Town:
    """The town with a second operator and an auditor."""
    for username, name, role in (("operator2", "冯杰", "city_operator"), ("auditor", "褚宁", "auditor")):
        town.passwords[username] = towns.add_user(username, name, role, town.schools["first"])
    return town


@pytest.fixture
def bureau_at_work(people: Town, tmp_path: Path) -> Iterator[None]:
    """The card bureau's process, known and confirmed."""
    with bureau.running(tmp_path, seed=3, faults="none") as card:
        one = Actor.in_role("operator", "王芳", "city_operator", Scope("city"))
        other = Actor.in_role("operator2", "冯杰", "city_operator", Scope("city"))
        with transaction.atomic():
            bureau.introduce(card, one, other)
        yield


@transaction.atomic
def accepted(town: Town, count: int, first: int = 0) -> list[int]:
    """Applications that the city has accepted, of `count` students from the `first` on."""
    ids = town.submitted(town.students()[first : first + count])
    for _ in ("district", "city"):
        assert not cards.approve(SYSTEM, ids).refused
    return ids


@transaction.atomic
def approved(town: Town, application_ids: list[int]) -> production.Batch:
    """A batch of these that one operator has locked and another one approved."""
    first, second = (town.actor("city_operator", username=name) for name in ("operator", "operator2"))
    batch = production.create_batch(first, KIND, application_ids)
    production.lock(first, batch.id)
    return production.approve(second, batch.id)


def log_out(page: Page) -> None:
    page.context.clear_cookies()


def press(page: Page, button: str, answer: str = "") -> None:
    """Press a button; `answer` is the button of the question that follows."""
    page.get_by_role("button", name=button, exact=True).first.click()
    if answer:
        page.get_by_role("dialog").get_by_role("button", name=answer, exact=True).click()
