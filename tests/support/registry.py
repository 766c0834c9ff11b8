"""Bringing synthetic schools and students into the registry."""

from collections.abc import Iterable, Sequence

from tests.support.rosters import HEADER, SCHOOL_HEADER, Row, csv_text, roster_rows, school_rows
from xueka.contexts.registry.api import ImportReport, import_roster, import_schools
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

OPERATOR = Actor.in_role("operator", "运营员", "city_operator", Scope("city"))
SCHOOLS = school_rows()


def district_officer(district: str) -> Actor:
    return Actor.in_role(f"officer-{district}", "区卡管员", "district_officer", Scope("district", district))


def school_officer(school: Row) -> Actor:
    scope = Scope("school", school[3], school[0])
    return Actor.in_role(f"officer-{school[0]}", "卡管老师", "school_officer", scope)


def load_schools(rows: Sequence[Row] = SCHOOLS) -> ImportReport:
    return import_schools(OPERATOR, csv_text(rows, SCHOOL_HEADER).encode(), "schools.csv")


def load(
    rows: Iterable[Sequence[str]], *, header: Sequence[str] = HEADER, dry_run: bool = False, **options
) -> ImportReport:
    """Import these rows as a UTF-8 CSV file."""
    return import_roster(OPERATOR, csv_text(list(rows), header).encode(), "roster.csv", dry_run, **options)


def clean(count: int, *, first: int = 0, schools: Sequence[Row] = SCHOOLS[:2]) -> list[Row]:
    return list(roster_rows(schools, count, first=first))
