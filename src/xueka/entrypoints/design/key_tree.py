"""A tree as a picture: what hangs below what, each box with its marks and how much stands under it.

Laid out here, drawn as SVG by `design/ui/key_tree.html`: columns from left to right, a row for each leaf.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

WIDTH, HEIGHT, GAP, STEP = 300, 44, 8, 338
_MARK = 38


@dataclass(frozen=True, slots=True)
class Mark:
    """One version: a short text in the colour of its state; `words` say it aloud."""

    text: str
    tone: str
    words: str


@dataclass(frozen=True, slots=True)
class Node:
    """A box. `note` stands small below the title; `dashed` for what is not ours."""

    title: str
    note: str
    url: str = ""
    marks: Sequence[Mark] = ()
    children: "Sequence[Node]" = ()
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Tree:
    """`label` names the picture for those who do not see it."""

    label: str
    roots: Sequence[Node]

    @property
    def drawn(self) -> "Drawing":
        return draw(self)


@dataclass(frozen=True, slots=True)
class Placed:
    """A box with its place in pixels, and where its marks stand."""

    node: Node
    x: int
    y: int
    marks: list[tuple[Mark, int]]

    @property
    def middle(self) -> int:
        return self.y + HEIGHT // 2

    @property
    def words(self) -> str:
        return "，".join([self.node.title, self.node.note, *(mark.words for mark in self.node.marks)])


@dataclass(slots=True)
class Drawing:
    boxes: list[Placed] = field(default_factory=list)
    #: Lines from a box to one below it, as SVG paths.
    lines: list[str] = field(default_factory=list)
    width: int = 0
    height: int = 0


def draw(tree: Tree) -> Drawing:
    """Leaves one below the other; every other box beside the first of its children."""
    made = Drawing()
    row = 0
    for root in tree.roots:
        row = _place(made, root, 0, row)[1]
    made.width = max((box.x for box in made.boxes), default=0) + WIDTH + 2
    made.height = max(row * (HEIGHT + GAP) - GAP, 0) + 2
    return made


def _place(made: Drawing, node: Node, depth: int, row: int) -> tuple[Placed, int]:
    x, y = 1 + depth * STEP, 1 + row * (HEIGHT + GAP)
    box = Placed(node, x, y, list(_marks(node, x)))
    made.boxes.append(box)
    after = row
    for child in node.children:
        below, after = _place(made, child, depth + 1, after)
        start, end = x + WIDTH, below.x
        bend = (start + end) // 2
        made.lines.append(f"M{start} {box.middle}H{bend}V{below.middle}H{end}")
    return box, max(after, row + 1)


def _marks(node: Node, x: int) -> Iterator[tuple[Mark, int]]:
    """The newest at the right edge; three at most, the rest is on the key's own page."""
    for place, mark in enumerate(node.marks[:3]):
        yield mark, x + WIDTH - 4 - _MARK * (place + 1)
