"""What must always be true, as SQL with its name in words. `xueka verify` runs all of them."""

from dataclasses import dataclass, field

from django.db import connection


@dataclass(frozen=True, slots=True)
class Invariant:
    """`sql` returns one row: (checked bigint, violated bigint, examples text[] of at most five)."""

    name: str
    title: str
    sql: str


def from_rows(name: str, title: str, rows: str) -> Invariant:
    """An invariant judged row by row: `rows` selects (example text, wrong boolean) for each thing checked."""
    head = "SELECT count(*), count(*) FILTER (WHERE wrong),"
    examples = "(array_agg(example ORDER BY example) FILTER (WHERE wrong))[1:5]"
    return Invariant(name, title, f"{head} {examples} FROM ({rows}) AS judged (example, wrong)")


@dataclass(frozen=True, slots=True)
class InvariantResult:
    name: str
    title: str
    checked: int
    violated: int
    examples: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        return {
            "name": self.name,
            "title": self.title,
            "checked": self.checked,
            "violated": self.violated,
            "examples": self.examples,
        }


def check(invariant: Invariant) -> InvariantResult:
    """Run one invariant on the present database."""
    with connection.cursor() as cursor:
        cursor.execute(invariant.sql)
        checked, violated, examples = cursor.fetchone()
    return InvariantResult(invariant.name, invariant.title, checked, violated, list(examples or []))
