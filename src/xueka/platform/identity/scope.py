"""Where somebody acts: the whole city, one district, one school, or the system itself."""

from dataclasses import dataclass

from django.db.models import Q


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of the city that an actor sees. `level` is system, city, district or school."""

    level: str
    district: str = ""
    school: str = ""

    def filter(self, *, district: str, school: str) -> Q:
        """The restriction for a query, given the look-ups that lead to the district and school codes."""
        if self.level in ("system", "city"):
            return Q()
        if self.level == "district":
            return Q(**{district: self.district})
        return Q(**{school: self.school})

    def covers(self, *, district: str, school: str) -> bool:
        """Whether an object of this district and school lies inside."""
        if self.level in ("system", "city"):
            return True
        return self.district == district if self.level == "district" else self.school == school

    def __str__(self) -> str:
        return ":".join(part for part in (self.level, self.district, self.school) if part)


EVERYWHERE = Scope("system")
