"""The classes that a roster names: made before its students arrive, taken back where none arrived."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection

from xueka.contexts.registry.domain.roster import CLASS_LIMIT, Place
from xueka.contexts.registry.domain.vocabulary import STAGES
from xueka.kernel.text import compact, normalise


class Classes:
    """The classes of one import. `schools` gives the id of each school code."""

    def __init__(self, schools: Mapping[str, int]) -> None:
        self._schools = schools
        self._ids: dict[Place, int] = {}
        self._made: list[int] = []

    def ensure(self, places: Iterable[Place]) -> None:
        """Look up or make the class of every sound place; `places` are cells as they stand in the file."""
        wanted = sorted({place for place in map(_clean, places) if self._is_sound(place)})
        values: list[Any] = [
            [self._schools[place.school_code] for place in wanted],
            [place.stage for place in wanted],
            [int(place.grade) for place in wanted],
            [place.class_name for place in wanted],
        ]
        with connection.cursor() as cursor:
            cursor.execute(_MAKE, values)
            self._made += [identity for (identity,) in cursor.fetchall()]
            cursor.execute(_FIND, values)
            found = [identity for (identity,) in cursor.fetchall()]
        self._ids.update(zip(wanted, found, strict=True))

    def of(self, places: Iterable[Place]) -> dict[Place, int]:
        """The ids of those of the places (cells as they stand in the file) that are sound."""
        return {place: self._ids[place] for place in map(_clean, places) if place in self._ids}

    def take_back(self) -> None:
        """Remove the classes made here whose rows were all refused."""
        with connection.cursor() as cursor:
            cursor.execute(_TAKE_BACK, [self._made])

    def _is_sound(self, place: Place) -> bool:
        highest = STAGES.get(place.stage, 0)
        return (
            place.school_code in self._schools
            and place.grade in map(str, range(1, highest + 1))
            and 0 < len(place.class_name) <= CLASS_LIMIT
            and "\0" not in place.class_name
        )


def _clean(place: Place) -> Place:
    school_code, *rest = place
    return Place(compact(school_code), *map(normalise, rest))


_WANTED = """unnest(%s::int8[], %s::text[], %s::int2[], %s::text[])
             WITH ORDINALITY AS w (school, stage, grade, name, n)"""
_SAME = "(c.school_id, c.stage, c.grade, c.name) = (w.school, w.stage, w.grade, w.name)"

_MAKE = f"""
    INSERT INTO registry_schoolclass (school_id, stage, grade, name)
    SELECT w.school, w.stage, w.grade, w.name FROM {_WANTED}
     WHERE NOT EXISTS (SELECT 1 FROM registry_schoolclass c WHERE {_SAME})
     ORDER BY w.n
    RETURNING id
"""  # noqa: S608 - no values in it

_FIND = f"SELECT c.id FROM {_WANTED} JOIN registry_schoolclass c ON {_SAME} ORDER BY w.n"  # noqa: S608

# One look into the index for each class: a table filled in this transaction has no statistics, and a join
# would meet a whole school for each of its classes.
_TAKE_BACK = """
    DELETE FROM registry_schoolclass c
     WHERE c.id = ANY(%s)
       AND (SELECT 1 FROM registry_student s
             WHERE s.school_id = c.school_id AND s.school_class_id = c.id LIMIT 1) IS NULL
       AND NOT EXISTS (SELECT 1 FROM registry_transfer t WHERE t.to_class_id = c.id)
"""
