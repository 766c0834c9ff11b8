"""Which lines of a file give the same education ID or the same identity document."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import polars as pl

from xueka.contexts.registry.domain.roster import Place, Twins
from xueka.contexts.registry.importing.keys import Keys
from xueka.contexts.registry.tables.csv_file import broken_text

FIRST_LINE = 2
_NAMED = 6


@dataclass(slots=True)
class Index:
    """Gathers the keys of all chunks in order; then knows the first line of each chunk and all twins."""

    starts: list[int] = field(default_factory=list)
    places: list[set[Place]] = field(default_factory=list)
    lines: int = 0
    _education_ids: list[pl.Series] = field(default_factory=list)
    _documents: list[pl.Series] = field(default_factory=list)

    def add(self, keys: Keys) -> None:
        """Raises BadInput `ENCODING_BROKEN` where the text breaks off."""
        self.starts.append(FIRST_LINE + self.lines)
        if keys.broken is not None:
            raise broken_text(self.starts[-1] + keys.broken)
        self.lines += len(keys.education_ids)
        self.places.append(keys.places)
        self._education_ids.append(pl.Series(keys.education_ids, dtype=pl.String))
        self._documents.append(pl.Series(keys.documents, dtype=pl.String))

    def twins(self) -> dict[int, Twins]:
        """By line: the other lines with the same key. Lines without twins are left out."""
        found: dict[int, Twins] = {}
        for line, others in _repeated(self._education_ids):
            found.setdefault(line, Twins()).education_id = others
        for line, others in _repeated(self._documents):
            found.setdefault(line, Twins()).id_number = others
        self._documents.clear()
        return found

    def education_ids(self, chunk: int) -> list[str]:
        """The education IDs of one chunk, as given."""
        return self._education_ids[chunk].to_list()

    def lines_until(self, chunk: int) -> int:
        """How many lines there are up to the end of a chunk, the header not counted."""
        return self.starts[chunk] + len(self._education_ids[chunk]) - FIRST_LINE

    def line_of(self, education_id: str) -> int | None:
        """The first line that gives this education ID."""
        for start, series in zip(self.starts, self._education_ids, strict=True):
            if (at := series.index_of(education_id)) is not None:
                return start + at
        return None


def _repeated(chunks: Sequence[pl.Series]) -> Iterator[tuple[int, Sequence[int]]]:
    if not chunks:
        return
    keys = pl.concat(chunks).alias("key").to_frame().with_row_index("line", FIRST_LINE)
    groups = (
        keys.filter(pl.col("key") != "")
        .filter(pl.col("key").is_duplicated())
        .group_by("key", maintain_order=True)
        .agg("line")
    )
    for lines in groups["line"].to_list():
        for line in lines:
            yield line, [other for other in lines[: _NAMED + 1] if other != line][:_NAMED]
