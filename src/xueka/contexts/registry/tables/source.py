"""A table as it comes in: a layout, and its lines in chunks that may be read in other processes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from xueka.contexts.registry.domain.columns import Column, Layout, looks_like_header, match
from xueka.kernel.errors import BadInput

CHUNK_BYTES = 2 * 1024 * 1024
CHUNK_LINES = 10_000
HEADER_LOOKED_AT = 10
"""So many lines are searched for a header that stands too low, to say where it is."""

SEPARATOR = "\x1f"
"""Between cells that have been taken apart already; no cell that anybody typed contains it."""

Cells = Sequence[str]


class Undecodable(Exception):
    """Bytes that are no text in the file's encoding; `line` counts from the start of the chunk."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive lines: raw bytes of CSV lines without any quotes, or lines whose cells are joined again."""

    content: bytes | list[str]
    encoding: str = ""

    @property
    def separator(self) -> str:
        """What stands between the cells of a line."""
        return "," if isinstance(self.content, bytes) else SEPARATOR

    def texts(self) -> list[str]:
        """Every line as one text, blank lines included. Raises Undecodable."""
        if not isinstance(self.content, bytes):
            return self.content
        try:
            text = self.content.decode(self.encoding)
        except UnicodeDecodeError as error:
            raise Undecodable(self.content.count(b"\n", 0, error.start)) from None
        lines = text.replace("\r\n", "\n").split("\n")
        if not lines[-1]:
            lines.pop()
        return lines

    def lines(self) -> list[Cells]:
        """The cells of every line, blank lines included. Raises Undecodable."""
        return [text.split(self.separator) for text in self.texts()]


@dataclass(frozen=True, slots=True)
class Table:
    """`chunks` starts over at the line after the header each time it is called. `kind` is for the reader."""

    kind: str
    layout: Layout
    size: int
    chunks: Callable[[], Iterator[Chunk]]
    ignored_sheets: tuple[str, ...] = ()


def in_chunks(lines: Iterator[Cells]) -> Iterator[Chunk]:
    """Split lines gathered so many to a chunk."""
    gathered: list[str] = []
    for line in lines:
        gathered.append(SEPARATOR.join(line))
        if len(gathered) == CHUNK_LINES:
            yield Chunk(gathered)
            gathered = []
    if gathered:
        yield Chunk(gathered)


def read_header(columns: Sequence[Column], first_lines: Sequence[Cells]) -> Layout:
    """The layout by the first line. Raises BadInput; says so where the header stands further down."""
    if not first_lines or not any(cell.strip() for line in first_lines for cell in line):
        raise BadInput(
            "FILE_EMPTY",
            "文件是空的，没有表头，也没有数据。",
            expected="第 1 行为表头，其下每行一条记录",
            action="请确认选对了文件，再导入一次。",
        )
    if not looks_like_header(columns, first_lines[0]):
        for number, line in enumerate(first_lines[1:HEADER_LOOKED_AT], start=2):
            if looks_like_header(columns, line):
                raise BadInput(
                    "HEADER_NOT_FIRST",
                    f"表头在第 {number} 行，应在第 1 行。",
                    where=f"第 {number} 行",
                    found="、".join(cell for cell in first_lines[0] if cell.strip())[:40] or "空行",
                    expected="第 1 行为表头",
                    action=f"请删除表头之上的 {number - 1} 行（标题、说明）后再导入。",
                )
    return match(columns, first_lines[0])
