"""Each invariant is violated once by SQL, and seen."""

from collections.abc import Callable

import pytest
from django.db import connection

from tests.support.families import NOBODY, PHONE, code_of
from xueka.contexts.families import api as families
from xueka.contexts.families.invariants import INVARIANTS
from xueka.contexts.registry import api as registry
from xueka.platform.invariants import check

pytestmark = pytest.mark.django_db

DAMAGE = {
    "families_code_used_in_time": "UPDATE families_coderequest SET used_at = expires_at + interval '1 s'",
    "families_session_at_most_thirty_days": (
        "UPDATE families_familysession SET expires_at = began_at + interval '31 days'"
    ),
    "families_account_has_shown_a_child": "DELETE FROM families_familychild",
}


@pytest.fixture
def signed_in(child: registry.Student) -> registry.Student:
    families.ask_code(NOBODY, child.education_id, PHONE)
    account = families.enter(NOBODY, child.education_id, PHONE, code_of())
    assert account is not None
    families.begin_session(account, "", "")
    return child


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda each: each.name)
def test_a_violation_is_seen(invariant: object, signed_in: registry.Student, request: Callable) -> None:
    before = check(invariant)
    assert (before.violated, before.checked > 0) == (0, True)
    with connection.cursor() as cursor:
        cursor.execute(DAMAGE[invariant.name])
    assert check(invariant).violated > 0
