"""Where somebody acts: the whole city, one district, one school, her own children, or the system itself."""

from dataclasses import dataclass
from typing import Self

from django.db.models import Q, QuerySet

GUARDIAN = "guardian"


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of the city that an actor sees. `level` is system, city, district, school or guardian.

    A guardian's scope is exactly her `children` (student ids).
    """

    level: str
    district: str = ""
    school: str = ""
    children: frozenset[int] = frozenset()

    def filter(self, *, district: str, school: str, student: str = "") -> Q:
        """The restriction for a query, given the look-ups that lead to the district and school codes, and to
        the student's id where the rows are about one student. Without that a guardian sees nothing.
        """
        if self.level in ("system", "city"):
            return Q()
        if self.level == "district":
            return Q(**{district: self.district})
        if self.level == "school":
            return Q(**{school: self.school})
        children = self.children if student else frozenset()
        return Q(**{f"{student or 'pk'}__in": sorted(children)})

    def covers(self, *, district: str, school: str) -> bool:
        """Whether an object of this district and school lies inside."""
        if self.level in ("system", "city"):
            return True
        if self.level == "district":
            return self.district == district
        return self.level == "school" and self.school == school

    def __str__(self) -> str:
        return ":".join(part for part in (self.level, self.district, self.school) if part)


EVERYWHERE = Scope("system")


class CityWork(QuerySet):
    """Rows that are the city's affair: a district, a school or a family does not see that they exist."""

    def visible_to(self, scope: Scope) -> Self:
        return self if scope.level in ("system", "city") else self.none()
