"""Counts of consent by place and the students behind them, each in its scope."""

import pytest

from tests.unit.cards.conftest import City, city
from xueka.contexts.registry import api as registry
from xueka.kernel.districts import DISTRICTS
from xueka.platform.identity.scope import Scope

__all__ = ["city"]
CITY = Scope("city")


def test_the_last_word_counts(city: City) -> None:
    ids = city.students(3)
    city.students(1, school=2)
    city.students(1, status="休学")
    registry.record_consent(city.system, ids[:2], "given", "2026-1", "", "paper")
    registry.record_consent(city.system, ids[:1], "withdrawn", "2026-1", "", "paper")
    by_district = {each.key: (each.students, each.given, each.missing) for each in _counts(CITY, "district")}
    assert by_district == {"110101": (3, 1, 2), "110102": (1, 0, 1)}
    [school] = registry.consent_counts(CITY, "school", district="110102")
    assert (school.key, school.students) == ("2111020001", 1)
    [one] = registry.consent_counts(CITY, "class", school="2111010001")
    assert (one.label, one.missing) == (("小学", "1", "1班"), 2)
    rows = registry.consent_rows(CITY)
    assert {row.id: row.consent for row in rows.filter(id__in=ids)} == {
        ids[0]: "withdrawn",
        ids[1]: "given",
        ids[2]: None,
    }
    assert registry.missing_consent(rows).count() == 3
    assert set(by_district) <= set(DISTRICTS)


@pytest.mark.parametrize(
    ("scope", "keys"),
    [
        (Scope("district", "110102"), ["2111020001"]),
        (Scope("school", "110101", "2111010001"), ["2111010001"]),
        (Scope("school", "110101", "2111010002"), []),
    ],
)
def test_nobody_sees_further_than_her_scope(city: City, scope: Scope, keys: list[str]) -> None:
    city.students(1)
    city.students(1, school=2)
    assert [each.key for each in _counts(scope, "school")] == keys
    assert registry.consent_counts(scope, "school", district="110103") == []


def _counts(scope: Scope, level: str) -> list[registry.ConsentCount]:
    return registry.consent_counts(scope, level)
