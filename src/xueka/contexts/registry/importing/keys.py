"""The first, light pass over a file: what has to be known of all lines before any is judged."""

from operator import itemgetter
from typing import NamedTuple

from xueka.contexts.registry.domain.columns import Layout
from xueka.contexts.registry.domain.roster import Place, key_values
from xueka.contexts.registry.domain.vocabulary import id_key
from xueka.contexts.registry.tables.source import Chunk, Undecodable


class Keys(NamedTuple):
    """One chunk's keys, line by line, empty where the line has none; and the classes it names.

    `broken` is a line that is no text; then there is nothing else.
    """

    education_ids: list[str]
    documents: list[str]
    places: set[Place]
    broken: int | None = None


def keys_of(layout: Layout, chunk: Chunk) -> Keys:
    """Read only what has to be compared between lines."""
    try:
        lines = chunk.lines()
    except Undecodable as error:
        return Keys([], [], set(), error.line)
    education_ids, documents, places = [], [], set()
    place_of = itemgetter(*(layout.positions[key] for key in Place._fields))
    for cells in lines:
        education_id, (kind, number) = key_values(cells, layout)
        education_ids.append(education_id)
        documents.append(id_key(kind, number) if number else "")
        if len(cells) >= layout.width:
            places.add(place_of(cells))
    return Keys(education_ids, documents, set(map(Place._make, places)))
