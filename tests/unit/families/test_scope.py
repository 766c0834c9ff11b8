"""A guardian's scope shows her children and nothing else, in every query set that takes a scope."""

import pytest
from django.apps import apps

from tests.unit.cards.conftest import City
from xueka.contexts.cards import api as cards
from xueka.contexts.registry import api as registry
from xueka.kernel.errors import NotFound
from xueka.platform.audit import queries as audit
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import GUARDIAN, Scope

pytestmark = pytest.mark.django_db

#: What is about one student, and how the student is reached.
OF_CHILDREN = {
    "registry.Student": "id",
    "cards.Application": "account__student_id",
    "cards.Card": "student_id",
    "cards.CardAccount": "student_id",
    "cards.Photo": "student_id",
    "replacements.Replacement": "student_id",
    "payments.Order": "student_id",
}


def test_every_scoped_table_shows_her_children_or_nothing(city: City) -> None:
    own, strange = city.students(2)
    city.active([own, strange])
    scope = Scope(GUARDIAN, children=frozenset({own}))
    seen = 0
    for model in apps.get_models():
        visible_to = getattr(model._default_manager, "visible_to", None)
        if visible_to is None:
            continue
        path = OF_CHILDREN.get(model._meta.label)
        rows = visible_to(scope)
        if path is None:
            assert not rows.exists(), model._meta.label
        else:
            found = set(rows.values_list(path, flat=True))
            assert found <= {own}, model._meta.label
            seen += own in found
    assert seen >= 4


def test_a_stranger_is_not_found(city: City) -> None:
    own, strange = city.students(2)
    number = cards.Card.objects.get(pk=city.active([strange])[0]).number
    scope = Scope(GUARDIAN, children=frozenset({own}))
    education_id = registry.Student.objects.get(pk=strange).education_id
    for ask in (lambda: registry.student(scope, education_id), lambda: cards.card(scope, number)):
        with pytest.raises(NotFound):
            ask()


def test_counts_and_the_log_tell_a_guardian_nothing(city: City) -> None:
    [own] = city.students()
    scope = Scope(GUARDIAN, children=frozenset({own}))
    guardian = Actor.in_role("guardian:1", "家长", GUARDIAN, scope)
    record(guardian, "family.enter", "student", "1")
    record(Actor.in_role("guardian:2", "家长", GUARDIAN, scope), "family.enter", "student", "2")
    assert registry.consent_counts(scope, "school") == []
    assert list(audit.entries(scope)) == []
    assert cards.application_counts(scope) == {} or not any(cards.application_counts(scope).values())
