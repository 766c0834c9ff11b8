"""The lines of `returns.txt` without ever holding a million texts: decoded block by block, on demand.

A block ends behind a CRLF, which is never part of a GB 18030 character, so that it can be decoded by itself.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, overload

from xueka.contexts.production.domain.bureau import gb18030

BLOCK = 2 * 1024 * 1024  # bytes


class Block(NamedTuple):
    """Bytes `start` to `end` of the file; its first line is number `first` (from 0) of the sequence."""

    start: int
    end: int
    first: int


class Lines(Sequence[str]):
    """The lines in `data[start:end]`, which ends in CRLF or is empty, as decoded texts without their ends."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self._data = data
        self._blocks: list[Block] = []
        first = 0
        for block_start, block_end in cuts(data, start, end):
            self._blocks.append(Block(block_start, block_end, first))
            first += data.count(b"\r\n", block_start, block_end)
        self._count = first

    def __len__(self) -> int:
        return self._count

    def blocks(self) -> Iterator[tuple[int, list[str]]]:
        """Runs of lines, each with the number of its first line, from 0."""
        for block in self._blocks:
            yield block.first, self._read(block)

    def pick(self, numbers: Iterable[int]) -> dict[int, str]:
        """The lines of these rising numbers, from 0."""
        found: dict[int, str] = {}
        block, lines = None, []
        for number in numbers:
            wanted = self._block_of(number)
            if wanted is not block:
                block, lines = wanted, self._read(wanted)
            found[number] = lines[number - wanted.first]
        return found

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return list(self.pick(sorted(range(self._count)[place])).values())
        number = range(self._count)[place]
        return self.pick([number])[number]

    def __iter__(self) -> Iterator[str]:
        for _, lines in self.blocks():
            yield from lines

    def _block_of(self, number: int) -> Block:
        return self._blocks[bisect_right(self._blocks, number, key=lambda block: block.first) - 1]

    def _read(self, block: Block) -> list[str]:
        lines = gb18030.decode(self._data[block.start : block.end]).split("\r\n")
        lines.pop()
        return lines


def cuts(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where the blocks between `start` and `end` begin and end; all but the last end behind a CRLF."""
    while start < end:
        stop = data.find(b"\r\n", min(start + BLOCK, end), end)
        stop = end if stop < 0 else stop + 2
        yield start, stop
        start = stop
