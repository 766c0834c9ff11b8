"""`verify` gathers every invariant there is, each under a name of its own."""

import importlib
import pkgutil

import pytest

import xueka.contexts
from xueka.contexts.operations import api as operations


def test_no_context_is_forgotten() -> None:
    names = {invariant.name for invariant in operations.INVARIANTS}
    for found in pkgutil.iter_modules(xueka.contexts.__path__):
        module = f"xueka.contexts.{found.name}.invariants"
        if found.name != "operations" and importlib.util.find_spec(module):
            theirs = {invariant.name for invariant in importlib.import_module(module).INVARIANTS}
            assert theirs <= names, found.name


def test_names_and_titles_are_used_once() -> None:
    assert len({invariant.name for invariant in operations.INVARIANTS}) == len(operations.INVARIANTS)
    assert len({invariant.title for invariant in operations.INVARIANTS}) == len(operations.INVARIANTS)


@pytest.mark.django_db
def test_an_empty_city_holds() -> None:
    results = operations.verify()
    assert [result for result in results if result.violated] == []
    assert len(results) == len(operations.INVARIANTS) + 1


@pytest.mark.django_db
def test_some_may_be_chosen() -> None:
    chosen = operations.INVARIANTS[0].name
    assert [result.name for result in operations.verify([chosen])] == [chosen]
    assert [result.name for result in operations.verify(["audit_chain_unbroken"])] == ["audit_chain_unbroken"]
